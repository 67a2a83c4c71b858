"""Objects beyond the redshifts that networks were trained on are marked, whatever is known of them."""

import pandas as pd
import pytest
import toy
from bundles import exported

from crossz.apply.answer import counted, summary
from crossz.apply.bundle import load_bundle, trained_networks
from crossz.apply.bundle_folder import CARD
from crossz.apply.predict import images_of, predict
from crossz.core.errors import CrosszError
from crossz.core.files import write_json
from crossz.models import evaluation, training
from crossz.scores.ensemble import write_ensemble

END = 3.0
"""The objects of the survey have redshifts from 1 to 4; those below this one train."""
PATTERNS = ("phot+img", "phot_gen+img", "phot+img_gen")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("whole"), 500, 0)


@pytest.fixture(scope="module")
def bundle(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("known")
    catalog, split = pd.read_parquet(whole.catalog), pd.read_parquet(whole.split)
    known = whole._replace(catalog=folder / "catalog.parquet", split=folder / "0.parquet")
    catalog[catalog["z"] < END].to_parquet(known.catalog, index=False)
    split[(catalog["z"] < END).to_numpy()].to_parquet(known.split, index=False)
    arguments = toy.arguments(known, folder, training=toy.TRAIN | {"epochs": 12})
    training.train(**arguments)
    tables, files = toy.predictions(folder, PATTERNS), {name: arguments[name] for name in ("model", "info")}
    evaluation.evaluate(**known._asdict(), **files, predictions=list(tables.values()))
    write_ensemble(predictions=tables.values(), ensemble=folder / "ensemble.json")
    return trained_networks([arguments["model"]], [arguments["info"]], folder / "ensemble.json")


@pytest.mark.parametrize("inputs", ["photometry", "image", "both"])
def test_objects_beyond_the_training_are_marked_and_few_of_those_within(whole, bundle, inputs):
    catalog = pd.read_parquet(whole.catalog)
    targets = catalog[["objID"]] if inputs == "image" else catalog.drop(columns="z")
    images = None if inputs == "photometry" else images_of(catalog["objID"], whole.index, whole.cutouts)
    marked = predict(targets, bundle, images)["z_at_end"]
    assert marked[catalog["z"] > END + 0.1].mean() > 0.9
    assert marked[catalog["z"].between(1.4, END - 0.5)].mean() < 0.05


def test_what_is_marked_says_that_its_interval_reaches_beyond_and_is_counted(whole, bundle):
    targets = pd.read_parquet(whole.catalog).drop(columns="z")
    targets.loc[0, [name for name in targets if name.startswith("dered_")]] = None
    table = predict(targets, bundle)
    low, high = bundle.ends
    assert table["z_at_end"].tolist() == ((table["z_low_95"] < low) | (table["z_high_95"] > high)).tolist()
    assert not table["z_at_end"][0]
    count = table["z_at_end"].sum()
    assert f"{count} at an end of the redshifts of the training" in summary(counted(table))


def test_an_exported_bundle_has_the_ends_and_the_shares_that_they_mark(survey, networks, targets, tmp_path):
    scores = {"phot+img": {"n": 80, "splits": 2.5, "rmse": 0.05, "at_low_end": 0.0123, "at_high_end": 0.0456}}
    content = {"splits": 2, "ends": [1.25, 3.75], "temperature": {"phot+img": 0.9}, "scores": scores}
    write_json(tmp_path / "ensemble.json", content)
    folder = exported(survey, networks, tmp_path / "bundle", ensemble=tmp_path / "ensemble.json")
    read = load_bundle(folder)
    assert read.ends == (1.25, 3.75)
    card = " ".join((folder / CARD).read_text().split())
    assert "| 0.0123 | 0.0456 | 0.900 |" in card
    assert "reaches below z = 1.25 or above z = 3.75" in card
    table = predict(targets, read)
    assert table["z_at_end"].tolist() == ((table["z_low_95"] < 1.25) | (table["z_high_95"] > 3.75)).tolist()


def test_a_bundle_that_was_made_without_marks_nothing(made, targets):
    read = load_bundle(made)
    assert read.ends is None
    assert "z_at_end" not in predict(targets, read)
    assert "z_at_end" not in (made / CARD).read_text()


@pytest.mark.parametrize("ends", [[2.0], [3.0, 1.0], [1.0, "high"], [-2.0, 3.0], [1.0, 1e999], 5])
def test_ends_that_are_none_are_refused(copy, change_facts, ends):
    change_facts(copy, lambda facts: facts.update(ensemble={"ends": ends}))
    with pytest.raises(CrosszError, match=r"bundle.json: ensemble: .*get the bundle again"):
        load_bundle(copy)
