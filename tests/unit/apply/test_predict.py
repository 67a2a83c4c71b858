"""Redshifts of new objects from their photometry, by the networks of several splits."""

import numpy as np
import pandas as pd
import pytest
import toy
from toy import CROSSMODAL, TRAIN

from crossz.apply import html_page, predict
from crossz.core.errors import CrosszError
from crossz.core.names import BANDS
from crossz.estimates import pdf
from crossz.estimates.predictions import mixtures_of
from crossz.images.index import write_index
from crossz.images.store import to_units, write_arrays
from crossz.models import evaluation, inference, training
from crossz.models.device import choose_device

COUNT = 2


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def networks(survey, tmp_path_factory):
    """([model.pt], [model.json], [folder of predictions]) of two networks on the same split."""
    folders = [tmp_path_factory.mktemp(f"split{number}") for number in range(COUNT)]
    for number, folder in enumerate(folders):
        made = [folder / name for name in ("model.pt", "model.json", "history.csv", "resume.pt")]
        settings = {"crossmodal": CROSSMODAL, "training": TRAIN, "magnitudes": "dered_model", "code": "code"}
        training.train(*survey[:3], survey.shards, *made, **settings, seed=number)
        inputs = ("phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen")
        evaluation.evaluate(
            *survey[:3], survey.shards, *made[:2], {name: folder / f"{name}.parquet" for name in inputs}
        )
    return *([folder / name for folder in folders] for name in ("model.pt", "model.json")), folders


@pytest.fixture(scope="module")
def ensemble(networks):
    return [inference.load_networks(*some, choose_device()) for some in zip(*networks[:2], strict=True)]


def paths(networks):
    return [path for pair in zip(*networks[:2], strict=True) for path in pair]


@pytest.fixture
def targets(survey):
    return pd.read_parquet(survey.catalog).drop(columns="z")


def test_new_objects_get_what_the_evaluation_gave_them_averaged_over_the_splits(networks, ensemble, targets):
    scored = [pd.read_parquet(folder / "phot+img_gen.parquet") for folder in networks[2]]
    known = targets[targets["objID"].isin(scored[0]["objID"])].sample(frac=1, random_state=1)
    alone = predict.redshifts(known, ensemble[:1]).set_index("objID").loc[scored[0]["objID"]]
    assert alone["z_phot"].to_numpy() == pytest.approx(scored[0]["z_phot"].to_numpy(), abs=1e-5)
    assert alone["z_peak_1"].to_numpy() == pytest.approx(scored[0]["z_peak_1"].to_numpy(), abs=1e-3)

    table = predict.redshifts(known, ensemble)
    assert table["objID"].tolist() == known["objID"].tolist()  # in the targets' order
    assert (table["row"] == np.arange(len(known))).all()
    both = table.set_index("objID").loc[scored[0]["objID"]]
    y = np.mean([np.log1p(one["z_phot"].to_numpy()) for one in scored], axis=0)
    assert np.log1p(both["z_phot"].to_numpy()) == pytest.approx(y, abs=1e-5)
    mixtures = mixtures_of(both)
    wanted = pdf.ensemble([mixtures_of(one) for one in scored])
    assert pdf.cdf(mixtures, y) == pytest.approx(pdf.cdf(wanted, y), abs=1e-4)
    for share in (68, 95):
        inside = [pdf.cdf(mixtures, np.log1p(both[f"z_{side}_{share}"])) for side in ("low", "high")]
        assert inside[1] - inside[0] == pytest.approx(share / 100, abs=2e-3)
    assert pdf.cdf(mixtures, np.log1p(both["z_median"])) == pytest.approx(0.5, abs=2e-3)
    assert set(table["status"]) == {"ok"}
    assert set(table["inputs"]) == {"phot+img_gen"}


def test_every_row_comes_back_with_what_is_wrong_with_it(networks, targets, tmp_path):
    rows = targets.head(8).astype(object).reset_index(drop=True)
    rows.loc[1, "dered_u"] = None
    rows.loc[2, [f"dered_{band}" for band in BANDS]] = -9999
    rows.loc[3, "dered_g"] = "faint"
    rows.loc[4, [f"psfMagErr_{band}" for band in BANDS]] = 0
    rows.loc[5, "dered_r"] = 45.0
    rows.loc[6] = rows.loc[0]
    path = tmp_path / "targets.csv"
    rows.drop(columns=[f"extinction_{band}" for band in BANDS]).to_csv(path, index=False)
    predict.write_redshifts(path, {}, paths(networks), tmp_path / "out.parquet")
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
        (lambda rows: rows.drop(columns="dered_i"), "no values in dered_i"),
        (lambda rows: rows.assign(psfMagErr_z="x"), "no values in psfMagErr_z"),
        (lambda rows: rows.head(0), "no values in"),
    ],
)
def test_targets_that_cannot_do_are_named_with_the_remedy(networks, targets, tmp_path, change, words):
    path = tmp_path / "mine.csv"
    change(targets).to_csv(path, index=False)
    with pytest.raises(CrosszError, match=rf"mine.csv: .*{words}"):
        predict.write_redshifts(path, {}, paths(networks), tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_network_that_was_tampered_with_is_refused(networks, targets, tmp_path):
    models, infos, _ = networks
    targets.to_csv(tmp_path / "mine.csv", index=False)
    damaged = tmp_path / "model.pt"
    damaged.write_bytes(models[0].read_bytes()[:-1] + b"x")
    with pytest.raises(CrosszError, match="checksum"):
        predict.write_redshifts(tmp_path / "mine.csv", {}, [damaged, infos[0]], tmp_path / "out.parquet")


def test_an_object_gets_its_redshift_from_what_there_is_of_it(networks, ensemble, survey, targets):
    scored = {
        inputs: pd.read_parquet(networks[2][0] / f"{inputs}.parquet").set_index("objID")["z_phot"]
        for inputs in ("phot+img", "phot_gen+img", "phot+img_gen")
    }
    usable = targets[targets["objID"].isin(scored["phot+img"].index)].head(9).reset_index(drop=True)
    without = targets.head(3)  # the toy survey's objects without an image
    table = pd.concat([usable, without], ignore_index=True).sample(frac=1, random_state=2, ignore_index=True)
    blind = table["objID"].isin(usable["objID"][:3])  # no photometry, but an image
    nothing = table["objID"] == without["objID"][0]  # neither
    bands = [f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS]
    table.loc[blind | nothing, bands] = np.nan
    table["objID"] = table["objID"].astype("Int64").mask(table["objID"] == without["objID"][1])  # no match: no id

    images = predict.images_of(table["objID"], survey.index, survey.shards)
    found = predict.redshifts(table, ensemble[:1], images)
    wanted = np.select([nothing, blind, images.row < 0], ["", "phot_gen+img", "phot+img_gen"], "phot+img")
    assert found["inputs"].tolist() == wanted.tolist()
    assert sorted(found["inputs"].unique()) == ["", "phot+img", "phot+img_gen", "phot_gen+img"]
    assert found["status"].tolist() == np.where(nothing, "no_data", "ok").tolist()
    assert found["z_phot"].isna().tolist() == nothing.tolist()
    for inputs in ("phot+img", "phot_gen+img"):
        rows = found[found["inputs"] == inputs]
        assert rows["z_phot"].to_numpy() == pytest.approx(scored[inputs].loc[rows["objID"]].to_numpy(), abs=1e-4)
    assert set(found.loc[images.row < 0, "image"]) == {"missing_frame", ""}
    assert (found.loc[images.row >= 0, "image"] == "ok").all()


def test_what_was_not_matched_stays_so_and_flags_say_what_to_beware_of(ensemble, survey, targets):
    table = targets.tail(3).reset_index(drop=True)
    table.loc[0, [f"dered_{band}" for band in BANDS]] += 3.5
    table = table.assign(status=["ok", "no_match", "malformed"], why=["", "nothing there", "dec is missing"])
    table.loc[1:, [name for name in table if name.startswith(("dered", "psfMag", "extinction"))]] = np.nan
    table["objID"] = table["objID"].astype("Int64").mask(table["status"] != "ok")
    found = predict.redshifts(table, ensemble, predict.images_of(table["objID"], survey.index, survey.shards))
    assert found["status"].tolist() == ["ok", "no_match", "malformed"]
    assert found["why"].tolist() == ["", "nothing there", "dec is missing"]
    assert found["faint"].tolist() == [True, False, False]
    assert found["z_phot"].notna().tolist() == [True, False, False]
    assert found["inputs"].tolist() == ["phot+img", "", ""]
    lost = predict.redshifts(
        table.tail(2), ensemble, predict.images_of(table["objID"].tail(2), survey.index, survey.shards)
    )
    assert lost["status"].tolist() == ["no_match", "malformed"]  # nothing was found of any


def test_the_page_shows_every_target_and_escapes_what_users_write(ensemble, survey, targets, tmp_path):
    table = targets.tail(20).reset_index(drop=True)
    table = table.assign(ra=np.linspace(150, 170, 20), dec=np.linspace(-2, 2, 20), status="ok", why="")
    table.loc[3, ["status", "why"]] = ["malformed", "ra '<script>' is not 0 to 360 degrees"]
    found = predict.redshifts(table, ensemble, predict.images_of(table["objID"], survey.index, survey.shards))
    found.to_parquet(tmp_path / "mine.parquet")
    html_page.write_html_page(tmp_path / "mine.parquet", tmp_path / "mine.html", [survey.index, *survey.shards])
    text = (tmp_path / "mine.html").read_text()
    assert text.count("<tr>") == 21
    assert text.count("data:image/png;base64,") == 3
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert str(found["objID"][0]) in text
    assert "20 targets" in text
    html_page.write_html_page(tmp_path / "mine.parquet", tmp_path / "again.html", [survey.index, *survey.shards])
    assert (tmp_path / "again.html").read_text().replace("again", "mine") == text


def test_a_page_of_photometry_alone_and_one_without_any_redshift(ensemble, targets, tmp_path):
    found = predict.redshifts(targets.head(5), ensemble)
    assert html_page.page(found, "mine").count("data:image/png") == 2  # no positions, no map
    lost = found.assign(status="no_data", ra=10.0, dec=0.0)
    assert html_page.page(lost, "mine").count("data:image/png") == 1


def test_an_image_that_no_frame_covers_whole_is_at_an_edge(ensemble, targets, tmp_path):
    table = targets.tail(3).sort_values("objID", ignore_index=True)
    image, _ = to_units(toy.images(table))
    mask = np.zeros((3, 64, 64), np.uint8)
    mask[1, :, 60:] = 1  # no u for a strip of the second one
    status = ["ok", "ok", "missing_frame"]
    write_arrays(
        tmp_path / "0.arrow", {"objID": table["objID"].to_numpy(), "status": status, "image": image, "mask": mask}
    )
    table[["objID"]].to_parquet(tmp_path / "plan.parquet")
    index = tmp_path / "images.parquet"
    write_index(
        cutouts=[tmp_path / "0.arrow"],
        plan=[tmp_path / "plan.parquet"],
        index=index,
        counts=tmp_path / "counts.json",
        missing=tmp_path / "missing.csv",
    )
    found = predict.redshifts(table, ensemble, predict.images_of(table["objID"], index, [tmp_path / "0.arrow"]))
    assert found["edge"].tolist() == [False, True, False]
    assert found["image"].tolist() == status
