# Photometry-only references on the same rows and splits.
# Needs   CATALOG, results/splits/, results/images.parquet (which rows have an image)
# Makes   results/predictions/{dataset}/{model}/{split}/phot.parquet


rule references:
    input:
        catalog=CATALOG,
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
    output:
        predictions=collect("results/predictions/{{dataset}}/{model}/{{split}}/phot.parquet", model=REFERENCES),
    log:
        "logs/references/{dataset}/{split}.log",
    conda:
        "../../envs/train.yaml"
    # Of small samples, splits run side by side, one core each. At DR17's size a job takes 2 GB, and so gets more cores.
    threads: lambda wildcards, input: 4 if is_large(input.catalog) else 1
    resources:
        mem_mb=lambda wildcards, input: 1000 + round(8 * input.size_mb),
    params:
        magnitudes=lookup("photometry/magnitudes", within=config),
        columns=seen_columns(config["photometry"]),
        classes=CLASSES,
        seed=lookup("seed", within=config),
        code=code_digest("models.references"),
    script:
        "../scripts/references.py"
