"""Asinh magnitudes."""

import numpy as np
import pytest

from crossz.sdss.magnitudes import asinh_magnitude


def test_asinh_magnitudes():
    flux = np.array([[10.0] * 5, [0.0] * 5, [-1.0] * 5])
    magnitude, error = asinh_magnitude(flux, np.full((3, 5), 0.1))
    assert magnitude[0] == pytest.approx([20.0] * 5, abs=6e-3)  # bright: a usual magnitude
    # Zero flux: SDSS DR7, Table 21 of the algorithms page.
    assert magnitude[1] == pytest.approx([24.63, 25.11, 24.80, 24.36, 22.83], abs=6e-3)
    assert np.all(magnitude[2] > magnitude[1])
    assert error[0] == pytest.approx([0.010857] * 5, rel=0.02)
    step = 1e-5
    slope = (asinh_magnitude(flux + step, flux)[0] - magnitude) / step
    assert error == pytest.approx(-slope * 0.1, rel=1e-3)
