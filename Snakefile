"""Entry point: configuration, rule files, target. No logic here."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

ROOT = Path(str(workflow.current_basedir))
sys.path.insert(0, str(ROOT / "src"))

from crossz.core.provenance import jobs_import_from

jobs_import_from(ROOT / "src")


configfile: ROOT / "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: f"workflow/rules/survey_{config['survey']}.smk"
include: "workflow/rules/catalog.smk"
include: "workflow/rules/also.smk"
include: "workflow/rules/crossmatch.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/references.smk"
include: "workflow/rules/stack.smk"
include: "workflow/rules/mml.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/qp.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/bundle.smk"
include: "workflow/rules/verify.smk"


localrules:
    all,


onsuccess:
    if Path("results/metrics.csv").is_file() and any(job.rule.name == "metrics" for job in workflow.dag.jobs):
        from crossz.scores.ending import ending

        print(ending("results/metrics.csv", config["run"]))


rule all:
    default_target: True
    input:
        TABLES,
        FIGURES,
        PAGES,
