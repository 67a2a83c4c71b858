"""What a training on real quasars learns from: not from redshifts of test objects, and from images only if they are theirs."""

import numpy as np
import pandas as pd
import pytest
import real_cutouts
import toy

from crossz.core.files import sha256
from crossz.models import evaluation, growing, training
from crossz.scores.metrics import score

EPOCHS = 8  # half of the default
PATTERN = "phot_gen+img"  # photometry is generated from the image


@pytest.fixture(scope="module")
def survey(sdss, tmp_path_factory):
    return real_cutouts.survey(sdss, tmp_path_factory.mktemp("learned") / "true", real_cutouts.objects(sdss))


def trained(survey, folder, epochs):
    """What `real_cutouts.arguments` names, of a network that was trained."""
    folder.mkdir(exist_ok=True)
    arguments = real_cutouts.arguments(survey, folder, epochs)
    training.train(**arguments)
    return arguments


def test_redshifts_of_test_objects_change_no_byte(survey, tmp_path):
    split, rows = pd.read_parquet(survey.split), pd.read_parquet(survey.catalog)
    test = rows["objID"].isin(split.loc[split["subset"] == "test", "objID"])
    permuted = rows.copy()
    permuted.loc[test, "z"] = np.random.default_rng(0).permutation(rows.loc[test, "z"])
    permuted.to_parquet(tmp_path / "permuted.parquet", index=False)
    assert (permuted["z"] != rows["z"]).sum() > 200
    made = []
    for name, catalog in (("true", survey.catalog), ("permuted", tmp_path / "permuted.parquet")):
        of_network = trained(survey._replace(catalog=catalog), tmp_path / name, epochs=2)
        trees = tmp_path / name / "trees.safetensors"
        growing.write_trees(
            catalog=catalog, splits=[survey.split], index=survey.index, trees=[trees],
            said=[tmp_path / name / "trees.parquet"], magnitudes="psf", columns=[], seed=2023,
        )  # fmt: skip
        made.append([sha256(path) for path in (*(of_network[name] for name in ("model", "info", "history")), trees)])
    assert made[0] == made[1]


def test_nothing_is_left_of_images_of_other_objects(survey, sdss, tmp_path):
    rows = pd.read_parquet(survey.catalog)
    others = rows.assign(specObjID=np.random.default_rng(5).permutation(rows["specObjID"]))
    index, cutouts = real_cutouts.images(sdss, tmp_path / "images", others)
    scores = []
    for name, given in (("own", survey), ("others", survey._replace(index=index, cutouts=cutouts))):
        arguments = trained(given, tmp_path / name, EPOCHS)
        table = toy.predictions(tmp_path / name, [PATTERN])[PATTERN]
        networks = {part: arguments[part] for part in ("model", "info")}
        evaluation.evaluate(**given._asdict(), **networks, predictions=[table])
        test = pd.read_parquet(table).query("subset == 'test'")
        z = test["z_spec"].to_numpy()
        nothing = score(z, np.full(len(z), np.expm1(np.log1p(z).mean())))["rmse"]
        scores.append(score(z, test["z_phot"].to_numpy())["rmse"] / nothing)
    assert scores[0] < 0.6
    assert scores[1] > 0.95
