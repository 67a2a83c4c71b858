"""Absorption by intergalactic hydrogen."""

import numpy as np
import pytest

from crossz.sky import igm


def test_optical_depths_of_the_lyman_series():
    # By hand from Table 2 of Inoue et al. (2014): Ly-alpha and Ly-beta of the forest and of damped systems absorb
    # 4000 A towards z = 3; Ly-gamma (972.5 A, 3890 A at most) does not reach it, nor does the continuum.
    x, y = 4000 / 1215.67, 4000 / 1025.72
    expected = 2.35379e-3 * x**3.7 + 5.38995e-5 * x**3 + 6.53625e-4 * y**3.7 + 5.15129e-5 * y**3
    wavelength, z = np.array([4000.0, 4870.0]), np.array([3.0])
    assert igm.lines(wavelength, z)[0] == pytest.approx([expected, 0], rel=2e-4)
    assert np.all(igm.continuum(wavelength, z) == 0)
    # The other powers: x below 2.2 at z = 1, x above 5.7 at z = 5 (both Ly-alpha alone).
    low, high = 1215.67 * 1.9, 1215.67 * 5.9
    assert igm.lines(np.array([low]), np.array([1.0]))[0, 0] == pytest.approx(
        1.68976e-2 * 1.9**1.2 + 1.61698e-4 * 1.9**2, rel=1e-4
    )
    assert igm.lines(np.array([high]), np.array([5.0]))[0, 0] == pytest.approx(
        1.02611e-4 * 5.9**5.5 + 5.38995e-5 * 5.9**3, rel=1e-3
    )


def test_optical_depths_of_the_lyman_continuum():
    # Equations 26 + 29 at z = 3, 26 + 28 at z = 1.5, with the numbers of the paper.
    x = 3000 / 911.753
    forest = 2.55e-2 * (4**1.6 * x**2.1 - x**3.7)
    damped = 4.70e-2 * 4**3 - 1.78e-2 * 4**3.3 * x**-0.3 - 2.92e-2 * x**3
    assert igm.continuum(np.array([3000.0]), np.array([3.0]))[0, 0] == pytest.approx(forest + damped, rel=1e-4)
    x = 1900 / 911.753
    forest = 2.55e-2 * 2.5**1.6 * x**2.1 + 0.325 * x**1.2 - 0.250 * x**2.1
    damped = 0.211 * 2.5**2 - 7.66e-2 * 2.5**2.3 * x**-0.3 - 0.135 * x**2
    assert igm.continuum(np.array([1900.0]), np.array([1.5]))[0, 0] == pytest.approx(forest + damped, rel=1e-4)


@pytest.mark.parametrize("z", [0.9, 1.5, 3.0, 5.0])
def test_the_lyman_continuum_starts_at_zero_and_its_pieces_join(z):
    towards = np.array([z])
    depth = igm.continuum(igm.LYMAN_LIMIT * np.linspace(1.01, 1 + z, 400), towards)[0]
    assert depth[-1] == pytest.approx(0, abs=0.02)
    assert np.all(depth[:200] > 0.02)
    for piece in (2.2, 3.0, 5.7):
        below, above = igm.continuum(igm.LYMAN_LIMIT * piece * np.array([1 - 1e-9, 1 + 1e-9]), towards)[0]
        assert below == pytest.approx(above, abs=0.05)  # as the rounding of the paper leaves them


@pytest.mark.parametrize("z", [1.2, 2.0, 4.7])
def test_the_lyman_continuum_is_continuous_in_redshift(z):
    wavelength = igm.LYMAN_LIMIT * np.linspace(1.01, 0.99 * (1 + z), 50)
    before, after = igm.continuum(wavelength, z + np.array([-1e-6, 1e-6]))
    assert after == pytest.approx(before, abs=0.05)
