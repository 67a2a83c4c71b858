"""The photometry-only references: fair, deterministic, untroubled by missing values."""

import numpy as np
import pandas as pd
import pytest
import toy

from crossz.estimates.estimates import dz
from crossz.models import references

MODELS = ["mean", "knn", "random_forest", "gradient_boosting", "mlp"]


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"), n=300)


def run(survey, folder, models=MODELS, columns=()):
    folder.mkdir(exist_ok=True)
    paths = {model: folder / f"{model}.parquet" for model in models}
    files = {"catalog": survey.catalog, "split": survey.split, "index": survey.index, "predictions": paths}
    references.write_references(**files, magnitudes="dered_model", columns=columns, seed=3)
    return {model: pd.read_parquet(path) for model, path in paths.items()}


@pytest.fixture(scope="module")
def tables(survey, tmp_path_factory):
    return run(survey, tmp_path_factory.mktemp("plain"))


def rmse(table, subset):
    table = table[table["subset"] == subset]
    return float(np.sqrt(np.mean(dz(table["z_phot"], table["z_spec"]) ** 2)))


@pytest.mark.parametrize("model", MODELS[1:])
def test_each_reference_beats_the_mean_by_far(tables, model):
    assert rmse(tables[model], "test") < 0.5 * rmse(tables["mean"], "test")


def test_the_mean_is_that_of_log1p_z_of_the_training_part(survey, tables):
    rows = pd.read_parquet(survey.catalog).merge(pd.read_parquet(survey.split), on="objID").iloc[3:]
    expected = np.expm1(np.log1p(rows.loc[rows["subset"] == "train", "z"]).mean())
    np.testing.assert_allclose(tables["mean"]["z_phot"], expected)


def test_predictions_are_of_the_rows_that_have_an_image_without_the_training_part(survey, tables):
    split = pd.read_parquet(survey.split).iloc[3:]
    for table in tables.values():
        assert table.columns.tolist() == ["objID", "z_spec", "z_phot", "subset"]
        assert table["objID"].tolist() == split.loc[split["subset"] != "train", "objID"].tolist()


def test_neither_order_of_rows_nor_test_objects_matter(survey, tables, tmp_path):
    split = pd.read_parquet(survey.split).set_index("objID")["subset"]

    def changed(table):
        table.loc[(table["objID"].map(split) == "test").to_numpy(), "z"] = 1.0
        return table.sample(frac=1, random_state=1)

    other = survey._replace(
        catalog=toy.rewrite(survey.catalog, tmp_path, changed),
        split=toy.rewrite(survey.split, tmp_path, lambda table: table.sample(frac=1, random_state=2)),
    )
    again = run(other, tmp_path / "other")
    for model in MODELS:
        np.testing.assert_array_equal(again[model]["z_phot"], tables[model]["z_phot"], err_msg=model)


def test_each_reference_says_how_good_it_is(survey, tmp_path, messages):
    table = run(survey, tmp_path, ["mean"])["mean"]
    assert f"mean: val RMSE {rmse(table, 'val'):.4f}" in messages.text


def test_an_unknown_reference_is_refused():
    with pytest.raises(ValueError, match="no reference is called 'svm'"):
        references.candidates("svm", 0, 100)


def test_validation_chooses_among_the_candidates(survey):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 14))
    z = np.expm1(1 + 0.3 * x[:, 0] + rng.normal(0, 0.2, 400))  # noisy: a wide neighbourhood is best
    train, val = references.Part(x[:200], z[:200]), references.Part(x[200:], z[200:])
    errors = []
    for candidate in references.candidates("knn", 0, 200):
        candidate.fit(train.features, np.log1p(train.truth))
        errors.append(np.sqrt(np.mean(dz(np.expm1(candidate.predict(val.features)), val.truth) ** 2)))
    chosen = references.fit("knn", train, val, 0)
    error = np.sqrt(np.mean(dz(np.expm1(chosen.predict(val.features)), val.truth) ** 2))
    assert error == min(errors) < max(errors)


def test_missing_magnitudes_are_no_obstacle(survey, tmp_path):
    def holes(table):
        table.loc[::7, "dered_u"], table.loc[::11, "psfMagErr_z"] = -9999.0, np.nan
        return table

    again = run(survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path, holes)), tmp_path / "other")
    for model in MODELS[1:]:
        assert rmse(again[model], "test") < 0.8 * rmse(again["mean"], "test"), model


def test_an_extra_column_that_knows_the_redshift_is_used(survey, tmp_path):
    informed = survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path, toy.told))
    models = ["knn", "gradient_boosting"]
    errors = [
        {
            model: rmse(table, "test")
            for model, table in run(informed, tmp_path / f"{len(columns)}", models, columns).items()
        }
        for columns in ((), ("w1mpro",))
    ]
    for model in models:
        assert errors[1][model] < 0.7 * errors[0][model], errors
