"""Class and redshift together: by one call, by the command, and by the rule; what does not go together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy
from bundles import exported, scores, trained

from crossz.apply import cli
from crossz.apply.answer import SYNTHETIC, counted, read_answer, summary
from crossz.apply.at import in_words
from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import fingerprint
from crossz.apply.classes import with_classes, with_classes_said
from crossz.apply.html_page import write_html_page
from crossz.apply.predict import images_of, predict
from crossz.apply.redshifts import write_redshifts
from crossz.core.errors import CrosszError

NAMES = ["STAR", "QSO"]


@pytest.fixture(scope="module")
def classed(tmp_path_factory):
    """Survey and bundle of classes: the stars are what has z < 2 in the toy survey."""
    folder = tmp_path_factory.mktemp("classes")
    survey = toy.write(folder / "toy", 120)
    table = pd.read_parquet(survey.catalog)
    table["class"] = np.where(table["z"] < 2, "STAR", "QSO")
    table.to_parquet(survey.catalog, index=False)
    networks, scored = (
        trained(survey, folder / "models", classes=NAMES),
        scores().assign(accuracy=1, log_loss=0, roc_auc=1),
    )
    return survey, exported(survey, networks, folder / "toy-classes", scored=scored)


@pytest.fixture
def bundles(made, classed):
    return load_bundle(made), load_bundle(classed[1])


@pytest.fixture
def csv(targets, tmp_path):
    targets.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def test_classes_stand_beside_redshifts_that_are_those_of_quasars(bundles, classed, targets):
    redshifts, classes = bundles
    rows = targets.assign(status="ok")
    rows.loc[3, "status"] = "malformed"
    images = images_of(rows["objID"], classed[0].index, classed[0].cutouts)
    together, apart, alone = (
        predict(rows, redshifts, images, classes),
        predict(rows, redshifts, images),
        predict(rows, classes, images),
    )
    pd.testing.assert_frame_equal(together[list(apart)], apart)
    ok = together["status"] == "ok"
    assert not ok[3]
    assert together.loc[3, ["class_phot", "p_STAR", "p_QSO"]].isna().all()
    for name in ("class_phot", "p_STAR", "p_QSO"):
        assert together.loc[ok, name].tolist() == alone.loc[ok, name].tolist()
    assert together["not_quasar"].tolist() == ((alone["class_phot"] == "STAR") & ok).tolist()
    assert 0 < together["not_quasar"].sum() < ok.sum()
    assert together.loc[ok, ["p_STAR", "p_QSO"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert f"{together['not_quasar'].sum()} probably no quasars" in summary(counted(together))


def test_a_row_without_a_redshift_or_without_a_class_has_no_flag():
    found = pd.DataFrame({"status": ["ok", "no_data", "ok"], "z_phot": [1.0, np.nan, 2.0]})
    classes = pd.DataFrame(
        {"class_phot": ["STAR", "STAR", None], "p_STAR": [0.9, 0.9, np.nan], "p_QSO": [0.1, 0.1, np.nan]}
    )
    table = with_classes(found, classes, NAMES)
    assert table["not_quasar"].tolist() == [True, False, False]
    assert table["class_phot"].notna().tolist() == table["p_QSO"].notna().tolist() == [True, False, False]


def test_networks_of_the_wrong_kind_are_refused_with_the_remedy(bundles, targets):
    redshifts, classes = bundles
    with pytest.raises(CrosszError, match="toy-crossmodal estimates classes itself; name a network of redshifts"):
        predict(targets, classes, classes=classes)
    with pytest.raises(
        CrosszError, match=r"--classes toy-crossmodal: it estimates redshifts; name a bundle of config/classes\.yaml"
    ):
        predict(targets, redshifts, classes=redshifts)
    other = tuple(one._replace(info=replace(one.info, classes=("STAR", "GALAXY"))) for one in classes.splits)
    with pytest.raises(CrosszError, match=r"its classes are STAR, GALAXY; .* QSO, which it must know"):
        predict(targets, redshifts, classes=replace(classes, splits=other))
    turned = replace(classes, facts={**classes.facts, "images": {"align": "none"}})
    with pytest.raises(CrosszError, match="aligned as none, those of toy-crossmodal as fourier"):
        predict(targets, redshifts, classes=turned)


def test_the_header_names_both_networks_and_what_the_redshifts_are(bundles, classed):
    print_ = fingerprint(classed[1])
    said = with_classes_said({"network": "mine"}, bundles[1], print_)
    assert said["network"] == "mine"
    assert "warning" not in said
    for words in ("toy-crossmodal", print_[:12], "p(z | QSO)", "p_QSO p(z) is the joint density"):
        assert words in said["classes"]
    synthetic = replace(bundles[1], facts={**bundles[1].facts, "made": {"survey": "embedded"}})
    assert with_classes_said({}, synthetic, print_)["warning"] == SYNTHETIC


def test_the_command_writes_what_the_python_call_gives_in_table_page_and_terminal(
    bundles, made, classed, csv, tmp_path, capsys
):
    wanted = predict(pd.read_csv(csv), bundles[0], classes=bundles[1])
    stars = int(wanted["not_quasar"].sum())
    for suffix in (".parquet", ".fits"):
        cli.main(["predict", str(made), str(csv), str(tmp_path / f"out{suffix}"), "--classes", str(classed[1])])
        assert f"{stars} probably no quasars" in capsys.readouterr().err
    table, header = read_answer(tmp_path / "out.parquet")
    assert table["p_QSO"].to_numpy() == pytest.approx(wanted["p_QSO"].to_numpy())
    assert table["not_quasar"].tolist() == wanted["not_quasar"].tolist()
    assert table["z_phot"].to_numpy() == pytest.approx(wanted["z_phot"].to_numpy())
    assert fingerprint(classed[1])[:12] in header["classes"]
    page = (tmp_path / "out.html").read_text()
    assert f"{stars} probably no quasars" in page
    assert "Photometric redshifts of 120 targets" in page
    assert "p(z | QSO)" in page


def test_the_command_asks_for_the_columns_of_both_networks(made, classed, targets, tmp_path):
    lacking = targets.drop(columns=[name for name in targets if name.startswith("dered_")])
    lacking.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(SystemExit, match=r"no column dered_\*"):
        cli.main(["predict", str(made), f"{tmp_path}/mine.csv", f"{tmp_path}/o.csv", "--classes", str(classed[1])])


@pytest.mark.parametrize("with_images", [False, True])
def test_the_rule_writes_them_too(bundles, made, classed, targets, tmp_path, with_images):
    survey, folder = classed
    rows, images = targets.assign(status="ok", why=""), [survey.index, *survey.cutouts] if with_images else []
    rows.to_parquet(tmp_path / "mine.parquet", index=False)
    files = {"targets": tmp_path / "mine.parquet", "table": tmp_path / "out.parquet"}
    write_redshifts(**files, columns={}, networks=[made], images=images, classes=[folder])
    table, header = read_answer(tmp_path / "out.parquet")
    seen = images_of(rows["objID"], survey.index, survey.cutouts) if with_images else None
    wanted = predict(rows if with_images else rows.drop(columns=["status", "why"]), *bundles[:1], seen, bundles[1])
    assert table["p_QSO"].to_numpy() == pytest.approx(wanted["p_QSO"].to_numpy())
    assert "joint density" in header["classes"]
    if not with_images:
        write_html_page(table=tmp_path / "out.parquet", html=tmp_path / "out.html", images=[])
        assert f"{wanted['not_quasar'].sum()} probably no quasars" in (tmp_path / "out.html").read_text()


def test_one_object_is_told_with_its_class():
    row = {"objID": 1, "separation_arcsec": 0.1, "status": "ok", "class_phot": "STAR", "p_STAR": 0.91, "p_QSO": 0.09}
    assert in_words(pd.Series(row)).endswith("class STAR, probability 0.91")
    row |= {"z_phot": 1.5, "inputs": "phot", "not_quasar": True, "missing": ""}
    row |= dict.fromkeys(("out_of_domain", "photometry_suspect", "faint", "edge"), False)
    lines = in_words(pd.Series(row)).splitlines()
    assert lines[1:] == ["class STAR, probability 0.91", "as a quasar: z_phot 1.500, from phot", "flags: not_quasar"]
