"""A frame of real size: what SDSS writes, with a sky of our own."""

import numpy as np

from crossz.sdss.frames import FRAME_MINUS_FIELD, FieldID
from crossz.sky import fits
from crossz.sky.images import ten_bits

FIELD = FieldID(301, 1043, 5, 25)
ROWS, COLUMNS = 1489, 2048


def frame_bytes(seed=1, zeros=0, band="r", low_bits=False, sky=True, flat=False):
    """The raw bytes of a frame of real size: noise read in whole DN, calibrated, ten bits; `zeros` pixels of row 900 are 0."""
    rng = np.random.default_rng(seed)
    calibration = 0.005 * (1 + 0.02 * np.cos(np.arange(COLUMNS) / 200) + 1e-4 * rng.standard_normal(COLUMNS))
    if flat:
        calibration[:] = 0.005
    grid = (120.3 if flat else 120 + 3 * rng.random((187, 256))) * np.ones((187, 256))
    x, y = (np.clip((np.arange(size) - 4) / 8, 0, None) for size in (COLUMNS, ROWS))
    row = np.zeros(1, [("ALLSKY", ">f4", grid.shape), ("XINTERP", ">f4", (COLUMNS,)), ("YINTERP", ">f4", (ROWS,))])
    row["ALLSKY"], row["XINTERP"], row["YINTERP"] = grid, x, y
    i, j = np.minimum(y.astype(int), 185), np.minimum(x.astype(int), 254)
    v, u = (y - i)[:, None], x - j
    full = (grid[i][:, j] * (1 - u) + grid[i][:, j + 1] * u) * (1 - v) + (
        grid[i + 1][:, j] * (1 - u) + grid[i + 1][:, j + 1] * u
    ) * v
    dn = np.rint(full + rng.normal(0, 6, full.shape))
    image = ten_bits(((dn - full) * calibration).astype(np.float32))
    image[900, 100 : 100 + zeros] = 0
    if low_bits:
        image[5, 5] = np.float32(0.1)
    cards = {
        "RUN": FIELD.run, "CAMCOL": FIELD.camcol, "FILTER": band, "FRAME": FIELD.field + FRAME_MINUS_FIELD[band],
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1025.0, "CRPIX2": 745.0, "CRVAL1": 150.0, "CRVAL2": 2.0,
        "CD1_1": 0.0, "CD1_2": 1.1e-4, "CD2_1": 1.1e-4, "CD2_2": 0.0,
    }  # fmt: skip
    tables = fits.table(row) if sky else b""
    return b"".join((fits.primary(image, list(cards.items())), fits.image(calibration), tables))
