"""A bundle is all that prediction needs; one that is not as it was made is refused, with the reason."""

import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from bundles import exported, scores, trained
from safetensors.torch import load_file, save_file
from toy import CROSSMODAL, rewrite, told

from crossz.apply import bundle_folder
from crossz.apply.bundle import load_bundle, trained_networks
from crossz.apply.predict import predict
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.version import VERSION
from crossz.models import features


def refusal(folder):
    with pytest.raises(CrosszError) as caught:
        load_bundle(folder)
    return str(caught.value)


def test_a_bundle_predicts_what_the_networks_it_was_made_of_predict(networks, copy, targets):
    run, bundle = trained_networks(*networks), load_bundle(copy)
    pd.testing.assert_frame_equal(predict(targets, bundle), predict(targets, run), check_exact=True)
    for (members, info), (others, other_info) in zip(bundle.splits, run.splits, strict=True):
        ours, theirs = info.to_json(), other_info.to_json()
        assert ours == {name: value for name, value in theirs.items() if name != "model_sha256"}
        for net, other in zip(members, others, strict=True):
            assert not net.training
            weights, all_weights = net.state_dict(), other.state_dict()
            assert all(torch.equal(value, all_weights[name]) for name, value in weights.items())
            parts = {name.split(".")[0] for name in all_weights} - {name.split(".")[0] for name in weights}
            assert parts == {"discriminate_phot", "discriminate_img", "extinction"}


def test_weights_of_a_quarter_of_the_size_give_nearly_the_same_redshifts(survey, networks, made, targets, tmp_path):
    small = exported(survey, networks, tmp_path / "small", weights="int8")
    sizes = [(folder / "split-0.safetensors").stat().st_size for folder in (small, made)]
    assert sizes[0] < 0.3 * sizes[1]
    exact, rounded = (predict(targets, load_bundle(folder))["z_phot"] for folder in (made, small))
    assert (rounded != exact).any()
    np.testing.assert_allclose(np.log1p(rounded), np.log1p(exact), atol=5e-3)


def test_a_bundle_says_what_it_is_and_which_columns_it_needs(networks, made):
    bundle = load_bundle(made, torch.device("cpu"))
    assert bundle.columns == [f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS]
    text = repr(bundle)
    for words in ("toy-crossmodal", "2 split(s) of 2 network(s)", "dered_model", "phot_gen+img", "cpu"):
        assert words in text
    assert "of a run" in repr(trained_networks(*networks))
    assert bundle.facts["domain"]["objects"] == 69


@pytest.mark.parametrize("settings", [{"z_patterns": "phot"}, {"z_patterns": "img"}, {"head": "point", "target": "z"}])
def test_networks_of_one_modality_and_of_points_make_bundles_too(survey, tmp_path, settings):
    networks = trained(survey, tmp_path / "models", **settings)
    photometry_only = settings.get("z_patterns") == "phot"
    folder = exported(survey, networks, tmp_path / "bundle", align=None if photometry_only else "fourier")
    assert [networks.info.crossmodal for networks in load_bundle(folder).splits] == [CROSSMODAL | settings] * 2
    card = (folder / bundle_folder.CARD).read_text()
    assert ("sees no image" in card) == photometry_only
    assert ("no PDF" in card) == ("head" in settings)


def test_networks_of_classes_and_of_extra_columns_make_bundles_too(survey, tmp_path):
    def classed(table):
        return told(table).assign(**{"class": np.where(table["z"] < 2.5, "STAR", "QSO")})

    survey = survey._replace(catalog=rewrite(survey.catalog, tmp_path / "classes", classed))
    networks = trained(survey, tmp_path / "models", classes=["STAR", "QSO"], columns=["w1mpro"])
    scored = scores().assign(accuracy=0.9, log_loss=0.3, roc_auc=0.95)
    folder = exported(survey, networks, tmp_path / "bundle", scored=scored)
    targets = pd.read_parquet(survey.catalog).drop(columns=["z", "class"])
    bundle = load_bundle(folder)
    table = predict(targets, bundle)
    pd.testing.assert_frame_equal(table, predict(targets, trained_networks(*networks)), check_exact=True)
    assert set(table["class_phot"]) <= {"STAR", "QSO"}
    assert table[["p_STAR", "p_QSO"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert bundle.columns[-1] == "w1mpro"
    assert "classes STAR, QSO" in repr(bundle)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_disguise_is_refused_and_never_run(copy, tmp_path, forge):
    pickled = io.BytesIO()
    pickle.dump(Payload(tmp_path / "run"), pickled)
    (copy / "split-1.safetensors").write_bytes(pickled.getvalue())
    assert "split-1.safetensors: not the bytes" in refusal(copy)
    forge(copy)
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
    [
        (fewer, "has the shape None instead of"),
        (more, "2.redshift.0.weight has the shape"),
        (narrower, "0.redshift.0.weight has the shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(copy, change, words, forge):
    path = copy / "split-0.safetensors"
    save_file(change(load_file(path)), path)
    forge(copy)
    message = refusal(copy)
    assert message.startswith(f"{path}: ")
    assert words in message


@pytest.mark.parametrize("name", ["crossmodal", "magnitudes", "probe"])
def test_a_description_that_lacks_something_is_refused(copy, name, change_facts):
    change_facts(copy, lambda facts: facts.pop(name))
    message = refusal(copy)
    assert "bundle.json: incomplete (" in message
    assert name in message


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(crossmodal="small"),
        lambda facts: facts["crossmodal"].update(backbone="none such"),
        lambda facts: facts.update(splits=[3]),
        lambda facts: facts["splits"][0].update(scalers=None),
        lambda facts: facts["splits"][0].update(members=[]),
        lambda facts: facts.update(probe=[]),
        lambda facts: facts.update(probe=[{}, {}]),
        lambda facts: facts.update(magnitudes="other"),
    ],
)
def test_a_description_of_other_types_is_refused_with_one_line(copy, change, change_facts):
    change_facts(copy, change)
    assert "\n" not in refusal(copy)


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
def test_settings_that_change_the_answers_of_the_networks_are_detected(copy, change, change_facts):
    change_facts(copy, change)
    message = refusal(copy)
    assert "answer otherwise than when they were exported" in message
    assert f"crossz {VERSION} and torch 2.11.0 made the bundle" in message


def test_a_bundle_that_does_not_say_how_it_was_made_is_refused_all_the_same(copy, change_facts):
    def change(facts):
        del facts["made"]
        facts["splits"][0]["scalers"]["z"]["centre"] = 0.9

    change_facts(copy, change)
    assert "answer otherwise" in refusal(copy)


def test_code_that_has_changed_is_detected(copy, monkeypatch):
    tokens = features.tokens
    monkeypatch.setattr(features, "tokens", lambda *given: (tokens(*given)[0][:, :, [1, 0, 2]], tokens(*given)[1]))
    assert "answer otherwise" in refusal(copy)
