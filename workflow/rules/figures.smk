# Figures, PNG and PDF: those of the paper (1 and 3), and others that show how good the main network is.
# Needs   results/predictions/, results/models/, results/catalog/, results/cutouts/, results/metrics.csv, results/metrics_binned.csv
# Makes   results/figures/redshifts.*, results/figures/{dataset}/{model}/{inputs}.*,
#         results/figures/{dataset}/{models,error_vs_z,pit,calibration,learning,gallery}.*
# No other rule needs a figure. For a classification, confusion matrices take the place of the estimates, and the
# figures of redshifts are left out.

FIGURES = collect(
    f"results/figures/{{dataset}}/{MAIN}/{{inputs}}.png", dataset=DATASETS, inputs=INPUTS[MAIN]
) + collect("results/figures/{dataset}/learning.png", dataset=DATASETS)
if not CLASSES:
    FIGURES += ["results/figures/redshifts.png"] + collect(
        "results/figures/{dataset}/{figure}.png",
        dataset=DATASETS,
        figure=["models", "error_vs_z", "pit", "calibration"] + ["gallery"] * (INPUTS[MAIN] != ["phot"]),
    )
MAIN_PREDICTIONS = collect(
    f"results/predictions/{{{{dataset}}}}/{MAIN}/{{split}}/{{inputs}}.parquet", split=SPLITS, inputs=INPUTS[MAIN]
)


localrules:
    figure_error_vs_z,
    figure_models,
    figure_learning,


rule figure_redshifts:
    input:
        catalogs=collect("results/catalog/{dataset}.parquet", dataset=DATASETS),
    output:
        figure=figure("results/figures/redshifts", "redshifts", "redshifts (Figure 1)", dataset="all", network="none"),
    log:
        "logs/figure_redshifts.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.redshifts"),
    script:
        "../scripts/figure_redshifts.py"


rule figure_estimates:
    input:
        predictions=MAIN_PREDICTIONS,
    output:
        png=[
            report(
                f"results/figures/{{dataset}}/{MAIN}/{inputs}.png",
                caption=f"../report/{'confusion' if CLASSES else 'estimate'}.rst",
                category="Figures",
                labels=figure_labels("classes" if CLASSES else "estimates (Figure 3)", inputs=inputs),
            )
            for inputs in INPUTS[MAIN]
        ],
        pdf=collect(f"results/figures/{{{{dataset}}}}/{MAIN}/{{inputs}}.pdf", inputs=INPUTS[MAIN]),
    log:
        "logs/figure_estimates/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.redshifts"),
    script:
        "../scripts/figure_estimates.py"


rule figure_error_vs_z:
    input:
        binned="results/metrics_binned.csv",
    output:
        figure=figure("results/figures/{dataset}/error_vs_z", "error_vs_z", "errors over redshift"),
    log:
        "logs/figure_error_vs_z/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.redshifts"),
    script:
        "../scripts/figure_error_vs_z.py"


rule figure_calibration:
    input:
        predictions=MAIN_PREDICTIONS,
    output:
        pit=figure("results/figures/{dataset}/pit", "pit", "PIT"),
        calibration=figure("results/figures/{dataset}/calibration", "calibration", "coverage"),
    log:
        "logs/figure_calibration/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.calibration"),
    script:
        "../scripts/figure_calibration.py"


rule figure_models:
    input:
        metrics="results/metrics.csv",
    output:
        figure=figure("results/figures/{dataset}/models", "models", "Table 1 as a picture", network="all"),
    log:
        "logs/figure_models/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.models"),
    script:
        "../scripts/figure_models.py"


rule figure_learning:
    input:
        histories=collect(f"results/models/{{{{dataset}}}}/{MAIN}/{{split}}/history.csv", split=SPLITS),
    output:
        figure=figure("results/figures/{dataset}/learning", "learning", "learning curves"),
    log:
        "logs/figure_learning/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.models"),
    script:
        "../scripts/figure_learning.py"


rule figure_gallery:
    input:
        predictions=f"results/predictions/{{dataset}}/{MAIN}/0/{INPUTS[MAIN][0]}.parquet",
        catalog="results/catalog/{dataset}.parquet",
        index="results/images.parquet",
        cutouts=cutouts_of(MAIN),
    output:
        figure=figure("results/figures/{dataset}/gallery", "gallery", "gallery", inputs=INPUTS[MAIN][0]),
    log:
        "logs/figure_gallery/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.gallery"),
    script:
        "../scripts/figure_gallery.py"
