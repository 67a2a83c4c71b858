# The tables as HTML pages, and the first page of the report: Table 1 and the main figure, in words.
# Needs   the tables of metrics.smk, results/figures/{dataset}/{model}/{inputs}.png of the first dataset
# Makes   results/pages/*.html

SHOWN = {  # the page of a table: its file, its caption and its name in the report
    "table1": ("table1.md", "classes" if CLASSES else "table1", "1 Table 1"),
    "comparison": ("comparison.md", "comparison", "2 every model against the main network"),
    "metrics": ("metrics.csv", "metrics", "3 scores of each split"),
    "metrics_binned": ("metrics_binned.csv", "metrics_binned", "4 scores in bins"),
    "run": ("run.yaml", "run", "5 run record"),
}
if CLASSES:
    SHOWN = {name: shown for name, shown in SHOWN.items() if name not in ("comparison", "metrics_binned")}
PAGES = ["results/pages/start.html"]


rule pages:
    input:
        tables=[f"results/{file}" for file, _, _ in SHOWN.values()],
        figure=f"results/figures/{DATASETS[0]}/{MAIN}/{INPUTS[MAIN][0]}.png",
    output:
        start=report(
            "results/pages/start.html", caption="../report/start.rst", category="Start", labels={"page": "this run"}
        ),
        pages=[
            report(
                f"results/pages/{name}.html",
                caption=f"../report/{caption}.rst",
                category="Tables",
                labels={"table": label},
            )
            for name, (_, caption, label) in SHOWN.items()
        ],
    log:
        "logs/pages.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("report.pages"),
    script:
        "../scripts/pages.py"
