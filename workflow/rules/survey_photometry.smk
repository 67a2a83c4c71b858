# A catalog alone: redshifts from magnitudes, for networks of photometry alone and the references.
# Needs   catalog.files
# Makes   results/catalog/raw/{dataset}.parquet (+ receipt), results/cutouts/{shard}.arrow, without images

SPECTRA = []


include: "user_catalog.smk"


rule no_images:
    input:
        plan="results/plan/{shard}.parquet",
    output:
        cutouts="results/cutouts/{shard}.arrow",
        counts="results/cutouts/{shard}.counts.json",
    log:
        "logs/no_images/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code_digest("images.no_images"),
    script:
        "../scripts/no_images.py"
