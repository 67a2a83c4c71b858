"""A user's list under our names: positions, patterns, units, marks of missing values; and questions where it is unclear."""

import datetime
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from toy import BIG, catalog

from crossz.catalog import lists
from crossz.catalog.formats import Field
from crossz.catalog.header import columns_of, needs_archive
from crossz.catalog.lists import check_needed, note_missing, read_list, read_table, reading, renamed
from crossz.catalog.naming import POSITIONS, expanded, position, suggestion, taken
from crossz.catalog.readers import fields_of, of_astropy, read_all
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.sdss.magnitudes import asinh_magnitude

PLACES = SkyCoord([160.2, 10.0, 359.9], [-0.5, 45.25, -0.0003], unit="deg")
NEEDED = [f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS]


def read(path, text, **options):
    path.write_text(text)
    return read_table(path, **options)


def numbers(table, name):
    return np.array([np.nan if value is None else float(value) for value in table[name].to_pylist()])


@pytest.mark.parametrize("texts", [["18.25", None, "-9999", "1e2", "nan"], ["18.25", " 7 ", "+1", "1e2", "x", ""]])
def test_text_is_read_as_numbers(texts):
    wanted = {"18.25": 18.25, " 7 ": 7.0, "+1": 1.0, "-9999": -9999.0, "1e2": 100.0}
    for column in (pa.array(texts), pa.chunked_array([texts[:2], texts[2:]])):
        np.testing.assert_array_equal(lists.numbers(column), [wanted.get(text, np.nan) for text in texts])


@pytest.mark.parametrize("pair", [*POSITIONS, ("RAJ2000", "DEJ2000"), ("RA_ICRS", "DE_ICRS"), ("_RAJ2000", "_DEJ2000")])
def test_positions_are_found_under_the_names_of_catalogs(tmp_path, pair, caplog):
    caplog.set_level(logging.INFO, "crossz")
    table = read(tmp_path / "mine.csv", f"name,{pair[0]},{pair[1]}\na,10.5,-2.25\n")
    assert (table["ra"].to_pylist(), table["dec"].to_pylist()) == (["10.5"], ["-2.25"])
    if pair == ("RAJ2000", "DEJ2000"):
        assert "mine.csv: RAJ2000 is taken as ra, DEJ2000 is taken as dec" in caplog.text
        assert len(caplog.records) == 1
    if pair == ("ra", "dec"):
        assert not caplog.records


def test_positions_are_found_by_their_ucds_and_the_main_one_counts(tmp_path):
    table = Table({"alpha": [1.0], "delta": [2.0], "x": [3.0], "y": [4.0]})
    for name, ucd in zip(
        table.colnames, ("pos.eq.ra", "pos.eq.dec", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"), strict=True
    ):
        table[name].meta["ucd"] = ucd
    table.write(tmp_path / "mine.vot", format="votable")
    found = read_table(tmp_path / "mine.vot")
    assert (found["ra"].to_pylist(), found["dec"].to_pylist()) == ([3.0], [4.0])
    fields = [Field("a", ucd="POS_EQ_RA_MAIN"), Field("d", ucd="POS_EQ_DEC_MAIN"), Field("RAJ2000"), Field("DEJ2000")]
    assert position(fields) == {"ra": "a", "dec": "d"}
    assert position([Field("a", ucd="pos.eq.ra"), Field("d", ucd="pos.eq.dec"), Field("b", ucd="pos.eq.ra")]) == {}
    assert position([Field("RAB1950"), Field("DEB1950")]) == {}


@pytest.mark.parametrize("separator", [":", " ", "hmsdms"])
def test_sexagesimal_positions_agree_with_astropy(tmp_path, separator):
    style = {"sep": separator} if separator != "hmsdms" else {}
    texts = [
        text.rsplit(" ", 3 if separator == " " else 1) for text in PLACES.to_string("hmsdms", precision=4, **style)
    ]
    if separator == " ":
        texts = [
            (" ".join(text.split()[:3]), " ".join(text.split()[3:]))
            for text in PLACES.to_string("hmsdms", precision=4, sep=" ")
        ]
    table = read(tmp_path / "mine.csv", "RAJ2000,DEJ2000\n" + "".join(f"{ra},{dec}\n" for ra, dec in texts))
    found = SkyCoord(numbers(table, "ra"), numbers(table, "dec"), unit="deg")
    assert found.separation(PLACES).arcsec.max() < 1e-3
    assert numbers(table, "dec")[2] < 0  # -00:00:01 keeps its sign


def test_a_sexagesimal_text_that_is_none_stays_for_its_row_to_be_malformed(tmp_path):
    table = read(tmp_path / "mine.csv", "ra,dec\n10:40:50.95,-1:2:3\n10:61:00,5\n12.5,6\n١٠:٤٠:٥٠,7\n")
    assert numbers(table.slice(0, 1), "ra") == pytest.approx([160.2122917])
    assert table["ra"].to_pylist()[1:] == ["10:61:00", "12.5", "١٠:٤٠:٥٠"]


def test_units_of_positions_are_believed(tmp_path):
    table = Table({"ra": [np.pi / 2] * u.rad, "dec": [0.5] * u.rad})
    table.write(tmp_path / "mine.fits")
    assert numbers(read_table(tmp_path / "mine.fits"), "ra") == pytest.approx([90.0])
    Table({"ra": [10.0] * u.hourangle, "dec": [0.5] * u.deg}).write(tmp_path / "hours.vot", format="votable")
    assert numbers(read_table(tmp_path / "hours.vot"), "ra") == pytest.approx([150.0])
    Table({"ra": [10.0] * u.m, "dec": [0.5] * u.deg}).write(tmp_path / "metres.fits")
    with pytest.raises(CrosszError, match=r"column ra is in m; positions are read in degrees"):
        read_table(tmp_path / "metres.fits")


def test_a_pattern_stands_for_five_columns(tmp_path):
    names = [f"{band}mag" for band in BANDS] + [f"e_{band}mag" for band in BANDS]
    text = ",".join(names) + "\n" + ",".join(["18.5"] * 5 + ["0.1"] * 5) + "\n"
    table = read(tmp_path / "mine.csv", text, columns={"psfMag_*": "*mag", "psfMagErr_*": "e_*mag"})
    assert sorted(table.column_names) == sorted(f"{kind}_{band}" for kind in ("psfMag", "psfMagErr") for band in BANDS)
    assert expanded({"a_*": "*"})["a_z"] == "z"
    with pytest.raises(CrosszError, match=r"psfMag_\*=umag: \* stands for the band"):
        read_table(tmp_path / "mine.csv", {"psfMag_*": "umag"})
    with pytest.raises(CrosszError, match=r"psfMag_\* is mapped to \*x, but there is no column ux, gx"):
        read_table(tmp_path / "mine.csv", {"psfMag_*": "*x"})


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet"])
def test_an_array_of_the_five_bands_is_five_columns(tmp_path, suffix):
    """As in the quasar catalogs DR14Q and DR16Q."""
    path, mags = (
        tmp_path / f"mine.{suffix}",
        np.array([[18.5, 18.4, 18.3, 18.2, 18.1], [20.5, 20.4, 20.3, 20.2, -9999]]),
    )
    table = Table({"RA": [1.0, 2.0], "PSFFLUX": mags + 1, "PSFMAG": mags, "PSFMAGERR": mags / 1000, "n": mags[:, :4]})
    if suffix == "parquet":
        pq.write_table(of_astropy(table), path)
    else:
        table.write(path, format="votable" if suffix == "vot" else None)
    columns = {"psfMag_*": "PSFMAG[*]", "psfMagErr_*": "psfmagerr[*]"}
    read = read_table(path, columns)
    for place, band in enumerate(BANDS):
        assert numbers(read, f"psfMag_{band}") == pytest.approx(mags[:, place])
        assert numbers(read, f"psfMagErr_{band}") == pytest.approx(mags[:, place] / 1000)
    assert "'psfMag_*=PSFMAG[*]' 'psfMagErr_*=PSFMAGERR[*]'" in suggestion(
        columns_of(path), ["psfMag_u", "psfMagErr_u"]
    )
    assert not needs_archive(path, columns)
    with pytest.raises(CrosszError, match=r"column PSFMAG \(psfMag_u\) holds .*, not numbers"):
        read_table(path, {"psfMag_u": "PSFMAG"})


def test_names_that_differ_by_case_alone_are_two_columns(tmp_path):
    """As SIMBAD has U and u, and many tables a redshift Z beside a magnitude z."""
    text = "u,g,r,i,z,Z,U\n18.5,18.4,18.3,18.2,18.1,0.5,18.9\n"
    table = read(tmp_path / "mine.csv", text, columns={"psfMag_*": "*"})
    assert numbers(table, "psfMag_z") == [18.1]
    assert numbers(table, "psfMag_u") == [18.5]
    with pytest.raises(CrosszError, match="more than one column is named OBJID or objid; rename or remove"):
        read(tmp_path / "mine.csv", "OBJID,objid\n1,2\n")
    with pytest.raises(CrosszError, match="more than one column is named ra or ra; rename or remove"):
        read(tmp_path / "mine.csv", "ra,ra\n1,2\n")


def test_absent_columns_are_suggested_by_what_is_there():
    fields = [Field(name) for name in ("ID", *(f"{band}mag" for band in BANDS), *(f"e_{band}mag" for band in BANDS))]
    assert "--columns 'dered_*=*mag' 'psfMagErr_*=e_*mag'" in suggestion(fields, NEEDED)
    assert "'dered_*=...*...'" in suggestion([Field("a")], NEEDED)
    kinds = ("modelMag_", "psfMag_", "err_psfMag_", "EXTINCTION_")
    needed = [f"{kind}_u" for kind in ("psfMag", "psfMagErr", "extinction")]
    said = suggestion([Field(f"{kind}{band}") for kind in kinds for band in BANDS], needed)
    assert "'psfMag_*=psfMag_*' 'psfMagErr_*=err_psfMag_*' 'extinction_*=EXTINCTION_*'" in said
    assert "extinction" not in suggestion([Field(band) for band in BANDS], needed)
    how = reading(fields, "mine.csv")
    with pytest.raises(
        CrosszError,
        match=r"mine.csv: no column dered_\*, psfMagErr_\*, which these networks read; it has ID, umag, .*; name them: --columns",
    ):
        check_needed(how, NEEDED)
    with pytest.raises(CrosszError, match=r"no column w1mag, .* --columns w1mag=NAME"):
        check_needed(reading([Field(name) for name in NEEDED], "mine.csv"), [*NEEDED, "w1mag"])


def test_a_band_that_is_absent_counts_as_missing(caplog):
    how = reading([Field(name) for name in NEEDED if name != "dered_z"], "mine.csv")
    check_needed(how, NEEDED)
    assert "mine.csv: no column dered_z: the band z counts as missing" in caplog.text


TRUTH = catalog(40)
MAGS = TRUTH[[f"dered_{band}" for band in BANDS]].to_numpy()
ERRORS = TRUTH[[f"psfMagErr_{band}" for band in BANDS]].to_numpy()
FLUX = 10 ** (0.4 * (22.5 - MAGS))  # nmgy
SIGMA = FLUX * ERRORS * np.log(10) / 2.5


def frame(values, errors):
    return pd.DataFrame(values, columns=NEEDED[:5]).join(pd.DataFrame(errors, columns=NEEDED[5:]))


@pytest.mark.parametrize(
    ("unit", "factor"), [("nmgy", 1.0), ("maggies", 1e-9), ("uJy", 3.631), ("Jy", 3.631e-6), ("nanomaggies", 1.0)]
)
def test_fluxes_become_the_asinh_magnitudes_of_SDSS(tmp_path, unit, factor):
    frame(FLUX * factor, SIGMA * factor).to_csv(tmp_path / "mine.csv", index=False)
    table = read_table(tmp_path / "mine.csv", units=unit)
    wanted, wanted_errors = asinh_magnitude(FLUX, SIGMA)
    for number, band in enumerate(BANDS):
        assert numbers(table, f"dered_{band}") == pytest.approx(wanted[:, number], abs=1e-9)
        assert numbers(table, f"psfMagErr_{band}") == pytest.approx(wanted_errors[:, number], rel=1e-9)
        assert numbers(table, f"dered_{band}") == pytest.approx(MAGS[:, number], abs=0.01)


def test_a_negative_flux_is_a_faint_magnitude_and_a_mark_is_missing(tmp_path):
    values, errors = FLUX.copy(), SIGMA.copy()
    values[0], values[1], values[2], errors[3] = -0.1, -9999.0, np.inf, 0.0
    frame(values, errors).to_csv(tmp_path / "mine.csv", index=False)
    table = read_table(tmp_path / "mine.csv", units="nmgy")
    assert 22 < numbers(table, "dered_z")[0] < 24
    assert np.isnan(numbers(table, "dered_z"))[:4].tolist() == [False, True, True, False]
    assert np.isnan(numbers(table, "psfMagErr_z")[3])


def test_AB_magnitudes_become_asinh_magnitudes_where_the_two_differ(tmp_path):
    faint = np.full((1, 5), 24.0)
    frame(np.vstack([MAGS, faint]), np.vstack([ERRORS, faint * 0 + 0.3])).to_csv(tmp_path / "mine.csv", index=False)
    plain, converted = read_table(tmp_path / "mine.csv"), read_table(tmp_path / "mine.csv", units="AB")
    assert numbers(plain, "dered_z")[-1] == 24.0
    assert numbers(converted, "dered_z")[-1] == pytest.approx(
        asinh_magnitude(10 ** (0.4 * (22.5 - faint)), faint)[0][0, 4]
    )
    assert numbers(converted, "dered_g")[:-1] == pytest.approx(MAGS[:, 1], abs=1e-3)


@pytest.mark.parametrize("kind", ["fits", "votable", "ascii.ecsv"])
def test_units_that_a_file_says_are_believed(tmp_path, kind):
    table = Table.from_pandas(frame(FLUX * 3.631, SIGMA * 3.631))
    for name in table.colnames:
        table[name].unit = "uJy"
    path = tmp_path / f"mine.{kind}"
    table.write(path, format=kind)
    found = read_table(path)
    assert numbers(found, "dered_r") == pytest.approx(MAGS[:, 2], abs=0.01)
    assert numbers(found, "psfMagErr_r") == pytest.approx(ERRORS[:, 2], rel=0.01)


def test_inverse_variances_are_errors(tmp_path):
    rows = frame(FLUX, SIGMA**-2.0).rename(columns={f"psfMagErr_{band}": f"flux_ivar_{band}" for band in BANDS})
    rows.to_csv(tmp_path / "mine.csv", index=False)
    table = read_table(tmp_path / "mine.csv", {"psfMagErr_*": "flux_ivar_*"}, units="nmgy")
    assert numbers(table, "psfMagErr_r") == pytest.approx(ERRORS[:, 2], rel=0.01)


def test_a_unit_of_neither_is_refused(tmp_path):
    table = Table.from_pandas(frame(MAGS, ERRORS))
    table["dered_u"].unit = "m"
    table.write(tmp_path / "mine.fits")
    with pytest.raises(CrosszError, match=r"mine.fits: column dered_u: the unit 'm' is not one of"):
        read_table(tmp_path / "mine.fits")
    read_table(tmp_path / "mine.fits", units="asinh")
    for unit in ("parsec", "1e999 Jy", "0 Jy", "10^999999999 Jy", "(" * 5000):
        with pytest.raises(CrosszError, match=r"the unit '.* --units asinh, AB, nmgy"):
            read_table(tmp_path / "mine.fits", units=unit)


@pytest.mark.parametrize("name", ["dered_u", "objID", "ra"])
@pytest.mark.parametrize("cells", [[[1.0]], [{"a": 1}], [b"\xff"], [datetime.date(2020, 1, 1)]], ids=str)
def test_columns_of_ours_hold_numbers_or_text(tmp_path, name, cells):
    pq.write_table(pa.table({name: pa.array(cells)}), tmp_path / "mine.parquet")
    with pytest.raises(CrosszError, match=rf"mine.parquet: column {name} \({name}\) holds .*, not numbers or text"):
        read_table(tmp_path / "mine.parquet")


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_of_any_kind_is_read(tmp_path, kind):
    mine = pa.table({"objID": pa.array(["1237648720693755918", ""]).cast(kind), "dered_u": pa.array(["18,5", "x"])})
    pq.write_table(mine, tmp_path / "mine.parquet")
    assert read_table(tmp_path / "mine.parquet")["objID"].to_pylist() == ["1237648720693755918", ""]


@pytest.mark.parametrize("factor", [1.0, 1e-9, 3.631, 3.631e-6])
def test_fluxes_without_a_unit_end_with_the_question(tmp_path, factor):
    frame(FLUX * factor, SIGMA * factor).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(
        CrosszError, match=r"mine.csv: dered_.* do not look like magnitudes: half of .* lies below .* What are they"
    ):
        read_table(tmp_path / "mine.csv")


def test_a_redshift_that_a_pattern_caught_ends_with_the_question(tmp_path):
    rows = frame(MAGS, ERRORS).assign(dered_z=TRUTH["z"])
    rows.columns = [*BANDS, *(f"e_{band}" for band in BANDS)]
    rows.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(CrosszError, match=r"mine.csv: z do not look like magnitudes"):
        read_table(tmp_path / "mine.csv", {"dered_*": "*", "psfMagErr_*": "e_*"})


def test_marks_alone_do_not_raise_the_question_and_are_counted(tmp_path, caplog):
    caplog.set_level(logging.INFO, "crossz")
    rows = frame(MAGS, ERRORS).astype(object)
    rows.loc[:5, "dered_u"] = 99
    rows.loc[:30, "dered_g"] = -9999.0
    rows.loc[:3, "dered_r"] = np.inf
    rows.loc[0, "dered_i"] = "faint"
    rows.loc[:1, "psfMagErr_i"] = -1
    rows.loc[:9, "dered_z"] = None
    rows.to_csv(tmp_path / "mine.csv", index=False)
    table = read_all(tmp_path / "mine.csv")
    note_missing(table, reading(fields_of(table.schema), "mine.csv"))
    assert (
        "44 value(s) count as missing magnitudes or errors: -9999.0 (31), 99 (6), inf (4) and 2 other values"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("units", "mark", "error", "said"),
    [("AB", "99.0", "24.3", "24.3 (3), 99.0 (3)"), ("uJy", "-99.0", "-99.0", "-99.0 (6)")],
)
def test_marks_are_counted_in_every_unit(tmp_path, caplog, units, mark, error, said):
    """BPZ and LePHARE write 99 and -99 of AB magnitudes, EAZY -99 of fluxes; 24.3 is a limit of BPZ, and no error."""
    caplog.set_level(logging.INFO, "crossz")
    rows = (frame(MAGS, ERRORS) if units == "AB" else frame(FLUX, 20 * SIGMA)).astype(object)
    rows.loc[:2, ["dered_u", "psfMagErr_u"]] = mark, error
    rows.to_csv(tmp_path / "mine.csv", index=False)
    ours = read_list(tmp_path / "mine.csv", NEEDED, units=units).known
    assert np.isnan(numbers(ours, "dered_u")[:3]).all()
    assert np.isfinite(numbers(ours, "dered_u")[3:]).all()
    assert f"6 value(s) count as missing magnitudes or errors: {said}" in caplog.text


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_an_objID_that_went_through_a_float_is_refused(tmp_path, suffix):
    rows = pd.DataFrame({"objID": np.array([BIG, BIG + 1000], float), "ra": 1.0, "dec": 2.0})
    path = tmp_path / f"mine.{suffix}"
    if suffix == "csv":
        rows.to_csv(path, index=False)
    elif suffix == "parquet":
        rows.to_parquet(path)
    else:
        Table.from_pandas(rows).write(path)
    with pytest.raises(CrosszError, match=r"column objID \(objID\) holds floats; 64-bit ids lose digits in a float"):
        read_table(path)


def test_a_decimal_comma_is_read(tmp_path):
    text = "dered_u;psfMagErr_u;ra;dec\n18,25;0,05;10,5;-2,5\n"
    table = read(tmp_path / "mine.csv", text)
    assert [float(table[name][0].as_py()) for name in ("dered_u", "psfMagErr_u", "ra", "dec")] == [
        18.25,
        0.05,
        10.5,
        -2.5,
    ]


def test_any_rows_are_read_as_all_of_them_are():
    table = pa.table({"umag": FLUX[:, 0], "e_umag": SIGMA[:, 0]})
    how = reading(fields_of(table.schema), "x", {"dered_u": "umag", "psfMagErr_u": "e_umag"}, units="nmgy")
    parts = [renamed(table.slice(start, 10), how) for start in range(0, 40, 10)]
    assert pa.concat_tables(parts).combine_chunks().equals(renamed(table, how).combine_chunks())


def test_what_the_user_says_counts_before_a_name_and_an_alias():
    fields = [Field("dered_u"), Field("umag"), Field("RAJ2000"), Field("DEJ2000"), Field("ra"), Field("dec")]
    found = taken(fields, {"dered_u": "UMAG"}, ("dered_u", "ra", "dec"), "x")
    assert found == {"dered_u": "umag", "ra": "ra", "dec": "dec"}
