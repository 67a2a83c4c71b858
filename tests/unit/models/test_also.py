"""Rows beside the dataset's own train the losses that they can, and no validation or test object."""

import numpy as np
import pandas as pd
import pytest
import torch
import toy

from crossz.core.errors import CrosszError
from crossz.core.names import PATTERNS
from crossz.images.store import ImageStore
from crossz.models import training
from crossz.models.also import load_also, trained_patterns
from crossz.models.inference import load_networks
from crossz.models.info import ModelInfo
from crossz.models.rows import load_rows
from crossz.models.start import begin_from


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    made = toy.write(tmp_path_factory.mktemp("toy"), 150)
    return made._replace(
        catalog=toy.rewrite(made.catalog, made.catalog.parent / "grouped", lambda t: t.assign(group=t["objID"]))
    )


@pytest.fixture(scope="module")
def plain(survey, tmp_path_factory):
    """The folder of a training without other rows."""
    folder = tmp_path_factory.mktemp("plain")
    training.train(**arguments(survey, folder))
    return folder


def arguments(survey, folder, **changes):
    return toy.arguments(survey, folder, training=toy.TRAIN | {"epochs": 2}, **changes)


def beside(survey, folder, **columns):
    """Forty more quasars of the same sky, numbered below 0, with some columns changed."""
    folder.mkdir(exist_ok=True)
    table = toy.catalog(40, seed=5).assign(group=-1, objID=-1 - np.arange(40)).assign(**columns)
    table.sort_values("objID", ignore_index=True).to_parquet(folder / "also.parquet", index=False)
    return [folder / "also.parquet"]


def kinds(survey, plain, paths):
    store = ImageStore(survey.index, survey.cutouts)
    rows = load_rows(survey.catalog, survey.split, store)
    return load_also(paths, rows, store, ModelInfo.read(plain / "model.json"), torch.device("cpu"))


def test_rows_without_an_image_train_the_photometric_side_alone(survey, plain, tmp_path):
    (kind,) = kinds(survey, plain, beside(survey, tmp_path))
    assert (kind.phot, kind.img, kind.patterns, len(kind.part.truth)) == (True, False, ("phot+img_gen",), 40)
    assert kinds(survey, plain, beside(survey, tmp_path, z=np.nan)) == ()


def test_each_row_trains_what_it_has(survey, plain, tmp_path):
    catalog = pd.read_parquet(survey.catalog)
    split = pd.read_parquet(survey.split)
    ids = split.loc[split["subset"] == "train", "objID"].to_numpy()[3:43]  # of objects with images
    nothing = {f"{kind}_{band}": np.nan for kind in ("dered", "psfMag") for band in "ugriz"}
    found = []
    for changes in ({}, {"z": np.nan}, nothing, nothing | {"z": np.nan}):
        (kind,) = kinds(survey, plain, beside(survey, tmp_path, objID=ids, group=ids, **changes))
        found.append((kind.phot, kind.img, kind.patterns))
    assert found == [
        (True, True, PATTERNS), (True, True, ()), (False, True, ("phot_gen+img",)), (False, True, ()),
    ]  # fmt: skip
    held = split.loc[split["subset"] != "train", "objID"].to_numpy()[:40]
    assert kinds(survey, plain, beside(survey, tmp_path, group=held)) == ()
    assert len(catalog)


def test_networks_of_one_modality_take_rows_that_have_it(plain):
    info = ModelInfo.read(plain / "model.json")
    alone = info.with_fields(crossmodal=info.crossmodal | {"z_patterns": "phot"})
    assert trained_patterns(alone, True, False) == ("phot",)
    assert trained_patterns(alone, False, True) == ()
    real = info.with_fields(crossmodal=info.crossmodal | {"z_patterns": "real"})
    assert trained_patterns(real, True, False) == ()
    assert trained_patterns(real, True, True) == ("phot+img",)


def weights(folder):
    return load_networks(folder / "model.pt", folder / "model.json", torch.device("cpu")).members[0].state_dict()


def test_a_training_uses_them_and_not_the_redshifts_of_held_objects(survey, plain, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    split = pd.read_parquet(survey.split)
    held = np.resize(split.loc[split["subset"] != "train", "objID"].to_numpy(), 20)
    for name, z in (("a", 2.0), ("b", 3.0)):
        group = np.append(held, np.full(20, -1))
        known = toy.catalog(40, seed=5)["z"].to_numpy()
        paths = beside(survey, tmp_path / name, group=group, z=np.where(group > 0, z, known))
        training.train(**arguments(survey, tmp_path / name, also=paths))
    ours, theirs, without = (weights(folder) for folder in (tmp_path / "a", tmp_path / "b", plain))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(ours["encode_phot.fusion.0.weight"], without["encode_phot.fusion.0.weight"])
    assert ModelInfo.read(tmp_path / "a/model.json").n["also"] == 20


def test_a_training_starts_from_other_weights_where_the_shapes_agree(survey, plain, tmp_path, messages):
    settings = {"start": [tmp_path / "start.pt"], "crossmodal": toy.CROSSMODAL | {"components": 2}}
    kept = weights(plain)
    torch.save([{name: value for name, value in kept.items() if "discriminate" not in name}], tmp_path / "start.pt")
    still = toy.TRAIN | {"epochs": 1, "learning_rate": 0.0}
    training.train(**arguments(survey, tmp_path, **settings) | {"training": still})
    found = weights(tmp_path)
    same = {name for name, value in found.items() if kept[name].shape == value.shape and torch.equal(kept[name], value)}
    assert {"encode_phot.fusion.0.weight", "encode_img.cnn.apertures", "redshift.0.weight"} <= same
    assert "random: discriminate_img, discriminate_phot, redshift" in messages.text
    begin_from(torch.nn.Linear(2, 2), {"weight": torch.zeros(3, 3), "bias": torch.zeros(2)})
    assert "1 of 2 arrays are set; random: weight" in messages.text
    with pytest.raises(CrosszError, match=r"train\.start: none of its arrays fits"):
        begin_from(torch.nn.Linear(2, 2), {"weight": torch.zeros(3, 3)})
