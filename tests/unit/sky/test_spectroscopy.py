"""Spectra of the quasars."""

import numpy as np
import pytest
from astropy.io import fits

from crossz.sky import filters
from crossz.sky.spectroscopy import write_spectra


def test_spectra_are_readable_and_show_their_redshift(built, truth):
    written = write_spectra(truth=built / "truth.parquet", sas=built / "spectra", seed=11, progress=lambda line: None)
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
        write_spectra(
            truth=built / "truth.parquet", sas=tmp_path, seed=11, plates={row["plate"]}, progress=lambda line: None
        )
        name = f"spec-{row['plate']:04d}-{row['mjd']}-{row['fiberID']:04d}.fits"
        (path,) = tmp_path.rglob(name)
        coadd = fits.getdata(path, 1)
        wavelength, flux = 10 ** coadd["loglam"].astype(float), coadd["model"] * 1e-17
        onto = np.interp(filters.WAVELENGTH, wavelength, flux)
        assert filters.fluxes(onto[None])[0, 2] == pytest.approx(quasar.flux_r, rel=0.03)
