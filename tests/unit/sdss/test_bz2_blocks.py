"""Some rows of a frame out of some bytes of its file: bit for bit those of the whole file, or refused; and servers that lie about ranges."""

import bz2
import contextlib
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import archive, impatient, listening
from hypothesis import given, settings
from hypothesis import strategies as st
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.core import verify
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import sha256_of_ranges
from crossz.images import stamps
from crossz.sdss import bz2_blocks, bz2_stream
from crossz.sdss.frames import FRAME_MINUS_FIELD, FieldID, decode, frame_path
from crossz.sky import fits
from crossz.sky.images import ten_bits

FIELD = FieldID(301, 1043, 5, 25)
ROWS, COLUMNS = 1489, 2048


def frame_bytes(seed=1, zeros=0, band="r", low_bits=False, sky=True, flat=False):
    """The raw bytes of a frame of real size: noise read in whole DN, calibrated, ten bits; `zeros` pixels of row 900 are 0."""
    rng = np.random.default_rng(seed)
    calibration = 0.005 * (1 + 0.02 * np.cos(np.arange(COLUMNS) / 200) + 1e-4 * rng.standard_normal(COLUMNS))
    if flat:
        calibration[:] = 0.005
    grid = (120.3 if flat else 120 + 3 * rng.random((187, 256))) * np.ones((187, 256))
    x, y = (np.clip((np.arange(size) - 4) / 8, 0, None) for size in (COLUMNS, ROWS))
    row = np.zeros(1, [("ALLSKY", ">f4", grid.shape), ("XINTERP", ">f4", (COLUMNS,)), ("YINTERP", ">f4", (ROWS,))])
    row["ALLSKY"], row["XINTERP"], row["YINTERP"] = grid, x, y
    i, j = np.minimum(y.astype(int), 185), np.minimum(x.astype(int), 254)
    v, u = (y - i)[:, None], x - j
    full = (grid[i][:, j] * (1 - u) + grid[i][:, j + 1] * u) * (1 - v) + (
        grid[i + 1][:, j] * (1 - u) + grid[i + 1][:, j + 1] * u
    ) * v
    dn = np.rint(full + rng.normal(0, 6, full.shape))
    image = ten_bits(((dn - full) * calibration).astype(np.float32))
    image[900, 100 : 100 + zeros] = 0
    if low_bits:
        image[5, 5] = np.float32(0.1)
    cards = {
        "RUN": FIELD.run, "CAMCOL": FIELD.camcol, "FILTER": band, "FRAME": FIELD.field + FRAME_MINUS_FIELD[band],
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1025.0, "CRPIX2": 745.0, "CRVAL1": 150.0, "CRVAL2": 2.0,
        "CD1_1": 0.0, "CD1_2": 1.1e-4, "CD2_1": 1.1e-4, "CD2_2": 0.0,
    }  # fmt: skip
    tables = fits.table(row) if sky else b""
    return b"".join((fits.primary(image, list(cards.items())), fits.image(calibration), tables))


@pytest.fixture(scope="module")
def real_size():
    """(bytes of a frame's file, its pixels)."""
    raw = frame_bytes()
    body = bz2.compress(raw, 9)
    return body, decode(body, FIELD, "r").data


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


# Over HTTP, and on disk


@pytest.fixture(scope="module")
def tree(real_size, tmp_path_factory):
    root = tmp_path_factory.mktemp("sas")
    path = frame_path(root, FIELD, "r")
    path.parent.mkdir(parents=True)
    path.write_bytes(real_size[0])
    return root


@pytest.fixture
def server(tree):
    with serve(None, [tree]) as running:
        yield running


def get(place, folder, spans=((700, 780),)):
    with sas.Frames([], folder, place, lambda field, frame: list(spans)) as frames:
        frame = frames(FIELD, "r")
        frames.write_manifest(folder / "manifest.jsonl")
    (entry,) = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return frame, entry


def right(frame, data, spans=((700, 780),)):
    for a, b in spans:
        assert not frame.lacks(a, b)
        assert frame.data[a:b].tobytes() == data[a:b].tobytes()
    return True


@pytest.mark.parametrize(("way", "most"), [("prefix", 0.65), ("blocks", 0.36)])
def test_part_of_a_frame_is_fetched_noted_kept_and_not_asked_for_again(server, real_size, tmp_path, way, most):
    body, data = real_size
    place = sas.Place(None, archive(server.url), False, fetch=way)
    frame, entry = get(place, tmp_path)
    assert right(frame, data)
    assert frame.lacks(600, 780)
    assert (entry["status"], entry["fetch"], entry["verified"]) == ("fetched", way, sas.CHECKED[way])
    assert sum(b - a for a, b in entry["ranges"]) < most * len(body)
    assert entry["etag"]
    assert entry["size"] == len(body)
    part = frame_path(tmp_path, FIELD, "r").with_name(frame_path("", FIELD, "r").name + ".part")
    assert sha256_of_ranges(part, entry["ranges"]) == entry["sha256"]
    hits = len(server.hits)
    again, same = get(place, tmp_path)
    assert len(server.hits) == hits
    assert right(again, data)
    assert same == entry
    content = bytearray(part.read_bytes())
    content[50_000] ^= 1
    part.write_bytes(content)
    assert right(get(place, tmp_path)[0], data)
    assert len(server.hits) > hits


@pytest.mark.parametrize("way", ["prefix", "blocks"])
def test_a_frame_on_disk_is_read_in_part_and_verified_by_the_bytes_read(tree, real_size, tmp_path, way):
    root = tmp_path / "mine"
    shutil.copytree(tree, root)
    frame, entry = get(sas.Place(root, None, False, fetch=way), tmp_path)
    assert right(frame, real_size[1])
    assert (entry["status"], entry["fetch"]) == ("local", way)
    results = tmp_path / "results"
    (results / "stamps").mkdir(parents=True)
    shutil.copy(tmp_path / "manifest.jsonl", results / "stamps/0000.frames.jsonl")
    verify.verify(results, root, False, 1)
    path = frame_path(root, FIELD, "r")
    content = bytearray(path.read_bytes())
    content[50_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CrosszError, match="damaged; delete it"):
        verify.verify(results, root, False, 1)


RECOVER = ["range_ignored", "range_other", "range_lie", "range_short", "range_cut", "range_html", "range_flip", "range_size",
           "etag_change", "html200", "503", "429", "500json", "refuse", "reset", "stall", "cut_length", "cut_no_length", "cut_chunked",
           "wrong_bytes", "trailing", "flip"]  # fmt: skip
ENDS = {
    "503",
    "429",
    "500json",
    "refuse",
    "reset",
    "stall",
    "cut_length",
    "cut_no_length",
    "cut_chunked",
    "html200",
    "wrong_bytes",
    "trailing",
    "flip",
}


@pytest.mark.parametrize("number", [1, 3, None])
@pytest.mark.parametrize("kind", RECOVER)
def test_a_server_that_lies_about_ranges(server, real_size, tmp_path, kind, number):
    """The lie told to the first or third request, then to all: the right rows, or one error, and nothing wrong on disk."""
    honest = [] if number is None else [Fault("GET", "delay", number - 1, 0)]
    server.faults[:] = [*honest, Fault("GET", kind, None if number is None else 1)]
    settings = listening if kind == "stall" else archive
    place = sas.Place(None, settings(server.url), False, fetch="blocks")
    if number is None and kind in ENDS:
        with pytest.raises(CrosszError, match="not fetched after"):
            get(place._replace(archive=impatient(server.url)), tmp_path)
    else:
        assert right(get(place, tmp_path)[0], real_size[1])
    assert not list(tmp_path.rglob(".*.part*"))
    server.faults.clear()
    frame, entry = get(place, tmp_path)
    assert right(frame, real_size[1])
    assert entry["status"] == "fetched"


@pytest.mark.parametrize("kind", ["flip", "html200", "reset", "cut_no_length", "wrong_bytes", "503"])
@pytest.mark.parametrize("times", [1, None])
def test_a_server_that_lies_to_who_asks_for_a_prefix(server, real_size, tmp_path, kind, times):
    server.faults[:] = [Fault("GET", kind, times, 1000 if kind == "flip" else None)]
    place = sas.Place(None, archive(server.url), False, fetch="prefix")
    if times:
        assert right(get(place, tmp_path)[0], real_size[1])
    else:
        with pytest.raises(CrosszError, match="not fetched after"):
            get(place._replace(archive=impatient(server.url)), tmp_path)
    server.faults.clear()
    assert right(get(place, tmp_path)[0], real_size[1])


def test_a_server_without_ranges_is_asked_for_whole_files_after_three(server, tree, tmp_path):
    server.faults[:] = [Fault("GET", "range_ignored")]
    place = sas.Place(None, archive(server.url), False, fetch="blocks")
    with sas.Frames([], tmp_path, place, lambda field, frame: [(700, 780)]) as frames:
        for _ in range(5):
            assert frames(FIELD, "r").known is None
            shutil.rmtree(tmp_path / "dr17")
    assert len(server.hits) == 2 * 3 + 2


@pytest.mark.parametrize(("way", "status"), [("prefix", "401"), ("blocks", "401")])
def test_a_final_status_has_the_whole_file_s_words(server, tmp_path, way, status):
    server.faults[:] = [Fault("GET", status)]
    with pytest.raises(CrosszError, match="a public mirror"):
        get(sas.Place(None, archive(server.url), False, fetch=way), tmp_path)


@pytest.mark.parametrize("way", ["prefix", "blocks"])
def test_a_frame_that_does_not_exist_is_missing(server, tmp_path, way):
    place = sas.Place(None, archive(server.url), False, fetch=way)
    with sas.Frames([], tmp_path, place, lambda field, frame: [(0, 80)]) as frames:
        assert frames(FIELD._replace(field=99), "r") is None


@pytest.mark.parametrize("way", ["prefix", "blocks"])
def test_an_audit_compares_with_the_whole_file(server, real_size, tmp_path, way, monkeypatch):
    place = sas.Place(None, archive(server.url), False, fetch=way, audit=1.0)
    frame, entry = get(place, tmp_path / "a")
    assert right(frame, real_size[1])
    assert (entry["fetch"], entry["compared"], entry["verified"]) == ("whole", way, sas.CHECKED["whole"])
    honest = bz2_blocks.read

    def one_row_off(*arguments):
        part = honest(*arguments)
        part.frame.data[700:780] = np.roll(part.frame.data[700:780], 1, 0)
        return part

    monkeypatch.setattr(bz2_blocks, "read", one_row_off)
    with pytest.raises(CrosszError, match="differ from those of the whole file"):
        get(place, tmp_path / "b")


# What rows are needed


@pytest.mark.parametrize("way", ["prefix", "blocks"])
@pytest.mark.parametrize("edges", ["neighbour", "mask"])
def test_the_stamps_of_a_shard_are_the_same_bytes_every_way(small_sky, tmp_path, way, edges):
    names = [re.split(r"[-.]", path.name) for path in sorted((small_sky / "sas").rglob("frame-*.bz2"))]
    fields = sorted(
        {FieldID(301, int(run), int(camcol), int(field)) for _, band, run, camcol, field, *_ in names if band == "r"}
    )[:4]
    objects = []
    for field in fields:
        wcs = decode(frame_path(small_sky / "sas", field, "r").read_bytes(), field, "r").wcs
        xy = [(100, 10), (128, 200), (5, 200), (128, 370), (128, 345)]
        objects += [(*field, *map(float, wcs.wcs_pix2world(x, y, 0))) for x, y in xy]
    plan = pd.DataFrame(objects, columns=[*FieldID._fields, "ra", "dec"])
    plan.insert(0, "objID", range(len(plan)))
    plan.to_parquet(tmp_path / "plan.parquet")
    written = {}
    with serve(None, [small_sky / "sas"]) as server:
        for name, place in {
            "whole": sas.Place(small_sky / "sas", None, False),
            "disk": sas.Place(small_sky / "sas", None, False, fetch=way),
            "net": sas.Place(None, archive(server.url), False, fetch=way),
        }.items():
            with sas.shard_frames(tmp_path / "plan.parquet", tmp_path / name / "cache", place) as frames:
                stamps.write_stamps(
                    plan=tmp_path / "plan.parquet", stamps=tmp_path / name / "a", counts=tmp_path / name / "counts.json",
                    edges=edges, frames=frames,
                )  # fmt: skip
            written[name] = (tmp_path / name / "a").read_bytes()
    assert len(set(written.values())) == 1


def test_a_neighbour_is_asked_for_only_where_a_row_edge_cuts():
    asked = []
    data = np.zeros((300, 260), ">f4")

    class Flat:
        def __init__(self, y):
            self._y = y

        def wcs_world2pix(self, ra, dec, _):
            return ra, dec + self._y

    def frame(number):
        asked.append(number)
        return stamps.Frame(data, Flat((0, 172, -172)[number]))

    near = [[lambda n=number: frame(n) for number in range(3)] for _ in BANDS]
    for y, others in ((150, set()), (10, {1}), (290, {2})):
        asked.clear()
        stamps.stamp(near, 120.0, float(y), "neighbour")
        assert set(asked) == {0} | others
    asked.clear()
    stamps.stamp(near, 5.0, 150.0, "neighbour")  # a column edge, which no neighbour mends
    assert set(asked) == {0}
