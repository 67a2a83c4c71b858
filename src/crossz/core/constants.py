"""Constants that pixels and splits rest on.

Every cutout depends on this module, so that an edit here cuts all of them again. Names that change more often belong
into `core.names`.
"""

BANDS = "ugriz"
"""The five SDSS bands; every array with a band axis is in this order."""

SUBSETS = ("train", "val", "test")
"""Random parts of a dataset, in the order of splits.fractions."""

OK = "ok"
"""Status of an object whose data can be used. Any other status says why they cannot."""

CUTOUT_SIZE = 64
"""Edge of a cutout in pixels (paper, section 2.3)."""
