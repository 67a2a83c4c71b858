"""The model card: scores, calibration, domain and use, and no name that becomes markup."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from bundles import exported, scores, trained
from toy import rewrite, told

from crossz.apply.bundle_folder import CARD, check
from crossz.apply.model_card import markdown


def test_the_card_has_scores_calibration_query_and_how_to_use_it(survey, networks, tmp_path):
    query = tmp_path / "toy.sql"
    query.write_text("select z from SpecObjAll\n")
    folder = exported(survey, networks, tmp_path / "toy-crossmodal", query=[query])
    card, facts = (folder / CARD).read_text(), check(folder)
    assert "| crossmodal | phot+img | 0.1100 ± 0.0141 |" in card
    assert "| knn | phot | 0.3100 ± 0.0141 |" in card
    assert "0.78" not in card  # a model that was not asked for
    assert "0.6700 ± 0.0141" in card
    temperatures = (format(split["temperature"]["phot+img"], ".3f") for split in facts["splits"])
    assert f"| phot+img | {' | '.join(temperatures)} |" in card
    assert "```sql\nselect z from SpecObjAll\n```" in card
    assert "crossz predict toy-crossmodal" in card
    assert 'crossz.load_bundle("toy-crossmodal")' in card
    assert "crossz.predict(targets, bundle)\n```" in card
    assert "`out_of_domain`" in card
    assert "BSD 3-clause" in card
    assert "synthetic sky" not in card


def test_a_bundle_of_the_synthetic_sky_says_so(made):
    facts = check(made)
    facts["made"]["survey"] = "embedded"
    assert "**The training objects come from a synthetic sky." in markdown(facts, scores(), ["knn"], None, "toy")


def test_every_table_has_rows_of_one_length(made):
    lines = (made / CARD).read_text().split("\n")
    for first, second in itertools.pairwise(lines):
        if first.startswith("|") and second.startswith("|"):
            assert first.count("|") == second.count("|"), first
        elif first.startswith("|"):
            assert second == "", second  # a table ends with an empty line


def test_the_card_of_classes_names_them_their_scores_and_the_extra_columns(survey, tmp_path):
    def classed(table):
        return told(table).assign(**{"class": ["STAR", "QSO"] * (len(table) // 2)})

    survey = survey._replace(catalog=rewrite(survey.catalog, tmp_path / "classes", classed))
    networks = trained(survey, tmp_path / "models", classes=["STAR", "QSO"], columns=["w1mpro"])
    scored = scores().assign(accuracy=0.9, log_loss=0.3, roc_auc=0.95).drop(columns=["rmse", "crps"])
    card = (exported(survey, networks, tmp_path / "bundle", scored=scored) / CARD).read_text()
    assert "classes (STAR, QSO)" in card
    assert "`psfMagErr_z`, `w1mpro`" in card
    assert "0.9000" in card
    assert "flattens or sharpens the class probabilities" in card


NAME = "<script>alert(1)</script> **b** [x](javascript:y) | `c`\x1b[2J\u202e"


@pytest.mark.parametrize("place", ["dataset", "columns", "classes", "source", "code", "name"])
def test_forged_names_become_no_markup(made, place):
    facts, metrics, name = check(made), scores(), "toy"
    if place == "dataset":
        facts["dataset"] = NAME
        metrics["dataset"] = NAME
    elif place in ("columns", "classes"):
        facts[place] = [NAME]
        metrics = metrics.assign(accuracy=0.9, log_loss=0.3, roc_auc=0.95)
    elif place == "source":
        facts["made"]["source"] = NAME
    elif place == "code":
        facts["made"]["code"] = {NAME: NAME}
    else:
        name = NAME
    card = markdown(facts, metrics, ["knn"], None, name)
    prose = re.sub(r"^```.*?^```", "", card, flags=re.DOTALL | re.MULTILINE)
    assert "&#60;script&#62;alert(1)" in prose
    for text in ("<script", "**b**", "[x]", "`c`"):
        assert text not in prose
    for text in ("\x1b", "\u202e"):
        assert text not in card


def test_the_card_shows_where_the_network_errs_and_what_its_makers_say(made):
    scored = {"rmse": 0.1234, "frac_lt_0.1": 0.9, "bias_median": -0.0321, "sigma_nmad": 0.05, "outlier_0.15": 0.04}
    place = {"dataset": "toy", "model": "crossmodal", "inputs": "phot+img", "by": "z", "low": 1.5, "high": 2.0, "n": 77}
    other = [
        {"model": "knn", "n": 11},
        {"by": "g", "n": 12},
        {"inputs": "phot+img_gen", "n": 13},
        {"rmse": np.nan, "n": 14},
    ]
    binned = pd.DataFrame([place | scored, *(place | scored | row for row in other)])
    card = markdown(check(made), scores(), ["knn"], None, "toy", binned=binned, notes="## Credit\n\nSomebody.\n")
    assert "| 1.5 - 2 | 77 | 0.1234 | 0.9000 | -0.0321 | 0.0500 | 0.0400 |" in card
    assert not [
        number for number in (11, 12, 13, 14) if f"| {number} |" in card.split("## Where it errs")[1].split("##")[0]
    ]
    assert "\n## Credit\n\nSomebody.\n\n## How it was made" in card


def test_a_query_cannot_leave_its_block(made):
    query = "select 1\n```\n<script>alert(1)</script>\n````\n"
    card = markdown(check(made), scores(), ["knn"], query, "toy")
    assert f"`````sql\n{query.strip()}\n`````\n" in card
