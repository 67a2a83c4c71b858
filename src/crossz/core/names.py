"""Names that several stages share: models, input patterns, statuses. Bands and subsets: `core.constants`; files: `core.paths`."""

# Models

CROSSMODAL = "crossmodal"
"""The network of the paper, as the blocks crossmodal, train, cutouts and photometry of the configuration have it."""
MML = "mml"
"""The baseline PhotoRedshift-MML (Hong et al. 2023), which reads spectra."""
REFERENCES = ("mean", "knn", "random_forest", "extra_trees", "gradient_boosting", "mlp")
"""Models of photometry alone that every other one is compared with."""
STACKED = "stacked"
"""The main network and trees of photometry, pooled (`estimates.stack`)."""
TAKEN = (CROSSMODAL, MML, STACKED, *REFERENCES)
"""Names that no variant of the network may take."""

GROWTH = "growth"
"""The backbone of learned apertures and the curve of growth."""
APERTURES = (GROWTH, "small")
"""Backbones that are as small as a processor needs: `small` has no curve of growth."""

# Inputs

PATTERNS = ("phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen")
"""Input patterns of Table 1. `_gen`: that feature is generated from the other modality."""
ALONE = ("phot", "img")
"""Inputs of a network of one modality; `phot` is also that of the references."""
MML_INPUTS = ("phot", "phot+spec_gen", "spec")
"""Inputs of the baseline PhotoRedshift-MML."""
INPUTS = tuple(dict.fromkeys((*PATTERNS, *ALONE, *MML_INPUTS)))
"""All inputs that a table of predictions can have."""

STACKABLE = ("phot+img", "phot+img_gen", "phot")
"""Inputs with real photometry, which the trees of a stack need."""

# Statuses

MALFORMED = "malformed"
"""A target's id or position is not one."""
NO_MATCH = "no_match"
"""The archive has no object for a target."""
NOT_FINITE = "not_finite"
"""An image has pixels that are no finite numbers."""
NO_DATA = "no_data"
"""A target has neither magnitudes nor an image."""

LABEL_COLUMNS = (
    "objID", "specObjID", "bestObjID", "thing_id", "z", "zErr", "zWarning", "class", "plate", "mjd", "fiberID", "run2d",
    "group", "subset", "row",
)  # fmt: skip
"""Columns that only an object with a spectrum has, or that name it: no model may see them."""

DCR = (*(f"{name}_{band}" for band in "ugiz" for name in ("dcr", "across")), "zenith_tan")
"""Columns of differential refraction: photometry.columns: [dcr] stands for them (catalog.dcr)."""
