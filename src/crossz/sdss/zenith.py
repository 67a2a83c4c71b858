"""Where the zenith is, seen from the 2.5 m telescope at Apache Point."""

import numpy as np

LATITUDE, LONGITUDE = 32.780361, -105.820417
"""Degrees; east is positive."""


def hour_angle(ra: float | np.ndarray, mjd: float | np.ndarray) -> np.ndarray:
    """Degrees that `ra` is west of the meridian; `mjd` is atomic time, taken for UT1: half a minute, 0.13 degrees, is lost."""
    sidereal = 280.46061837 + 360.98564736629 * (np.asarray(mjd) - 51544.5) + LONGITUDE
    return (sidereal - ra + 180) % 360 - 180


def zenith(ra: float | np.ndarray, dec: float | np.ndarray, mjd: float | np.ndarray) -> np.ndarray:
    """Where the zenith is from positions on the sky.

    Parameters
    ----------
    ra, dec : array [n] or float
        Degrees.
    mjd : array [n] or float
        When, TAI in days.

    Returns
    -------
    array [n, 2] or [2]
        The tangent of the zenith angle, times the unit vector (east, north) towards the zenith.
    """
    hour, dec, latitude = np.deg2rad(hour_angle(ra, mjd)), np.deg2rad(dec), np.deg2rad(LATITUDE)
    cosine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(hour)
    east = np.cos(latitude) * np.sin(hour)
    north = np.sin(latitude) * np.cos(dec) - np.cos(latitude) * np.sin(dec) * np.cos(hour)
    return np.stack([east / cosine, north / cosine], axis=-1)


def airmass(ra: float, dec: float, mjd: float) -> float:
    """Secant of the zenith angle."""
    return float(np.hypot(1, np.linalg.norm(zenith(ra, dec, mjd))))
