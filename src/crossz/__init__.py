"""crossz: photometric redshifts of quasars from SDSS magnitudes and images (Zhang et al. 2023)."""

BANDS = "ugriz"
"""The five SDSS bands; every array with a band axis is in this order."""
