# Where each object's image lies, and the gate: the run stops here when too many objects have none.
# Needs   results/cutouts/{shard}.arrow
# Makes   results/images.parquet (objID, shard, row, status), results/images.counts.json


rule images:
    input:
        collect("results/cutouts/{shard}.arrow", shard=SHARDS),
    output:
        index="results/images.parquet",
        counts="results/images.counts.json",
    log:
        "logs/images.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        max_loss=lookup("cutouts/max_loss", within=config),
        code=code_digest("shards"),
    script:
        "../scripts/images.py"
