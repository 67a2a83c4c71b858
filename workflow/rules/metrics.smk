# Scores, Table 1, the figures and the record of the run.
# Needs   results/predictions/, results/splits/, results/images.parquet, results/catalog/, every stage's counts
# Makes   results/metrics.csv, results/metrics_binned.csv, results/table1.md, results/run.yaml, results/figures/

NETWORK_PREDICTIONS = collect(
    "results/predictions/{dataset}/crossmodal/{split}/{inputs}.parquet", dataset=DATASETS, split=SPLITS, inputs=PATTERNS
)
REFERENCE_PREDICTIONS = collect(
    "results/predictions/{dataset}/{model}/{split}/phot.parquet", dataset=DATASETS, model=REFERENCES, split=SPLITS
)
MML_DATASETS = DATASETS if config["mml"]["run"] else []
MML_PREDICTIONS = collect(
    "results/predictions/{dataset}/mml/{split}/{inputs}.parquet", dataset=MML_DATASETS, split=SPLITS, inputs=MML_INPUTS
)
FIGURES = ["results/figures/redshifts.png"] + collect(
    "results/figures/{dataset}/{inputs}.png", dataset=DATASETS, inputs=PATTERNS
)


rule metrics:
    input:
        predictions=NETWORK_PREDICTIONS + REFERENCE_PREDICTIONS + MML_PREDICTIONS,
        splits=collect("results/splits/{dataset}/{split}.parquet", dataset=DATASETS, split=SPLITS),
        index="results/images.parquet",
        counts=collect("results/catalog/{dataset}.counts.json", dataset=DATASETS) + ["results/images.counts.json"],
        infos=collect("results/models/{dataset}/crossmodal/{split}/model.json", dataset=DATASETS, split=SPLITS)
        + collect("results/models/{dataset}/mml/{split}/model.json", dataset=MML_DATASETS, split=SPLITS),
        figures=FIGURES,
    output:
        metrics=report("results/metrics.csv", caption="../report/metrics.rst", category="Results"),
        table=report("results/table1.md", caption="../report/table1.rst", category="Results"),
        record=report("results/run.yaml", caption="../report/run.rst", category="Provenance"),
    log:
        "logs/metrics.log",
    conda:
        "../../envs/train.yaml"
    params:
        config={name: block for name, block in config.items() if name not in ("archive", "verify")},
        code={
            name: code_digest(name)
            for name in ("stamps", "cutouts", "training", "models.references", "mml", "metrics")
        },
    script:
        "../scripts/metrics.py"


rule metrics_binned:
    input:
        predictions=NETWORK_PREDICTIONS + REFERENCE_PREDICTIONS + MML_PREDICTIONS,
        catalogs=collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
    output:
        report("results/metrics_binned.csv", caption="../report/metrics_binned.rst", category="Results"),
    log:
        "logs/metrics_binned.log",
    conda:
        "../../envs/train.yaml"
    params:
        seed=lookup("seed", within=config),
        code=code_digest("binned"),
    script:
        "../scripts/metrics_binned.py"


rule figure_redshifts:
    input:
        collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
    output:
        report("results/figures/redshifts.png", caption="../report/redshifts.rst", category="Figures"),
        "results/figures/redshifts.pdf",
    log:
        "logs/figure_redshifts.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("plots"),
    script:
        "../scripts/figure_redshifts.py"


rule figure_estimates:
    input:
        collect("results/predictions/{{dataset}}/crossmodal/{split}/{inputs}.parquet", split=SPLITS, inputs=PATTERNS),
    output:
        png=report(
            collect("results/figures/{{dataset}}/{inputs}.png", inputs=PATTERNS),
            caption="../report/estimate.rst",
            category="Figures",
        ),
        pdf=collect("results/figures/{{dataset}}/{inputs}.pdf", inputs=PATTERNS),
    log:
        "logs/figure_estimates/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("plots"),
    script:
        "../scripts/figure_estimates.py"
