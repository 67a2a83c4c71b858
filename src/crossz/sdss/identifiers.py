"""The bit layouts of SDSS identifiers.

https://www.sdss4.org/dr17/help/glossary/#objID and #specObjID. Both are 64-bit integers and never floats:
specObjID exceeds 2^63 from plate 8192 on, and so is unsigned.
"""

import re

import numpy as np
from numpy.typing import ArrayLike


def obj_id(
    run: ArrayLike, camcol: ArrayLike, field: ArrayLike, obj: ArrayLike, *, sky_version: int = 2, rerun: int = 301
) -> np.ndarray:
    """objID (int64) of object number `obj` of a field: skyVersion, rerun, run, camcol, firstField (0), field, obj."""
    parts = zip((run, camcol, field, obj), (32, 29, 16, 0), strict=True)
    low = [np.asarray(part, dtype=np.int64) << shift for part, shift in parts]
    return np.int64(sky_version) << 59 | np.int64(rerun) << 48 | low[0] | low[1] | low[2] | low[3]


def unpack_obj_id(objID: ArrayLike) -> dict[str, np.ndarray]:
    """The parts of objIDs by name: sky_version, rerun, run, camcol, first_field, field, obj."""
    ids = np.asarray(objID, dtype=np.int64)
    layout = {"sky_version": (59, 4), "rerun": (48, 11), "run": (32, 16), "camcol": (29, 3)}
    layout |= {"first_field": (28, 1), "field": (16, 12), "obj": (0, 16)}
    return {name: ids >> shift & ((1 << bits) - 1) for name, (shift, bits) in layout.items()}


def spec_obj_id(plate: int, mjd: int, fiberID: int, run2d: str) -> int:
    """specObjID of one spectrum: plate, fiber, MJD - 50000 and the reduction `run2d` ("26", or "v5_13_2")."""
    return plate << 50 | fiberID << 38 | (mjd - 50000) << 24 | _run2d_number(run2d) << 10


def unpack_spec_obj_id(specObjID: int) -> dict[str, int | str]:
    """The parts of one specObjID by name: plate, mjd, fiberID, run2d."""
    specObjID = int(specObjID)
    number = specObjID >> 10 & 0x3FFF
    run2d = str(number) if number < 1000 else f"v{5 + number // 10000}_{number // 100 % 100}_{number % 100}"
    return {
        "plate": specObjID >> 50,
        "mjd": (specObjID >> 24 & 0x3FFF) + 50000,
        "fiberID": specObjID >> 38 & 0xFFF,
        "run2d": run2d,
    }


def _run2d_number(run2d: str) -> int:
    version = re.fullmatch(r"v(\d+)_(\d+)_(\d+)", run2d)
    if version is None:
        return int(run2d)
    major, minor, patch = map(int, version.groups())
    return (major - 5) * 10000 + minor * 100 + patch
