"""Figures of a run, as PNG and PDF.

In: tables of predictions and scores, catalogs, training histories and images, all from files.
Out: one figure per function; each `write_*` function reads what it shows and saves it.
"""
