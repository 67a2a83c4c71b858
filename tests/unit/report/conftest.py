"""Fixtures of the tests of figures."""

import numpy as np
import pandas as pd
import pytest
from figures import predictions

from crossz.images.arrow import UNITS_PER_NMGY, write_arrays
from crossz.report import calibration, gallery, models, redshifts, style


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, still open to be looked at."""
    figures = []
    for module in (redshifts, calibration, models, gallery):
        monkeypatch.setattr(module, "save", lambda figure, paths: figures.append(figure))
    yield figures
    for figure in figures:
        style.plt.close(figure)


@pytest.fixture
def survey(tmp_path):
    """Predictions, catalog, index and cutout file of 30 objects; pixel (0, 0) of an image says which object it is of."""
    (prediction,) = predictions(tmp_path, "crossmodal", "phot+img", 1, n=30)
    objID = pd.read_parquet(prediction)["objID"].to_numpy()
    magnitude = 20 + 0.01 * np.arange(30)
    pd.DataFrame({"objID": objID, "psfMag_r": magnitude, "zWarning": 4, "group": objID // 2}).to_parquet(
        tmp_path / "baseline.parquet"
    )
    image = np.zeros((30, 5, 64, 64), np.float16)
    image[:, :, 0, 0] = np.arange(30)[:, None] * UNITS_PER_NMGY
    columns = {"objID": objID, "image": image, "mask": np.zeros((30, 64, 64), np.uint8), "status": ["ok"] * 30}
    write_arrays(tmp_path / "0000.arrow", columns)
    index = {"objID": objID, "shard": np.int32(0), "row": np.arange(30, dtype=np.int32), "status": "ok"}
    pd.DataFrame(index).to_parquet(tmp_path / "images.parquet")
    return {
        "predictions": prediction,
        "catalog": tmp_path / "baseline.parquet",
        "index": tmp_path / "images.parquet",
        "cutouts": [tmp_path / "0000.arrow"],
    }
