"""Spectra: onto the common grid pixel by pixel, from disk or the archive, and nobody is lost on the way."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import archive
from local_archive import serve

from crossz.archive import sas
from crossz.archive.journal import release
from crossz.archive.spectra import Spectra
from crossz.core.errors import CrosszError
from crossz.images.arrow import read_arrays
from crossz.images.spectra import FIRST, PIXELS, resample, write_spectra
from crossz.sdss import spectra
from crossz.sdss.spectra import STEP, SpectrumID, spectrum_path

GRIDS = [(3.5811, 3830), (3.5534, 4606)]  # first loglam and pixels of real spectra of SDSS-I/II and eBOSS


def rendered(first, pixels, line=None):
    """flux, loglam, ivar, and_mask of a flat spectrum, with a narrow line at `line` (Angstrom) if wanted."""
    loglam = (first + STEP * np.arange(pixels)).astype(np.float32).astype(float)
    flux = np.full(pixels, 3.0)
    if line is not None:
        flux += 20 * np.exp(-0.5 * ((loglam - np.log10(line)) / (1.5 * STEP)) ** 2)
    return flux, loglam, np.ones(pixels), np.zeros(pixels, int)


@pytest.mark.parametrize(("first", "pixels"), GRIDS)
@pytest.mark.parametrize("line", [3900.0, 5578.5, 8700.0])
def test_a_line_lands_in_its_pixel(first, pixels, line):
    flux, ok = resample(*rendered(first, pixels, line))
    assert flux.argmax() == round((np.log10(line) - FIRST) / STEP)
    assert ok.all()
    assert np.median(flux) == pytest.approx(1)


@pytest.mark.parametrize(("first", "pixels"), GRIDS)
def test_every_pixel_is_taken_over_untouched(first, pixels):
    _, loglam, ivar, mask = rendered(first, pixels)
    unique = 1 + np.arange(pixels) / pixels  # a shift by one pixel cannot hide
    flux, _ = resample(unique, loglam, ivar, mask)
    start = round((FIRST - first) / STEP)
    part = unique[start : start + PIXELS]
    np.testing.assert_allclose(flux, part / np.median(part), rtol=1e-6)


def test_masked_pixels_are_bridged_and_said():
    flux, loglam, ivar, mask = rendered(*GRIDS[1])
    at = np.rint((loglam - FIRST) / STEP).astype(int)
    flux += 0.001 * at
    broken = flux.copy()
    broken[(at >= 100) & (at < 110)] = 1e6
    ivar[(at >= 100) & (at < 110)] = 0
    broken[at == 500], mask[at == 500] = -1e6, 1 << 23  # BRIGHTSKY
    mask[at == 600] = 1 << 3  # BADARC: said of whole fibres, no reason to lose a pixel
    found, ok = resample(broken, loglam, ivar, mask)
    assert np.flatnonzero(~ok).tolist() == [*range(100, 110), 500]
    inside = (at >= 0) & (at < PIXELS)
    np.testing.assert_allclose(found / found[0], (flux[inside] / flux[inside][0]), rtol=1e-5)


def test_what_lies_outside_the_spectrum_is_masked():
    flux, ok = resample(*rendered(FIRST + 50 * STEP, 3000))
    assert np.flatnonzero(ok).tolist() == list(range(50, 3050))
    np.testing.assert_allclose(flux, 1)


def test_a_spectrum_without_a_good_pixel_is_empty_not_a_number_less():
    flux, loglam, ivar, mask = rendered(*GRIDS[0])
    found, ok = resample(flux, loglam, 0 * ivar, mask)
    assert not ok.any()
    assert (found == 0).all()


def test_noise_around_zero_keeps_its_sign_and_size():
    _, loglam, ivar, mask = rendered(*GRIDS[0])
    noise = np.random.default_rng(0).normal(0, 2, len(loglam))
    flux, _ = resample(noise, loglam, ivar, mask)
    start = round((FIRST - GRIDS[0][0]) / STEP)
    assert (np.sign(flux) == np.sign(noise[start : start + PIXELS])).all()
    assert np.median(np.abs(flux)) == pytest.approx(1)


def test_real_spectra_cover_the_grid(sdss):
    paths = sorted((sdss / "spectra").glob("spec-*.fits"))
    assert len(paths) > 10
    for path in paths:
        flux, ok = resample(*spectra.read(path))
        assert ok.mean() > 0.9, path.name
        assert np.isfinite(flux).all()
        assert np.median(np.abs(flux[ok])) == pytest.approx(1, rel=1e-5)


@pytest.fixture(scope="module")
def objects(small_sky, tmp_path_factory):
    """A plan of the sky's first 12 spectra and two catalogs that share them, the last two of unknown plates."""
    truth = pd.read_parquet(small_sky / "truth.parquet")
    rows = pd.DataFrame([dict(own[0]) for own in truth["spectra"] if len(own)][:12])
    rows = rows[["specObjID", "plate", "mjd", "fiberID", "run2d"]]
    rows["objID"] = np.arange(len(rows)) + 1237654669735362939
    rows.loc[10:, "plate"] = 1
    folder = tmp_path_factory.mktemp("objects")
    paths = [folder / f"{name}.parquet" for name in ("plan", "one", "other")]
    for path, part in zip(paths, (rows[["objID", "specObjID"]], rows[:8], rows[4:]), strict=True):
        part.sample(frac=1, random_state=1).to_parquet(path, index=False)
    return paths


def write(objects, folder, place):
    folder.mkdir(exist_ok=True)
    out = folder / "0000.arrow", folder / "0000.counts.json"
    with Spectra(folder / "cache", place) as source:
        write_spectra(plan=objects[0], catalogs=objects[1:], spectra=out[0], counts=out[1], source=source)
    return read_arrays(out[0]), json.loads(out[1].read_text()), out[0].read_bytes()


def test_objects_of_other_catalogs_get_no_spectrum(objects, small_sky, tmp_path):
    plan, first, _ = objects
    columns, counts, _ = write([plan, first], tmp_path, sas.Place(small_sky / "spectra", None, False))
    known = set(pd.read_parquet(first)["objID"])
    assert columns["objID"].tolist() == [objID for objID in pd.read_parquet(plan)["objID"] if objID in known]
    assert counts["objects"] == len(columns["flux"]) == 8


def test_everybody_is_there_and_accounted_for(objects, small_sky, tmp_path):
    columns, counts, _ = write(objects, tmp_path, sas.Place(small_sky / "spectra", None, False))
    assert (counts["objects"], counts["status"]) == (12, {"missing_spectrum": 2, "ok": 10})
    plan = pd.read_parquet(objects[0])
    assert columns["objID"].tolist() == plan["objID"].tolist()
    catalog = pd.concat(map(pd.read_parquet, objects[1:])).drop_duplicates("objID").set_index("objID")
    for row, objID in enumerate(columns["objID"]):
        one = SpectrumID(*catalog.loc[objID, list(SpectrumID._fields)])
        assert columns["status"][row] == ("missing_spectrum" if one.plate == 1 else "ok")
        if one.plate != 1:
            flux, ok = resample(*spectra.read(spectrum_path(small_sky / "spectra", *one)))
            np.testing.assert_array_equal(columns["flux"][row], flux.astype(np.float16))
            np.testing.assert_array_equal(np.unpackbits(columns["ok"][row]).astype(bool), ok)


def test_the_archive_gives_the_same_bytes_and_is_not_asked_twice(objects, small_sky, tmp_path):
    _, _, expected = write(objects, tmp_path / "disk", sas.Place(small_sky / "spectra", None, False))
    with serve(None, [small_sky / "spectra"]) as server:
        place = sas.Place(None, archive(server.url), False)
        assert write(objects, tmp_path / "net", place)[2] == expected
        assert sum(hit.status == 200 for hit in server.hits) == 20  # each seen twice alike
        assert write(objects, tmp_path / "net", place)[2] == expected
        assert sum(hit.status == 200 for hit in server.hits) == 20
        release(tmp_path / "net/cache")
        assert write(objects, tmp_path / "net", place._replace(root=tmp_path / "mine", keep=True))[2] == expected
        assert len(list((tmp_path / "mine").rglob("spec-*.fits"))) == 10


def test_nowhere_to_look_is_said_at_once(tmp_path):
    with pytest.raises(CrosszError, match=r"no spectra on disk and no archive.*mml\.datasets: \[\]"):
        Spectra(tmp_path, sas.Place(None, None, False))


def test_a_catalog_without_plates_is_refused(objects, small_sky, tmp_path):
    other = tmp_path / "other.parquet"
    pd.read_parquet(objects[2]).assign(plate=None).to_parquet(other, index=False)
    with pytest.raises(CrosszError, match=r"plate missing for some objects"):
        write([*objects[:2], other], tmp_path, sas.Place(small_sky / "spectra", None, False))
