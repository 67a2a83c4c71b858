"""Strips, their fields, the WCS of their frames, the dust."""

from itertools import pairwise

import numpy as np
import pytest
from toy_sky import STEP, every_frame, opened

from crossz.sky import geometry


def test_overlaps_show_the_same_sky(built):
    pairs = 0
    for path in every_frame(built):
        *head, field = path.name.removesuffix(".fits.bz2").split("-")
        other = path.with_name("-".join([*head, f"{int(field) + 1:04d}.fits.bz2"]))
        if other.exists():
            pairs += 1
            np.testing.assert_array_equal(opened(path)[0][STEP:], opened(other)[0][: geometry.OVERLAP])
    assert pairs > 10


def test_strips_divide_the_survey():
    for quasars in (100, 2000, 100_000):
        plan = geometry.strips(quasars, (512, 512), 24, 1)
        assert sum(strip.quasars for strip in plan) == quasars
        assert len({(strip.run, strip.camcol) for strip in plan}) == len(plan) >= 2
        assert max(strip.fields for strip in plan) <= geometry.FIELDS_PER_STRIP
        assert sum(strip.fields for strip in plan) == max(-(-quasars // 24), 4)
    with pytest.raises(ValueError, match="at least 128 columns"):
        geometry.strips(100, (64, 512), 24, 1)
    with pytest.raises(ValueError, match="raise quasars_per_field"):
        geometry.strips(10_000_000, (512, 512), 24, 1)


@pytest.mark.parametrize("frame", [(512, 512), (2048, 1489)])
def test_offsets_between_bands_are_those_of_real_frames(frame):
    low, high = geometry.OFFSETS[..., 0] - 0.02, geometry.OFFSETS[..., 1] + 0.02
    seen = []
    for strip in geometry.strips(1000, frame, 24, 3):
        for frames in geometry.tangents(strip, 3):
            centre = np.array([[strip.columns / 2, (strip.rows - 1) / 2]])
            sky = frames[2].wcs().all_pix2world(centre, 0)
            offset = np.array([band.wcs().all_world2pix(sky, 0)[0] for band in frames]) - centre
            assert np.all((offset >= low) & (offset <= high))
            seen.append(offset)
            for band in frames:
                matrix = np.linalg.solve(frames[2].cd, band.cd)  # relative to r
                assert np.all(np.abs(np.diag(matrix) - 1) < 7e-4)
                assert np.all(np.abs(np.rad2deg(matrix[[0, 1], [1, 0]])) < 0.025)
                assert np.sqrt(abs(np.linalg.det(band.cd))) * 3600 == pytest.approx(0.396, rel=1e-3)
    assert len({round(float(offset[0, 0]), 6) for offset in seen}) == len(seen)  # another one for every field


def test_neighbouring_fields_agree_about_their_overlap():
    strip = geometry.strips(1000, (2048, 1489), 24, 3)[0]
    tangents = geometry.tangents(strip, 3)
    for before, after in pairwise(tangents):
        for one, other in zip(before, after, strict=True):
            places = np.array([[20.0, strip.step + 64], [2020.0, strip.step + 100]])
            shift = other.wcs().all_world2pix(one.wcs().all_pix2world(places, 0), 0) - places
            shift[:, 1] += strip.step
            assert 1e-4 < np.abs(shift).max() < 0.11


def test_dust_is_smooth_and_differs_over_the_sky():
    rng = np.random.default_rng(6)
    sky = np.stack([rng.uniform(0, 360, 4000), rng.uniform(-60, 80, 4000)], axis=1)
    ebv = geometry.dust(sky, 8)
    assert ebv.min() >= 0.01
    assert ebv.max() <= 0.3
    assert 0.3 < np.log(ebv).std() < 1
    near = geometry.dust(sky + np.array([0, 1 / 3600]), 8)
    assert np.abs(np.log(near / ebv)).max() < 0.02
