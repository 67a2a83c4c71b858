# Raw rows -> one row per objID, grouped by quasar -> which objects are cut in which shard.
# Needs   results/catalog/raw/{dataset}.parquet
# Makes   results/catalog/{dataset}.parquet (+ counts), results/plan/{shard}.parquet (the union of the datasets)


# Seconds at any size: it need not wait for a scheduler. So are other local rules.
localrules:
    plan,


rule catalog:
    input:
        raw="results/catalog/raw/{dataset}.parquet",
    output:
        catalog="results/catalog/{dataset}.parquet",
        counts="results/catalog/{dataset}.counts.json",
    log:
        "logs/catalog/{dataset}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        radius_arcsec=lookup("catalog/group_radius_arcsec", within=config),
        classes=CLASSES,
        code=code_digest("catalog.objects"),
    script:
        "../scripts/catalog.py"


rule plan:
    input:
        catalogs=collect("results/catalog/{dataset}.parquet", dataset=DATASETS)
        + collect("results/also/{dataset}/{name}.parquet", dataset=DATASETS[:1], name=ALSO_IMAGES),
    output:
        shards=collect("results/plan/{shard}.parquet", shard=SHARDS),
    log:
        "logs/plan.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        needs_fields=config["survey"] in ("embedded", "sdss"),
        code=code_digest("catalog.plan"),
    script:
        "../scripts/plan.py"
