"""Magnitudes and fluxes of users, in whatever unit, as the asinh magnitudes of SDSS that the networks know."""

import math
import re
from collections.abc import Mapping

import numpy as np

from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable
from crossz.sdss.magnitudes import SOFTENING, asinh_magnitude

UNITS = ("asinh", "AB", "nmgy", "maggies", "uJy", "nJy", "mJy", "Jy")
"""What --units may say. Others that a file names are asked of astropy."""
LOWEST, HIGHEST, LARGEST_ERROR = 0.0, 50.0, 9.9
"""A magnitude, and an error, beyond these marks a missing value; as `models.features` has it."""
_MAGGIES = {"nmgy": 1e-9, "maggies": 1.0, "Jy": 1 / 3631} | {f"{x}Jy": 10.0**n / 3631 for x, n in zip("mun", (-3, -6, -9), strict=True)}  # fmt: skip
_NAMES = {
    "asinh": ("mag", "asinh", "mag(asinh)", "luptitude", "luptitudes", "mags", "magnitude"),
    "AB": ("ab", "abmag", "mag(ab)", "ab mag", "mag_ab", "mab"),
    "nmgy": ("nmgy", "nanomaggy", "nanomaggies", "nmaggy", "nmaggies"),
    "maggies": ("mgy", "maggy", "maggies"),
    "uJy": ("ujy", "µjy", "μjy", "microjansky", "microjy"),
}
_MARKS = {-9999.0, -9998.0, -999.0, -99.0, -99.9, -99.99, 1e20}  # of fluxes
_POWER = re.compile(r"(\^|\*\*|\b10\s*[+-])[\s(+-]*\d{5,}")
_PLAUSIBLE = (10.0, 30.0)
_SHARE = 0.8  # of the values of a column, which must be plausible


def unit_named(text: str) -> tuple[str, float] | None:
    """What a unit is: its kind (asinh, AB, or flux) and how many maggies it has; None if it is no text of a unit.

    Raises
    ------
    CrosszError
        It is a unit in which nobody measures the light of a quasar here.
    """
    low = text.strip().lower()
    if not low or low in ("-", "---", "none"):
        return None
    for unit, names in _NAMES.items():
        if low in names or low == unit.lower():
            return (unit, 1.0) if unit in ("asinh", "AB") else ("flux", _MAGGIES[unit])
    for unit, maggies in _MAGGIES.items():
        if text.strip() == unit:
            return "flux", maggies
    try:
        return "flux", factor(text, "Jy") / 3631
    except ValueError as error:
        raise CrosszError(
            f"the unit '{printable(text, 40)}' is not one of fluxes or magnitudes that crossz knows; "
            f"say which it is: --units {', '.join(UNITS)}"
        ) from error


def check_unit(text: str) -> None:
    """Return if astropy may read a unit, or a text with units in it.

    Raises
    ------
    Refused
        It has a power of more than four digits, as 10**999999999: astropy would calculate it for ever.
    """
    if _POWER.search(text):
        raise Refused(f"the unit '{printable(text, 40)}' has a power that no unit has")


def factor(text: str, unit: str) -> float:
    """How many of `unit` are one of the unit `text`, as astropy reads both. Raises ValueError if it is no such unit."""
    from astropy import units  # a table of other units is rare

    try:
        check_unit(text)
        found = float(units.Unit(text).to(units.Unit(unit)))
    except (ValueError, TypeError, ArithmeticError, RecursionError, Refused) as error:
        raise ValueError(f"no unit that {unit} can be made of") from error
    if not 0 < found < math.inf:
        raise ValueError(f"{found:g} {unit}")
    return found


def inverse_variance(name: str, unit: str) -> bool:
    """Whether a column of errors holds inverse variances, as SDSS and the Legacy Surveys write them."""
    return "ivar" in name.lower() or re.search(r"^\s*1\s*/|(\^|\*\*)?\(?-2\)?\s*$", unit) is not None


def missing(value: np.ndarray, kind: str, is_error: bool = False) -> np.ndarray:
    """Whether each of the values [n] is a mark of a missing one, or no number.

    Parameters
    ----------
    kind
        asinh, AB or flux.
    is_error
        Whether they are errors. Inverse variances count as fluxes.
    """
    if kind == "flux":
        return ~np.isfinite(value) | np.isin(value, list(_MARKS))
    return ~((value > LOWEST) & (value < (LARGEST_ERROR if is_error else HIGHEST)))


def to_asinh(value: np.ndarray, error: np.ndarray, kind: str, maggies: float, band: int) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Asinh magnitudes and errors [n] of one band.

    Parameters
    ----------
    value, error
        [n] magnitudes, or fluxes in units of `maggies`.
    kind
        asinh, AB (-2.5 log10 of the flux) or flux.
    band
        Its place in BANDS.
    """
    if kind == "asinh":
        return value, error
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if kind == "AB":
            known = (value > LOWEST) & (value < HIGHEST)
            nmgy = 10 ** (0.4 * (22.5 - np.where(known, value, np.nan)))
            sigma = np.where((error > 0) & (error < LARGEST_ERROR), error, np.nan) * nmgy * np.log(10) / 2.5
        else:
            nmgy = np.where(missing(value, kind), np.nan, value) * (maggies * 1e9)
            sigma = np.where(error > 0, error, np.nan) * (maggies * 1e9)
        return asinh_magnitude(nmgy, sigma, SOFTENING[band])


def check_plausible(values: Mapping[str, np.ndarray], source: str) -> None:
    """Return if the values look like magnitudes, marks of missing ones apart.

    Parameters
    ----------
    values
        The magnitudes [n] of each column.

    Raises
    ------
    CrosszError
        They do not. The message asks what they are.
    """
    known = {name: array[np.isfinite(array) & ~_marks(array)] for name, array in values.items()}
    counted = {name: array for name, array in known.items() if len(array)}
    # By column: a pattern may have caught a redshift z beside the magnitudes u, g, r and i.
    shares = {
        name: float(np.mean((array > _PLAUSIBLE[0]) & (array < _PLAUSIBLE[1]))) for name, array in counted.items()
    }
    odd = [name for name, share in shares.items() if share < _SHARE]
    if not odd:
        return
    raise CrosszError(
        f"{source}: {', '.join(odd)} do not look like magnitudes: half of {odd[0]} lies below {np.median(counted[odd[0]]):.4g}. "
        f"What are they? Say it: --units {', '.join(UNITS)} (catalog.units in a configuration); asinh are SDSS's own magnitudes"
    )


def _marks(array: np.ndarray) -> np.ndarray:
    """Whether values are what people write for a missing magnitude: 0, and all of the digit 9 as 99, -99.99, -9999."""
    size = np.abs(array)
    nines = np.isin(np.round(size, 4), [99.0, 99.9, 99.99, 99.999, 99.9999, 999.0, 999.9, 9999.0, 9998.0, 99999.0])
    return nines | (array == 0) | (array == -1) | (size > 1e15)
