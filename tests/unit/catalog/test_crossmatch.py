"""External surveys: the nearest source at the epoch of SDSS, nulls where there is none."""

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from crossz.catalog.crossmatch import MARGIN_ARCSEC, moved, nearest, search_radius, write_crossmatched
from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.core.surveys import SURVEYS
from crossz.models.features import photometry, tokens

ARCSEC = 1 / 3600


def sources(survey, *rows):
    """Rows of (number, ra, dec, {column: value})."""
    empty = dict.fromkeys(SURVEYS[survey].columns, np.nan)
    records = [{"number": number, "ra": ra, "dec": dec} | empty | more for number, ra, dec, more in rows]
    return pd.DataFrame(records, columns=["number", "ra", "dec", *SURVEYS[survey].columns])


@pytest.mark.parametrize("dec", [0.0, -45.0, 89.9999, -89.5])
def test_a_proper_motion_moves_a_position_as_astropy_does(dec):
    ra, years = np.array([10.0, 359.99999]), 2004.0 - 2016.0
    pm_ra, pm_dec = np.array([250.0, -3000.0]), np.array([-120.0, 1000.0])
    here = SkyCoord(
        ra * u.deg, np.full(2, dec) * u.deg, pm_ra_cosdec=pm_ra * u.mas / u.yr, pm_dec=pm_dec * u.mas / u.yr,
        distance=100 * u.pc, obstime=Time(2016.0, format="jyear"),
    )  # fmt: skip
    there = here.apply_space_motion(Time(2004.0, format="jyear"))
    found = SkyCoord(*(angle * u.deg for angle in moved(ra, np.full(2, dec), pm_ra, pm_dec, years)))
    assert found.separation(here).arcsec == pytest.approx(np.hypot(pm_ra, pm_dec) / 1000 * 12, rel=1e-6)
    assert found.separation(there).arcsec == pytest.approx(0, abs=1e-3)


def test_a_source_without_a_proper_motion_stays():
    ra, dec = moved(np.array([200.0]), np.array([30.0]), np.array([np.nan]), np.array([np.nan]), -12)
    assert (ra[0], dec[0]) == pytest.approx((200.0, 30.0), abs=1e-10)


def test_the_nearest_source_within_the_radius_is_taken():
    ra, dec = np.array([10.0, 20.0, 30.0]), np.array([0.0, 60.0, -60.0])
    found = nearest(
        ra, dec,
        sources(
            "allwise",
            (0, 10.0, 1.5 * ARCSEC, {"allwise_w1": 15.0}),
            (0, 10.0, -0.5 * ARCSEC, {"allwise_w1": 16.0}),
            (2, 30.0, -60.0 + 2.5 * ARCSEC, {"allwise_w1": 17.0}),
        ),
        SURVEYS["allwise"], 2.0,
    )  # fmt: skip
    assert len(found) == 3
    assert found["allwise_w1"][0] == 16.0
    assert found["separation"][0] == pytest.approx(0.5)
    assert found.loc[1:].isna().all(axis=None)


def test_of_two_sources_at_one_place_it_is_always_the_same():
    both = [(0, 10.0, 0.0, {"allwise_w1": 15.0}), (0, 10.0, 0.0, {"allwise_w1": 14.0})]
    for rows in (both, both[::-1]):
        found = nearest(np.array([10.0]), np.array([0.0]), sources("allwise", *rows), SURVEYS["allwise"], 2.0)
        assert found["allwise_w1"][0] == 14.0


def test_a_moving_star_is_matched_where_it_was_when_sdss_saw_it():
    """A star of 300 mas/yr is 3.6 arcsec away by 2016, and where it was stands a source that does not move."""
    motion = {"gaia_pmra": 0.0, "gaia_pmdec": 300.0}
    star = (0, 10.0, 3.6 * ARCSEC, {"gaia_g": 15.0} | motion)
    quasar = (0, 10.0, 0.4 * ARCSEC, {"gaia_g": 19.0, "gaia_pmra": 0.1, "gaia_pmdec": -0.1})
    gone = (0, 10.0, 0.0, {"gaia_g": 16.0, "gaia_pmra": 0.0, "gaia_pmdec": -300.0})
    found = nearest(np.array([10.0]), np.array([0.0]), sources("gaia", star, quasar, gone), SURVEYS["gaia"], 1.0)
    assert found["gaia_g"][0] == 15.0
    assert found["separation"][0] == pytest.approx(0, abs=1e-3)
    found = nearest(np.array([10.0]), np.array([0.0]), sources("gaia", quasar, gone), SURVEYS["gaia"], 1.0)
    assert found["gaia_g"][0] == 19.0
    assert search_radius(SURVEYS["gaia"], 1.0) == 1.0 + MARGIN_ARCSEC > 3.6
    assert search_radius(SURVEYS["allwise"], 2.0) == 2.0


@pytest.fixture
def catalog(tmp_path):
    """Three objects, with an id that a float would round, and a text."""
    frame = pd.DataFrame({
        "objID": pd.array([1237648720693755919, 1237648720693755921, None], "Int64"),
        "ra": [10.0, 20.0, np.nan], "dec": [0.0, 60.0, np.nan], "status": ["ok", "ok", "no_match"],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "catalog.parquet", index=False)
    return tmp_path / "catalog.parquet"


def written(catalog, *rows, **more):
    """What `write_crossmatched` makes of the sources `rows` of AllWISE, and what it asked."""
    asked = []

    def find(name, ra, dec, radius_arcsec):
        asked.append((name, ra.tolist(), dec.tolist(), radius_arcsec))
        return sources(name, *rows)

    paths = {"crossmatched": catalog.with_name("out.parquet"), "counts": catalog.with_name("counts.json")}
    write_crossmatched(catalog=catalog, **paths, radii_arcsec={"allwise": 2.0}, find=find, **more)
    return pd.read_parquet(paths["crossmatched"]), read_json(paths["counts"]), asked


def test_the_columns_follow_those_of_the_catalog_and_rows_without_a_position_are_not_asked(catalog):
    found, counts, asked = written(catalog, (1, 20.0, 60.0, {"allwise_w1": 16.0, "allwise_w1_err": 0.03}))
    assert asked == [("allwise", [10.0, 20.0], [0.0, 60.0], 2.0)]
    before = pd.read_parquet(catalog)
    pd.testing.assert_frame_equal(found[before.columns.tolist()], before)
    assert found["allwise_w1"].isna().tolist() == [True, False, True]
    assert found["allwise_w1"][1] == 16.0
    assert found["allwise_separation"][1] == pytest.approx(0, abs=1e-6)
    assert found["allwise_w2"].isna().all()
    assert (counts["objects"], counts["found"]) == (3, {"allwise": 1})
    assert list(counts["sha256"]) == ["out.parquet"]


def test_a_survey_without_any_source_stops_a_training_and_not_a_prediction(catalog):
    with pytest.raises(CrosszError, match=r"allwise has no source within 2 arcsec of any object; check ra and dec"):
        written(catalog)
    found, counts, _ = written(catalog, training=False)
    assert found["allwise_w1"].isna().all()
    assert found["allwise_w1"].dtype == float
    assert counts["found"] == {"allwise": 0}


def test_the_models_are_told_which_columns_are_missing(catalog):
    found, _, _ = written(catalog, (1, 20.0, 60.0, {"allwise_w1": 16.0}))
    bands = {f"{kind}_{band}": 19.0 for kind in ("dered", "psfMagErr", "extinction") for band in "ugriz"}
    columns = list(SURVEYS["allwise"].columns)
    _, x_colour = tokens(photometry(found.assign(**bands), "dered_model", columns))
    flags = x_colour[:, 4 + len(columns) :]
    assert flags[:, 0].tolist() == [1, 0, 1]
    assert flags[:, 1:].all()


def test_no_two_surveys_have_a_column_of_one_name():
    names = [name for survey in SURVEYS.values() for name in survey.columns]
    assert len(set(names)) == len(names)
    for key, survey in SURVEYS.items():
        assert all(name.startswith(f"{key}_") for name in survey.columns)
        assert set(survey.motion or ()) <= set(survey.columns)
