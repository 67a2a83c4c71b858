# Before and beside the main job: what a run will fetch, whether the archive answers from here, frames ahead of need.
# Makes   results/forecast.json; results/frames/{shard}.jsonl (`snakemake frames`, with stamps.keep_frames)


localrules:
    forecast,
    doctor,
    frames,


rule forecast:
    input:
        collect("results/plan/{shard}.parquet", shard=SHARDS),
    output:
        "results/forecast.json",
    log:
        "logs/forecast.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code_digest("archive.forecast"),
    script:
        "../scripts/forecast.py"


rule doctor:
    log:
        "logs/doctor.log",
    conda:
        "../../envs/pipeline.yaml"
    script:
        "../scripts/doctor.py"


rule frames:
    input:
        collect("results/frames/{shard}.jsonl", shard=SHARDS),


rule fetch_frames:
    input:
        "results/plan/{shard}.parquet",
    output:
        "results/frames/{shard}.jsonl",
    log:
        "logs/fetch_frames/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    script:
        "../scripts/fetch_frames.py"
