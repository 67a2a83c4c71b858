"""Files and sizes that no frame has."""

import os
import socket

import pytest
from fetching import answering
from helpers import archive
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.archive.frame_bytes import OnDisk, Ranges
from crossz.archive.http import Client, limits
from crossz.archive.responses import Unranged
from crossz.core.errors import CrosszError, Refused
from crossz.sdss.frames import FieldID, frame_path

FIELD = FieldID(301, 94, 1, 10)


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def unix_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # such a name has at most 100 bytes
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(here)


def huge(path):
    with open(path, "wb") as handle:
        handle.truncate(1 << 40)


@pytest.mark.parametrize("way", ["whole", "prefix", "blocks"])
@pytest.mark.parametrize("make", [fifo, folder, device, unix_socket, huge])
def test_what_is_no_file_of_a_frame_is_named_and_not_read(tmp_path, make, way):
    path = frame_path(tmp_path, FIELD, "r")
    path.parent.mkdir(parents=True)
    make(path)
    place = sas.Place(tmp_path, None, False, fetch=way)
    with sas.Frames([], tmp_path / "cache", place, lambda field, frame: [(0, 80)]) as frames:
        with pytest.raises(CrosszError, match=rf"{path.name}: (not a regular file|1,099,511,627,776 bytes)"):
            frames(FIELD, "r")


def test_a_range_of_a_file_of_100_terabytes_is_refused():
    begin = b"HTTP/1.1 206 Partial\r\nContent-Length: 4\r\nContent-Range: bytes 0-3/%d\r\n\r\nBZh9" % 10**14
    with answering(begin) as url, Client(limits(archive(url))) as client:
        with pytest.raises(CrosszError, match="a file of 100,000,000,000,000 bytes; a frame has at most"):
            Ranges(client, [url])(0, 4)


@pytest.mark.parametrize("version", ["1", "2"])
def test_another_mirror_goes_on_where_the_first_ends_if_it_has_the_same_version(tmp_path, version):
    path = tmp_path / "sas/x"
    path.parent.mkdir()
    path.write_bytes(bytes(range(100)))
    with serve(None, [tmp_path / "sas"]) as bad, serve(None, [tmp_path / "sas"]) as good:
        urls = [f"{server.url}/sas/x" for server in (bad, good)]
        with Client(limits(archive(bad.url))) as client:
            ranges = Ranges(client, urls)
            assert ranges(0, 10) == bytes(range(10))
            bad.faults.append(Fault("/sas/", "503"))
            if version == "2":
                good.faults.append(Fault("/sas/", "etag_change"))
                with pytest.raises(Unranged, match="changed between two ranges"):
                    ranges(50, 60)
            else:
                assert ranges(50, 60) == bytes(range(50, 60))
        assert (len(bad.hits), len(good.hits)) == (2, 1)


def test_bytes_that_were_not_fetched_are_refused(tmp_path):
    (tmp_path / "part").write_bytes(bytes(100))
    with OnDisk(tmp_path / "part", [[0, 10], [50, 60]]) as source:
        assert source(52, 58) == bytes(6)
        with pytest.raises(Refused):
            source(5, 55)
