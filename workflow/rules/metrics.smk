# Scores, Table 1, the comparison of all models and the run record.
# Needs   results/predictions/, results/splits/, results/images.parquet, results/catalog/, every stage's counts
# Makes   results/metrics.csv, results/metrics_binned.csv, results/comparison.csv and .md, results/table1.md, results/run.yaml

NETWORK_PREDICTIONS = [
    path
    for dataset in DATASETS
    for model in NETWORKS
    for path in collect(
        f"results/predictions/{dataset}/{model}/{{split}}/{{inputs}}.parquet", split=SPLITS, inputs=INPUTS[model]
    )
]
REFERENCE_PREDICTIONS = collect(
    "results/predictions/{dataset}/{model}/{split}/phot.parquet", dataset=DATASETS, model=REFERENCES, split=SPLITS
)
STACKED_PREDICTIONS = collect(
    "results/predictions/{dataset}/stacked/{split}/{inputs}.parquet",
    dataset=DATASETS,
    split=SPLITS,
    inputs=STACKED_INPUTS,
)
MML_PREDICTIONS = collect(
    "results/predictions/{dataset}/mml/{split}/{inputs}.parquet", dataset=MML_DATASETS, split=SPLITS, inputs=MML_INPUTS
)

TABLES = ["results/metrics.csv"] + ([] if CLASSES else ["results/metrics_binned.csv", "results/comparison.md"])


rule metrics:
    input:
        predictions=NETWORK_PREDICTIONS + STACKED_PREDICTIONS + REFERENCE_PREDICTIONS + MML_PREDICTIONS,
        splits=collect("results/splits/{dataset}/{split}.parquet", dataset=DATASETS, split=SPLITS),
        index="results/images.parquet",
        counts=collect("results/catalog/{dataset}.counts.json", dataset=DATASETS)
        + ["results/images.counts.json"]
        + collect("results/crossmatch/{dataset}.counts.json", dataset=DATASETS if CROSSMATCH else []),
        infos=collect(
            "results/models/{dataset}/{model}/{split}/model.json", dataset=DATASETS, model=NETWORKS, split=SPLITS
        )
        + collect("results/models/{dataset}/mml/{split}/model.json", dataset=MML_DATASETS, split=SPLITS),
    output:
        metrics="results/metrics.csv",
        table="results/table1.md",
        record="results/run.yaml",
    log:
        "logs/metrics.log",
    conda:
        "../../envs/train.yaml"
    params:
        config={
            name: block
            for name, block in config.items()
            if name not in ("run", "archive", "verify", "targets", "bundle", "class_bundle", "export")
        },
        code={
            name: code_digest(name)
            for name in (
                "images.stamps",
                "images.cutouts",
                "models.training",
                "models.references",
                "models.growing",
                "models.mml_training",
                "scores.metrics",
                "core.run_record",
            )
        },
    script:
        "../scripts/metrics.py"


if not CLASSES:

    rule metrics_binned:
        input:
            predictions=NETWORK_PREDICTIONS + STACKED_PREDICTIONS + REFERENCE_PREDICTIONS + MML_PREDICTIONS,
            catalogs=collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
        output:
            binned="results/metrics_binned.csv",
        log:
            "logs/metrics_binned.log",
        conda:
            "../../envs/train.yaml"
        params:
            seed=lookup("seed", within=config),
            code=code_digest("scores.binned"),
        script:
            "../scripts/metrics_binned.py"

    rule comparison:
        input:
            predictions=NETWORK_PREDICTIONS + STACKED_PREDICTIONS + REFERENCE_PREDICTIONS + MML_PREDICTIONS,
            catalogs=collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
        output:
            csv="results/comparison.csv",
            markdown="results/comparison.md",
        log:
            "logs/comparison.log",
        conda:
            "../../envs/train.yaml"
        params:
            main=MAIN,
            seed=lookup("seed", within=config),
            fractions=lookup("splits/fractions", within=config),
            code=code_digest("scores.comparison"),
        script:
            "../scripts/comparison.py"
