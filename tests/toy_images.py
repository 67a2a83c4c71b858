"""Frames whose every pixel has an address, and cutout files of noise."""

import bz2
import io
import json

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS

from crossz.images.arrow import to_units, write_arrays
from crossz.images.index import write_index
from crossz.sdss.frames import FRAME_MINUS_FIELD, FieldID, frame_path

FIELD = FieldID(301, 1043, 5, 25)
ROWS, COLUMNS, STEP = 300, 260, 172  # adjacent fields share 128 rows


def wcs_of(field=0, dx=0.0, dy=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix = COLUMNS / 2 + 1 + dx, ROWS / 2 + 1 + dy - field * STEP
    wcs.wcs.cd = np.array([[0, 1], [1, 0]]) * 1.1e-4
    return wcs


def image_of(band, field=0):
    """Pixels that say which band, detector row and column they are; rows continue from field to field."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return (1000 * (rows + field * STEP) + columns + band * 0.1).astype(">f4")


def sky(x, y):
    ra, dec = wcs_of().wcs_pix2world(x, y, 0)
    return float(ra), float(dec)


def header_of(wcs):
    """The cards of a WCS as those of a frame: a CD matrix, and no more."""
    axes = {f"{name}{k + 1}": getattr(wcs.wcs, name.lower())[k] for name in ("CTYPE", "CRPIX", "CRVAL") for k in (0, 1)}
    return fits.Header(axes | {f"CD{i + 1}_{j + 1}": wcs.wcs.cd[i, j] for i in (0, 1) for j in (0, 1)})


def write_frame(root, field=FIELD, band="r", data=None, **cards):
    header = header_of(wcs_of())
    header.update(
        {"RUN": field.run, "CAMCOL": field.camcol, "FILTER": band, "FRAME": field.field + FRAME_MINUS_FIELD[band]}
        | cards
    )
    buffer = io.BytesIO()
    fits.PrimaryHDU(image_of(0) if data is None else data, header).writeto(buffer)
    path = frame_path(root, field, band)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(buffer.getvalue()))
    return path


def write_cutout_file(path, objID, status, rng):
    """Write a cutout file of noise; its images and masks."""
    image, _ = to_units(rng.normal(size=(len(objID), 5, 64, 64)).astype(np.float32))
    mask = rng.integers(0, 32, (len(objID), 64, 64)).astype(np.uint8)
    write_arrays(path, {"objID": np.array(objID, np.int64), "status": status, "image": image, "mask": mask})
    return image, mask


def index(folder, planned, *paths):
    """Index the cutout files `paths` of the objects `planned`; the counts."""
    pd.DataFrame({"objID": planned}).to_parquet(folder / "plan.parquet")
    outputs = {"index": folder / "images.parquet", "counts": folder / "counts.json", "missing": folder / "missing.csv"}
    write_index(cutouts=paths, plan=[folder / "plan.parquet"], **outputs)
    return json.loads((folder / "counts.json").read_text())
