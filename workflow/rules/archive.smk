# Before and beside the main job: what a run will fetch, whether the archive answers from here, frames ahead of need.
# Makes   results/forecast.json; results/frames/{shard}.jsonl (`snakemake frames`, with stamps.keep_frames)


localrules:
    forecast,
    doctor,
    frames,


rule forecast:
    input:
        plans=collect("results/plan/{shard}.parquet", shard=SHARDS),
        catalogs=collect("results/catalog/{dataset}.parquet", dataset=MML_DATASETS),
    output:
        costs="results/forecast.json",
    log:
        "logs/forecast.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        rate_MB_s=lookup("archive/rate_MB_s", within=config),
        code=code_digest("archive.forecast"),
    script:
        "../scripts/forecast.py"


rule doctor:
    log:
        "logs/doctor.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        folder="results",
    script:
        "../scripts/doctor.py"


rule frames:
    input:
        collect("results/frames/{shard}.jsonl", shard=SHARDS),


# No digest: code that fetches can change when a frame comes, not its bytes, which are checked.
rule fetch_frames:
    input:
        plan="results/plan/{shard}.parquet",
    output:
        manifest="results/frames/{shard}.jsonl",
    log:
        "logs/fetch_frames/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    params:
        cache="results/frames/{shard}",
    script:
        "../scripts/fetch_frames.py"
