"""What is no source."""

import numpy as np
import pytest

from crossz.sky import defects, images


def test_charge_flows_along_columns_and_none_is_lost_inside():
    electrons = np.full((60, 30), 10.0)
    electrons[28:31, 15] = [4e5, 9e5, 3.9e5]
    before = electrons.sum()
    defects.bleed(electrons)
    assert electrons.max() <= defects.FULL_WELL
    assert electrons.sum() == pytest.approx(before)
    touched = np.argwhere(electrons != 10.0)
    assert set(touched[:, 1]) == {15}
    assert np.ptp(touched[:, 0]) >= 3
    lost = np.full((5, 3), 10.0)
    lost[2, 1] = 9e6
    defects.bleed(lost)
    assert lost[:, 1] == pytest.approx(np.full(5, defects.FULL_WELL))


def test_cosmic_rays_are_as_many_as_stated_and_sharp():
    rows, columns, electrons = defects.cosmic_rays(np.random.default_rng(1), (2000, 5000))
    assert 20 < len(rows) / 4 < 60  # 40 tracks of 2 to 6 pixels
    assert rows.max() < 2000
    assert columns.max() < 5000
    assert 300 < np.median(electrons) < 3000


def test_a_trail_crosses_a_stated_share_of_frames_and_is_as_wide_as_the_psf():
    rng = np.random.default_rng(2)
    detector = images.DETECTORS["r"]
    calibration = np.full(128, detector.nmgy_per_dn)
    crossed = []
    for _ in range(1500):
        scene = np.zeros((128, 128))
        defects.add(rng, scene, detector, calibration, images.psf(3.3), [slice(0, 128)])
        crossed.append(np.count_nonzero(scene > 1e-3) > 128)
    assert np.mean(crossed) == pytest.approx(defects.TRAILS, abs=0.006)
    lit = defects.trail(rng, (200, 200), images.psf(3.3), 0.03)
    assert 0.08 < lit.max() < 1.0
    assert 150 < np.count_nonzero(lit > lit.max() / 2) < 1200  # some 3 pixels wide
