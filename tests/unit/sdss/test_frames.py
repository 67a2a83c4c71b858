"""Frames as the archive writes them, or refused."""

import bz2

import numpy as np
import pytest
from toy_images import FIELD, image_of, sky, write_frame

from crossz.core.errors import CrosszError
from crossz.sdss.frames import read_frame


def test_a_frame_is_read_with_its_pixels_and_wcs(tmp_path):
    path = write_frame(tmp_path)
    assert path.relative_to(tmp_path).as_posix() == (
        "dr17/eboss/photoObj/frames/301/1043/5/frame-r-001043-5-0025.fits.bz2"
    )
    frame = read_frame(path, FIELD, "r")
    np.testing.assert_array_equal(frame.data, image_of(0))
    assert frame.wcs.wcs_world2pix(*sky(11.5, 12.5), 0) == pytest.approx([11.5, 12.5], abs=1e-6)


def cut_file(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def html(path):
    path.write_bytes(b"<html><title>503</title></html>")


def empty(path):
    path.write_bytes(b"")


def not_fits(path):
    path.write_bytes(bz2.compress(b"x" * 100_000))


def short_fits(path):
    path.write_bytes(bz2.compress(bz2.decompress(path.read_bytes())[:20_000]))


@pytest.mark.parametrize("damage", [cut_file, flip_bit, html, empty, not_fits, short_fits])
def test_a_damaged_frame_is_named_with_the_remedy(tmp_path, damage):
    path = write_frame(tmp_path)
    damage(path)
    with pytest.raises(CrosszError, match="fetch it again") as caught:
        read_frame(path, FIELD, "r")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("cards", [{"RUN": 94}, {"CAMCOL": 1}, {"FILTER": "g"}, {"FRAME": 26}])
def test_another_frame_under_this_name_is_refused(tmp_path, cards):
    path = write_frame(tmp_path, **cards)
    with pytest.raises(CrosszError, match="header says"):
        read_frame(path, FIELD, "r")


def test_pixels_that_are_not_finite_are_refused(tmp_path):
    data = image_of(0)
    data[3, 4] = np.nan
    with pytest.raises(CrosszError, match="not finite"):
        read_frame(write_frame(tmp_path, data=data), FIELD, "r")


def trailing(path):
    path.write_bytes(path.read_bytes() + b"more")


def two_streams(path):
    path.write_bytes(path.read_bytes() * 2)


@pytest.mark.parametrize("damage", [trailing, two_streams])
def test_more_than_one_stream_is_refused(tmp_path, damage):
    path = write_frame(tmp_path)
    damage(path)
    with pytest.raises(CrosszError, match="bytes behind its end"):
        read_frame(path, FIELD, "r")
