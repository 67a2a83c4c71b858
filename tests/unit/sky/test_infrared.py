"""W1 and W2."""

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossz.archive.embedded import query
from crossz.sky import infrared, population


@pytest.fixture(scope="module")
def drawn():
    quasars = population.quasars(np.random.default_rng(1), 3000)
    flux = infrared.quasar_fluxes(np.random.default_rng(2), quasars)
    return quasars, 22.5 - 2.5 * np.log10(flux)


def test_colours_are_those_of_quasars(drawn):
    """W1 - W2 and i - W1 over z: AGN are redder than 0.8 to z = 3 (Stern et al. 2012), and H-alpha fills W1 at z = 4."""
    quasars, magnitude = drawn
    z, colour = quasars["z"], magnitude[:, 0] - magnitude[:, 1]
    for low, high, least, most in (
        (0.8, 1.2, 1.0, 1.45),
        (1.3, 1.8, 1.1, 1.5),
        (1.9, 2.3, 1.0, 1.4),
        (3.2, 4.4, 0.4, 0.9),
    ):
        assert least < np.median(colour[(z > low) & (z < high)]) < most, (low, high)
    beside_i = quasars["i_mag"] - magnitude[:, 0]
    assert 2.8 < np.median(beside_i[(z > 1.5) & (z < 3)]) < 4.2
    assert np.median(beside_i[z < 0.8]) > np.median(beside_i[z > 2]) + 0.5


def test_a_quasar_without_hot_dust_is_a_power_law(drawn, monkeypatch):
    monkeypatch.setattr(infrared, "_DUST_OVER_DISC", 0.0)
    quasars, with_dust = drawn
    bare = 22.5 - 2.5 * np.log10(infrared.quasar_fluxes(np.random.default_rng(2), quasars))
    near = quasars["z"].to_numpy() < 1
    assert np.median((bare - with_dust)[near, 1]) > 0.5
    assert abs(np.median((bare - with_dust)[quasars["z"] > 4, 0])) < 0.1


def test_forced_photometry_has_errors_that_are_true_and_negative_fluxes_marked(built, truth):
    with sqlite3.connect(built / "sky.sqlite") as connection:
        wise = pd.read_sql("SELECT * FROM wise_forcedTarget", connection)
        photo = pd.read_sql("SELECT objID, mode FROM PhotoObjAll", connection)
    primary = photo.loc[photo["mode"] == 1, "objID"]
    assert wise["objID"].is_unique
    assert wise["objID"].isin(primary).all()
    assert 0.93 < len(wise) / len(primary) <= 1
    for band in infrared.BANDS:
        positive = wise[f"{band}_nanomaggies"] > 0
        assert (wise.loc[~positive, f"{band}_mag"] == -9999).all()
        seen = wise[positive]
        from_flux = 22.5 - 2.5 * np.log10(seen[f"{band}_nanomaggies"].to_numpy())
        assert seen[f"{band}_mag"].to_numpy() == pytest.approx(from_flux, abs=1e-3)
        relative = seen[f"{band}_nanomaggies_ivar"] ** -0.5 / seen[f"{band}_nanomaggies"]
        assert seen[f"{band}_mag_err"].to_numpy() == pytest.approx(1.0857 * relative.to_numpy(), rel=1e-2, abs=1e-4)
    assert len(wise.merge(truth, on="objID")) > 0.9 * len(truth)


def test_the_query_of_wise_keeps_objects_without_it(built):
    text = Path("workflow/sql/extended_wise.sql").read_text()
    rows = query(text, built / "sky.sqlite", "extended_wise.sql").to_pandas()
    plain = query(Path("workflow/sql/extended.sql").read_text(), built / "sky.sqlite", "extended.sql")
    assert len(rows) == len(plain)
    assert 0 < rows["w1_mag"].isna().sum() < 0.2 * len(rows)
    assert rows["w1_mag"].between(10, 20).mean() > 0.85
