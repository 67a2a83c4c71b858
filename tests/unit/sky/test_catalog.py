"""Rows as real ones are, awkward ones included."""

import numpy as np
import pytest
from toy_sky import FRAME, QUASARS, every_frame, frame_path, opened

from crossz.core.constants import BANDS
from crossz.sdss.magnitudes import SOFTENING
from crossz.sky.build import counts as recorded


def test_catalog_positions_are_those_of_every_bands_own_wcs(built, tables, truth):
    photo = tables[0]
    lost = set(recorded(built / "truth.parquet")["absent_frames"])
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
            b_soft = SOFTENING[b] * 1e9
            catalog = 2 * b_soft * np.sinh(-row[f"psfMag_{band}"] * np.log(10) / 2.5 - np.log(SOFTENING[b]))
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
    record = recorded(built / "truth.parquet")
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


def test_magnitudes_and_redshifts_are_those_of_the_survey(tables):
    photo, spec = tables
    z = spec.loc[spec["class"] == "QSO", "z"]
    assert 1.7 < z.median() < 2.5
    assert 0.8 < ((z >= 1) & (z < 5)).mean() < 0.97
    g = photo.loc[(photo["mode"] == 1) & (photo["type"] == 6), "psfMag_g"]
    assert 0.7 < ((g >= 18) & (g <= 22)).mean() < 0.97
    assert ((g > 20) & (g <= 22)).sum() > 2 * ((g >= 18) & (g <= 20)).sum()
