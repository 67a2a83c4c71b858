"""Spectra as the archive writes them, or refused."""

import io
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits

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


@pytest.mark.parametrize("lost", [300, 2000])
def test_a_table_that_leaves_out_blocks_of_its_rows_is_refused(small_sky, lost):
    path = sorted((small_sky / "spectra").rglob("spec-*.fits"))[0]
    body = path.read_bytes()
    at = body.index(b"NAXIS2  =")
    rows = int(body[at + 10 : at + 30])
    body = body[: at + 10] + f"{rows - lost:>20}".encode() + body[at + 30 :]
    with pytest.raises(Refused, match="no FITS header at byte"):
        spectra.check(body, *(int(part) for part in path.stem.split("-")[1:]))


NAMES = (266, 51602, 1)


def body_of(change=lambda columns: None, coadd=None):
    """The bytes of a spectrum whose columns are changed, or whose HDU COADD is another one."""
    loglam = 3.58 + 1e-4 * np.arange(100)
    columns = {"flux": np.ones(100), "loglam": loglam, "ivar": np.ones(100), "and_mask": np.zeros(100, "i4")}
    columns = {name: values.astype("f4") if name != "and_mask" else values for name, values in columns.items()}
    columns["loglam"] = columns["loglam"].astype("f8")
    change(columns)
    primary = fits.PrimaryHDU(header=fits.Header(dict(zip(("PLATEID", "MJD", "FIBERID"), NAMES, strict=True))))
    codes = {"f": {4: "E", 8: "D"}, "i": {4: "J", 8: "K"}, "S": {1: "A"}}
    made = [
        fits.Column(name, f"{values[0].size}{codes[values.dtype.kind][values.dtype.itemsize]}", array=values)
        for name, values in columns.items()
    ]
    buffer = io.BytesIO()
    fits.HDUList([primary, coadd or fits.BinTableHDU.from_columns(made, name="COADD")]).writeto(buffer)
    return buffer.getvalue()


def put(name, value, at=50):
    def change(columns):
        columns[name][at] = value

    return change


def replace(name, make):
    def change(columns):
        columns[name] = make(columns[name])

    return change


def test_a_spectrum_of_our_own_is_read():
    coadd = spectra.check(body_of(), *NAMES)
    assert len(coadd.flux) == 100
    assert coadd.and_mask.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("flux", np.nan), "not finite"),
        (put("flux", -np.inf), "not finite"),
        (put("ivar", -1e-9), "negative inverse"),
        (put("ivar", np.nan), "negative inverse"),
        (put("ivar", np.inf), "negative inverse"),
        (put("loglam", np.nan), "no even grid"),
        (put("loglam", 3.58 + 50e-4 + 2e-5), "no even grid"),
        (put("loglam", np.nan, 0), "none of light"),
        (replace("loglam", lambda x: x + 2), "none of light"),
        (replace("loglam", lambda x: x[::-1].copy()), "no even grid"),
        (replace("loglam", lambda x: 10**x), "none of light"),
        (replace("flux", lambda x: np.ones((100, 3), "f4")), "other columns"),
        (replace("flux", lambda x: np.ones(100, "i4")), "other columns"),
        (replace("and_mask", lambda x: np.ones(100, "f4")), "other columns"),
        (replace("ivar", lambda x: np.full(100, b"1", "S1")), "other columns"),
        (lambda columns: columns.pop("ivar"), "damaged FITS"),
    ],
)  # fmt: skip
def test_pixels_that_no_spectrum_has_are_refused(change, reason):
    with pytest.raises(Refused, match=reason):
        spectra.check(body_of(change), *NAMES)


LIES = {
    "NAXIS1": ["T", "9000000000000"],
    "NAXIS2": ["9000000000000", "-100", "'abc'", "0"],
    "NAXIS": ["999999999", "3", "'2'"],
    "BITPIX": ["7", "T"],
    "TFIELDS": ["999999999", "500", "0"],
    "PCOUNT": ["999999999", "-1"],
    "GCOUNT": ["999999999999", "0"],
    "TFORM1": ["'99999999'", "'9999999E'", "'PE(9999)'", "'QD(9)'", "5", "''"],
    "TDIM1": ["'(9999999,99999)'"],
    "EXTNAME": ["'COAXX'", "T"],
    "XTENSION": ["'IMAGE'", "'TABLE'"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LIES.items() for value in values])
def test_a_table_that_lies_about_itself_is_refused_without_memory(name, value):
    body = body_of()
    at = body.index(f"{'TTYPE1' if name == 'TDIM1' else name:8}=".encode(), 2880)
    body = body[:at] + f"{name:8}= {value:>20}".ljust(80).encode() + body[at + 80 :]
    tracemalloc.start()
    with pytest.raises(Refused):
        spectra.check(body, *NAMES)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_compressed_image_in_its_place_is_not_decompressed():
    bomb = fits.CompImageHDU(np.zeros((4000, 4000), np.uint8), name="COADD")
    body = body_of(coadd=bomb)
    assert len(body) < spectra.MOST
    tracemalloc.start()
    with pytest.raises(Refused, match="damaged FITS"):
        spectra.check(body, *NAMES)
    assert tracemalloc.get_traced_memory()[1] < 14e6
    tracemalloc.stop()


def test_a_file_larger_than_any_spectrum_is_refused():
    with pytest.raises(Refused, match="no whole FITS"):
        spectra.check(body_of() + bytes(2880 * 3000), *NAMES)


@pytest.mark.parametrize("run2d", ["26", "103", "v5_13_2", "v6_0_4"])
def test_a_path_lies_below_its_root(tmp_path, run2d):
    assert spectra.spectrum_path(tmp_path, 266, 51602, 1, run2d).is_relative_to(tmp_path)


@pytest.mark.parametrize("run2d", ["", "../../../..", "/etc", "26/..", "v5_13_2\n", "v5", "\x1b[31m", "²"])
def test_a_reduction_that_is_none_is_no_way_out_of_the_root(tmp_path, run2d):
    with pytest.raises(CrosszError, match="not a reduction of SDSS") as caught:
        spectra.spectrum_path(tmp_path, 266, 51602, 1, run2d)
    assert str(caught.value).isprintable()
