"""A whole synthetic survey of 100 quasars: its files, its tables, and how they agree."""

import functools
import hashlib
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

from crossz import sky
from crossz.core.names import BANDS
from crossz.sky import filters, galaxies, geometry, images

QUASARS, FRAME = 100, (300, 400)
STEP = FRAME[1] - geometry.OVERLAP
SIGMA = dict(zip(BANDS, (0.047, 0.020, 0.027, 0.045, 0.17), strict=True))


def make(root: Path, workers: int, seed: int = 11) -> Path:
    sky.build(
        root / "sky.sqlite", root / "sas", root / "truth.parquet", seed=seed, quasars=QUASARS, frame=FRAME,
        quasars_per_field=16, workers=workers, progress=lambda line: None,
    )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("sky"), workers=1)


@pytest.fixture(scope="module")
def tables(built) -> tuple[pd.DataFrame, pd.DataFrame]:
    with sqlite3.connect(built / "sky.sqlite") as connection:
        return tuple(pd.read_sql(f"SELECT * FROM {name}", connection) for name in ("PhotoObjAll", "SpecObjAll"))


@pytest.fixture(scope="module")
def truth(built) -> pd.DataFrame:
    return pd.read_parquet(built / "truth.parquet")


def frame_path(root: Path, run: int, camcol: int, field: int, band: str) -> Path:
    folder = root / "sas/dr17/eboss/photoObj/frames/301" / str(int(run)) / str(int(camcol))
    return folder / f"frame-{band}-{int(run):06d}-{int(camcol)}-{int(field):04d}.fits.bz2"


@functools.cache
def opened(path: Path) -> tuple[np.ndarray, WCS, fits.HDUList]:
    hdus = fits.open(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RADECSYS, as in real frames
        return hdus[0].data.astype(float), WCS(hdus[0].header), hdus


def every_frame(root: Path) -> list[Path]:
    return sorted(root.glob("sas/dr17/eboss/photoObj/frames/301/*/*/frame-*.fits.bz2"))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_bytes_for_any_number_of_workers(built, tmp_path):
    again = digests(make(tmp_path / "two", workers=2))
    assert again == {name: digest for name, digest in digests(built).items() if not name.startswith("spectra/")}


def test_another_seed_is_another_sky(tables, tmp_path):
    with sqlite3.connect(make(tmp_path / "other", workers=1, seed=12) / "sky.sqlite") as connection:
        other = pd.read_sql("SELECT z FROM SpecObjAll", connection)
    assert set(other["z"]).isdisjoint(set(tables[1]["z"]))


def test_frames_are_laid_out_as_real_ones(built):
    for path in every_frame(built):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            header, image = hdus[0].header, hdus[0].data
            _, band, run, camcol, field = path.name.removesuffix(".fits.bz2").split("-")
            assert (header["RUN"], header["CAMCOL"], header["FILTER"].strip()) == (int(run), int(camcol), band)
            assert header["FRAME"] == int(field) + {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}[band]
            assert image.shape == (FRAME[1], FRAME[0])
            assert hdus[0].data.dtype == ">f4"
            assert header["BUNIT"] == "nanomaggy"
            assert (header["CRPIX1"], header["CRPIX2"]) == (FRAME[0] / 2 + 1, (FRAME[1] + 1) / 2)
            assert hdus[1].data.shape == (FRAME[0],)
            assert hdus[2].columns.names == ["ALLSKY", "XINTERP", "YINTERP"]
            assert len(hdus[3].columns) == 31
            assert hdus[3].data["FIELD"][0] == int(field)


def test_cards_and_columns_are_those_of_a_real_frame(built, sdss):
    real_path = sdss / "sas/dr17/eboss/photoObj/frames/301/1043/5/frame-g-001043-5-0025.fits.bz2"
    with fits.open(real_path) as real, fits.open(every_frame(built)[0]) as ours:
        assert set(ours[0].header) <= set(real[0].header)
        for number in (2, 3):
            assert ours[number].columns.names == real[number].columns.names
        kinds = [[column.format.lstrip("1") for column in hdus[3].columns] for hdus in (ours, real)]
        assert kinds[0] == kinds[1]


@pytest.mark.parametrize("band", BANDS)
def test_pixels_are_calibrated_sky_subtracted_whole_DN(built, band):
    image, _, hdus = opened(next(path for path in every_frame(built) if f"frame-{band}-" in path.name))
    assert 1.4826 * np.median(np.abs(image - np.median(image))) == pytest.approx(SIGMA[band], rel=0.2)
    assert abs(np.median(image)) < 0.25 * SIGMA[band]
    bits = hdus[0].data.astype(np.float32).view(np.uint32)
    assert not np.any(bits & 0x3FFF)  # 10 significant bits
    scaled = (image * 16).astype(np.float16).astype(float) / 16
    assert np.mean(scaled == image) > 0.999
    assert np.abs(scaled - image).max() < 4e-9
    where = hdus[2].data
    grid = np.meshgrid(where["YINTERP"][0], where["XINTERP"][0], indexing="ij")
    dn = image / hdus[1].data + map_coordinates(where["ALLSKY"][0].astype(float), grid, order=1, mode="nearest")
    faint = np.abs(image) < 3 * SIGMA[band]
    assert np.abs(dn - np.rint(dn))[faint].max() < 0.06


def test_astrometry_row_and_wcs_agree(built):
    for path in every_frame(built)[::7]:
        _, wcs, hdus = opened(path)
        row = hdus[3].data[0]
        xy = np.array([[0.0, 0.0], [120.0, 300.0], [299.0, 399.0]])
        mu = row["A"] + row["B"] * (xy[:, 1] + 0.5) + row["C"] * (xy[:, 0] + 0.5)
        nu = row["D"] + row["E"] * (xy[:, 1] + 0.5) + row["F"] * (xy[:, 0] + 0.5)
        m, n, i = np.deg2rad(mu - row["NODE"]), np.deg2rad(nu), np.deg2rad(row["INCL"])
        # Pier et al. (2003), AJ 125, 1559, equation 10 backwards.
        ra = row["NODE"] + np.rad2deg(
            np.arctan2(np.sin(m) * np.cos(n) * np.cos(i) - np.sin(n) * np.sin(i), np.cos(m) * np.cos(n))
        )
        dec = np.rad2deg(np.arcsin(np.sin(m) * np.cos(n) * np.sin(i) + np.sin(n) * np.cos(i)))
        expected = wcs.all_pix2world(xy, 0)
        difference = (np.stack([ra, dec], axis=1) - expected + 180) % 360 - 180
        assert np.abs(difference).max() * 3600 < 0.002


def test_overlaps_show_the_same_sky(built):
    pairs = 0
    for path in every_frame(built):
        *head, field = path.name.removesuffix(".fits.bz2").split("-")
        other = path.with_name("-".join([*head, f"{int(field) + 1:04d}.fits.bz2"]))
        if other.exists():
            pairs += 1
            np.testing.assert_array_equal(opened(path)[0][STEP:], opened(other)[0][: geometry.OVERLAP])
    assert pairs > 10


def test_catalogue_positions_are_those_of_every_bands_own_wcs(built, tables, truth):
    photo = tables[0]
    lost = set(sky.counts(built / "truth.parquet")["absent_frames"])
    for (run, camcol, field), rows in photo[photo["mode"] == 1].groupby(["run", "camcol", "field"]):
        for band in BANDS:
            path = frame_path(built, run, camcol, field, band)
            if str(path.relative_to(built / "sas")) not in lost:
                x, y = opened(path)[1].all_world2pix(rows["ra"], rows["dec"], 0)
                assert np.abs(x + 0.5 - rows[f"colc_{band}"]).max() < 1e-3
                assert np.abs(y + 0.5 - rows[f"rowc_{band}"]).max() < 1e-3
    merged = truth.merge(photo, on="objID", suffixes=("", "_photo"))
    assert len(merged) == QUASARS
    assert np.abs(merged["ra"] - merged["ra_photo"]).max() < 1e-9


def test_quasars_shine_where_the_catalogue_says(built, tables, truth):
    """Centroids of bright, lonely quasars in the frame files, in every band, against rowc and colc."""
    photo = tables[0].set_index("objID")
    offsets = []
    for quasar in truth[(truth["flux_g"] > 8) & (truth["z"] < 2.8)].itertuples():
        row = photo.loc[quasar.objID]
        for band in "gri":
            path = frame_path(built, row["run"], row["camcol"], row["field"], band)
            if not path.exists():
                continue
            image, _, _ = opened(path)
            x, y = row[f"colc_{band}"] - 0.5, row[f"rowc_{band}"] - 0.5
            if not (12 < x < FRAME[0] - 12 and 12 < y < FRAME[1] - 12):
                continue
            rows, columns = np.mgrid[round(y) - 10 : round(y) + 11, round(x) - 10 : round(x) + 11]
            cut = image[rows, columns]
            cx, cy = x, y
            for _ in range(20):
                weight = np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / 2 / 1.5**2) * cut
                cx += 2 * ((weight * columns).sum() / weight.sum() - cx)
                cy += 2 * ((weight * rows).sum() / weight.sum() - cy)
            offsets.append((cx - x, cy - y))
    offsets = np.array(offsets)
    assert len(offsets) > 20
    assert np.abs(np.median(offsets, axis=0)).max() < 0.03
    assert np.median(np.abs(offsets)) < 0.05


def test_psfMag_is_the_flux_in_the_frame_and_its_error_is_true(built, tables, truth):
    photo = tables[0].set_index("objID")
    against_image, against_truth = [], []
    for quasar in truth.itertuples():
        row = photo.loc[quasar.objID]
        for b, band in enumerate(BANDS):
            path = frame_path(built, row["run"], row["camcol"], row["field"], band)
            if not path.exists() or not row[f"psfMag_{band}"] > 0:
                continue
            image, _, _ = opened(path)
            x, y = row[f"colc_{band}"] - 0.5, row[f"rowc_{band}"] - 0.5
            size = 6
            rows, columns = np.mgrid[round(y) - size : round(y) + size + 1, round(x) - size : round(x) + size + 1]
            if rows.min() < 0 or columns.min() < 0 or rows.max() >= FRAME[1] or columns.max() >= FRAME[0]:
                continue
            core = (getattr(quasar, f"fwhm_{band}") / 2.3548) ** 2
            r2 = (columns - x) ** 2 + (rows - y) ** 2
            p = 0.9 * np.exp(-r2 / 2 / core) / core + 0.1 * np.exp(-r2 / 2 / core / 6.25) / core / 6.25
            p /= 2 * np.pi
            measured = (p * image[rows, columns]).sum() / (p * p).sum()
            b_soft = filters.SOFTENING[b] * 1e9
            catalog = 2 * b_soft * np.sinh(-row[f"psfMag_{band}"] * np.log(10) / 2.5 - np.log(filters.SOFTENING[b]))
            error = row[f"psfMagErr_{band}"] * np.log(10) / 2.5 * np.hypot(catalog, 2 * b_soft)
            against_image.append((measured - catalog) / error)
            against_truth.append((catalog - getattr(quasar, f"flux_{band}")) / error)
    against_image, against_truth = np.array(against_image), np.array(against_truth)
    # The same photons: what differs is the neighbours' light, which the catalog has deblended.
    assert abs(np.median(against_image)) < 0.02
    assert np.mean(np.abs(against_image) < 0.3) > 0.8
    assert abs(against_truth.mean()) < 0.15
    assert against_truth.std() == pytest.approx(1, abs=0.12)


def test_every_awkward_row_is_present_and_counted(built, tables):
    photo, spec = tables
    record = sky.counts(built / "truth.parquet")
    counts = record["counts"]
    magnitudes = photo[[f"psfMag_{band}" for band in BANDS]]
    expected = {
        "photo_rows": len(photo),
        "spec_rows": len(spec),
        "second_detections": (photo["mode"] == 2).sum(),
        "unclean": (photo["clean"] == 0).sum(),
        "extended_profiles": (photo["petroRad_r"] >= 5).sum(),
        "null_flags": photo["flags"].isna().sum(),
        "missing_magnitudes": (magnitudes == -9999).any(axis=1).sum(),
        "null_magnitudes": magnitudes.isna().any(axis=1).sum(),
        "repeated_bestObjID": spec["bestObjID"].duplicated().sum(),
        "failed_redshifts": (spec["zErr"] == -1).sum(),
        "uncertain_redshifts": (spec["zErr"] >= 1e-3).sum(),
        "z_warnings": (spec["zWarning"] != 0).sum(),
        "class_QSO": (spec["class"] == "QSO").sum(),
        "class_GALAXY": (spec["class"] == "GALAXY").sum(),
        "class_STAR": (spec["class"] == "STAR").sum(),
        "z_outside": ((spec["class"] == "QSO") & ((spec["z"] < 1) | (spec["z"] >= 5))).sum(),
    }
    assert counts == {name: int(count) for name, count in expected.items()} | {
        "quasars": QUASARS,
        "fields": counts["fields"],
        "strips": counts["strips"],
    }
    assert all(count > 0 for count in counts.values())
    assert (photo["psfMag_g"] < 18).sum() + (photo["psfMag_g"] > 22).sum() > 0
    assert (spec[[f"snMedian_{band}" for band in BANDS]] >= 10).any(axis=None)
    (lost,) = record["absent_frames"]
    assert not (built / "sas" / lost).exists()
    assert len(every_frame(built)) == 5 * counts["fields"] - 1


def test_second_detections_are_other_objIDs_of_the_same_thing(tables):
    photo, spec = tables
    second = photo[photo["mode"] == 2].merge(photo[photo["mode"] == 1], on="thing_id", suffixes=("", "_1"))
    assert len(second) == (photo["mode"] == 2).sum()
    assert (second["objID"] != second["objID_1"]).all()
    assert (np.abs(second["field"] - second["field_1"]) == 1).all()
    separation = np.hypot(
        (second["ra"] - second["ra_1"]) * np.cos(np.deg2rad(second["dec"])), second["dec"] - second["dec_1"]
    )
    assert separation.max() * 3600 < 0.3
    assert second["objID"].isin(spec["bestObjID"]).any()
    assert photo["objID"].is_unique
    assert spec["specObjID"].is_unique
    assert set(spec["bestObjID"]) <= set(photo["objID"])


def test_different_quasars_are_never_within_three_arcseconds(truth):
    place = truth[["ra", "dec"]].to_numpy() * [np.cos(np.deg2rad(truth["dec"].mean())), 1] * 3600
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1) + 1e9 * np.eye(len(place))
    assert distance.min() > 3


def test_repeated_spectra_agree_and_dust_is_one_number(tables, truth):
    photo, spec = tables
    for quasar in truth.itertuples():
        for row in quasar.spectra:
            if row["zErr"] > 0 and row["zWarning"] == 0:
                assert abs(row["z"] - quasar.z) < 6 * row["zErr"]
    assert sum(len(own) > 1 for own in truth["spectra"]) >= 6
    assert {row["specObjID"] for own in truth["spectra"] for row in own} <= set(spec["specObjID"])
    extinction = photo[[f"extinction_{band}" for band in BANDS]].to_numpy()
    assert extinction / extinction[:, 2:3] * 2.751 == pytest.approx(
        np.tile([5.155, 3.793, 2.751, 2.086, 1.479], (len(photo), 1)), rel=1e-3
    )
    merged = truth.merge(photo, on="objID")
    assert merged["extinction_r"].to_numpy() == pytest.approx(merged["ebv"].to_numpy() * 2.751, abs=1e-5)
    good = merged[(merged["psfMag_r"] > 0) & (merged["psfMagErr_r"] < 0.1)]
    difference = good["psfMag_r"] - good["extinction_r"] - good["dered_r"]
    assert 0.003 < difference.std() < 0.04


def test_class_is_compared_without_case(built):
    with sqlite3.connect(built / "sky.sqlite") as connection:
        count = [
            connection.execute(f"SELECT count(*) FROM SpecObjAll WHERE class = '{name}'").fetchone()
            for name in ("QSO", "qso")
        ]
        assert count[0] == count[1] != (0,)
        kinds = connection.execute("SELECT DISTINCT typeof(specObjID), typeof(bestObjID) FROM SpecObjAll").fetchall()
        assert kinds == [("text", "integer")]
        assert connection.execute("SELECT max(length(specObjID)) FROM SpecObjAll").fetchone() == (20,)  # beyond 2^63


def test_magnitudes_and_redshifts_are_those_of_the_survey(tables):
    photo, spec = tables
    z = spec.loc[spec["class"] == "QSO", "z"]
    assert 1.7 < z.median() < 2.5
    assert 0.8 < ((z >= 1) & (z < 5)).mean() < 0.97
    g = photo.loc[(photo["mode"] == 1) & (photo["type"] == 6), "psfMag_g"]
    assert 0.7 < ((g >= 18) & (g <= 22)).mean() < 0.97
    assert ((g > 20) & (g <= 22)).sum() > 2 * ((g >= 18) & (g <= 20)).sum()


def test_spectra_are_readable_and_show_their_redshift(built, truth):
    written = sky.write_spectra(built / "truth.parquet", built / "spectra", seed=11, progress=lambda line: None)
    rows = [(quasar, row) for quasar in truth.itertuples() for row in quasar.spectra]
    assert written == len(rows) == len(list((built / "spectra").rglob("spec-*.fits")))
    right = 0
    for quasar, row in rows:
        survey = "eboss" if row["run2d"].startswith("v5") else "sdss"
        name = f"spec-{row['plate']:04d}-{row['mjd']}-{row['fiberID']:04d}.fits"
        path = built / f"spectra/dr17/{survey}/spectro/redux/{row['run2d']}/spectra/lite/{row['plate']:04d}/{name}"
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == [
                "PRIMARY",
                "COADD",
                "SPALL" if survey == "eboss" else "SPECOBJ",
                "SPZLINE",
            ]
            header, coadd, obj = hdus[0].header, hdus[1].data, hdus[2].data[0]
            assert (header["PLATEID"], header["MJD"], header["FIBERID"]) == (row["plate"], row["mjd"], row["fiberID"])
            assert coadd.columns.names == ["flux", "loglam", "ivar", "and_mask", "or_mask", "wdisp", "sky", "model"]
            assert obj["Z"] == pytest.approx(row["z"], rel=1e-6)
            assert str(obj["SPECOBJID"]).strip() == row["specObjID"]
            chi = (coadd["flux"] - coadd["model"]) * np.sqrt(coadd["ivar"])
            assert chi.std() == pytest.approx(1, abs=0.06)
            if 2.2 < quasar.z < 3.5 and quasar.bal_depth == 0:  # Ly-alpha is the highest peak near its place
                wavelength = 10 ** coadd["loglam"].astype(float)
                near = np.abs(wavelength / 1216 / (1 + quasar.z) - 1) < 0.2
                flux = np.convolve(coadd["model"], np.ones(15) / 15, mode="same")[near]
                right += abs(wavelength[near][np.argmax(flux)] / 1218 / (1 + quasar.z) - 1) < 0.012
            else:
                right += 1
    assert right >= 0.95 * written


def test_spectra_have_the_flux_of_the_photometry(built, truth, tmp_path):
    bright = truth[(truth["flux_r"] > 3) & (truth["z"] < 2.5)].head(5)
    for quasar in bright.itertuples():
        row = quasar.spectra[0]
        sky.write_spectra(built / "truth.parquet", tmp_path, seed=11, plates={row["plate"]}, progress=lambda line: None)
        name = f"spec-{row['plate']:04d}-{row['mjd']}-{row['fiberID']:04d}.fits"
        (path,) = tmp_path.rglob(name)
        coadd = fits.getdata(path, 1)
        wavelength, flux = 10 ** coadd["loglam"].astype(float), coadd["model"] * 1e-17
        onto = np.interp(filters.WAVELENGTH, wavelength, flux)
        assert filters.fluxes(onto[None])[0, 2] == pytest.approx(quasar.flux_r, rel=0.03)


def test_a_psf_of_the_truth_fits_the_stars(truth):
    for band in BANDS:
        arcsec = truth[f"fwhm_{band}"] * 0.396
        assert arcsec.between(1.0, 1.9).all()
    assert truth["fwhm_u"].mean() > truth["fwhm_r"].mean()
    assert images.psf(3.0).weight.sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """A sky with further galaxies and stars: its primary rows with their first spectra, and where its frames lie."""
    root = tmp_path_factory.mktemp("mixed")
    sky.build(
        root / "sky.sqlite", root / "sas", root / "truth.parquet", seed=11, quasars=30, frame=FRAME,
        quasars_per_field=8, galaxies=60, stars=50, workers=1, progress=lambda line: None,
    )  # fmt: skip
    with sqlite3.connect(root / "sky.sqlite") as connection:
        photo, spec = (pd.read_sql(f"SELECT * FROM {name}", connection) for name in ("PhotoObjAll", "SpecObjAll"))
    rows = photo[photo["mode"] == 1].merge(spec, left_on="objID", right_on="bestObjID", suffixes=("", "_spec"))
    return rows.drop_duplicates("objID"), root


def test_stars_and_galaxies_are_there_when_asked_for_and_stand_apart(mixed):
    rows, _ = mixed
    counts = rows["class"].value_counts()
    assert 60 <= counts["GALAXY"] <= 64  # and the few that are targets by mistake
    assert 50 <= counts["STAR"] <= 54
    assert (rows.loc[rows["class"] == "STAR", "z"].abs() < 0.01).sum() >= 50
    place = rows[["ra", "dec"]].to_numpy() * [np.cos(np.deg2rad(rows["dec"].mean())), 1] * 3600
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1) + 1e9 * np.eye(len(place))
    assert np.sort(distance.min(1))[5:].min() > 3  # a neighbour that is a target by mistake may be near


def test_a_galaxy_s_model_magnitude_is_its_light_in_the_frame_and_psfMag_its_core(mixed):
    rows, root = mixed
    bright = rows[(rows["class"] == "GALAXY") & (rows["petroMag_r"] < 18.5)]
    bright = bright[bright["psfMag_r"] - bright["petroMag_r"] > 0.3]
    differences = []
    for row in bright.itertuples():
        image, _, _ = opened(frame_path(root, row.run, row.camcol, row.field, "r"))
        x, y, radius = row.colc_r - 0.5, row.rowc_r - 0.5, 3.5 * row.petroRad_r / 2 / 0.396
        if min(x, y, FRAME[0] - x, FRAME[1] - y) > radius:
            ys, xs = np.mgrid[: FRAME[1], : FRAME[0]]
            flux = image[np.hypot(xs - x, ys - y) < radius].sum()
            differences.append(22.5 - 2.5 * np.log10(flux) - row.petroMag_r)
    assert len(differences) > 6
    assert abs(np.median(differences)) < 0.1
    dereddened = bright["dered_r"] + bright["extinction_r"]
    assert dereddened.to_numpy() == pytest.approx(bright["petroMag_r"].to_numpy(), abs=1e-4)


def test_an_old_galaxy_reddens_as_its_break_moves_through_the_bands():
    z = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    flux = filters.fluxes(galaxies.spectra(np.zeros(5), np.zeros(5), z, filters.WAVELENGTH))
    colour = -2.5 * np.log10(flux[:, :-1] / flux[:, 1:])
    assert (np.diff(colour[:, 1]) > 0.05).all()  # g-r
    assert colour[0, 1] == pytest.approx(0.77, abs=0.1)
    assert colour[1, 1] == pytest.approx(0.95, abs=0.1)
    young = filters.fluxes(galaxies.spectra(np.ones(5), np.zeros(5), z, filters.WAVELENGTH))
    assert (-2.5 * np.log10(young[:, 1] / young[:, 2]) < colour[:, 1] - 0.3).all()
