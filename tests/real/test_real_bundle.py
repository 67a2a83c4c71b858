"""Real quasars that no network has seen, predicted by the command from a bundle that was trained on the others."""

import numpy as np
import pandas as pd
import pytest
import toy
import yaml
from bundles import exported
from helpers import ROOT

from crossz.apply import cli
from crossz.apply.bundle_folder import check
from crossz.catalog import splits
from crossz.catalog.columns import conform
from crossz.catalog.lists import read_table
from crossz.catalog.objects import dedupe, groups
from crossz.estimates.pdf import Mixture
from crossz.images import mat
from crossz.images.index import write_index
from crossz.models import training
from crossz.scores import pdf_scores
from crossz.scores.metrics import score

EPOCHS = 8  # half of the default


@pytest.fixture(scope="module")
def rows(sdss):
    """The authors' 1,264 objects, each with its group."""
    source = sdss / "cutouts/catalog.csv"
    table, _ = dedupe(conform(read_table(source, {}), str(source)).to_pandas())
    nobody = np.full(len(table), -1)
    places = (table[name].to_numpy() for name in ("ra", "dec"))
    return table.assign(group=groups(*places, nobody, table["objID"].to_numpy(), 1.0))


def images(sdss, folder, table):
    """The index of the cutouts of the objects of `table`, and the cutout files."""
    folder.mkdir()
    table.assign(rerun=301, run=1, camcol=1, field=1).to_parquet(folder / "plan.parquet")
    plan, cutouts = folder / "plan.parquet", folder / "cutouts.arrow"
    mat.write_mat_cutouts(plan=plan, folder=sdss / "cutouts/mat", cutouts=cutouts, counts=folder / "counts.json")
    written = {"index": folder / "index.parquet", "counts": folder / "index.json", "missing": folder / "missing.csv"}
    write_index(cutouts=[cutouts], plan=[plan], **written)
    return written["index"], [cutouts]


@pytest.fixture(scope="module")
def held(sdss, rows, tmp_path_factory):
    """(bundle, held.csv without redshifts, cutouts of the held) after a training on four fifths of the groups."""
    where = tmp_path_factory.mktemp("real")
    names = np.unique(rows["group"])
    chosen = np.random.default_rng(7).permutation(names)[: len(names) // 5]
    known = rows[~rows["group"].isin(chosen)].reset_index(drop=True)
    known.to_parquet(where / "catalog.parquet", index=False)
    splits.write_splits(
        catalog=where / "catalog.parquet", splits=[where / "0.parquet"], fractions=[0.6, 0.2, 0.2], seed=2023
    )
    index, cutouts = images(sdss, where / "known", known)
    survey = toy.Survey(where / "catalog.parquet", where / "0.parquet", index, cutouts)
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    arguments = toy.arguments(
        survey,
        where / "model",
        crossmodal=config["crossmodal"],
        training=config["train"] | {"epochs": EPOCHS},
        photometry={"magnitudes": "psf", "features": "fluxes", "columns": []},
        seed=2023,
    )
    training.train(**arguments)

    folder = exported(survey, ([arguments["model"]] * 2, [arguments["info"]] * 2), where / "quasars")
    targets = rows[rows["group"].isin(chosen)].reset_index(drop=True)
    targets.drop(columns=["z", "zErr"]).to_csv(where / "held.csv", index=False)
    return folder, where / "held.csv", images(sdss, where / "held", targets)[1][0], targets["z"].to_numpy()


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
