"""Spectra: seen twice alike, or missing."""

import pandas as pd
import pytest
from helpers import archive
from local_archive import Fault, serve

from crossz.archive.http import Client, limits
from crossz.archive.responses import Missing
from crossz.archive.spectra import fetch_spectrum
from crossz.sdss.spectra import SpectrumID, spectrum_path


@pytest.fixture(scope="module")
def spectrum(small_sky):
    """A spectrum of the sky."""
    row = pd.read_parquet(small_sky / "truth.parquet")["spectra"][0][0]
    return SpectrumID(*(row[name] for name in SpectrumID._fields))


@pytest.mark.parametrize("times", [1, 2])
def test_a_spectrum_with_a_flipped_bit_loses_the_vote(small_sky, server, spectrum, times):
    server.faults.append(Fault("/sas/", "flip", 1))
    if times == 2:
        server.faults.append(Fault("/sas/", "wrong_bytes", 1))
    with Client(limits(archive(server.url))) as client:
        body = fetch_spectrum(client, [f"{server.url}/sas"], spectrum)
    assert body == spectrum_path(small_sky / "spectra", *spectrum).read_bytes()


def test_a_mirror_that_says_something_else_each_time_is_outvoted(small_sky, server, spectrum):
    with serve(None, [small_sky / "spectra"]) as bad:
        for byte in range(-100, 0):  # behind the last table's rows
            bad.faults.append(Fault("/sas/", "flip", 1, byte))
        with Client(limits(archive(server.url))) as client:
            body = fetch_spectrum(client, [f"{bad.url}/sas", f"{server.url}/sas"], spectrum)
    assert body == spectrum_path(small_sky / "spectra", *spectrum).read_bytes()


def test_a_spectrum_that_does_not_exist_is_missing(server, spectrum):
    with Client(limits(archive(server.url))) as client, pytest.raises(Missing):
        fetch_spectrum(client, [f"{server.url}/sas"], spectrum._replace(plate=1))
