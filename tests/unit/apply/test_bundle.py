"""A bundle is all that prediction needs, and whatever is not as it was made is refused, with the reason."""

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy
from bundles import exported, scores, trained
from safetensors.torch import load_file, save_file
from toy import CROSSMODAL

from crossz.apply import bundle, html_page, predict
from crossz.core.errors import CrosszError
from crossz.core.files import sha256, write_json
from crossz.core.names import BANDS
from crossz.models import features, inference
from crossz.models.device import choose_device


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"), 120)


@pytest.fixture(scope="module")
def networks(survey, tmp_path_factory):
    return trained(survey, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def whole(survey, networks, tmp_path_factory):
    return exported(survey, networks, tmp_path_factory.mktemp("made") / "toy-crossmodal")


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "elsewhere" / "renamed"))


def forged(folder):
    """The folder with sums that fit what it holds now."""
    names = sorted(path.name for path in folder.iterdir() if path.name != bundle.SUMS)
    (folder / bundle.SUMS).write_text("".join(f"{sha256(folder / name)}  {name}\n" for name in names))


def changed(folder, change):
    """The folder with `change` done to its bundle.json, and sums that fit."""
    facts = json.loads((folder / bundle.FACTS).read_text())
    change(facts)
    (folder / bundle.FACTS).write_text(json.dumps(facts))
    forged(folder)


def refusal(folder):
    with pytest.raises(CrosszError) as caught:
        bundle.load(folder)
    return str(caught.value)


def test_a_bundle_predicts_what_the_networks_it_was_made_of_predict(survey, networks, copy):
    targets = pd.read_parquet(survey.catalog).drop(columns="z")
    models = [inference.load_networks(*paths, choose_device()) for paths in zip(*networks, strict=True)]
    loaded = bundle.load(copy)
    pd.testing.assert_frame_equal(
        predict.redshifts(targets, loaded), predict.redshifts(targets, models), check_exact=True
    )
    for (nets, info), (theirs, told) in zip(loaded, models, strict=True):
        assert info.items() >= {name: value for name, value in told.items() if name != "model_sha256"}.items()
        for net, other in zip(nets, theirs, strict=True):
            assert not net.training
            assert all(
                (a == b).all() for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
            )


@pytest.mark.parametrize("settings", [{"z_patterns": "phot"}, {"z_patterns": "img"}, {"head": "point", "target": "z"}])
def test_networks_of_one_modality_and_of_points_make_bundles_too(survey, tmp_path, settings):
    networks = trained(survey, tmp_path / "models", **settings)
    alone = settings.get("z_patterns") == "phot"
    folder = exported(survey, networks, tmp_path / "bundle", align=None if alone else "fourier")
    assert [info["crossmodal"] for _, info in bundle.load(folder)] == [CROSSMODAL | settings] * 2
    card = (folder / bundle.CARD).read_text()
    assert ("sees no image" in card) == alone
    assert ("no PDF" in card) == ("head" in settings)


def test_networks_of_classes_and_of_extra_columns_make_bundles_too(survey, tmp_path):
    def classed(table):
        return toy.told(table).assign(**{"class": np.where(table["z"] < 2.5, "STAR", "QSO")})

    survey = survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path / "classes", classed))
    networks = trained(survey, tmp_path / "models", {"classes": ["STAR", "QSO"], "columns": ["w1mpro"]})
    of_classes = scores().assign(accuracy=0.9, log_loss=0.3, roc_auc=0.95).drop(columns=["rmse", "crps"])
    folder = exported(survey, networks, tmp_path / "bundle", scored=of_classes)
    targets = pd.read_parquet(survey.catalog).drop(columns=["z", "class"])
    models = [inference.load_networks(*paths, choose_device()) for paths in zip(*networks, strict=True)]
    found = predict.redshifts(targets, bundle.load(folder))
    pd.testing.assert_frame_equal(found, predict.redshifts(targets, models), check_exact=True)
    assert set(found["class_phot"]) <= {"STAR", "QSO"}
    card = (folder / bundle.CARD).read_text()
    assert "Classes (STAR, QSO)" in card
    assert "`w1mpro`" in card
    assert "0.9000" in card
    assert "class_phot" in html_page.page(found.assign(ra=10.0, dec=0.0), "mine")


def test_equal_networks_give_equal_bytes_and_one_file_holds_them_all(survey, networks, whole, tmp_path):
    again = exported(survey, networks, tmp_path / "toy-crossmodal")
    assert bundle.fingerprint(again) == bundle.fingerprint(whole)
    (again / ".DS_Store").write_text("left by a system")
    for folder, name in ((whole, "a.zip"), (again, "b.zip")):
        bundle.pack(folder, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}
        archive.extractall(tmp_path / "unpacked")
    assert bundle.fingerprint(tmp_path / "unpacked/toy-crossmodal") == bundle.fingerprint(whole)
    bundle.load(tmp_path / "unpacked/toy-crossmodal")


def test_one_flipped_byte_in_any_file_is_refused(copy):
    rng = np.random.default_rng(1)
    for path in sorted(copy.iterdir(), key=lambda path: path.name == bundle.SUMS):
        content = path.read_bytes()
        for place in (0, len(content) - 1, *rng.integers(len(content), size=10)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            with pytest.raises(CrosszError, match=path.name if path.name != bundle.SUMS else str(copy)):
                bundle.check(copy)
        path.write_bytes(content)
    bundle.check(copy)
    (copy / bundle.SUMS).write_bytes(content + b"and a line\n")
    with pytest.raises(CrosszError, match="SHA256SUMS: damaged"):
        bundle.check(copy)


def test_files_that_are_cut_gone_or_strange_are_named_all_at_once(copy):
    weights = copy / "split-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (copy / bundle.CARD).unlink()
    (copy / "model.pt").write_text("a stranger")
    said = refusal(copy)
    assert "3 problem(s)" in said
    assert "card.md: missing" in said
    assert "model.pt: does not belong to the bundle" in said
    assert "split-0.safetensors: not the bytes" in said
    assert "get the bundle again" in said


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_disguise_is_refused_and_never_run(copy, tmp_path):
    pickled = io.BytesIO()
    pickle.dump(Payload(tmp_path / "run"), pickled)
    (copy / "split-1.safetensors").write_bytes(pickled.getvalue())
    assert "split-1.safetensors: not the bytes" in refusal(copy)
    forged(copy)
    assert "split-1.safetensors: not weights of the network" in refusal(copy)
    assert not (tmp_path / "run").exists()
    pickle.loads(pickled.getvalue())
    assert (tmp_path / "run").exists()  # it would have run


def fewer(weights):
    return {name: value for name, value in weights.items() if not name.startswith("1.")}


def more(weights):
    return weights | {"2.redshift.0.weight": weights["0.redshift.0.weight"].clone()}


def narrower(weights):
    return weights | {"0.redshift.0.weight": weights["0.redshift.0.weight"][:, :-1].contiguous()}


@pytest.mark.parametrize(
    ("change", "words"),
    [(fewer, "Missing key"), (more, "more networks"), (narrower, "size mismatch for redshift.0.weight")],
)
def test_weights_that_do_not_fit_are_refused(copy, change, words):
    path = copy / "split-0.safetensors"
    save_file(change(load_file(path)), path)
    forged(copy)
    said = refusal(copy)
    assert said.startswith(f"{path}: ")
    assert words in said


def test_a_cut_configuration_is_refused_even_with_sums_that_fit(copy):
    text = (copy / bundle.FACTS).read_text()
    for stop in (0, 1, 50, len(text) // 2, len(text) - 3):
        (copy / bundle.FACTS).write_text(text[:stop])
        forged(copy)
        assert "bundle.json: not a crossz bundle's, or cut" in refusal(copy)
    (copy / bundle.FACTS).write_text("[1, 2]")
    forged(copy)
    assert "bundle.json: not a crossz bundle's" in refusal(copy)


def test_another_format_is_named_with_what_reads_it(copy):
    changed(copy, lambda facts: facts.update(format=2))
    assert "format 2; crossz 0.1.0 reads format 1" in refusal(copy)
    changed(copy, lambda facts: facts.pop("splits"))  # a format of the future need not have what ours has
    assert "format 2;" in refusal(copy)


@pytest.mark.parametrize("name", ["crossmodal", "magnitudes", "probe"])
def test_a_configuration_that_lacks_something_is_refused(copy, name):
    changed(copy, lambda facts: facts.pop(name))
    assert f"incomplete (KeyError('{name}'))" in refusal(copy)


def test_weights_are_taken_from_the_bundle_alone(copy):
    outside = copy.parent / "other.safetensors"
    (copy / "split-0.safetensors").rename(outside)
    changed(copy, lambda facts: facts["splits"][0].update(weights="../other.safetensors"))
    assert "../other.safetensors: not what bundle.json names" in refusal(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["splits"][0]["scalers"]["z"].update(centre=0.9),
        lambda facts: facts["splits"][1]["scalers"]["x_colour"]["width"].__setitem__(0, 0.1),
        lambda facts: facts["splits"][1]["temperature"].update({"phot+img_gen": 3.3}),
        lambda facts: facts["splits"][0]["scalers"].update(sky_noise=[9.0] * 5),
        lambda facts: facts["crossmodal"].update(attention="softmax"),
    ],
)
def test_settings_that_change_what_the_networks_say_are_found_out(copy, change):
    changed(copy, change)
    said = refusal(copy)
    assert "answer otherwise than when they were exported" in said
    assert "crossz 0.1.0 and torch 2.11.0 made the bundle" in said


def test_code_that_has_changed_is_found_out(copy, monkeypatch):
    tokens = features.tokens
    monkeypatch.setattr(features, "tokens", lambda phot: (tokens(phot)[0][:, :, [1, 0, 2]], tokens(phot)[1]))
    assert "answer otherwise" in refusal(copy)


def test_what_is_no_bundle_is_told_apart(copy, tmp_path):
    assert "no such bundle" in refusal(tmp_path / "nothing")
    assert "unpack it first" in refusal(copy / bundle.CARD)
    assert "not a crossz bundle: it has no SHA256SUMS" in refusal(tmp_path)


def test_a_bundle_appears_whole_replaces_an_older_one_and_nothing_else(tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    bundle.write(folder, {"a": b"1", "b": b"2"})
    monkeypatch.setattr(bundle.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        bundle.write(folder, {"a": b"3"})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert (folder / "a").read_bytes() == b"1"
    bundle.write(folder, {"a": b"3"})
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "a"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter1").write_text("years")
    with pytest.raises(CrosszError, match="something else than a bundle"):
        bundle.write(tmp_path / "thesis", {"a": b"1"})
    assert (tmp_path / "thesis/chapter1").read_text() == "years"


def test_splits_of_other_settings_are_not_bundled(survey, networks, tmp_path):
    models, infos = networks
    info = json.loads(infos[1].read_text())
    write_json(tmp_path / "other.json", info | {"magnitudes": "psf"})
    with pytest.raises(CrosszError, match=r"other.json: magnitudes differ"):
        exported(survey, (models, [infos[0], tmp_path / "other.json"]), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_card_tells_scores_calibration_domain_and_no_path_of_the_maker(survey, networks, tmp_path):
    query = tmp_path / "toy.sql"
    query.write_text("select z from SpecObjAll\n")
    folder = exported(survey, networks, tmp_path / "toy-crossmodal", query)
    card = (folder / bundle.CARD).read_text()
    facts = bundle.check(folder)
    assert "| crossmodal | phot+img | 0.1100 ± 0.0141 |" in card
    assert "| knn | phot | 0.3100 ± 0.0141 |" in card
    assert "0.78" not in card  # a model that was not asked for
    assert "0.6700 ± 0.0141" in card
    assert (
        f"| phot+img | {' | '.join(format(split['temperature']['phot+img'], '.3f') for split in facts['splits'])} |"
        in card
    )
    assert "select z from SpecObjAll" in card
    assert "crossz predict toy-crossmodal" in card
    assert "BSD 3-clause" in card
    assert "synthetic sky" not in card
    for name in (bundle.CARD, bundle.FACTS):
        assert "/home/me" not in (folder / name).read_text()
        assert str(tmp_path) not in (folder / name).read_text()


def test_the_training_domain_is_that_of_the_training_objects_with_an_image(survey, whole):
    domain = bundle.check(whole)["domain"]
    catalog, split = pd.read_parquet(survey.catalog), pd.read_parquet(survey.split)
    rows = catalog.merge(split[split["subset"] == "train"], on="objID")[3:]  # the first three have no image
    assert domain["objects"] == len(rows)
    assert domain["quantiles"] == [0, 0.01, 0.5, 0.99, 1]
    assert domain["features"]["z"] == np.quantile(rows["z"], domain["quantiles"]).round(4).tolist()
    g_r = rows["dered_g"] - rows["dered_r"]
    assert domain["features"]["g-r"] == pytest.approx(np.quantile(g_r, domain["quantiles"]), abs=1e-4)
    assert domain["missing"] == dict.fromkeys(BANDS, 0.0)


def test_the_training_domain_tells_extra_columns_and_leaves_missing_values_aside(survey, tmp_path):
    def change(table):
        values = np.where(table.index % 2, -9999.0, table.index)
        return table.assign(w1mpro=values, w2mpro=np.nan, dered_u=table["dered_u"].where(table.index < 60))

    catalog = toy.rewrite(survey.catalog, tmp_path, change)
    found = bundle.domain(catalog, [survey.split], survey.index, "dered_model", 1.0, ["w1mpro", "w2mpro"])
    number = np.arange(3, 120)
    train = number[(number % 5 < 3) & (number % 2 == 0)]
    assert found["features"]["w1mpro"] == np.quantile(train, found["quantiles"]).round(4).tolist()
    assert found["features"]["w2mpro"] is None
    assert found["missing"]["u"] == round(36 / 69, 4)
    half = bundle.domain(catalog, [survey.split], survey.index, "dered_model", 0.5)
    assert half["objects"] == round(found["objects"] / 2)
