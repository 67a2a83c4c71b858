"""The trees of the stack: those of scikit-learn as arrays, and what is known of their files."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import toy
from sklearn.ensemble import ExtraTreesRegressor

from crossz.core.errors import CrosszError
from crossz.estimates import forest, pdf
from crossz.models import growing


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    x = rng.normal(19, 1, (1500, 19))
    return x, 0.8 + 0.2 * np.tanh(x[:, 0] - x[:, 1]) + rng.normal(0, 0.02, 1500)


def test_the_arrays_say_what_the_trees_of_scikit_learn_say(sample, monkeypatch):
    x, y = sample
    grown = []
    fit = ExtraTreesRegressor.fit
    monkeypatch.setattr(ExtraTreesRegressor, "fit", lambda self, *a: (grown.append(self), fit(self, *a))[1])
    found = growing.grow(x[:1000], y[:1000], 3)
    new = x[1000:]
    wanted = grown[0].predict(forest.codes(found, new))
    np.testing.assert_allclose(pdf.mean(forest.leaves(found, new)), wanted, atol=2e-5)
    assert len(found.size) == growing.trees_of(1000)


def test_small_samples_get_more_trees_and_no_file_is_larger_than_those_of_many_objects():
    numbers = [growing.trees_of(objects) for objects in (0, 758, 2880, 5760, 12_000, 37_329, 10**7)]
    assert numbers == [100, 100, 100, 50, 24, 24, 24]
    leaves = [min(objects // 3, 4000) * growing.trees_of(objects) for objects in range(1, 50_000, 100)]
    assert max(leaves) <= 24 * 4000


def test_trees_and_their_calibration_are_good_for_new_objects(sample, tmp_path):
    x, y = sample
    raw = growing.grow(x[:900], y[:900], 3)
    found = growing.calibrated(raw, x[900:1200], y[900:1200])
    (tmp_path / "trees").write_bytes(forest.to_bytes(found))
    pdfs = forest.pdfs(forest.loaded(tmp_path / "trees"), x[1200:])
    assert np.std(pdf.mean(pdfs) - y[1200:]) < 0.5 * np.std(y[1200:])
    assert pdf.crps(pdfs, y[1200:]).mean() < 0.98 * pdf.crps(forest.pdfs(raw, x[1200:]), y[1200:]).mean()


def test_the_leaves_of_a_tree_are_bounded(sample, monkeypatch):
    monkeypatch.setattr(growing, "_MOST_LEAVES", 50)
    found = growing.grow(*sample, 0)
    assert found.size.max() < 2 * 50
    assert growing.calibrated(found, sample[0][:0], sample[1][:0]) is found


def test_a_column_without_values_and_gaps_in_one_are_filled(sample):
    x, y = sample
    x = np.concatenate([x, np.full((len(x), 1), np.nan), np.where(np.arange(len(x)) % 2, np.nan, 7.0)[:, None]], axis=1)
    found = growing.grow(x, y, 0)
    np.testing.assert_array_equal(found.fill[-2:], [0, 7])
    assert np.isfinite(pdf.mean(forest.leaves(found, x))).all()


def write(survey, folder, catalog=None):
    arguments = {"trees": [folder / "0.safetensors"], "said": [folder / "0.parquet"]}
    growing.write_trees(
        catalog=survey.catalog if catalog is None else catalog,
        splits=[survey.split],
        index=survey.index,
        magnitudes="dered_model",
        seed=1,
        **arguments,
    )
    return arguments["trees"][0], pd.read_parquet(arguments["said"][0])


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("survey"))


def test_rows_of_validation_and_test_have_pdfs_and_no_label_of_the_test_part_is_seen(survey, tmp_path):
    subset = pd.read_parquet(survey.split).set_index("objID")["subset"]
    first, said = write(survey, tmp_path)
    assert set(subset[said["objID"]]) == {"val", "test"}
    rows = pd.read_parquet(survey.catalog)
    rows.loc[(subset[rows["objID"]] == "test").to_numpy(), "z"] = 9.9
    rows.to_parquet(tmp_path / "other.parquet")
    (tmp_path / "again").mkdir()
    again, same = write(survey, tmp_path / "again", tmp_path / "other.parquet")
    assert first.read_bytes() == again.read_bytes()
    pd.testing.assert_frame_equal(said, same, check_exact=True)


def test_an_object_without_a_band_has_no_pdf_and_without_complete_objects_there_are_no_trees(survey, tmp_path):
    rows, subset = pd.read_parquet(survey.catalog), pd.read_parquet(survey.split).set_index("objID")["subset"]
    out = rows.index[(subset[rows["objID"]] == "test").to_numpy()][0]
    rows.loc[out, "dered_g"] = np.nan
    rows.to_parquet(tmp_path / "gap.parquet")
    _, said = write(survey, tmp_path, tmp_path / "gap.parquet")
    assert rows.loc[out, "objID"] not in set(said["objID"])
    assert pq.read_schema(tmp_path / "0.parquet").names[0] == "objID"
    rows.loc[5:, "dered_u"] = np.nan
    rows.to_parquet(tmp_path / "none.parquet")
    with pytest.raises(CrosszError, match="too few for the trees of the stack; set stack: false"):
        write(survey, tmp_path, tmp_path / "none.parquet")
