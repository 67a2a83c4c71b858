"""A small archive for the tests of this package, and what they ask of it."""

import csv
import io
import time

import requests

from local_archive import serve

PATIENCE = 60
"""Seconds that an honest answer may take: a busy machine fails no test."""
SQL = "/dr17/SkyServerWS/SearchTools/SqlSearch"
FOLDER = "dr17/eboss/photoObj/frames/301/94/1"
FRAME = f"/sas/{FOLDER}/frame-r-000094-1-0010.fits.bz2"
ROWS = [
    ("10000000000000000001", 1237648720693755918, "QSO", 2.3412345678901234, "v5_13_2", -9999.0),
    ("299489677444933632", 1237648720693755919, "qso", 1.1, "", None),
    ("299489677444933633", 1237648720693755920, "GALAXY", None, None, 19.5),
    ("299489677444933634", 1237648720693755921, "QSO", 0.5, "26", 0.0),
]
NAMES = ("specObjID", "bestObjID", "class", "z", "run2d", "psfMag_u")
LOGIN = {"auth": {"identity": {"password": {"user": {"name": "user", "password": "password"}}}}}


def body(band):
    return f"{band} ".encode() * 3000 + bytes(range(256))


def archive(folder, **options):
    return serve(folder / "sky.sqlite", [folder / "sas", folder / "spectra"], **options)


def ask(server, sql, format="csv"):
    return requests.get(server.url + SQL, params={"cmd": sql, "format": format}, timeout=PATIENCE)


def cells(text):
    return list(csv.reader(io.StringIO(text.removeprefix("#Table1\n"), newline="")))


def ended(cas, job):
    """The description of a job, when it is over."""
    end = time.monotonic() + PATIENCE
    while True:
        description = cas("GET", f"jobs/{job}").json()
        if description["Status"] >= 3:
            return description
        assert time.monotonic() < end, description
        time.sleep(0.02)


def tables(cas):
    """Names and numbers of rows of MyDB's tables."""
    return {table["Name"]: table["Rows"] for table in cas("GET", "contexts/MyDB/Tables").json()}


def until(condition):
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def submit(cas, sql, context="DR17"):
    answer = cas("PUT", f"contexts/{context}/jobs", {"Query": sql, "TaskName": "test"})
    assert answer.status_code == 200
    return int(answer.text)
