"""Some rows of a frame from servers that lie about ranges: the right rows, or one error, and nothing wrong on disk."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import archive, impatient, listening
from local_archive import Fault, serve
from toy_frames import FIELD

from crossz.archive import sas
from crossz.core import verify
from crossz.core.errors import CrosszError
from crossz.core.files import sha256_of_ranges
from crossz.images import stamps
from crossz.sdss import bz2_blocks
from crossz.sdss.frames import FieldID, decode, frame_path


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
def test_a_frame_on_disk_is_read_in_part_and_verified_by_the_bytes_read(tree, real_size, tmp_path, monkeypatch, way):
    root = tmp_path / "mine"
    shutil.copytree(tree, root)
    frame, entry = get(sas.Place(root, None, False, fetch=way), tmp_path)
    assert right(frame, real_size[1])
    assert (entry["status"], entry["fetch"]) == ("local", way)
    results = tmp_path / "results"
    (results / "stamps").mkdir(parents=True)
    shutil.copy(tmp_path / "manifest.jsonl", results / "stamps/0000.frames.jsonl")
    monkeypatch.chdir(tmp_path)
    verify.verify(root, False, 1)
    path = frame_path(root, FIELD, "r")
    content = bytearray(path.read_bytes())
    content[50_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CrosszError, match="damaged; delete it"):
        verify.verify(root, False, 1)


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
    with pytest.raises(CrosszError, match="differ from those of the complete file"):
        get(place, tmp_path / "b")


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
