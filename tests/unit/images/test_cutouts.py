"""Alignment against analytic truth: rendered stars of known flux and place."""

import json

import numpy as np
import pytest
from helpers import aperture, centroid, star

from crossz.images import cutouts
from crossz.images.arrow import read_arrays, to_units, write_arrays

TOLERANCE = {"integer": 0.72, "reproject": 0.05, "fourier": 0.02}
NOT_COVERED = np.zeros((80, 80), np.uint8)


def stamp_of_star(rng):
    offset = rng.uniform(-0.5, 0.5, (5, 2)).astype(np.float32)
    return np.stack([star(40 + x, 40 + y, 80) for x, y in offset]).astype(np.float32), offset


@pytest.mark.parametrize("method", TOLERANCE)
def test_a_star_lies_at_the_r_position_with_its_flux_in_all_bands(method):
    rng = np.random.default_rng(1)
    for _ in range(25):
        image, offset = stamp_of_star(rng)
        out, mask = cutouts.aligned(image, offset, NOT_COVERED, method)
        x, y = 32 + offset[2]
        assert out.shape == (5, 64, 64)
        assert not mask.any()
        for band in range(5):
            assert np.hypot(*np.subtract(centroid(out[band], x, y), (x, y))) <= TOLERANCE[method]
            assert aperture(out[band], x, y, 18) == pytest.approx(
                aperture(image[2], 40 + offset[2, 0], 40 + offset[2, 1], 18), rel=5e-3
            )


@pytest.mark.parametrize("method", TOLERANCE)
def test_the_r_band_is_never_resampled(method):
    rng = np.random.default_rng(2)
    image, offset = (
        rng.normal(size=(5, 80, 80)).astype(np.float32),
        rng.uniform(-0.5, 0.5, (5, 2)).astype(np.float32),
    )
    out, _ = cutouts.aligned(image, offset, NOT_COVERED, method)
    np.testing.assert_array_equal(out[2], image[2, 8:72, 8:72])


def test_integer_alignment_moves_whole_native_pixels():
    image = np.arange(5 * 80 * 80, dtype=np.float32).reshape(5, 80, 80)  # a shift by one pixel cannot hide
    offset = np.array([[0.45, 0], [0, -0.45], [-0.4, 0.3], [0.05, 0], [-0.4, -0.4]], np.float32)
    out, _ = cutouts.aligned(image, offset, NOT_COVERED, "integer")
    for band, (row, column) in enumerate([(8, 9), (7, 8), (8, 8), (8, 8), (7, 8)]):
        np.testing.assert_array_equal(out[band], image[band, row : row + 64, column : column + 64])


def test_fourier_keeps_noise_white_and_bicubic_does_not():
    rng = np.random.default_rng(3)
    image = rng.normal(size=(5, 80, 80)).astype(np.float32)
    offset = np.array([[0.5, 0.5], [0.25, -0.5], [0, 0], [-0.5, 0.1], [0.3, 0.3]], np.float32)
    std = {method: cutouts.aligned(image, offset, NOT_COVERED, method)[0][[0, 1, 3, 4]].std() for method in TOLERANCE}
    assert std["fourier"] == pytest.approx(1, abs=0.03)
    assert std["reproject"] < 0.9


@pytest.mark.parametrize("method", ["integer", "fourier", "reproject"])
def test_a_band_that_ends_inside_the_stamp_is_masked_there_and_right_elsewhere(method):
    rng = np.random.default_rng(4)
    image, offset = stamp_of_star(rng)
    mask = NOT_COVERED.copy()
    mask[:, 60:] |= 1 << 1  # g ends at column 60
    image[1, :, 60:] = 0
    out, bits = cutouts.aligned(image, offset, mask, method)
    assert set(np.unique(bits)) == {0, 1 << 1}
    edge = np.flatnonzero((bits[32] >> 1) & 1)[0]
    assert 50 <= edge <= 53
    assert (bits[:, edge:] == 2).all()
    assert (out[1][:, edge:] == 0).all()
    assert (out[0][:, edge:] != 0).any()
    x, y = 32 + offset[2]
    assert np.hypot(*np.subtract(centroid(out[1], x, y), (x, y))) <= TOLERANCE[method]


def test_a_bright_star_on_the_edge_hardly_rings_into_the_rest():
    image = np.repeat(star(60, 40, 80, flux=2000)[None], 5, 0).astype(np.float32)
    mask = NOT_COVERED.copy()
    mask[:, 60:] |= 0b11111
    image[:, :, 60:] = 0
    offset = np.array([[0.5, 0]] + [[0, 0]] * 4, np.float32)
    out, _ = cutouts.aligned(image, offset, mask, "fourier")
    assert np.abs(out[0][:, :20]).max() < 0.25  # 0.92 nmgy when the uncovered part is simply zero


def test_a_band_without_any_frame_is_masked_as_a_whole():
    image, offset = stamp_of_star(np.random.default_rng(6))
    image[4] = 0
    out, bits = cutouts.aligned(image, offset, np.full((80, 80), 1 << 4, np.uint8), "fourier")
    assert (bits == 1 << 4).all()
    assert not out[4].any()


def test_an_unknown_method_is_refused():
    image, offset = stamp_of_star(np.random.default_rng(7))
    with pytest.raises(ValueError, match="bilinear"):
        cutouts.aligned(image, offset, NOT_COVERED, "bilinear")


def test_the_account_of_cutouts_counts_each_status_and_every_object_keeps_its_row(tmp_path):
    image, _ = to_units(np.random.default_rng(0).normal(size=(3, 5, 80, 80)).astype(np.float32))
    columns = {
        "objID": np.arange(3) + 7,
        "status": ["ok", "missing_frame", "ok"],
        "image": image,
        "offset": np.zeros((3, 5, 2), np.float32),
        "mask": np.zeros((3, 80, 80), np.uint8),
    }
    write_arrays(tmp_path / "stamps.arrow", columns)
    written = {"cutouts": tmp_path / "cutouts.arrow", "counts": tmp_path / "counts.json"}
    cutouts.write_cutouts(stamps=tmp_path / "stamps.arrow", **written, align="integer")
    counts = json.loads(written["counts"].read_text())
    assert (counts["objects"], counts["status"], counts["clipped_pixels"]) == (3, {"missing_frame": 1, "ok": 2}, 0)
    aligned = read_arrays(written["cutouts"])
    assert aligned["objID"].tolist() == [7, 8, 9]
    np.testing.assert_array_equal(aligned["image"], image[:, :, 8:72, 8:72])
