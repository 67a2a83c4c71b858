"""What several test modules share: places, a local archive's settings, stars of known position."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
SDSS = ROOT.parent / "shared" / "sdss"
"""Real SDSS files; they are no part of the project, and tests on them skip where they are absent."""


ORDERS = {chr(code) for code in (*range(9), *range(11, 13), *range(14, 32), *range(0x7F, 0xA0))}
"""Characters that a terminal obeys, and that crossz never shows: not those of lines and tabs."""


def archive(url: str, **more: object) -> dict:
    """The configuration's archive block for a local archive at `url`: so patient that a busy machine fails no test."""
    return {
        "casjobs": f"{url}/CasJobs/RestApi", "login": f"{url}/login-portal/keystone/v3/tokens", "context": "DR17",
        "skyserver": f"{url}/dr17", "sas": [f"{url}/sas"], "xmatch": f"{url}/xmatch/api/v1/sync", "connections": 2, "attempts": 2, "timeout_s": 15,
        "deadline_s": 120, "pause_s": 0.02, "min_rate_kB_s": 1, "query_s": 15, "query_interval_s": 0, "poll_s": 0.02,
        "rate_MB_s": 20,
    } | more  # fmt: skip


def listening(url: str, **more: object) -> dict:
    """`archive`, for a server that goes silent once: the silence is given up soon, the file is not."""
    return archive(url, timeout_s=1.2, query_s=1.2) | more


def impatient(url: str, **more: object) -> dict:
    """`archive`, for a server that does not come to its senses: nothing honest is asked with this."""
    return listening(url, deadline_s=3) | more


def star(x: float, y: float, size: int, flux: float = 100.0, fwhm: float = 3.3) -> np.ndarray:
    """A star of known flux at (x, y), 0-based, on a size x size image: two Gaussians, as an SDSS PSF."""
    rows, columns = np.mgrid[:size, :size]
    r2 = (columns - x) ** 2 + (rows - y) ** 2
    core, wing = (fwhm / 2.355) ** 2, (2.5 * fwhm / 2.355) ** 2
    light = 0.9 * np.exp(-r2 / 2 / core) / core + 0.1 * np.exp(-r2 / 2 / wing) / wing
    return flux * light / (2 * np.pi)


def centroid(image: np.ndarray, x: float, y: float, sigma: float = 1.6) -> tuple[float, float]:
    """Gaussian-weighted centroid of the source near (x, y), iterated until it stands still."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    for _ in range(60):
        weight = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / sigma**2) * image
        dx, dy = (
            2 * ((weight * columns).sum() / weight.sum() - x),
            2 * ((weight * rows).sum() / weight.sum() - y),
        )
        x, y = x + dx, y + dy
    return x, y


def aperture(image: np.ndarray, x: float, y: float, radius: float) -> float:
    """Sum of the pixels within `radius` of (x, y)."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return float(image[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2].sum())
