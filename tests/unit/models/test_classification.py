"""Classification from end to end: catalog, network, references, predictions, metrics and figures of classes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy
from toy import TRAIN, rows

from crossz.apply import bundle, predict
from crossz.catalog.objects import write_catalog
from crossz.catalog.raw import write_raw
from crossz.core.errors import CrosszError
from crossz.core.names import PATTERNS
from crossz.core.paths import predictions_path
from crossz.models import evaluation, references, training
from crossz.report import models, redshifts
from crossz.scores import classes as class_scores
from crossz.scores import metrics

NAMES = ["STAR", "GALAXY", "QSO"]


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A toy survey whose class is a range of redshift."""
    folder = tmp_path_factory.mktemp("toy")
    made = toy.write(folder / "plain", n=300)

    def classed(table):
        return table.assign(**{"class": np.array(NAMES)[np.digitize(table["z"], [1.8, 3.0])]})

    return made._replace(catalog=toy.rewrite(made.catalog, folder / "classes", classed))


@pytest.fixture(scope="module")
def trained(survey, tmp_path_factory):
    """The folder of a trained network, its tables of predictions, and those of references, by inputs or model."""
    folder = tmp_path_factory.mktemp("net")
    settings = {"training": TRAIN | {"epochs": 12}, "classes": NAMES, "seed": 1}
    training.train(**toy.arguments(survey, folder, **settings))
    paths = toy.predictions(folder, PATTERNS)
    networks = {"model": folder / "model.pt", "info": folder / "model.json"}
    evaluation.evaluate(**survey._asdict(), **networks, predictions=list(paths.values()))
    of_references = {model: folder / predictions_path("toy", model, 0, "phot") for model in ("mean", "knn", "mlp")}
    files = {"catalog": survey.catalog, "split": survey.split, "index": survey.index, "predictions": of_references}
    references.write_references(**files, magnitudes="dered_model", classes=NAMES, seed=1)
    return folder, paths | of_references


def test_the_catalog_keeps_stars_and_counts_what_it_drops(tmp_path):
    given = rows(objID=[1, 2, 3, 4], zErr=[1e-5, 1e-5, -1.0, 1e-5], z=[-3e-4, 2.0, 0.1, 0.3])
    given = given.assign(**{"class": ["STAR", "qso", "GALAXY", "UNKNOWN"], "ra": [0.0, 1, 2, 3]})
    made = [tmp_path / name for name in ("raw.parquet", "c.parquet", "c.json")]
    write_raw(pa.Table.from_pandas(given, preserve_index=False), "q", made[0], tmp_path / "r.json", {})
    write_catalog(raw=made[0], catalog=made[1], counts=made[2], radius_arcsec=1.0, classes=NAMES)
    assert pq.read_table(made[1])["objID"].to_pylist() == [1, 2]
    counts = classes_counts(made[2])
    assert counts == {
        "rows": 4, "dropped_other_class": 1, "dropped_impossible": 0, "dropped_failed_fit": 1, "dropped_repeated_objID": 0, "objects": 2, "groups": 2,
    }  # fmt: skip
    with pytest.raises(CrosszError, match="no row's class is one of NEBULA"):
        write_catalog(raw=made[0], catalog=made[1], counts=made[2], radius_arcsec=1.0, classes=["NEBULA", "COMET"])


def classes_counts(path):
    return {name: value for name, value in pd.read_json(path, typ="series").items() if name != "sha256"}


def test_every_input_pattern_and_reference_tells_classes_apart(trained):
    _, paths = trained
    tables = {name: pd.read_parquet(path).query("subset == 'test'") for name, path in paths.items()}
    scores = {name: class_scores.score_table(table) for name, table in tables.items()}
    for name in set(scores) - {"mean"}:
        assert scores[name]["accuracy"] > scores["mean"]["accuracy"] + 0.15, name
        assert scores[name]["log_loss"] < scores["mean"]["log_loss"], name
    assert scores["phot+img"]["accuracy"] > 0.8
    for table in tables.values():
        assert table.columns.tolist() == ["objID", "class", "class_phot", "subset", "p_STAR", "p_GALAXY", "p_QSO"]
        np.testing.assert_allclose(table[["p_STAR", "p_GALAXY", "p_QSO"]].sum(axis=1), 1)


def test_metrics_and_their_table_are_of_classes(trained):
    _, paths = trained
    table = metrics.metrics_table(paths.values(), {("toy", 0): 180}, {})
    assert table.columns.tolist()[:10] == [
        *metrics.MODEL_KEYS,
        "split",
        *metrics.COUNTS,
        "accuracy",
        "log_loss",
        "roc_auc",
    ]
    assert "rmse" not in table
    text = class_scores.markdown(table)
    assert "| toy | crossmodal | phot+img | 1 |" in text
    assert "recall GALAXY (%)" in text
    assert "nan" not in text


def test_history_and_figures_speak_of_classes(trained, tmp_path):
    folder, paths = trained
    columns = set(pd.read_csv(folder / "history.csv"))
    assert {"classes", "extinction", "adversarial"} <= columns
    assert "redshift" not in columns
    history = tmp_path / "toy/crossmodal/0/history.csv"
    history.parent.mkdir(parents=True)
    history.write_bytes((folder / "history.csv").read_bytes())
    models.write_learning(histories=[history], figure=[tmp_path / "learning.png"])
    made = [tmp_path / f"toy/crossmodal/phot+img.{kind}" for kind in ("png", "pdf")]
    redshifts.write_estimates(predictions=[paths["phot+img"]], png=made[:1], pdf=made[1:])
    assert all(path.stat().st_size > 5000 for path in made)


def test_new_objects_get_probabilities_of_classes(survey, trained):
    folder, paths = trained
    networks = bundle.trained_networks([folder / "model.pt"], [folder / "model.json"])
    scored = pd.read_parquet(paths["phot+img_gen"])
    targets = pd.read_parquet(survey.catalog).drop(columns=["z", "class"]).set_index("objID").loc[scored["objID"]]
    table = predict.predict(targets.reset_index(), networks)
    np.testing.assert_allclose(table["p_QSO"], scored["p_QSO"], atol=1e-5)
    assert table["class_phot"].tolist() == scored["class_phot"].tolist()


def test_a_class_without_a_training_object_is_named(survey, tmp_path):
    with pytest.raises(CrosszError, match="part train: no object of class COMET"):
        training.train(**toy.arguments(survey, tmp_path, classes=[*NAMES, "COMET"]))
