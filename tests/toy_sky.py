"""A synthetic survey of 100 quasars, and its files."""

import functools
import hashlib
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from crossz.core.constants import BANDS
from crossz.sky import geometry
from crossz.sky.build import build

QUASARS, FRAME = 100, (300, 400)
STEP = FRAME[1] - geometry.OVERLAP
SIGMA = dict(zip(BANDS, (0.047, 0.020, 0.027, 0.045, 0.17), strict=True))


def make(root: Path, workers: int, seed: int = 11, progress=lambda line: None) -> Path:
    build(
        database=root / "sky.sqlite", sas=root / "sas", truth=root / "truth.parquet", seed=seed, quasars=QUASARS, frame=FRAME,
        quasars_per_field=16, workers=workers, progress=progress,
    )  # fmt: skip
    return root


def frame_path(root: Path, run: int, camcol: int, field: int, band: str) -> Path:
    folder = root / "sas/dr17/eboss/photoObj/frames/301" / str(int(run)) / str(int(camcol))
    return folder / f"frame-{band}-{int(run):06d}-{int(camcol)}-{int(field):04d}.fits.bz2"


@functools.cache
def opened(path: Path) -> tuple[np.ndarray, WCS, fits.HDUList]:
    hdus = fits.open(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RADECSYS, as in real frames
        return hdus[0].data.astype(float), WCS(hdus[0].header), hdus


def every_frame(root: Path) -> list[Path]:
    return sorted(root.glob("sas/dr17/eboss/photoObj/frames/301/*/*/frame-*.fits.bz2"))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
