"""The stack of a run: what it is fitted on, and what it writes."""

import numpy as np
import pandas as pd
import pytest

from crossz.core.files import read_json
from crossz.estimates import stacked
from crossz.estimates.estimates import Pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of, write_predictions

COUNT = 400


def said(y, error, rng):
    mean = (y + rng.normal(0, error, len(y)))[:, None]
    return Pdf(Mixture(np.ones_like(mean), mean, np.full_like(mean, error)))


@pytest.fixture
def run(tmp_path):
    """Predictions of a network, and PDFs of trees of all objects but the last, of two splits."""
    rng, y = np.random.default_rng(0), np.linspace(0.5, 1.5, COUNT)
    networks, trees = [], []
    for split in (0, 1):
        rows = pd.DataFrame({"objID": np.arange(COUNT), "z": np.expm1(y)})
        rows["subset"] = np.where((rows["objID"] + split) % 2, "val", "test")
        networks.append(tmp_path / f"quasars/phot/{split}/phot.parquet")
        networks[-1].parent.mkdir(parents=True)
        write_predictions(networks[-1], rows, said(y, 0.1, rng))
        trees.append(tmp_path / f"{split}.parquet")
        columns = said(y, 0.1, rng).mixture._asdict().items()
        pd.DataFrame({"objID": rows["objID"]} | {f"{name}_0": array[:, 0] for name, array in columns})[:-1].sample(
            frac=1, random_state=0
        ).to_parquet(trees[-1])
    return networks, trees


def write(run, folder):
    predictions = [folder / f"quasars/stacked/{split}/phot.parquet" for split in (0, 1)]
    for path in predictions:
        path.parent.mkdir(parents=True)
    stacked.write_stack(networks=run[0], trees=run[1], predictions=predictions, stack=folder / "stack.json")
    return [pd.read_parquet(path) for path in predictions], read_json(folder / "stack.json")


def test_the_stack_of_two_equals_errs_less_and_is_written_for_the_same_rows(run, tmp_path):
    tables, content = write(run, tmp_path / "out")
    for path, table, fitted in zip(run[0], tables, content["splits"], strict=True):
        network = pd.read_parquet(path)
        pd.testing.assert_frame_equal(table[["objID", "z_spec", "subset"]], network[["objID", "z_spec", "subset"]])
        assert fitted["phot"]["weight"] == pytest.approx(0.5, abs=0.2)
        z = table["z_spec"].to_numpy()
        assert Pdf(mixtures_of(table)).score(z) < 0.9 * Pdf(mixtures_of(network)).score(z)
        last = [name for name in network if name.startswith("mean_")]
        assert table[last].iloc[-1].tolist() == network[last].iloc[-1].tolist()
        assert table["z_median"].iloc[-1] == pytest.approx(network["z_median"].iloc[-1])


def test_labels_of_the_test_part_change_nothing_but_themselves(run, tmp_path):
    before, content = write(run, tmp_path / "one")
    for path in run[0]:
        table = pd.read_parquet(path)
        table.loc[table["subset"] == "test", "z_spec"] = 6.0
        table.to_parquet(path)
    after, other = write(run, tmp_path / "two")
    assert content["splits"] == other["splits"]
    for one, two in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(one.drop(columns="z_spec"), two.drop(columns="z_spec"), check_exact=True)
