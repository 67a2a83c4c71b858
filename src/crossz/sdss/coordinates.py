"""Positions on the sphere: unit vectors and separations."""

import numpy as np


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Positions as points on the unit sphere.

    Parameters
    ----------
    ra, dec : array [n]
        Degrees.

    Returns
    -------
    array [n, 3]
    """
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def chord(separation_arcsec: float) -> float:
    """Straight distance of two unit vectors that are `separation_arcsec` apart: a radius for a tree of them."""
    return 2 * np.sin(np.radians(separation_arcsec / 3600) / 2)


def separation_arcsec(ra: np.ndarray, dec: np.ndarray, ra2: np.ndarray, dec2: np.ndarray) -> np.ndarray:
    """Angles between pairs of positions.

    Parameters
    ----------
    ra, dec, ra2, dec2 : array [n]
        Degrees.

    Returns
    -------
    array [n]
        Arcseconds; NaN where a position is NaN.
    """
    distance = np.linalg.norm(unit_vectors(ra, dec) - unit_vectors(ra2, dec2), axis=1)
    return np.degrees(2 * np.arcsin(distance / 2)) * 3600
