"""Real quasars that no network has seen, predicted by the command from a bundle that was trained on the others."""

import numpy as np
import pandas as pd
import pytest
import real_cutouts
from bundles import exported

from crossz.apply import cli
from crossz.apply.bundle_folder import check
from crossz.estimates.pdf import Mixture
from crossz.models import training
from crossz.scores import pdf_scores
from crossz.scores.metrics import score

EPOCHS = 8  # half of the default


@pytest.fixture(scope="module")
def held(sdss, tmp_path_factory):
    """(bundle, held.csv without redshifts, cutouts of the held) after a training on four fifths of the groups."""
    where, rows = tmp_path_factory.mktemp("real"), real_cutouts.objects(sdss)
    names = np.unique(rows["group"])
    chosen = np.random.default_rng(7).permutation(names)[: len(names) // 5]
    survey = real_cutouts.survey(sdss, where / "known", rows[~rows["group"].isin(chosen)].reset_index(drop=True))
    arguments = real_cutouts.arguments(survey, where / "model", EPOCHS)
    training.train(**arguments)

    folder = exported(survey, ([arguments["model"]] * 2, [arguments["info"]] * 2), where / "quasars")
    targets = rows[rows["group"].isin(chosen)].reset_index(drop=True)
    targets.drop(columns=["z", "zErr"]).to_csv(where / "held.csv", index=False)
    return folder, where / "held.csv", real_cutouts.images(sdss, where / "held", targets)[1][0], targets["z"].to_numpy()


def test_quasars_that_were_held_back_get_their_redshifts(held, tmp_path):
    folder, targets, cutouts, z = held
    for more, inputs in ([], "phot+img_gen"), (["--cutouts", str(cutouts)], "phot+img"):
        cli.main(["predict", str(folder), str(targets), str(tmp_path / "out.parquet"), *more])
        table = pd.read_parquet(tmp_path / "out.parquet")
        assert set(table["inputs"]) == {inputs}
        mixtures = Mixture(*(np.stack(table[f"pdf_{name}"]) for name in Mixture._fields))
        scores = score(z, table["z_phot"].to_numpy()) | pdf_scores.score(mixtures, z)
        assert scores["rmse"] < 0.55 * score(z, np.full(len(z), np.expm1(np.log1p(z).mean())))["rmse"]
        assert scores["sigma_nmad"] < 0.05
        assert scores["coverage_68"] == pytest.approx(0.68, abs=0.12)
        inside = (table["z_low_68"] < z) & (z < table["z_high_68"])
        assert inside.mean() == pytest.approx(0.68, abs=0.12)
    assert check(folder)["domain"]["features"]["z"][0] > 2.7
