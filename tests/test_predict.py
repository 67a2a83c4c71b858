"""Redshifts of new objects from their photometry, by the networks of several splits."""

import numpy as np
import pandas as pd
import pytest
import toy
from test_training import CROSSMODAL, TRAIN

from crossz import BANDS, machine, pdf, predict, training
from crossz.errors import CrosszError
from crossz.samples import mixtures_of

COUNT = 2


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def networks(survey, tmp_path_factory):
    """([model.pt], [model.json], [predictions of phot+img_gen]) of two networks on the same split."""
    folders = [tmp_path_factory.mktemp(f"split{number}") for number in range(COUNT)]
    for number, folder in enumerate(folders):
        made = [folder / name for name in ("model.pt", "model.json", "history.csv", "resume.pt")]
        settings = {"crossmodal": CROSSMODAL, "training": TRAIN, "magnitudes": "dered_model", "code": "code"}
        training.train(*survey[:3], survey.shards, *made, **settings, seed=number)
        inputs = ("phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen")
        training.evaluate(*survey[:3], survey.shards, *made[:2], {name: folder / f"{name}.parquet" for name in inputs})
    return tuple([folder / name for folder in folders] for name in ("model.pt", "model.json", "phot+img_gen.parquet"))


@pytest.fixture
def targets(survey):
    return pd.read_parquet(survey.catalog).drop(columns="z")


def test_new_objects_get_what_the_evaluation_gave_them_averaged_over_the_splits(networks, targets):
    models, infos, predictions = networks
    scored = [pd.read_parquet(path) for path in predictions]
    known = targets[targets["objID"].isin(scored[0]["objID"])].sample(frac=1, random_state=1)
    ensemble = [training.load_networks(*paths, machine.device()) for paths in zip(models, infos, strict=True)]
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
    predict.write_redshifts(path, {}, *networks[:2], tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["status"].tolist() == ["ok", "ok", "no_data", "ok", "no_data", "ok", "ok", "ok"]
    assert table["missing"].tolist() == ["", "u", "ugriz", "g", "ugriz", "", "", ""]
    assert table["unusual"].tolist() == [False] * 5 + [True, False, False]
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
        predict.write_redshifts(path, {}, *networks[:2], tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_network_that_was_tampered_with_is_refused(networks, targets, tmp_path):
    models, infos, _ = networks
    targets.to_csv(tmp_path / "mine.csv", index=False)
    damaged = tmp_path / "model.pt"
    damaged.write_bytes(models[0].read_bytes()[:-1] + b"x")
    with pytest.raises(CrosszError, match="checksum"):
        predict.write_redshifts(tmp_path / "mine.csv", {}, [damaged], infos[:1], tmp_path / "out.parquet")
