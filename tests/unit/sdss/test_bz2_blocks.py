"""Some rows of a frame out of some bytes of its file: bit for bit those of the whole file, or refused."""

import bz2
import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_frames import FIELD, ROWS, frame_bytes

from crossz.core.errors import Refused
from crossz.sdss import bz2_blocks, bz2_stream
from crossz.sdss.frames import decode


class Source:
    """The bytes of a file, and which of them were asked for."""

    def __init__(self, body):
        self._body, self.size, self.asked = body, len(body), 0

    def __call__(self, start, stop):
        part = self._body[start:stop]
        self.asked += len(part)
        return part


def rows(body, spans, way):
    source = Source(body)
    return bz2_blocks.read(source, FIELD, "r", lambda frame: spans, way), source.asked / len(body)


def test_all_magics_are_found_and_all_blocks_together_are_the_file(real_size):
    body, _ = real_size
    file = bz2_stream.File(Source(body))
    file.need(0, len(body))
    begins = file.magics(0, len(body))
    ends = [*begins[1:], *file.magics(0, len(body), bz2_stream.END)]
    assert b"".join(map(file.decode, begins, ends)) == bz2.decompress(body)
    assert len(begins) == 14


@settings(max_examples=12, deadline=None, database=None)
@given(top=st.lists(st.integers(-60, ROWS + 20), min_size=1, max_size=2), way=st.sampled_from(["prefix", "blocks"]))
def test_any_rows_are_those_of_the_whole_file(real_size, top, way):
    body, data = real_size
    spans = [(a, a + 80) for a in top]
    part, _ = rows(body, spans, way)
    wanted = np.zeros(ROWS, bool)
    for a, b in spans:
        wanted[max(a, 0) : max(b, 0)] = True
    np.testing.assert_array_equal(part.frame.known, wanted)
    assert part.frame.data[wanted].tobytes() == data[wanted].tobytes()
    assert part.frame.data.shape == data.shape


@pytest.mark.parametrize("row", [0, 300, 700, 1100, 1409])
def test_blocks_ask_for_less_than_a_third_of_the_file(real_size, row):
    body, _ = real_size
    part, share = rows(body, [(row, row + 80)], "blocks")
    assert share < 0.36
    assert sum(b - a for a, b in part.ranges) == round(share * len(body))
    assert len(part.blocks) <= 5


def test_a_prefix_ends_with_the_last_block_needed(real_size):
    body, _ = real_size
    part, share = rows(body, [(100, 180), (700, 780)], "prefix")
    assert part.blocks == list(range(8))
    assert share < 8.3 / 13.7


def test_without_a_row_the_header_alone_is_read(real_size):
    body, _ = real_size
    part, _ = rows(body, [(2000, 2080)], "blocks")
    assert part.blocks == [0]
    assert not part.frame.known.any()


@pytest.mark.parametrize("zeros", [1, 2, 3, 60, 300])
def test_runs_of_zeros_that_move_all_later_blocks_are_seen(zeros):
    body = bz2.compress(frame_bytes(2, zeros), 9)
    data = decode(body, FIELD, "r").data
    for row in (400, 850, 1000):
        with contextlib.nullcontext() if zeros == 1 else contextlib.suppress(Refused):  # else only the whole file tells
            part, _ = rows(body, [(row, row + 80)], "blocks")
            assert part.frame.data[row : row + 80].tobytes() == data[row : row + 80].tobytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sky": False}, "no calibration and sky"),
        ({"flat": True}, "do not tell which"),
        ({"low_bits": True}, "more than 10 significant bits"),
    ],
)
def test_a_frame_whose_blocks_cannot_be_placed_is_refused_and_its_prefix_is_not(change, words):
    body = bz2.compress(frame_bytes(3, **change), 9)
    with pytest.raises(Refused, match=words):
        rows(body, [(700, 780)], "blocks")
    part, _ = rows(body, [(700, 780)], "prefix")
    assert part.frame.data[700:780].tobytes() == decode(body, FIELD, "r").data[700:780].tobytes()


def test_another_compression_level_is_refused(real_size):
    with pytest.raises(Refused, match="bzip2 -9"):
        rows(bz2.compress(bz2.decompress(real_size[0])[:2_000_000], 5), [(0, 80)], "prefix")


@settings(max_examples=25, deadline=None, database=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), way=st.sampled_from(["prefix", "blocks"]))
def test_a_flipped_bit_is_refused_or_lies_where_nothing_was_read(real_size, place, bit, way):
    body, data = real_size
    changed = bytearray(body)
    changed[int(place * len(body))] ^= 1 << bit
    try:
        part, _ = rows(bytes(changed), [(700, 780)], way)
    except Refused:
        return
    assert part.frame.data[700:780].tobytes() == data[700:780].tobytes()


def cut_short(body):
    return body[:-20_000]


def trailing(body):
    return body + b"<!-- cached -->"


def a_block_twice(body):
    file = bz2_stream.File(Source(body))
    file.need(0, len(body))
    begins = file.magics(0, len(body))
    bits = int.from_bytes(body, "big")
    length, (a, b) = 8 * len(body), begins[5:7]
    head, twice, rest = bits >> length - b, bits >> length - b & (1 << b - a) - 1, bits & (1 << length - b) - 1
    joined = (head << b - a | twice) << length - b | rest
    padding = -(length + b - a) % 8
    return (joined << padding).to_bytes((length + b - a + padding) // 8, "big")


@pytest.mark.parametrize("damage", [cut_short, trailing, a_block_twice])
def test_a_file_of_another_length_is_refused(real_size, damage):
    with pytest.raises(Refused):
        rows(damage(real_size[0]), [(1000, 1080)], "blocks")


def test_another_frame_is_refused(real_size):
    for way in ("prefix", "blocks"):
        with pytest.raises(Refused, match="header says"):
            bz2_blocks.read(Source(real_size[0]), FIELD._replace(field=26), "r", lambda frame: [(0, 80)], way)
