# Figures, PNG and PDF: the paper's (1 and 3) and what else tells how good the main network is.
# Needs   results/predictions/, results/models/, results/catalog/, results/cutouts/, results/metrics.csv, results/metrics_binned.csv
# Makes   results/figures/redshifts.*, results/figures/{dataset}/{model}/{inputs}.*,
#         results/figures/{dataset}/{models,error_vs_z,pit,calibration,learning,gallery}.*
# Of classes: confusion matrices instead of estimates, and of the others those alone that make sense.

PAPER_FIGURES = ["results/figures/redshifts.png"] * (not CLASSES) + collect(
    f"results/figures/{{dataset}}/{MAIN}/{{inputs}}.png", dataset=DATASETS, inputs=INPUTS[MAIN]
)
SEES_IMAGES = INPUTS[MAIN] != ["phot"]
OF_NETWORK = ["learning"] if CLASSES else ["pit", "calibration", "learning"]
OF_REDSHIFTS = [] if CLASSES else ["models", "error_vs_z"] + ["gallery"] * SEES_IMAGES
FIGURES = PAPER_FIGURES + collect(
    "results/figures/{dataset}/{figure}.png", dataset=DATASETS, figure=OF_REDSHIFTS + OF_NETWORK
)


rule figure_redshifts:
    input:
        collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
    output:
        figure("results/figures/redshifts", "redshifts"),
    log:
        "logs/figure_redshifts.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.plots"),
    script:
        "../scripts/figure_redshifts.py"


rule figure_estimates:
    input:
        collect(
            f"results/predictions/{{{{dataset}}}}/{MAIN}/{{split}}/{{inputs}}.parquet",
            split=SPLITS,
            inputs=INPUTS[MAIN],
        ),
    output:
        png=report(
            collect(f"results/figures/{{{{dataset}}}}/{MAIN}/{{inputs}}.png", inputs=INPUTS[MAIN]),
            caption=f"../report/{'confusion' if CLASSES else 'estimate'}.rst",
            category="Figures",
        ),
        pdf=collect(f"results/figures/{{{{dataset}}}}/{MAIN}/{{inputs}}.pdf", inputs=INPUTS[MAIN]),
    log:
        "logs/figure_estimates/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.plots"),
    script:
        "../scripts/figure_estimates.py"


rule figure_scores:
    input:
        metrics="results/metrics.csv",
        binned="results/metrics_binned.csv",
    output:
        models=figure("results/figures/{dataset}/models", "models"),
        error_vs_z=figure("results/figures/{dataset}/error_vs_z", "error_vs_z"),
    log:
        "logs/figure_scores/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.plots"),
    script:
        "../scripts/figure_scores.py"


rule figure_network:
    input:
        predictions=collect(
            f"results/predictions/{{{{dataset}}}}/{MAIN}/{{split}}/{{inputs}}.parquet",
            split=SPLITS,
            inputs=INPUTS[MAIN],
        ),
        histories=collect(f"results/models/{{{{dataset}}}}/{MAIN}/{{split}}/history.csv", split=SPLITS),
    output:
        **{name: figure(f"results/figures/{{dataset}}/{name}", name) for name in OF_NETWORK},
    log:
        "logs/figure_network/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.plots"),
    script:
        "../scripts/figure_network.py"


rule figure_gallery:
    input:
        predictions=f"results/predictions/{{dataset}}/{MAIN}/0/{INPUTS[MAIN][0]}.parquet",
        catalog="results/catalog/{dataset}.parquet",
        index="results/images.parquet",
        shards=cutouts_of(MAIN),
    output:
        figure("results/figures/{dataset}/gallery", "gallery"),
    log:
        "logs/figure_gallery/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.gallery"),
    script:
        "../scripts/figure_gallery.py"
