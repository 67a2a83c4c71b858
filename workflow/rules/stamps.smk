# Frames -> native stamps -> cutouts on the r grid, shard by shard.
# Needs   results/plan/{shard}.parquet; FRAMES, a folder that a rule fills with frames, if there is one
# Makes   results/stamps/{shard}.arrow (+ what became of each frame), results/cutouts/{shard}.arrow (+ counts each);
#         results/cutouts/{align}/{shard}.arrow for networks with another alignment
# How a frame is had (stamps.fetch) changes no pixel, so it is no parameter; how its blocks are decoded is part of the code.
# Code that fetches is no part of the digest: it can change when a frame comes, not its pixels, which are checked.


rule stamps:
    input:
        plan="results/plan/{shard}.parquet",
        frames=FRAMES,
    output:
        stamps="results/stamps/{shard}.arrow",
        counts="results/stamps/{shard}.counts.json",
        manifest="results/stamps/{shard}.frames.jsonl",
    log:
        "logs/stamps/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    params:
        edges=lookup("stamps/edges", within=config),
        cache="results/frames/{shard}",
        code=code_digest("images.stamps", "sdss.bz2_blocks"),
    script:
        "../scripts/stamps.py"


# By now the engine knows that the shard's stamps are whole, so that the frames kept for it can go.
rule cutouts:
    input:
        stamps="results/stamps/{shard}.arrow",
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
        cache="results/frames/{shard}",
        code=code_digest("images.cutouts"),
    script:
        "../scripts/cutouts.py"


use rule cutouts as cutouts_aligned with:
    output:
        cutouts="results/cutouts/{align}/{shard}.arrow",
        counts="results/cutouts/{align}/{shard}.counts.json",
    log:
        "logs/cutouts/{align}/{shard}.log",
    params:
        align="{align}",
        cache="results/frames/{shard}",
        code=code_digest("images.cutouts"),
