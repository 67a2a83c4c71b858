"""crossz: photometric redshifts of quasars from SDSS magnitudes and images (Zhang et al. 2023)."""
