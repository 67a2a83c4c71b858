# Frames -> native stamps -> cutouts on the r grid, shard by shard.
# Needs   results/shards/{shard}.parquet; FRAMES, the folder that holds the archive's frames
# Makes   results/stamps/{shard}.arrow, results/cutouts/{shard}.arrow (+ counts each)


rule stamps:
    input:
        plan="results/shards/{shard}.parquet",
        frames=FRAMES,
    output:
        stamps="results/stamps/{shard}.arrow",
        counts="results/stamps/{shard}.counts.json",
    log:
        "logs/stamps/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    params:
        edges=lookup("stamps/edges", within=config),
        code=code_digest("stamps"),
    script:
        "../scripts/stamps.py"


rule cutouts:
    input:
        "results/stamps/{shard}.arrow",
    output:
        cutouts="results/cutouts/{shard}.arrow",
        counts="results/cutouts/{shard}.counts.json",
    log:
        "logs/cutouts/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    params:
        align=lookup("cutouts/align", within=config),
        code=code_digest("cutouts"),
    script:
        "../scripts/cutouts.py"
