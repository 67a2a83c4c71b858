# Cutouts somebody has made: a folder of the authors' .mat files and a catalog. The run starts at the catalog.
# Needs   catalog.files, cutouts.folder
# Makes   results/catalog/raw/{dataset}.parquet (+ receipt), results/cutouts/{shard}.arrow

SPECTRA = []


include: "user_catalog.smk"


rule mat_cutouts:
    input:
        plan="results/plan/{shard}.parquet",
        folder=ancient(local(str(config["cutouts"]["folder"]))),
    output:
        cutouts="results/cutouts/{shard}.arrow",
        counts="results/cutouts/{shard}.counts.json",
    log:
        "logs/mat_cutouts/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code_digest("images.mat"),
    script:
        "../scripts/mat_cutouts.py"
