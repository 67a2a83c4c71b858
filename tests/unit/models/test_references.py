"""The photometry-only references: fair, deterministic, untroubled by missing values."""

import numpy as np
import pandas as pd
import pytest
import toy
from threadpoolctl import threadpool_limits

from crossz.core import names
from crossz.core.errors import CrosszError
from crossz.estimates import pdf
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import mixtures_of
from crossz.models import reference_models, references
from crossz.scores import pdf_scores

MODELS = list(names.REFERENCES)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):  # boosting would take every core
        yield


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
    np.testing.assert_allclose(np.expm1(pdf.mean(mixtures_of(tables["mean"]))), expected)


def test_predictions_are_of_the_rows_that_have_an_image_without_the_training_part(survey, tables):
    split = pd.read_parquet(survey.split).iloc[3:]
    for table in tables.values():
        assert table.columns.tolist()[:4] == ["objID", "z_spec", "z_phot", "subset"]
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
        pd.testing.assert_frame_equal(
            again[model].drop(columns="z_spec"), tables[model].drop(columns="z_spec"), obj=model
        )


def test_each_reference_says_how_good_it_is(survey, tmp_path, messages):
    table = run(survey, tmp_path, ["mean"])["mean"]
    assert f"mean: val RMSE {rmse(table, 'val'):.4f}, CRPS" in messages.text


def test_an_unknown_reference_is_refused():
    with pytest.raises(ValueError, match="no reference is called 'svm'"):
        next(reference_models.candidates("svm", 0, 100))


def test_too_few_objects_for_neighbours_are_an_error_that_says_what_to_do():
    x = np.arange(14.0)[None].repeat(4, axis=0)
    train, held = references.Part(x, np.ones(4)), references.Held(x, np.arange(2), np.ones(2))
    with pytest.raises(CrosszError, match="knn: no candidate can be fitted on 4 objects; leave it out of references"):
        references.estimate("knn", train, held, 0)


def test_validation_chooses_among_the_candidates():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 14))
    z = np.expm1(1 + 0.3 * x[:, 0] + rng.normal(0, 0.2, 600))  # noisy: a wide neighbourhood is best
    held = references.Held(x[200:], np.arange(200), z[200:400])
    mixture = references.estimate("knn", references.Part(x[:200], z[:200]), held, 0).mixture
    chosen = np.expm1(pdf.mean(mixture))
    row, distance = reference_models.nearest(x[:200], x[200:])
    of_all = [
        np.expm1((reference_models.closeness(distance[:, :k]) * np.log1p(z[row[:, :k]])).sum(1))
        for k in (5, 10, 20, 40)
    ]
    errors = [np.sqrt(np.mean(dz(of_k[:200], held.truth) ** 2)) for of_k in of_all]
    np.testing.assert_allclose(chosen, of_all[int(np.argmin(errors))])
    assert min(errors) < 0.95 * max(errors)


@pytest.mark.parametrize("model", ["knn", "random_forest", "extra_trees"])
def test_threads_change_nothing(model):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (300, 14))
    train = references.Part(x[:150], np.exp(x[:150, 0]))
    held = references.Held(x[150:], np.arange(70), np.exp(x[150:220, 0]))
    one, two = (references.estimate(model, train, held, 0, threads=threads) for threads in (1, 2))
    for a, b in zip(one.mixture, two.mixture, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_mean_of_each_pdf_is_the_estimate_that_scikit_learn_gives():
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (400, 14))
    z = np.exp(0.3 * x[:, 0] + rng.normal(0, 0.1, 400))
    train, held = references.Part(x[:200], z[:200]), references.Held(x[200:], np.arange(100), z[200:300])
    for model in set(MODELS) - {"knn"}:
        of_all = [
            candidate.fit(train.features, np.log1p(train.truth)).predict(held.features)
            for candidate in reference_models.candidates(model, 0, 200)
        ]
        best = min(of_all, key=lambda said: np.mean(dz(np.expm1(said[:100]), held.truth) ** 2))
        mixture = references.estimate(model, train, held, 0).mixture
        np.testing.assert_allclose(pdf.mean(mixture), best, rtol=1e-11)


@pytest.mark.parametrize("model", MODELS)
def test_what_tells_nothing_gives_the_distribution_of_all_redshifts(model):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(3000, 14)), rng.gamma(4, 0.1, 3000)  # y does not depend on x
    held = references.Held(x[1000:], np.arange(1000), np.expm1(y[1000:2000]))
    pdfs = references.estimate(model, references.Part(x[:1000], np.expm1(y[:1000])), held, 0)
    scores = pdf_scores.score(pdfs.take(np.arange(1000, 2000)).mixture, np.expm1(y[2000:]))
    assert scores["pit_ks"] < 0.1
    assert scores["coverage_68"] == pytest.approx(0.68, abs=0.06)
    assert scores["coverage_95"] == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("model", ["knn", "random_forest", "extra_trees", "gradient_boosting"])
def test_a_scatter_that_depends_on_the_features_is_found(model):
    rng = np.random.default_rng(4)
    x = np.zeros((3000, 14))
    x[:, :2] = rng.uniform(-1, 1, (3000, 2))
    scatter = np.where(x[:, 1] > 0, 0.2, 0.03)
    z = np.expm1(1 + 0.2 * x[:, 0] + scatter * rng.normal(size=3000))
    held = references.Held(x[1500:], np.arange(500), z[1500:2000])
    pdfs = references.estimate(model, references.Part(x[:1500], z[:1500]), held, 0).take(np.arange(500, 1500))
    wide = scatter[2000:] > 0.1
    for part, ratio in ((wide, 1.35), (~wide, 2.2)):
        scores = pdf_scores.score(pdfs.take(np.flatnonzero(part)).mixture, z[2000:][part])
        assert scores["crps"] < ratio * scatter[2000:][part][0] / np.sqrt(np.pi), (model, scores)  # that of the truth


def test_missing_magnitudes_are_no_obstacle(survey, tmp_path):
    def holes(table):
        table.loc[::7, "dered_u"], table.loc[::11, "psfMagErr_z"] = -9999.0, np.nan
        return table

    again = run(survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path, holes)), tmp_path / "other")
    for model in MODELS[1:]:
        assert rmse(again[model], "test") < 0.8 * rmse(again["mean"], "test"), model
        test = again[model][again[model]["subset"] == "test"]
        assert pdf_scores.score(mixtures_of(test), test["z_spec"].to_numpy())["crps"] < 0.1, model  # the mean's is 0.16


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
