"""Frames and spectra: found on disk, fetched from mirrors, missing, damaged, and never fetched twice."""

import contextlib
import json
import re
import shutil
import socket
import threading
import time

import numpy as np
import pandas as pd
import pytest
from helpers import archive
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.archive.doctor import examine
from crossz.archive.http import Client, Missing, limits
from crossz.core.errors import CrosszError
from crossz.core.names import BANDS
from crossz.sdss.frames import FieldID, frame_path, read_frame
from crossz.sdss.spectra import spectrum_path


@pytest.fixture
def server(small_sky):
    with serve(small_sky / "sky.sqlite", [small_sky / "sas", small_sky / "spectra"]) as running:
        yield running


@pytest.fixture(scope="module")
def fields(small_sky):
    """Fields of the sky that have all five bands, in order."""
    names = [re.split(r"[-.]", path.name) for path in (small_sky / "sas").rglob("frame-*.bz2")]
    found = [FieldID(301, int(run), int(camcol), int(field)) for _, _, run, camcol, field, *_ in names]
    return sorted(field for field in set(found) if found.count(field) == len(BANDS))


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
        end = time.monotonic() + 5
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


def test_frames_are_kept_where_the_user_wants_them(server, fields, tmp_path):
    place = sas.Place(tmp_path / "mine", archive(server.url), True)
    with sas.Frames(fields[:2], tmp_path / "cache", place) as frames:
        frames.fetch_all()
    with sas.Frames(fields[:2], tmp_path / "cache", place._replace(keep=False)) as frames:
        with pytest.raises(CrosszError, match=r"set stamps\.keep_frames"):
            frames.fetch_all()
    sas.release(tmp_path / "cache")
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


@pytest.mark.parametrize("kind", ["503", "404", "401", "500json", "html200", "flip", "refuse", "slow"])
def test_another_mirror_serves_what_one_does_not(small_sky, server, fields, tmp_path, kind):
    with serve(None, [small_sky / "sas"]) as bad:
        bad.faults.append(Fault("/sas/", kind))
        block = archive(server.url, sas=[f"{bad.url}/sas", f"{server.url}/sas"])
        with sas.Frames([], tmp_path, sas.Place(None, block, False)) as frames:
            assert frames(fields[0], "r") is not None
        assert (len(bad.hits), len(server.hits)) == (1, 1)


def test_a_host_that_fails_again_and_again_is_left_alone(small_sky, server, fields, tmp_path):
    with serve(None, [small_sky / "sas"]) as bad:
        bad.faults.append(Fault("/sas/", "503"))
        block = archive(server.url, sas=[f"{bad.url}/sas", f"{server.url}/sas"], connections=1, pause_s=0.1)
        with sas.Frames(fields[:6], tmp_path, sas.Place(tmp_path, block, True)) as frames:
            frames.fetch_all()
        assert len(server.hits) == 30
        assert 8 <= len(bad.hits) < 20


def test_connections_are_bounded(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "delay", None, 0.05))
    with sas.Frames(fields[:3], tmp_path, sas.Place(tmp_path, archive(server.url, connections=3), True)) as frames:
        frames.fetch_all()
    assert server.peak["/sas"] == 3


def test_a_retry_after_is_waited_for(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "429", 1, 1))
    start = time.monotonic()
    with sas.Frames([], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        assert frames(fields[0], "r") is not None
    assert time.monotonic() - start >= 1


def test_a_retry_after_beyond_the_deadline_ends_at_once(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "429", None, 3600))
    start = time.monotonic()
    with sas.Frames([], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        with pytest.raises(CrosszError, match="beyond the deadline of 3 s"):
            frames(fields[0], "r")
    assert time.monotonic() - start < 5


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


def test_an_outage_shorter_than_the_deadline_is_waited_out(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "503"))
    threading.Timer(1.5, server.faults.clear).start()
    with sas.Frames([], tmp_path, sas.Place(None, archive(server.url, deadline_s=10), False)) as frames:
        assert frames(fields[0], "r") is not None
    assert len(server.hits) > 3


def test_headers_that_trickle_in_are_given_up_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle():
            connection, _ = listener.accept()
            with contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100:
                    connection.send(bytes([byte]))
                    time.sleep(0.3)

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        start = time.monotonic()
        with (
            Client(limits(archive(url, deadline_s=1))) as client,
            pytest.raises(CrosszError, match="within the deadline"),
        ):
            client.fetch([url], "a page", lambda reply: reply, "no remedy")
        assert time.monotonic() - start < 8


@pytest.fixture(scope="module")
def spectrum(small_sky):
    """plate, mjd, fiberID, run2d of a spectrum of the sky."""
    row = pd.read_parquet(small_sky / "truth.parquet")["spectra"][0][0]
    return [row[name] for name in ("plate", "mjd", "fiberID", "run2d")]


@pytest.mark.parametrize("times", [1, 2])
def test_a_spectrum_with_a_flipped_bit_loses_the_vote(small_sky, server, spectrum, times):
    server.faults.append(Fault("/sas/", "flip", 1))
    if times == 2:
        server.faults.append(Fault("/sas/", "wrong_bytes", 1))
    with Client(limits(archive(server.url))) as client:
        body = sas.fetch_spectrum(client, [f"{server.url}/sas"], *spectrum)
    assert body == spectrum_path(small_sky / "spectra", *spectrum).read_bytes()


def test_a_spectrum_that_does_not_exist_is_missing(server, spectrum):
    with Client(limits(archive(server.url))) as client, pytest.raises(Missing):
        sas.fetch_spectrum(client, [f"{server.url}/sas"], 1, *spectrum[1:])


def test_the_doctor_finds_everything_well(server, login, tmp_path, capsys):
    for backend in ("casjobs", "skyserver"):
        examine(backend, archive(server.url), tmp_path)
    told = capsys.readouterr().out
    assert told.count(" ok ") == 10
    assert "FAILED" not in told
    assert not list(tmp_path.iterdir())


def test_the_doctor_says_what_is_wrong_and_what_to_do(server, login, tmp_path, capsys, monkeypatch):
    server.faults.append(Fault("/frames/", "503"))
    with pytest.raises(CrosszError, match="1 of 5 checks failed"):
        examine("casjobs", archive(server.url), tmp_path)
    assert re.search(r"frame +FAILED .*HTTP 503.*another mirror", capsys.readouterr().out)
    monkeypatch.setenv("SCISERVER_PASSWORD", "wrong-canary")
    with pytest.raises(CrosszError, match="checks failed"):
        examine("casjobs", archive(server.url), tmp_path)
    told = capsys.readouterr().out
    assert re.search(r"login +FAILED  SciServer refuses user user or its password; set SCISERVER_USER", told)
    assert "wrong-canary" not in told
