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
    resources:
        mem_mb=800,
    params:
        magnitudes=lookup("photometry/magnitudes", within=config),
        columns=seen_columns(config["photometry"]),
        classes=CLASSES,
        seed=lookup("seed", within=config),
        code=code_digest("models.references"),
    script:
        "../scripts/references.py"
