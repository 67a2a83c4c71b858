"""Spectra as the archive writes them, or refused."""

import numpy as np
import pytest

from crossz.core.errors import CrosszError, Refused
from crossz.sdss import spectra


def test_a_damaged_spectrum_is_named(sdss, tmp_path):
    path = sorted((sdss / "spectra").glob("spec-*.fits"))[0]
    (tmp_path / path.name).write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(CrosszError, match=rf"{path.name}: .*delete it and rerun"):
        spectra.read(tmp_path / path.name)


def cut(body):
    return body[:-2880]


def longer(body):
    return body + bytes(2880)


def html(body):
    return b"<html>503</html>"


def other(body):
    return body.replace(b"FIBERID =", b"FIBERIX =", 1)


@pytest.mark.parametrize("damage", [cut, longer, html, other])
def test_a_spectrum_that_is_not_complete_or_not_its_own_is_refused(small_sky, damage):
    path = sorted((small_sky / "spectra").rglob("spec-*.fits"))[0]
    plate, mjd, fiberID = (int(part) for part in path.stem.split("-")[1:])
    body = path.read_bytes()
    coadd = spectra.check(body, plate, mjd, fiberID)
    assert np.diff(coadd.loglam) == pytest.approx(spectra.STEP, abs=1e-6)
    with pytest.raises(Refused):
        spectra.check(damage(body), plate, mjd, fiberID)
    with pytest.raises(Refused, match="header says"):
        spectra.check(body, plate, mjd, fiberID + 1)
