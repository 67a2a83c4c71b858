"""The pages show what the benchmarks wrote."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT

from crossz.core.names import APERTURES

RESULTS = sorted((ROOT / "benchmarks/results").glob("*.json"))


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield __import__("run")
    for name in ("run", "common"):
        sys.modules.pop(name, None)


def test_every_table_of_the_pages_is_one_of_a_committed_result(run):
    results = [json.loads(path.read_text()) for path in RESULTS]
    assert results
    for name in run.BENCHMARKS:
        page = run.PAGES.get(name, run.PAGE).read_text()
        assert page.count(f"<!-- {name} -->\n") == 1
        shown = page.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
        tables = [
            "\n".join([f"{one[name]['machine']}.", "", *one[name]["table"], ""]) for one in results if name in one
        ]
        assert shown in (tables or [""]), name


def test_a_table_replaces_the_one_before_and_leaves_the_rest(run):
    page = "a\n<!-- store -->\nold\n<!-- /store -->\nb\n<!-- scale -->\nkept\n<!-- /scale -->\n"
    found = run.filled(page, {"store": {"machine": "M, 2 cores", "table": ["| x |", "| --- |"]}})
    assert found == page.replace("old", "M, 2 cores.\n\n| x |\n| --- |")
    with pytest.raises(SystemExit, match="0 places for frames"):
        run.filled(page, {"frames": {"machine": "M", "table": []}})


def test_the_benchmark_of_references_runs(tmp_path):
    small = ["--train", "300", "--models", "mean", "knn", "--output", tmp_path / "found.json"]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/references.py", *small], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("| reference | 300 rows |")
    assert [row["model"] for row in json.loads((tmp_path / "found.json").read_text())["jobs"]["300"]] == ["mean", "knn"]


def test_skies_of_the_small_backbone_are_those_of_its_program_with_other_options(run, monkeypatch):
    def program(command, **_):
        Path(command[command.index("--output") + 1]).write_text(json.dumps({"backbone": "small"}))
        asked.extend(command)
        return subprocess.CompletedProcess(command, 0, stdout="| effects |\n")

    asked = []
    monkeypatch.setattr(run.subprocess, "run", program)
    found = run.measured("effects_small", ["--folder", "skies"])
    assert found == {"machine": run.machine(), "table": ["| effects |"], "backbone": "small"}
    assert Path(asked[1]) == ROOT / "benchmarks/effects.py"
    assert asked[asked.index("--backbone") + 1] == "small"
    assert asked[-2:] == ["--folder", "skies"]


def test_the_machine_has_no_name_in_it(run):
    import platform

    assert "cores" in run.machine()
    assert platform.node() not in run.machine()


def test_the_networks_of_a_sky_have_the_backbone_and_epochs_that_are_asked_for(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    effects = __import__("effects")
    for backbone in APERTURES:
        asked = effects.settings("quasars_all", ("dcr",), 100, backbone, 3)
        assert asked["crossmodal"] == {"backbone": backbone}
        assert asked["train"]["epochs"] == 3


def test_a_gain_of_images_is_positive_for_every_score_and_bold_where_it_is_certain(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    effects = __import__("effects")
    rows = [
        {
            "model": model,
            "inputs": inputs,
            "split": split,
            "estimate": estimate,
            "n_train": 60,
            "n_val": 20,
            "n_test": 20,
        }
        | {"rmse": 0.2 + worse, "crps": 0.1 + worse, "frac_lt_0.1": 0.8 - worse}
        for split in range(5)
        for estimate in ("mean", "median")
        for model, inputs, worse in (
            ("crossmodal", "phot+img", 0.0),
            ("crossmodal", "phot+img_gen", 0.01 + 0.001 * split),  # certain
            ("phot", "phot", 0.01 if split else -0.02),  # not certain
            ("extra_trees", "phot", -0.01 - 0.001 * split),  # better than images
        )
    ]
    for score, images in (("rmse", "0.2000"), ("crps", "0.1000"), ("frac_lt_0.1", "0.8000")):
        found = effects.gains(pd.DataFrame(rows), score)
        assert found["objects"] == "100"
        assert found["phot+img"] == images
        assert found["phot+img_gen"].startswith("**+0.0120 [+0.")
        assert found["phot"].startswith("+0.0040 [-0.")
        assert found["trees"].startswith("**-0.0120 [-0.")


def test_a_fifth_of_the_groups_is_held_out_and_scored(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    held_out = __import__("held_out")
    rng = np.random.default_rng(1)
    ra = np.repeat(rng.uniform(0, 360, 1000), 2) + np.tile([0, 0.1 / 3600], 1000)  # pairs
    mean, sigma = rng.uniform(0.5, 1.5, 2000), rng.uniform(0.02, 0.1, 2000)
    rows = pd.DataFrame({"ra": ra, "dec": 10.0, "z": np.expm1(rng.normal(mean, sigma))})
    rows.to_csv(tmp_path / "quasars.csv", index_label="name")
    settings = {"catalog": {"files": {"sdss": "../data/quasars.csv"}}}
    held = held_out.prepare(settings, tmp_path, tmp_path / "run", held_out.NUMBER)
    known = pd.read_csv(settings["catalog"]["files"]["sdss"])
    names = held["name"].astype(int)
    assert sorted([*known["name"], *names]) == list(range(2000))
    assert not set(known["name"] // 2) & set(names // 2)
    assert len(held) == pytest.approx(400, abs=2)
    pdfs = {
        "pdf_weight": [[1.0]] * len(held),
        "pdf_mean": mean[names, None].tolist(),
        "pdf_sigma": sigma[names, None].tolist(),
    }
    z = np.expm1(mean[names])
    found = pd.DataFrame({"status": "ok", "inputs": "phot", "z_phot": z, "z_median": z, "out_of_domain": z > 3} | pdfs)
    line = held_out.scored(found.assign(z=held["z"].astype(float)))
    assert line[:2] == ("phot", "400")
    assert float(line[5].split()[0]) == pytest.approx(68, abs=7)
    assert line[5].endswith("± 2.3")
    assert float(line[8]) == pytest.approx(100 * np.mean(z > 3), abs=0.1)
