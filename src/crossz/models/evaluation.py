"""Training and evaluation of the cross-modal network: one loop, validation-chosen checkpoint, resume after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

from collections.abc import Sequence
from pathlib import Path

from crossz.estimates.predictions import write_classes, write_predictions
from crossz.images.store import ImageStore
from crossz.models.data import load_part
from crossz.models.device import choose_device, deterministic
from crossz.models.inference import load_networks, predict, recalibrated
from crossz.models.rows import load_rows


def evaluate(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    shard_paths: Sequence[str | Path],
    model_path: str | Path,
    info_path: str | Path,
    prediction_paths: dict[str, str | Path],
    threads: int = 1,
) -> None:
    """Write predictions of the validation and test rows, one table an input pattern (samples.write_predictions).

    PDFs are recalibrated with the temperature that the validation part chose.
    Raises CrosszError when the weights are not those that `info_path` was written with.
    """
    deterministic(threads)
    device = choose_device()
    nets, info = load_networks(model_path, info_path, device)
    store = ImageStore(index_path, shard_paths)
    rows = load_rows(catalog_path, split_path, store)
    rows = rows[rows["subset"] != "train"]
    found = predict(nets, load_part(rows, store, info, device), info)
    for pattern, path in prediction_paths.items():
        estimate = recalibrated(found[pattern], pattern, info)
        if estimate.probability is not None:
            write_classes(path, rows, estimate.probability, info["classes"])
        else:
            write_predictions(path, rows, estimate.z_phot, estimate.pdf)
