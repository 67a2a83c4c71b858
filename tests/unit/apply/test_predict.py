"""Estimates of new objects: from what there is of each, by the networks of several splits."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import toy

from crossz.apply import predict as module
from crossz.apply.bundle import Bundle, trained_networks
from crossz.apply.domain import write_domain
from crossz.apply.predict import images_in, images_of, index_of, predict
from crossz.apply.redshifts import write_redshifts
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.estimates import pdf
from crossz.estimates.estimates import mean_of
from crossz.estimates.predictions import mixtures_of
from crossz.images.arrow import to_units, write_arrays
from crossz.models import data, evaluation, inference, training
from crossz.scores.ensemble import write_ensemble

COUNT = 2


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def run(large, tmp_path_factory):
    """([model.pt], [model.json], [{inputs: predictions}]) of two networks on the same split."""
    models, infos, tables = [], [], []
    for seed in range(COUNT):
        arguments = toy.arguments(large, tmp_path_factory.mktemp(f"split{seed}"), seed=seed)
        training.train(**arguments)
        predictions = toy.predictions(arguments["model"].parent, ("phot+img", "phot_gen+img", "phot+img_gen"))
        files = {name: arguments[name] for name in ("model", "info")}
        evaluation.evaluate(**large._asdict(), **files, predictions=list(predictions.values()))
        models.append(arguments["model"])
        infos.append(arguments["info"])
        tables.append(predictions)
    return models, infos, tables


@pytest.fixture(scope="module")
def measured(run, large, tmp_path_factory):
    """The file of the domain of these networks."""
    path = tmp_path_factory.mktemp("domain") / "domain.safetensors"
    write_domain(**large._asdict(), info=run[1][0], domain=path)
    return path


@pytest.fixture(scope="module")
def bundle(run, measured):
    return trained_networks(*run[:2], domain=measured)


@pytest.fixture
def targets(large):
    return pd.read_parquet(large.catalog).drop(columns="z")


def paths(run):
    return [path for pair in zip(*run[:2], strict=True) for path in pair]


def images(table, survey):
    return images_of(table["objID"], survey.index, survey.cutouts)


def test_new_objects_get_what_the_evaluation_gave_them_averaged_over_the_splits(run, bundle, targets):
    scored = [pd.read_parquet(tables["phot+img_gen"]) for tables in run[2]]
    known = targets[targets["objID"].isin(scored[0]["objID"])].sample(frac=1, random_state=1)
    first = predict(known, Bundle(bundle.splits[:1])).set_index("objID").loc[scored[0]["objID"]]
    assert first["z_phot"].to_numpy() == pytest.approx(scored[0]["z_phot"].to_numpy(), abs=1e-5)
    assert first["z_peak_1"].to_numpy() == pytest.approx(scored[0]["z_peak_1"].to_numpy(), abs=1e-3)

    table = predict(known, bundle)
    assert table["objID"].tolist() == known["objID"].tolist()  # in the targets' order
    assert (table["row"] == np.arange(len(known))).all()
    both = table.set_index("objID").loc[scored[0]["objID"]]
    mixtures = mixtures_of(both)
    y = np.mean([pdf.mean(mixtures_of(estimates)) for estimates in scored], axis=0)
    assert pdf.mean(mixtures) == pytest.approx(y, abs=1e-5)
    assert both["z_mean"].to_numpy() == pytest.approx(pdf.z_mean(mixtures), abs=1e-9)
    assert both["z_phot"].tolist() == both["z_mean"].tolist()
    assert both["z_mode"].tolist() == both["z_peak_1"].tolist()
    assert both["odds"].between(0, 1).all()
    wanted = pdf.ensemble([mixtures_of(estimates) for estimates in scored])
    assert pdf.cdf(mixtures, y) == pytest.approx(pdf.cdf(wanted, y), abs=1e-4)
    for share in (68, 95):
        inside = [pdf.cdf(mixtures, np.log1p(both[f"z_{side}_{share}"])) for side in ("low", "high")]
        assert inside[1] - inside[0] == pytest.approx(share / 100, abs=2e-3)
    assert pdf.cdf(mixtures, np.log1p(both["z_median"])) == pytest.approx(0.5, abs=2e-3)
    assert set(table["status"]) == {"ok"}
    assert set(table["inputs"]) == {"phot+img_gen"}


def test_the_mean_over_the_splits_is_recalibrated_by_input_pattern(bundle, large, targets):
    table = targets.sample(30, random_state=6).reset_index(drop=True)
    table.loc[:9, [f"dered_{band}" for band in BANDS]] = np.nan
    cutouts = images(table, large)
    wide = predict(table, bundle, cutouts)
    narrow = predict(table, replace(bundle, temperature={"phot+img": 0.5}), cutouts)
    mended = (wide["inputs"] == "phot+img").to_numpy()
    assert 5 < mended.sum() < 25
    pd.testing.assert_frame_equal(narrow[~mended], wide[~mended])
    np.testing.assert_allclose(pdf.mean(mixtures_of(narrow)), pdf.mean(mixtures_of(wide)))
    for k in range(6):
        ratio = narrow[f"sigma_{k}"] / wide[f"sigma_{k}"]
        np.testing.assert_allclose(ratio[mended], 0.5)
    width = (narrow["z_high_68"] - narrow["z_low_68"]) / (wide["z_high_68"] - wide["z_low_68"])
    assert width[mended].median() < 0.9


def test_the_networks_of_a_run_are_recalibrated_by_their_ensemble_json(run, bundle, targets, tmp_path):
    by_inputs = {inputs: [tables[inputs] for tables in run[2]] for inputs in run[2][0]}
    files = []
    for inputs, paths_of_splits in by_inputs.items():
        for split, path in enumerate(paths_of_splits):
            files.append(tmp_path / f"toy/crossmodal/{split}/{inputs}.parquet")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, files[-1])
    write_ensemble(predictions=files, ensemble=tmp_path / "ensemble.json")
    content = read_json(tmp_path / "ensemble.json")
    assert content["splits"] == COUNT
    assert set(content["temperature"]) == set(content["scores"]) == set(by_inputs)
    assert 0.3 < content["temperature"]["phot+img_gen"] < 1.5
    held = pd.read_parquet(run[2][0]["phot+img"])
    assert content["scores"]["phot+img"]["n"] == len(held)
    targets.to_csv(tmp_path / "mine.csv", index=False)
    options = {
        "targets": tmp_path / "mine.csv",
        "columns": {},
        "networks": paths(run),
        "table": tmp_path / "out.parquet",
    }
    write_redshifts(**options, ensemble=[tmp_path / "ensemble.json"])
    expected = predict(pd.read_csv(tmp_path / "mine.csv"), replace(bundle, temperature=content["temperature"]))
    found = pd.read_parquet(tmp_path / "out.parquet")
    np.testing.assert_allclose(found["z_high_95"], expected["z_high_95"], rtol=1e-9)


def test_the_table_has_the_index_of_the_targets_and_arrow_tables_do_too(bundle, targets):
    shuffled = targets.sample(20, random_state=4)
    table = predict(shuffled, bundle)
    assert table.index.tolist() == shuffled.index.tolist()
    pd.testing.assert_frame_equal(
        predict(pa.Table.from_pandas(shuffled, preserve_index=False), bundle), table.reset_index(drop=True)
    )
    repeated = shuffled.set_axis([0] * 20)
    assert predict(repeated, bundle)["z_phot"].tolist() == table["z_phot"].tolist()


def test_every_row_comes_back_with_what_is_wrong_with_it(run, measured, targets, tmp_path):
    rows = targets.head(8).astype(object).reset_index(drop=True)
    rows.loc[1, "dered_u"] = None
    rows.loc[2, [f"dered_{band}" for band in BANDS]] = -9999
    rows.loc[3, "dered_g"] = "faint"
    rows.loc[4, [f"psfMagErr_{band}" for band in BANDS]] = 0
    rows.loc[5, "dered_r"] = 45.0
    rows.loc[6] = rows.loc[0]
    path = tmp_path / "targets.csv"
    rows.drop(columns=[f"extinction_{band}" for band in BANDS]).to_csv(path, index=False)
    write_redshifts(targets=path, columns={}, networks=paths(run), table=tmp_path / "out.parquet", domain=[measured])
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["status"].tolist() == ["ok", "ok", "no_data", "ok", "no_data", "ok", "ok", "ok"]
    assert table["missing"].tolist() == ["", "u", "ugriz", "g", "ugriz", "", "", ""]
    assert table["out_of_domain"].tolist() == [False] * 5 + [True, False, False]
    assert table["z_phot"].isna().tolist() == [False, False, True, False, True, False, False, False]
    assert table["objID"].astype(str).tolist() == rows["objID"].astype(str).tolist()
    assert table.loc[6, "z_phot"] == table.loc[0, "z_phot"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[["objID"]], r"no column dered_\*, .* name them: --columns"),
        (
            lambda rows: rows.assign(
                **{f"dered_{band}": 10 ** (0.4 * (22.5 - rows[f"dered_{band}"])) for band in BANDS}
            ),
            "What are they",
        ),
        (lambda rows: rows.head(0), "no rows, only a header"),
    ],
)
def test_targets_that_cannot_be_used_are_named_with_the_remedy(run, targets, tmp_path, change, words):
    path = tmp_path / "mine.csv"
    change(targets).to_csv(path, index=False)
    with pytest.raises(CrosszError, match=rf"mine.csv: .*{words}"):
        write_redshifts(targets=path, columns={}, networks=paths(run), table=tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_band_that_is_absent_is_missing_and_flagged(bundle, targets):
    for rows in (targets.drop(columns="dered_i"), targets.assign(psfMagErr_i="x"), targets.drop(columns="psfMagErr_i")):
        table = predict(rows, bundle)
        assert set(table["status"]) == {"ok"}
        assert set(table["missing"]) == {"i"}
    wanted = predict(targets.assign(dered_i=np.nan), bundle)
    assert wanted["z_phot"].tolist() == predict(targets.drop(columns="dered_i"), bundle)["z_phot"].tolist()
    with pytest.raises(CrosszError, match="no band has all of its columns, which are dered_u, "):
        predict(targets[["objID"]], bundle)


def test_a_network_that_was_tampered_with_is_refused(run, targets, tmp_path):
    models, infos, _ = run
    targets.to_csv(tmp_path / "mine.csv", index=False)
    damaged = tmp_path / "model.pt"
    damaged.write_bytes(models[0].read_bytes()[:-1] + b"x")
    with pytest.raises(CrosszError, match="checksum"):
        write_redshifts(
            targets=tmp_path / "mine.csv",
            columns={},
            networks=[damaged, infos[0]],
            table=tmp_path / "out.parquet",
        )


def test_an_object_gets_its_redshift_from_what_there_is_of_it(run, bundle, large, targets):
    scored = {inputs: pd.read_parquet(path).set_index("objID")["z_phot"] for inputs, path in run[2][0].items()}
    usable = targets[targets["objID"].isin(scored["phot+img"].index)].head(9).reset_index(drop=True)
    without = targets.head(3)  # the toy survey's objects without an image
    table = pd.concat([usable, without], ignore_index=True).sample(frac=1, random_state=2, ignore_index=True)
    blind = table["objID"].isin(usable["objID"][:3])  # no photometry, but an image
    nothing = table["objID"] == without["objID"][0]  # neither
    bands = [f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS]
    table.loc[blind | nothing, bands] = np.nan
    table["objID"] = table["objID"].astype("Int64").mask(table["objID"] == without["objID"][1])  # no match: no id

    cutouts = images(table, large)
    estimates = predict(table, Bundle(bundle.splits[:1]), cutouts)
    wanted = np.select([nothing, blind, cutouts.row < 0], ["", "phot_gen+img", "phot+img_gen"], "phot+img")
    assert estimates["inputs"].tolist() == wanted.tolist()
    assert sorted(estimates["inputs"].unique()) == ["", "phot+img", "phot+img_gen", "phot_gen+img"]
    assert estimates["status"].tolist() == np.where(nothing, "no_data", "ok").tolist()
    assert estimates["z_phot"].isna().tolist() == nothing.tolist()
    for inputs in ("phot+img", "phot_gen+img"):
        rows = estimates[estimates["inputs"] == inputs]
        assert rows["z_phot"].to_numpy() == pytest.approx(scored[inputs].loc[rows["objID"]].to_numpy(), abs=1e-4)
    assert set(estimates.loc[cutouts.row < 0, "image"]) == {"missing_frame", ""}
    assert (estimates.loc[cutouts.row >= 0, "image"] == "ok").all()


def test_each_image_is_read_once_for_the_networks_of_all_splits(bundle, large, targets, monkeypatch):
    table = targets.sample(40, random_state=5).reset_index(drop=True)
    table.loc[:5, [f"dered_{band}" for band in BANDS]] = np.nan
    cutouts, gathered = images(table, large), []
    expected = predict(table, bundle, cutouts)
    assert set(expected["inputs"]) >= {"phot+img", "phot_gen+img"}
    gather = type(cutouts.store).gather
    monkeypatch.setattr(type(cutouts.store), "gather", lambda store, rows: gathered.append(rows) or gather(store, rows))
    monkeypatch.setattr(module, "IMAGES_AT_ONCE", 7)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 5)
    pd.testing.assert_frame_equal(predict(table, bundle, cutouts), expected, rtol=1e-5)
    assert len(bundle.splits) > 1
    assert max(map(len, gathered)) <= 7
    assert sorted(np.concatenate(gathered)) == sorted(cutouts.row[cutouts.row >= 0])


def test_all_splits_at_once_estimate_what_each_estimates_by_itself(bundle, large, targets):
    """The path of training and evaluation, split by split, is the reference."""
    table = targets.sample(40, random_state=5).reset_index(drop=True)
    cutouts = images(table, large)
    known = np.flatnonzero(cutouts.row >= 0)
    means = []
    for networks in bundle.splits:
        phot = module.photometry_of(table, networks.info.magnitudes, networks.info.columns, True)
        seen = data.model_inputs(phot, cutouts.store, cutouts.row, networks.info, networks.device)
        means.append(inference.estimate(networks, seen, ["phot+img"], torch.from_numpy(known))["phot+img"])
    mixture = mean_of(means).mixture
    found = mixtures_of(predict(table, bundle, cutouts).loc[known])
    for array, wanted in zip(found, mixture, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-5)


def test_networks_that_read_no_image_still_say_which_images_are_at_an_edge(bundle, large, targets, monkeypatch):
    table = targets.sample(40, random_state=5).reset_index(drop=True)
    cutouts = images(table, large)
    monkeypatch.setattr(module, "input_patterns", lambda info, phot, image: np.where(phot, "phot+img_gen", ""))
    gather = type(cutouts.store).gather
    monkeypatch.setattr(
        type(cutouts.store), "gather", lambda store, rows: (gather(store, rows)[0], (rows % 2)[:, None, None])
    )
    edge = predict(table, bundle, cutouts)["edge"].to_numpy()
    assert edge.tolist() == ((cutouts.row >= 0) & (cutouts.row % 2 == 1)).tolist()
    assert edge.any()


def test_what_was_not_matched_stays_so_and_flags_mark_what_to_beware_of(bundle, large, targets):
    table = targets.tail(3).reset_index(drop=True)
    table.loc[0, [f"dered_{band}" for band in BANDS]] += 3.5
    table = table.assign(status=["ok", "no_match", "malformed"], why=["", "nothing there", "dec is missing"])
    table.loc[1:, [name for name in table if name.startswith(("dered", "psfMag", "extinction"))]] = np.nan
    table["objID"] = table["objID"].astype("Int64").mask(table["status"] != "ok")
    estimates = predict(table, bundle, images(table, large))
    assert estimates["status"].tolist() == ["ok", "no_match", "malformed"]
    assert estimates["why"].tolist() == ["", "nothing there", "dec is missing"]
    assert estimates["faint"].tolist() == [True, False, False]
    assert estimates["z_phot"].notna().tolist() == [True, False, False]
    assert estimates["inputs"].tolist() == ["phot+img", "", ""]
    lost = predict(table.tail(2), bundle, images(table.tail(2), large))
    assert lost["status"].tolist() == ["no_match", "malformed"]  # there is nothing of any of them
    assert lost.columns.tolist() == estimates.columns.tolist()
    assert lost["z_phot"].isna().all()


def test_a_row_whose_status_is_not_ok_is_not_estimated_although_it_has_magnitudes(bundle, targets):
    table = predict(targets.head(2).assign(status=["ok", "rejected"]), bundle)
    assert table["status"].tolist() == ["ok", "rejected"]
    assert table["z_phot"].notna().tolist() == [True, False]
    assert table["inputs"].tolist() == ["phot+img_gen", ""]


def test_an_image_that_no_frame_covers_completely_is_at_an_edge(bundle, targets, tmp_path, monkeypatch):
    table = targets.tail(3).sort_values("objID", ignore_index=True)
    image, _ = to_units(toy.images(table))
    mask = np.zeros((3, 64, 64), np.uint8)
    mask[1, :, 60:] = 1  # no u for a strip of the second one
    status = ["ok", "ok", "missing_frame"]
    columns = {"objID": table["objID"].to_numpy(), "status": status, "image": image, "mask": mask}
    write_arrays(tmp_path / "0.arrow", columns)
    cutouts = images_in([tmp_path / "0.arrow"], table["objID"])
    estimates = predict(table, bundle, cutouts)
    assert estimates["edge"].tolist() == [False, True, False]
    assert estimates["image"].tolist() == status
    monkeypatch.setattr(module, "IMAGES_AT_ONCE", 1)
    pd.testing.assert_frame_equal(predict(table, bundle, cutouts), estimates)


def test_the_index_of_cutout_files_is_that_of_a_run(large, targets, tmp_path):
    wanted = pd.read_parquet(large.index)
    pd.testing.assert_frame_equal(index_of(large.cutouts), wanted[["objID", "shard", "row", "status"]])
    ids = [*targets["objID"].astype(str)[:5], None, "", "3C 273", "-1", "1.2e18"]
    row = images_in(large.cutouts, ids).row
    assert row[:5].tolist() == images(targets, large).row[:5].tolist()
    assert (row[5:] == -1).all()
    assert (images_in(large.cutouts, targets["objID"]).row == images(targets, large).row).all()


def test_cutout_files_that_cannot_be_used_are_named(large, tmp_path):
    twice = [large.cutouts[0], shutil.copy(large.cutouts[0], tmp_path / "again.arrow")]
    with pytest.raises(CrosszError, match="two images of objID 123765"):
        index_of(twice)
    with pytest.raises(CrosszError, match=r"x.arrow: no such cutout file"):
        index_of([tmp_path / "x.arrow"])
    write_arrays(tmp_path / "plain.arrow", {"objID": np.arange(2), "status": ["ok", "ok"]})
    with pytest.raises(CrosszError, match=r"plain.arrow: no column image, mask"):
        index_of([tmp_path / "plain.arrow"])
