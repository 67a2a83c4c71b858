"""A synthetic SDSS: quasars from spectrum to catalog row, on images that could be real ones.

In come a seed, and the size of the survey.
Out go the tables (SQLite), frames and spectra as the archive lays them out, and the truth.
"""
