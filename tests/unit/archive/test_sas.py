"""Frames: found on disk, fetched, missing, damaged, and never fetched twice."""

import bz2
import json
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from helpers import archive
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.archive.journal import release
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.sdss.frames import FieldID, frame_path, read_frame


def urls(server, status=200):
    return [hit.path for hit in server.hits if hit.status == status]


def entries(path):
    return {entry["path"]: entry for entry in map(json.loads, path.read_text().splitlines())}


def test_fetched_frames_are_the_archive_s_and_noted_with_their_hash(small_sky, server, fields, tmp_path):
    with sas.Frames(fields[:3], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        for field in fields[:3]:
            for band in BANDS:
                original = read_frame(frame_path(small_sky / "sas", field, band), field, band)
                np.testing.assert_array_equal(frames(field, band).data, original.data)
        frames.write_manifest(tmp_path / "manifest.jsonl")
    asked = urls(server)
    assert len(asked) == len(set(asked)) == 15
    noted = entries(tmp_path / "manifest.jsonl")
    assert len(noted) == 15
    for name, entry in noted.items():
        body = (small_sky / "sas" / name).read_bytes()
        assert (tmp_path / name).read_bytes() == body
        assert (entry["status"], entry["size"]) == ("fetched", len(body))
        assert entry["url"] == f"{server.url}/sas/{name}"
        assert entry["etag"]


def test_the_next_field_is_on_its_way_while_one_is_cut(server, fields, tmp_path):
    with sas.Frames(fields[:3], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        frames(fields[0], "u")
        end = time.monotonic() + 60
        while len(urls(server)) < 10 and time.monotonic() < end:
            time.sleep(0.01)
    assert {f"{field.run:06d}-{field.camcol}-{field.field:04d}" for field in fields[:2]} == {
        path.split("-", 2)[2].split(".")[0] for path in urls(server)
    }


def test_what_is_on_disk_is_not_fetched(small_sky, server, fields, tmp_path):
    local = tmp_path / "local"
    there = frame_path(local, fields[0], "r")
    there.parent.mkdir(parents=True)
    shutil.copy(frame_path(small_sky / "sas", fields[0], "r"), there)
    for _ in range(2):
        with sas.Frames([], tmp_path / "cache", sas.Place(local, archive(server.url), False)) as frames:
            assert frames(fields[0], "r") is not None
            assert frames(fields[0], "g") is not None
            frames.write_manifest(tmp_path / "manifest.jsonl")
    assert len(server.hits) == 1
    assert sorted(entry["status"] for entry in entries(tmp_path / "manifest.jsonl").values()) == ["fetched", "local"]
    assert not frame_path(local, fields[0], "g").exists()


def test_a_link_that_leads_nowhere_is_no_missing_frame(fields, tmp_path):
    path = frame_path(tmp_path / "mine", fields[0], "r")
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere")
    with sas.Frames([], tmp_path / "cache", sas.Place(tmp_path / "mine", None, False)) as frames:
        assert frames(fields[0], "g") is None
        with pytest.raises(CrosszError, match=r"frame-r-.*: a link that leads nowhere; mend it or delete it"):
            frames(fields[0], "r")


def test_frames_are_kept_where_the_user_wants_them(server, fields, tmp_path):
    place = sas.Place(tmp_path / "mine", archive(server.url), True)
    with sas.Frames(fields[:2], tmp_path / "cache", place) as frames:
        frames.fetch_all()
    with sas.Frames(fields[:2], tmp_path / "cache", place._replace(keep=False)) as frames:
        with pytest.raises(CrosszError, match=r"set stamps\.keep_frames"):
            frames.fetch_all()
    release(tmp_path / "cache")
    with sas.Frames(fields[:2], tmp_path / "cache", place) as frames:
        frames.fetch_all()
        frames.write_manifest(tmp_path / "manifest.jsonl")
    assert len(server.hits) == 10
    assert {entry["status"] for entry in entries(tmp_path / "manifest.jsonl").values()} == {"local"}


def test_a_frame_that_does_not_exist_is_noted_and_never_asked_for_again(server, fields, tmp_path):
    nowhere = fields[0]._replace(field=999)
    for _ in range(2):
        with sas.Frames([], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
            assert frames(nowhere, "r") is None
            frames.write_manifest(tmp_path / "manifest.jsonl")
    assert len(server.hits) == 1
    assert [entry["status"] for entry in entries(tmp_path / "manifest.jsonl").values()] == ["missing"]


def test_a_damaged_frame_of_ours_is_fetched_again_and_the_user_s_is_named(server, fields, tmp_path):
    place = sas.Place(None, archive(server.url), False)
    with sas.Frames([], tmp_path, place) as frames:
        whole = frames(fields[0], "r")
    path = frame_path(tmp_path, fields[0], "r")
    damaged = path.read_bytes()[:-100]
    path.write_bytes(damaged)
    with sas.Frames([], tmp_path, place) as frames:
        np.testing.assert_array_equal(frames(fields[0], "r").data, whole.data)
    path.write_bytes(damaged)
    with sas.Frames([], tmp_path / "cache", sas.Place(tmp_path, archive(server.url), False)) as frames:
        with pytest.raises(CrosszError, match=r"frame-r-.*damaged bz2.*delete it and rerun, or put a good copy there"):
            frames(fields[0], "r")
    assert path.read_bytes() == damaged


def test_a_journal_cut_by_a_kill_is_mended(server, fields, tmp_path):
    place = sas.Place(None, archive(server.url), False)
    with sas.Frames([], tmp_path, place) as frames:
        frames(fields[0], "r")
    with open(tmp_path / "journal.jsonl", "a") as journal:
        journal.write('{"path": "dr17/eboss/ph')
    with sas.Frames([], tmp_path, place) as frames:
        frames(fields[0], "r")
        frames(fields[0], "g")
        frames.write_manifest(tmp_path / "manifest.jsonl")
    assert len(server.hits) == 2
    assert len(entries(tmp_path / "manifest.jsonl")) == len(entries(tmp_path / "journal.jsonl")) == 2


def test_a_frame_that_stays_damaged_stops_the_run_or_counts_as_missing(server, fields, tmp_path):
    server.faults.append(Fault("frame-r", "flip"))
    block = archive(server.url)
    with sas.Frames([], tmp_path / "a", sas.Place(None, block, False)) as frames:
        with pytest.raises(CrosszError, match=r"damaged bz2.*go on without it: stamps.damaged_frames: missing"):
            frames(fields[0], "r")
    with sas.Frames([], tmp_path / "b", sas.Place(None, block, False, damaged_is_missing=True)) as frames:
        assert frames(fields[0], "r") is None
        assert frames(fields[0], "g") is not None
        frames.write_manifest(tmp_path / "manifest.jsonl")
    assert sorted(entry["status"] for entry in entries(tmp_path / "manifest.jsonl").values()) == ["damaged", "fetched"]


def test_an_archive_without_a_single_frame_is_the_wrong_address(server, fields, tmp_path):
    block = archive(server.url, sas=[f"{server.url}/sas/typo"])
    with sas.Frames(fields[:2], tmp_path, sas.Place(None, block, False)) as frames:
        assert [frames(field, band) for field in fields[:2] for band in BANDS] == [None] * 10
        with pytest.raises(CrosszError, match=r"none of 10 frames exists below .*typo; is archive.sas right"):
            frames.write_manifest(tmp_path / "manifest.jsonl")
    with sas.Frames(fields[:2], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        assert frames(fields[0], "r") is not None


@pytest.fixture
def elsewhere(small_sky, fields, tmp_path):
    """(A plan of one object; a folder in which the frame of its field says that it shows another place of the sky)."""
    path = frame_path(small_sky / "sas", fields[0], "r")
    ra, dec = read_frame(path, fields[0], "r").wcs.wcs_pix2world(100, 200, 0)
    plan = pd.DataFrame([(*fields[0], float(ra), float(dec))], columns=[*FieldID._fields, "ra", "dec"])
    plan.to_parquet(tmp_path / "plan.parquet")
    raw = bz2.decompress(path.read_bytes())
    at = raw.index(b"CRVAL1  =")
    raw = raw[:at] + f"CRVAL1  = {(ra + 1) % 360:20.9f}".ljust(80).encode() + raw[at + 80 :]
    moved = frame_path(tmp_path / "elsewhere", fields[0], "r")
    moved.parent.mkdir(parents=True)
    moved.write_bytes(bz2.compress(raw, 9))
    return tmp_path / "plan.parquet", tmp_path / "elsewhere"


@pytest.mark.parametrize("way", ["whole", "prefix", "blocks"])
def test_a_frame_of_another_place_is_refused_and_the_next_mirror_is_asked(server, fields, tmp_path, elsewhere, way):
    plan, folder = elsewhere
    with serve(None, [folder]) as bad:
        block = archive(server.url, sas=[f"{bad.url}/sas", f"{server.url}/sas"])
        with sas.shard_frames(plan, tmp_path / "a", sas.Place(None, block, False, fetch=way)) as frames:
            assert frames._get(sas._Key(fields[0], "r"), way) is not None
        assert bad.hits
        assert server.hits
        with sas.shard_frames(plan, tmp_path / "b", sas.Place(None, archive(bad.url), False, fetch=way)) as frames:
            with pytest.raises(CrosszError, match="not one of 1 object"):
                frames._get(sas._Key(fields[0], "r"), way)
    with sas.shard_frames(plan, tmp_path / "c", sas.Place(folder, None, False, fetch=way)) as frames:
        with pytest.raises(CrosszError, match=r"not one of 1 object.*put a good copy there"):
            frames(fields[0], "r")
