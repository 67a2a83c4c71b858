# Where each object's image lies, and the gate: the run stops here when too many objects have none.
# Needs   results/cutouts/{shard}.arrow, results/plan/{shard}.parquet
# Makes   results/images.parquet (objID, shard, row, status), results/images.counts.json,
#         results/missing.csv (every object without a usable image, and why), results/gate.json


localrules:
    gate,


rule images:
    input:
        cutouts=collect("results/cutouts/{shard}.arrow", shard=SHARDS),
        plan=collect("results/plan/{shard}.parquet", shard=SHARDS),
    output:
        index="results/images.parquet",
        counts="results/images.counts.json",
        missing="results/missing.csv",
    log:
        "logs/images.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code_digest("images.index"),
    script:
        "../scripts/images.py"


# A function of `input` is no reason to rerun: who has passed the gate need not train again because it was moved, or its code edited. (Were the gate
# `ancient` for what follows, a change beyond it would go unseen in the run that changes something before it.)
rule gate:
    input:
        counts="results/images.counts.json",
        missing="results/missing.csv",
    output:
        gate="results/gate.json",
    log:
        "logs/gate.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        max_loss=lambda wildcards, input: config["cutouts"]["max_loss"],
    script:
        "../scripts/gate.py"
