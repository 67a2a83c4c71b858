"""The stack of a run and of a bundle: new objects get what its predictions say, and broken trees are refused."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from bundles import exported
from safetensors.torch import load_file, save_file

from crossz.apply.bundle import Bundle, load_bundle, trained_networks
from crossz.apply.bundle_folder import CARD, FACTS, OLDER
from crossz.apply.predict import images_of, predict
from crossz.core.errors import CrosszError
from crossz.estimates import forest
from crossz.estimates.stacked import write_stack
from crossz.models import evaluation, growing
from crossz.scores.ensemble import write_ensemble

PATTERNS = ("phot+img", "phot+img_gen")


@pytest.fixture(scope="module")
def stack(survey, networks, tmp_path_factory):
    """The files of a stack of two splits, and its predictions of the first."""
    folder = tmp_path_factory.mktemp("stack")
    trees, said = ([folder / f"{number}{suffix}" for number in (0, 1)] for suffix in (".safetensors", ".parquet"))
    files = {"catalog": survey.catalog, "index": survey.index}
    growing.write_trees(
        **files, splits=[survey.split] * 2, trees=trees, said=said, magnitudes="dered_model", columns=[], seed=1
    )
    tables = []
    for number, (model, info) in enumerate(zip(*networks, strict=True)):
        (folder / f"toy/crossmodal/{number}").mkdir(parents=True)
        tables += [folder / f"toy/crossmodal/{number}/{name}.parquet" for name in PATTERNS]
        evaluation.evaluate(**survey._asdict(), model=model, info=info, predictions=tables[-2:])
    stacked = [folder / "toy/stacked" / table.parent.name / table.name for table in tables]
    for path in stacked:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_stack(networks=tables, trees=said, predictions=stacked, stack=folder / "stack.json")
    write_ensemble(predictions=stacked, ensemble=folder / "ensemble.json")
    return [*trees, folder / "stack.json", folder / "ensemble.json"], {
        name: pd.read_parquet(stacked[n]) for n, name in enumerate(PATTERNS)
    }


@pytest.fixture(scope="module")
def bundle(networks, stack):
    return trained_networks(*networks, stack=stack[0])


@pytest.fixture(scope="module")
def exported_once(survey, networks, stack, tmp_path_factory):
    return exported(survey, networks, tmp_path_factory.mktemp("made") / "toy-stacked", stack=stack[0])


@pytest.fixture
def whole(exported_once, tmp_path):
    """A bundle with trees, which a test may change."""
    return shutil.copytree(exported_once, tmp_path / "toy-stacked")


def images(table, survey):
    return images_of(table["objID"], survey.index, survey.cutouts)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_new_objects_get_what_was_scored(bundle, stack, targets, survey, pattern):
    scored = stack[1][pattern].set_index("objID")
    first = dataclasses.replace(
        bundle.stack, forests=bundle.stack.forests[:1], pools=bundle.stack.pools[:1], temperature={}
    )
    known = targets[targets["objID"].isin(scored.index)]
    seen = images(known, survey) if pattern == "phot+img" else None
    found = predict(known, Bundle(bundle.splits[:1], stack=first), seen).set_index("objID").loc[scored.index]
    assert found["stacked"].all()
    for name in ("z_phot", "z_median"):
        np.testing.assert_allclose(found[name], scored[name], atol=2e-5)


def test_incomplete_photometry_leaves_the_networks_alone_and_says_so(bundle, networks, targets, survey):
    table = targets.iloc[10:14].copy()
    table.loc[table.index[1], "dered_z"] = np.nan
    table.loc[table.index[2], [name for name in table if name.startswith("dered_")]] = np.nan
    found, alone = (predict(table, one, images(table, survey)) for one in (bundle, trained_networks(*networks)))
    assert found["inputs"].tolist() == ["phot+img", "phot+img", "phot_gen+img", "phot+img"]
    assert found["stacked"].tolist() == [True, False, False, True]
    assert "stacked" not in alone
    for name in ("z_phot", "z_median", "z_low_68", "odds", "p_peak_1"):
        same = np.isclose(found[name], alone[name], rtol=1e-6)
        assert same[[1, 2]].all()
        assert not same[[0, 3]].any() or name == "p_peak_1"
    assert len(predict(table.head(0), bundle)) == 0


def test_a_bundle_holds_the_stack_and_shrugs_at_none(whole, bundle, made, targets):
    read = load_bundle(whole)
    pd.testing.assert_frame_equal(predict(targets, dataclasses.replace(read, domain=None)), predict(targets, bundle))
    assert "stacked" in (whole / CARD).read_text()
    assert load_bundle(made).stack is None


def test_a_bundle_of_the_older_format_is_read(copy, change_facts, targets):
    wanted = predict(targets, load_bundle(copy))
    path = copy / "split-0.safetensors"
    save_file({**load_file(path), "0.extinction.0.weight": torch.zeros(128, 512)}, path)  # a part that only trains
    change_facts(copy, lambda facts: facts.update(format=OLDER[0]))
    assert load_bundle(copy).stack is None
    pd.testing.assert_frame_equal(predict(targets, load_bundle(copy)), wanted)


BROKEN = {
    "no weight": lambda stack: stack["splits"][0]["phot+img"].pop("weight"),
    "a weight beyond 1": lambda stack: stack["splits"][0]["phot+img"].update(weight=1.5),
    "no number": lambda stack: stack["splits"][0]["phot+img"].update(temperature="x"),
    "a temperature of 0": lambda stack: stack["ensemble"]["temperature"].update({"phot+img": 0}),
    "a split too few": lambda stack: stack["splits"].pop(),
    "other inputs": lambda stack: stack["splits"][1].pop("phot+img"),
    "no splits": lambda stack: stack.pop("splits"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_stack_that_cannot_be_is_refused(how, whole, change_facts):
    change_facts(whole, lambda facts: BROKEN[how](facts["stack"]))
    with pytest.raises(CrosszError, match=r"stack: incomplete.*get the bundle again"):
        load_bundle(whole)


def test_trees_that_are_none_or_see_other_features_are_refused(whole, stack, forge):
    trees = forest.loaded(stack[0][0])
    (whole / "trees-0.safetensors").write_bytes(b"\x80\x04}.")  # a pickle
    forge(whole)
    with pytest.raises(CrosszError, match=r"trees-0\.safetensors: not the trees of a bundle"):
        load_bundle(whole)
    more = trees._replace(fill=np.append(trees.fill, 0.0), span=np.vstack([trees.span, [0, 1]]))
    (whole / "trees-0.safetensors").write_bytes(forest.to_bytes(more))
    forge(whole)
    with pytest.raises(CrosszError, match="other features than the networks"):
        load_bundle(whole)
    far = trees._replace(scale=trees.scale * [1, 1e30, 1, 1, 1])
    (whole / "trees-0.safetensors").write_bytes(forest.to_bytes(far))
    forge(whole)
    with pytest.raises(CrosszError, match="redshifts that cannot be"):
        load_bundle(whole)
    (whole / "trees-0.safetensors").unlink()
    with pytest.raises(CrosszError, match=r"trees-0\.safetensors: missing"):
        load_bundle(whole)


def test_what_bundle_json_says_of_no_trees_is_no_file_of_the_bundle(whole, change_facts):
    change_facts(whole, lambda facts: facts.pop("stack"))
    with pytest.raises(CrosszError, match=r"trees-0\.safetensors.*not what bundle\.json names"):
        load_bundle(whole)
    assert "stack" not in json.loads((whole / FACTS).read_text())
