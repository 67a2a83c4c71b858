"""Frames as the archive writes them, or refused."""

import bz2
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_images import COLUMNS, FIELD, ROWS, image_of, sky, write_frame

from crossz.core.errors import CrosszError, Refused
from crossz.sdss import bz2_blocks
from crossz.sdss.frames import decode, read_frame


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


def raw_frame(tmp_path, **cards):
    """The bytes of a frame, not compressed; `cards`: what stands behind the name of a card in place of its value."""
    raw = bz2.decompress(write_frame(tmp_path, TAI=0, SPA=0).read_bytes())
    changes = [("TAI", "BZERO", "0.0"), ("SPA", "BSCALE", "1.0"), *((name, name, cards[name]) for name in cards)]
    for place, name, value in changes:
        at = raw.index(f"{place:8}=".encode())
        raw = raw[:at] + f"{name:8}= {value:>20}"[:80].ljust(80).encode() + raw[at + 80 :]
    return raw


def read_part(body, way):
    def get(start, stop):
        return body[start:stop]

    get.size = len(body)
    return bz2_blocks.read(get, FIELD, "r", lambda frame: [(0, 80)], way)


ODD = {
    "shape": [{"NAXIS1": v} for v in ("256", "0", "-512", "T", "'abc'", "2049", "30000", "9" * 60, "1e3", "")]
    + [{"NAXIS2": v} for v in ("0", "-1", "1490", "20000", "F")]
    + [{"NAXIS1": "30000", "NAXIS2": "20000"}, {"NAXIS1": "2048", "NAXIS2": "1490"}],
    "scaling": [{"BSCALE": v} for v in ("2.0", "0.0", "'abc'", "nan")] + [{"BZERO": "32768"}],
    "projection": [{"CTYPE1": v} for v in ("'-TAB'", "'RA---TAB'", "'DEC--TAN'", "'RA---TAN-SIP'", "5", "T", "''")],
    "position": [{"CRVAL2": v} for v in ("95.0", "NaN", "inf", "1e400", "'abc'", "T")] + [{"CRVAL1": "-1E300"}],
    "reference pixel": [{"CRPIX1": v} for v in ("1e300", "-1000", "1", "5000", "NaN", "'1'", "(1, 2)", "T")],
    "matrix": [{"CD1_2": v} for v in ("0.0", "1.1E-3", "1.1E-5", "nan", "1e300", "'x'")] + [{"CD1_1": "1.1E-4"}],
    "numbers": [{"RUN": "T"}, {"BITPIX": "-64"}, {"NAXIS": "999"}, {"CAMCOL": "5.5"}, {"FRAME": "9" * 5000}],
}


@pytest.mark.parametrize(("kind", "cards"), [(kind, cards) for kind, all in ODD.items() for cards in all])
def test_a_header_of_another_sense_is_refused_every_way(tmp_path, kind, cards):
    body = bz2.compress(raw_frame(tmp_path, **cards))
    with pytest.raises(Refused):
        decode(body, FIELD, "r")
    with pytest.raises(Refused):
        read_part(body, "prefix")


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({}, r"CRPIX \(131.0, 151.0\) is not the middle of its 300 x 260 pixels"),
        ({"CRPIX1": 151.0, "CRPIX2": 131.0, "CD1_1": 1.1e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1.1e-4}, "mirrored"),
    ],
)
def test_a_transposed_frame_is_refused(tmp_path, cards, words):
    with pytest.raises(CrosszError, match=words):
        read_frame(write_frame(tmp_path, data=image_of(0).T, **cards), FIELD, "r")


def test_whole_numbers_and_no_scaling_are_accepted(tmp_path):
    body = bz2.compress(raw_frame(tmp_path, CRVAL1="0", CRPIX1="131", BSCALE="1", BZERO="0"))
    np.testing.assert_array_equal(decode(body, FIELD, "r").data, image_of(0))


def test_distortions_that_no_frame_has_take_no_memory(tmp_path):
    body = bz2.compress(raw_frame(tmp_path, BSCALE="30000").replace(b"BSCALE  =", b"A_ORDER ="))
    tracemalloc.start()
    decode(body, FIELD, "r")
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.fixture(scope="module")
def zeros():
    """Zeros that a bz2 stream of some 200 bytes holds, more than any frame."""
    return bytes(100 << 20)


def bombs(raw, zeros):
    end = raw.index(b"END     ")
    begin = -(-(end + 80) // 2880) * 2880
    return {
        "behind the header": raw[:begin] + zeros,
        "behind the pixels": raw + zeros,
        "in place of the header": zeros,
        "a header without end": raw[:end].ljust(2880) + b" " * len(zeros),
    }


def test_a_bomb_takes_no_more_memory_than_a_frame(tmp_path, zeros):
    for kind, content in bombs(raw_frame(tmp_path), zeros).items():
        body = bz2.compress(content)
        assert len(body) < 400_000
        for read in (
            lambda body: decode(body, FIELD, "r"),
            lambda body: read_part(body, "prefix"),
            lambda body: read_part(body, "blocks"),
        ):
            tracemalloc.start()
            with pytest.raises(Refused):
                read(body)
            assert tracemalloc.get_traced_memory()[1] < 60e6, kind
            tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:The following header keyword")
@settings(max_examples=60, deadline=None, database=None)
@given(at=st.integers(0, 70), card=st.text(st.characters(max_codepoint=255), max_size=80), name=st.sampled_from([
    "", "NAXIS1  =", "NAXIS2  =", "CTYPE1  =", "CRVAL1  =", "CRPIX2  =", "CD1_2   =", "RUN     =", "BSCALE  =", "CONTINUE", "HIERARCH"]))  # fmt: skip
def test_any_card_is_read_or_refused(tmp_path_factory, at, card, name):
    raw = RAW.setdefault(0, raw_frame(tmp_path_factory.mktemp("frame")))
    start = raw.index(name.encode()) if name and name.encode() in raw else 80 * (at % 36)
    line = (name.encode() + card.encode("latin-1")).ljust(80)[:80]
    body = bz2.compress(raw[:start] + line + raw[start + 80 :], 1)
    try:
        frame = decode(body, FIELD, "r")
    except Refused:
        return
    assert frame.data.shape == (ROWS, COLUMNS)


RAW = {}
