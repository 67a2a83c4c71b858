"""Training: it learns, goes on after a kill to the same bytes, and looks at nothing but its own part of a split."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import toy
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st
from toy import CROSSMODAL, TRAIN

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.names import PATTERNS
from crossz.estimates import pdf
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import mixtures_of
from crossz.images.arrow import read_arrays, write_arrays
from crossz.images.store import ImageStore
from crossz.models import data, evaluation, inference, schedule, training
from crossz.models.checkpoint import Checkpoint
from crossz.models.crossmodal import extinction_loss
from crossz.models.data import augmented, load_part, redshift_of, target_of
from crossz.models.info import ModelInfo
from crossz.models.rows import load_rows, subsample


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"))


def train(survey, folder, crossmodal=None, code="code", columns=(), **settings):
    folder.mkdir(exist_ok=True)
    given = {"crossmodal": CROSSMODAL | (crossmodal or {}), "training": TRAIN | settings, "code": code}
    given["photometry"] = toy.PHOTOMETRY | {"columns": list(columns)}
    training.train(**toy.arguments(survey, folder, **given))
    return [(folder / name).read_bytes() for name in ("model.pt", "model.json", "history.csv")]


def evaluate(survey, folder, patterns=PATTERNS):
    paths = toy.predictions(folder, patterns)
    networks = {"model": folder / "model.pt", "info": folder / "model.json"}
    evaluation.evaluate(**survey._asdict(), **networks, predictions=list(paths.values()))
    return {inputs: pd.read_parquet(path) for inputs, path in paths.items()}


def rmse(table):
    return float(np.sqrt(np.mean(dz(table["z_phot"], table["z_spec"]) ** 2)))


def shuffled(survey, folder):
    """The survey with each usable image given to another object: in its file, since an index that says so is refused."""
    folder.mkdir()
    for path in survey.cutouts:
        columns = read_arrays(path)
        usable = np.flatnonzero(columns["status"] == "ok")
        image = columns["image"].copy()
        image[usable] = image[np.random.default_rng(1).permutation(usable)]
        write_arrays(folder / path.name, columns | {"image": image, "status": columns["status"].tolist()})
    return survey._replace(cutouts=[folder / path.name for path in survey.cutouts])


@pytest.fixture(scope="module")
def plain(survey, tmp_path_factory):
    """The outputs of one short, uninterrupted training."""
    return train(survey, tmp_path_factory.mktemp("plain"))


def test_every_input_pattern_learns(survey, tmp_path):
    train(survey, tmp_path, epochs=20)
    tables = evaluate(survey, tmp_path)
    catalog, split = pd.read_parquet(survey.catalog), pd.read_parquet(survey.split)
    rows = catalog.merge(split, on="objID")
    guess = np.expm1(np.log1p(rows.loc[rows["subset"] == "train", "z"]).mean())
    for inputs, table in tables.items():
        test = table[table["subset"] == "test"]
        share = 0.4 if inputs == "phot+img" else 0.65
        assert rmse(test) < share * rmse(test.assign(z_phot=guess)), inputs
    broken = evaluate(shuffled(survey, tmp_path / "shuffled"), tmp_path, ("phot_gen+img",))["phot_gen+img"]
    test = broken[broken["subset"] == "test"]
    assert rmse(test) > 0.9 * rmse(test.assign(z_phot=guess))  # the images told the redshifts, and nothing else did
    expected = rows[(rows["subset"] != "train") & (np.arange(len(rows)) >= 3)]
    for table in tables.values():
        assert table.columns.tolist()[:4] == ["objID", "z_spec", "z_phot", "subset"]
        found = mixtures_of(table)
        np.testing.assert_allclose(found.weight.sum(1), 1, atol=1e-6)
        np.testing.assert_allclose(pdf.z_mean(found), table["z_phot"], atol=1e-6)
        assert (
            pdf.crps(found, np.log1p(table["z_spec"].to_numpy())).mean()
            < np.abs(np.log1p(table["z_phot"]) - np.log1p(table["z_spec"])).mean()
        )
        assert table["objID"].dtype == np.int64
        assert table["objID"].tolist() == expected["objID"].tolist()
        assert table["z_spec"].tolist() == expected["z"].tolist()
        assert table["subset"].tolist() == expected["subset"].tolist()


@pytest.mark.parametrize(
    "settings", [{}, {"optimizer": "sgd", "schedule": "plateau", "learning_rate": 1e-6, "patience": 3}]
)
def test_a_killed_training_goes_on_to_the_same_bytes(survey, tmp_path, monkeypatch, messages, settings):
    whole = train(survey, tmp_path / "whole", **settings)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(os, "getpid", lambda: 4_000_000)  # another process: no byte may depend on it
    epoch = training.train_epoch

    def killed(*arguments):
        if arguments[4] == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(training, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(survey, tmp_path / "killed", **settings)
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.pt"]
    monkeypatch.setattr(training, "train_epoch", epoch)
    monkeypatch.setattr(data, "RESIDENT_BYTES", 0)  # on a machine with less memory
    messages.clear()
    assert train(survey, tmp_path / "killed", **settings) == whole
    assert "going on after epoch 2" in messages.text
    assert not (tmp_path / "killed/checkpoint.pt").exists()


@pytest.mark.parametrize("change", [{"code": "other"}, {"weight_decay": 0.1}, {"crossmodal": {"beta": 0.2}}])
def test_a_checkpoint_of_something_else_is_left_aside(survey, tmp_path, monkeypatch, messages, change):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(training.Path, "unlink", lambda *_, **__: None)  # the checkpoint stays
    train(survey, tmp_path / "same", epochs=1)
    (tmp_path / "other").mkdir()
    os.rename(tmp_path / "same/checkpoint.pt", tmp_path / "other/checkpoint.pt")
    messages.clear()
    found = train(survey, tmp_path / "other", **{"epochs": 1} | change)
    assert "other data, code or settings" in messages.text
    assert found == train(survey, tmp_path / "fresh", **{"epochs": 1} | change)


def checkpoint_of(survey, folder, monkeypatch):
    """A whole checkpoint that a training of one epoch left."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(training.Path, "unlink", lambda *_, **__: None)
        train(survey, folder, epochs=1)
    return folder / "checkpoint.pt"


def without_extinction(table, value):
    """The catalog without the extinctions in u and g of every third object."""
    columns = {f"extinction_{band}": table[f"extinction_{band}"].where(table.index % 3 > 0, value) for band in "ug"}
    return table.assign(**columns)


def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_anew(survey, tmp_path, monkeypatch, messages):
    path = checkpoint_of(survey, tmp_path, monkeypatch)
    whole = path.read_bytes()
    fresh = train(survey, tmp_path / "fresh", epochs=1)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # a bit of a weight
    for damaged in (b"", whole[:5000], b"not a checkpoint", bytes(flipped)):
        path.write_bytes(damaged)
        messages.clear()
        assert train(survey, tmp_path, epochs=1) == fresh
        assert "checkpoint.pt: a damaged checkpoint; set aside as checkpoint.pt.damaged" in messages.text
        assert (tmp_path / "checkpoint.pt.damaged").read_bytes() == damaged


def test_no_flipped_bit_of_a_checkpoint_changes_what_is_read(tmp_path):
    state = {"state": {"epoch": 1, "weights": {"a": torch.arange(50.0)}}}
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt", "mine")
    checkpoint.write([], state)
    whole, rng = checkpoint.path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(len(whole), size=300):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        checkpoint.path.write_bytes(content)
        point = checkpoint.read()
        assert point is None or torch.equal(point["running"]["state"]["weights"]["a"], torch.arange(50.0)), place


def test_an_extinction_that_is_unknown_is_not_learnt(survey, tmp_path):
    made = {}
    for value in (np.nan, -9999.0, np.inf):
        folder = tmp_path / str(value)
        catalog = toy.rewrite(survey.catalog, folder, lambda table, value=value: without_extinction(table, value))
        made[value] = train(survey._replace(catalog=catalog), folder, epochs=1)
    assert len({tuple(files) for files in made.values()}) == 1
    store = ImageStore(survey.index, survey.cutouts)
    rows = load_rows(catalog, survey.split, store)
    part = load_part(rows, store, ModelInfo.read(folder / "model.json"), torch.device("cpu"))
    unknown = ~np.isfinite(rows[[f"extinction_{band}" for band in BANDS]].to_numpy())
    assert 0.1 < unknown.mean() < 0.2
    estimated = torch.full_like(part.extinction, 9.0, requires_grad=True)
    extinction_loss(estimated, part.extinction).backward()
    np.testing.assert_array_equal(estimated.grad.numpy() == 0, unknown)


def test_a_last_batch_of_one_object_is_no_batch(survey, tmp_path):
    split = toy.rewrite(survey.split, tmp_path / "split", lambda table: table[table.index < 29])  # 15 of them train
    train(survey._replace(split=split), tmp_path, epochs=1, batch_size=2)


def test_a_network_of_photometry_alone_reads_no_image(survey, tmp_path):
    no_images = survey._replace(cutouts=[])
    train(no_images, tmp_path, {"z_patterns": "phot"}, epochs=20)
    test = evaluate(no_images, tmp_path, ["phot"])["phot"].query("subset == 'test'")
    assert rmse(test) < 0.4 * rmse(test.assign(z_phot=test["z_spec"].mean()))
    history = pd.read_csv(tmp_path / "history.csv")
    assert {"val phot", "redshift"} <= set(history)
    assert not {"accuracy", "extinction", "val phot+img"} & set(history)


def test_images_of_other_objects_leave_a_network_of_images_with_nothing(survey, tmp_path):
    """The gain of images comes from each object's own image, not from anything that leaks beside it."""
    others = []
    for path in survey.cutouts:
        columns = read_arrays(path)
        columns = {name: np.array(values) for name, values in columns.items()}
        columns["image"] = columns["image"][np.random.default_rng(0).permutation(len(columns["objID"]))]
        others.append(tmp_path / path.name)
        write_arrays(others[-1], columns | {"status": columns["status"].tolist()})
    errors = {}
    for name, mine in (("own", survey), ("other", survey._replace(cutouts=others))):
        train(mine, tmp_path / name, {"z_patterns": "img"}, epochs=20)
        test = evaluate(mine, tmp_path / name, ["img"])["img"].query("subset == 'test'")
        guess = np.expm1(np.log1p(test["z_spec"]).mean())
        errors[name] = rmse(test) / rmse(test.assign(z_phot=guess))
    assert errors["own"] < 0.6
    assert errors["other"] > 0.9


def test_a_share_of_the_training_part_is_a_part_of_any_larger_share(survey, tmp_path, plain):
    rows = pd.DataFrame({"objID": np.arange(1000, dtype=np.int64)})
    kept = {share: set(subsample(rows, share)["objID"]) for share in (0.1, 0.5, 1.0)}
    assert {share: len(some) for share, some in kept.items()} == {0.1: 100, 0.5: 500, 1.0: 1000}
    assert kept[0.1] < kept[0.5] < kept[1.0]
    assert train(survey, tmp_path, share=0.5)[0] != plain[0]
    assert ModelInfo.read(tmp_path / "model.json").n == {"train": 106, "val": 72, "test": 72}


def test_test_objects_do_not_touch_the_training(survey, tmp_path, plain):
    split = pd.read_parquet(survey.split).set_index("objID")["subset"]

    def other_test_objects(table):
        test = (table["objID"].map(split) == "test").to_numpy()
        names = [name for name in table if name != "objID"]
        table.loc[test, names] = table.loc[test, names].to_numpy()[np.random.default_rng(0).permutation(test.sum())]
        table.loc[test, "dered_r"] += 1.0
        return table

    changed = survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path / "changed", other_test_objects))
    assert train(changed, tmp_path / "model") == plain


def test_the_order_of_rows_does_not_matter(survey, tmp_path, plain):
    folder = tmp_path / "shuffled"
    shuffled = survey._replace(
        catalog=toy.rewrite(survey.catalog, folder, lambda table: table.sample(frac=1, random_state=1)),
        split=toy.rewrite(survey.split, folder, lambda table: table.sample(frac=1, random_state=2)),
    )
    assert train(shuffled, tmp_path / "model") == plain


def test_another_label_of_a_training_object_does_matter(survey, tmp_path, plain):
    catalog = toy.rewrite(
        survey.catalog, tmp_path / "changed", lambda table: table.assign(z=table["z"].where(table.index != 5, 1.5))
    )
    assert train(survey._replace(catalog=catalog), tmp_path / "model")[0] != plain[0]


def test_images_read_batch_by_batch_train_the_same_network(survey, tmp_path, plain, monkeypatch):
    monkeypatch.setattr(data, "RESIDENT_BYTES", 0)
    assert train(survey, tmp_path) == plain


def test_weights_that_are_not_those_that_were_trained_are_refused(survey, tmp_path):
    train(survey, tmp_path, epochs=1)
    path = tmp_path / "model.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=r"model\.pt: its checksum"):
        evaluate(survey, tmp_path)


def test_the_weights_are_of_the_epoch_of_the_smallest_validation_error(survey, tmp_path):
    train(survey, tmp_path, {"z_patterns": "real"}, epochs=6, learning_rate=0.02)
    history, info = pd.read_csv(tmp_path / "history.csv"), ModelInfo.read(tmp_path / "model.json")
    (member,) = info.members
    assert member["best_epoch"] == history["score"].idxmin()
    assert member["best_score"] == pytest.approx(history["score"].min())
    val = evaluate(survey, tmp_path)["phot+img"].query("subset == 'val'")
    unscaled = pdf.temperature_scaled(mixtures_of(val), 1 / info.temperature["phot+img"])
    error = rmse(val.assign(z_phot=pdf.z_mean(unscaled)))
    assert error == pytest.approx(history["val phot+img"][member["best_epoch"]], rel=1e-5)
    assert pdf.crps(unscaled, np.log1p(val["z_spec"])).mean() == pytest.approx(member["best_score"], rel=1e-4)


def test_several_networks_are_averaged_and_go_on_after_a_kill(survey, tmp_path, monkeypatch):
    whole = train(survey, tmp_path / "whole", members=2)
    found = evaluate(survey, tmp_path / "whole")["phot+img"]
    np.testing.assert_allclose(mixtures_of(found).weight.sum(1), 1, atol=1e-6)
    assert mixtures_of(found).weight.shape[1] == 6
    np.testing.assert_allclose(pdf.z_mean(mixtures_of(found)), found["z_phot"], atol=1e-6)
    history = pd.read_csv(tmp_path / "whole/history.csv").groupby("member")
    assert [len(rows) for _, rows in history] == [4, 4]
    first, second = (rows["score"].tolist() for _, rows in history)
    assert first != second
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    epoch, calls = training.train_epoch, []

    def killed(*arguments):
        calls.append(arguments[4])
        if len(calls) == 7:  # the second network's third epoch
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(training, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(survey, tmp_path / "killed", members=2)
    assert train(survey, tmp_path / "killed", members=2) == whole
    assert calls == [0, 1, 2, 3, 0, 1, 2, 2, 3]


def test_training_stops_when_patience_is_over(survey, tmp_path):
    train(survey, tmp_path, epochs=50, learning_rate=1e-12, patience=2)
    assert ModelInfo.read(tmp_path / "model.json").members[0]["epochs_run"] < 50


def test_a_training_that_diverges_says_so(survey, tmp_path):
    with pytest.raises(CrosszError, match=r"diverged.*train\.learning_rate"):
        train(survey, tmp_path, optimizer="sgd", learning_rate=1e30, gradient_clip=1e30, schedule="plateau")
    with pytest.raises(
        CrosszError, match=r"diverged.*train\.learning_rate"
    ):  # a finite score, of estimates that are not
        train(survey, tmp_path, learning_rate=10)
    assert not (tmp_path / "history.csv").exists()


def test_a_split_without_a_usable_test_object_is_refused(survey, tmp_path):
    split = toy.rewrite(survey.split, tmp_path / "split", lambda table: table[table["subset"] != "test"])
    with pytest.raises(CrosszError, match="part test"):
        train(survey._replace(split=split), tmp_path)


def test_the_gradient_is_clipped_unless_there_is_no_largest_norm(survey, tmp_path, monkeypatch):
    found = {
        name: train(survey, tmp_path / name, epochs=1, gradient_clip=clip)[0]
        for name, clip in (("small", 1e-3), ("none", None))
    }
    assert found["small"] != found["none"]
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)
    assert train(survey, tmp_path / "off", epochs=1, gradient_clip=1e-3)[0] == found["none"]


def test_the_reversal_grows_from_nothing_unless_there_is_no_ramp():
    settings = CROSSMODAL | {"reversal": 0.5}
    assert schedule.reversal(settings, 0.0) == 0
    assert schedule.reversal(settings, 1.0) == pytest.approx(0.5, abs=1e-3)
    assert schedule.reversal(settings | {"reversal_ramp": False}, 0.0) == 0.5


def test_networks_that_know_nothing_of_the_layers_behind_the_backbone_have_one():
    older = {name: value for name, value in CROSSMODAL.items() if name != "image_mlp_layers"}
    shapes = []
    for block in (older, CROSSMODAL, CROSSMODAL | {"image_mlp_layers": 2}):
        net = inference.build(ModelInfo(block, TRAIN, "dered_model", seed=1, n={}, scalers={}))
        shapes.append({name: value.shape for name, value in net.state_dict().items()})
    assert shapes[0] == shapes[1]
    assert len(shapes[2]) == len(shapes[1]) + 2


def test_bfloat16_trains_the_same_science_and_not_the_same_bytes(survey, tmp_path, plain):
    assert train(survey, tmp_path / "float32", precision="float32")[0] == plain[0]  # auto, on a processor
    assert train(survey, tmp_path / "bfloat16", precision="bfloat16")[0] != plain[0]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/history.csv").write_bytes(plain[2])
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("plain", "bfloat16")]
    for name in ("redshift", "extinction"):
        first, second = (history[name] for history in histories)
        np.testing.assert_allclose(second, first, rtol=0.15, err_msg=name)


def test_auto_is_bfloat16_on_a_gpu_alone(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, enabled: enabled)
    for kind, on_card, on_processor in (("auto", True, False), ("float32", False, False), ("bfloat16", True, True)):
        assert inference.autocast(torch.device("cuda"), kind) is on_card
        assert inference.autocast(torch.device("cpu"), kind) is on_processor


def test_torch_compile_without_a_compiler_is_an_error(survey, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CrosszError, match=r"train\.compile.* there is no no-such-compiler"):
        train(survey, tmp_path, compile=True)


def test_random_numbers_outside_are_left_alone(survey, tmp_path, plain):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert train(survey, tmp_path) == plain  # nor does it depend on random numbers outside
    assert torch.equal(torch.get_rng_state(), before)


def test_augmentation_turns_and_flips_and_nothing_else():
    torch.manual_seed(0)
    image = torch.arange(8 * 5 * 4 * 4.0).view(8, 5, 4, 4)
    seen = set()
    for _ in range(40):
        for one, original in zip(augmented(image), image, strict=True):
            turned = [torch.rot90(original, turns, (1, 2)) for turns in range(4)]
            all_eight = [*turned, *(other.flip(2) for other in turned)]
            seen.add(next(number for number, other in enumerate(all_eight) if torch.equal(one, other)))
    assert seen == set(range(8))


@given(st.floats(0, 1))
def test_the_learning_rate_rises_shortly_and_falls_to_nothing(progress):
    assert 0 <= schedule.cosine(progress) <= 1
    if progress >= 0.05:
        assert schedule.cosine(min(1.0, progress + 0.01)) <= schedule.cosine(progress)
    assert schedule.cosine(1.0) == pytest.approx(0, abs=1e-9)
    assert schedule.cosine(0.05) == pytest.approx(1)


@given(st.floats(0, 7), st.sampled_from(["log1p", "z"]))
def test_a_target_turns_back_into_its_redshift(z, kind):
    assert redshift_of(target_of(np.array([z]), kind), kind)[0] == pytest.approx(z, abs=1e-9)


def test_a_gpu_machine_needs_little():
    """DESIGN.md: training needs torch, numpy, pandas and pyarrow; torchvision only for its own backbones."""
    code = "import crossz.models.training, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    ).stdout.split()
    for name in ("torchvision", "sklearn", "astropy", "snakemake", "matplotlib", "yaml"):
        assert name not in loaded


def test_an_extra_column_that_knows_the_redshift_is_used_missing_values_and_all(survey, tmp_path):
    told = survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path / "told", toy.told), cutouts=[])
    errors = {}
    for columns in ((), ("w1mpro",)):
        folder = tmp_path / f"{len(columns)}"
        train(told, folder, {"z_patterns": "phot"}, epochs=12, columns=columns)
        errors[columns] = rmse(evaluate(told, folder, ["phot"])["phot"].query("subset == 'test'"))
        assert (folder / "model.json").read_text().count("w1mpro") == len(columns)
    assert errors["w1mpro",] < 0.7 * errors[()]
