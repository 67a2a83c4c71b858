# Targets without magnitudes: their objects in the archive (rule match of the survey), and the images of those.
# Needs   results/predict/{name}/catalog.parquet; frames, as stamps.smk does
# Makes   results/predict/{name}/: plan/, stamps/, cutouts/, images.parquet, missing.csv


use rule plan as target_plan with:
    input:
        catalogs=["results/predict/{name}/catalog.parquet"],
    output:
        shards=collect("results/predict/{{name}}/plan/{shard}.parquet", shard=SHARDS),
    log:
        "logs/target_plan/{name}.log",


use rule stamps as target_stamps with:
    input:
        plan="results/predict/{name}/plan/{shard}.parquet",
        frames=FRAMES,
    output:
        stamps="results/predict/{name}/stamps/{shard}.arrow",
        counts="results/predict/{name}/stamps/{shard}.counts.json",
        manifest="results/predict/{name}/stamps/{shard}.frames.jsonl",
    log:
        "logs/target_stamps/{name}/{shard}.log",
    params:
        edges=lookup("stamps/edges", within=config),
        cache="results/predict/{name}/frames/{shard}",
        code=code_digest("images.stamps", "sdss.bz2_blocks"),


use rule cutouts as target_cutouts with:
    input:
        stamps="results/predict/{name}/stamps/{shard}.arrow",
    output:
        cutouts="results/predict/{name}/cutouts/{shard}.arrow",
        counts="results/predict/{name}/cutouts/{shard}.counts.json",
    log:
        "logs/target_cutouts/{name}/{shard}.log",
    params:
        align=target_align,
        cache="results/predict/{name}/frames/{shard}",
        code=code_digest("images.cutouts"),


use rule images as target_images with:
    input:
        cutouts=collect("results/predict/{{name}}/cutouts/{shard}.arrow", shard=SHARDS),
        plan=collect("results/predict/{{name}}/plan/{shard}.parquet", shard=SHARDS),
    output:
        index="results/predict/{name}/images.parquet",
        counts="results/predict/{name}/images.counts.json",
        missing="results/predict/{name}/missing.csv",
    log:
        "logs/target_images/{name}.log",
