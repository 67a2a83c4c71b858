"""What is exported beside the weights: the training domain, and how the networks were made."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bundles import exported
from toy import rewrite

from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import CARD, FACTS, check
from crossz.apply.export import domain
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.files import write_json
from crossz.models.info import ModelInfo


def test_splits_of_other_settings_are_not_bundled(survey, networks, tmp_path):
    models, infos = networks
    info = json.loads(infos[1].read_text())
    write_json(tmp_path / "other.json", info | {"magnitudes": "psf"})
    with pytest.raises(CrosszError, match=r"other.json: magnitudes differ"):
        exported(survey, (models, [infos[0], tmp_path / "other.json"]), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_weights_must_be_those_of_their_description(survey, networks, tmp_path):
    models, infos = networks
    (tmp_path / "model.pt").write_bytes(models[1].read_bytes()[:-1] + b"x")
    with pytest.raises(CrosszError, match=r"model.pt: its checksum is not the one in"):
        exported(survey, ([models[0], tmp_path / "model.pt"], infos), tmp_path / "bundle")


ENSEMBLE = {
    "splits": 2,
    "temperature": {"phot+img": 0.8765},
    "scores": {"phot+img": {"n": 1234, "splits": 2.0, "rmse": 0.1, "sigma_nmad": 0.05, "crps": 0.04, "coverage_68": 0.6789, "coverage_95": 0.95, "pit_ks": 0.03}},
}  # fmt: skip


def test_a_bundle_has_the_temperature_of_all_splits_together_and_its_card_their_scores(survey, networks, tmp_path):
    write_json(tmp_path / "ensemble.json", ENSEMBLE)
    folder = exported(survey, networks, tmp_path / "bundle", ensemble=tmp_path / "ensemble.json")
    assert load_bundle(folder).temperature == {"phot+img": 0.8765}
    card = (folder / CARD).read_text()
    assert "| phot+img | 1,234 | 2.0 | 0.1000 | 0.0500 | 0.0400 | 0.6789 | 0.9500 | 0.0300 | 0.876 |" in card
    assert "cannot be scored" not in card


def test_a_bundle_without_it_is_read_as_before(made):
    assert load_bundle(made).temperature == {}
    assert "cannot be scored" in (made / CARD).read_text()


@pytest.mark.parametrize("value", ["wide", 0.0, -1.0, None])
def test_a_temperature_that_is_none_is_refused(made, copy, change_facts, value):
    change_facts(copy, lambda facts: facts.update(ensemble={"temperature": {"phot+img": value}}))
    with pytest.raises(CrosszError, match=r"bundle.json: ensemble: .*get the bundle again"):
        load_bundle(copy)


def test_a_bundle_contains_no_path_of_the_maker(made, tmp_path):
    for name in (CARD, FACTS):
        assert "/home/me" not in (made / name).read_text()
        assert str(made.parent) not in (made / name).read_text()
    assert check(made)["made"]["source"] == "quasars.csv"


def test_the_training_domain_is_that_of_the_training_objects_with_an_image(survey, made):
    facts = check(made)["domain"]
    catalog, split = pd.read_parquet(survey.catalog), pd.read_parquet(survey.split)
    rows = catalog.merge(split[split["subset"] == "train"], on="objID")[3:]  # the first three have no image
    assert facts["objects"] == len(rows)
    assert facts["quantiles"] == [0, 0.01, 0.5, 0.99, 1]
    assert facts["features"]["z"] == np.quantile(rows["z"], facts["quantiles"]).round(4).tolist()
    g_r = rows["dered_g"] - rows["dered_r"]
    assert facts["features"]["g-r"] == pytest.approx(np.quantile(g_r, facts["quantiles"]), abs=1e-4)
    assert facts["missing"] == dict.fromkeys(BANDS, 0.0)


def test_the_training_domain_has_extra_columns_and_leaves_missing_values_aside(survey, networks, tmp_path):
    def change(table):
        values = np.where(table.index % 2, -9999.0, table.index)
        return table.assign(w1mpro=values, w2mpro=np.nan, dered_u=table["dered_u"].where(table.index < 60))

    catalog = rewrite(survey.catalog, tmp_path, change)
    info = ModelInfo.read(networks[1][0])
    facts = domain(catalog, [survey.split], survey.index, replace(info, columns=("w1mpro", "w2mpro")))
    number = np.arange(3, 120)
    train = number[(number % 5 < 3) & (number % 2 == 0)]
    assert facts["features"]["w1mpro"] == np.quantile(train, facts["quantiles"]).round(4).tolist()
    assert facts["features"]["w2mpro"] is None
    assert facts["missing"]["u"] == round(36 / 69, 4)
    half = domain(catalog, [survey.split], survey.index, replace(info, train=info.train | {"share": 0.5}))
    assert half["objects"] == round(facts["objects"] / 2)
