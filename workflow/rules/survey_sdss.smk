# The real survey, from what lies on disk: a finished query a dataset, and frames in the archive's own layout.
# Needs   catalog.files, stamps.frames_root
# Makes   results/catalog/raw/{dataset}.parquet (+ receipt), results/stamps/, results/cutouts/

FRAMES = ancient(str(config["stamps"]["frames_root"]))


include: "bring.smk"
include: "stamps.smk"
