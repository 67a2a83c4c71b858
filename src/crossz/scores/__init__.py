"""How good the estimates are: scores, their errors, and comparisons of models.

In: tables of predictions (`crossz.estimates.predictions`), splits and catalogs.
Out: `metrics.csv`, `table1.md`, `metrics_binned.csv`, `comparison.csv` and `.md`, PDFs in the format of `qp`.
"""
