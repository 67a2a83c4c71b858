"""Names that several stages share: bands, models, input patterns, statuses."""

BANDS = "ugriz"
"""The five SDSS bands; every array with a band axis is in this order."""
