"""The main job as a user runs it, on a sky of a hundred quasars: whole, repeatable, and only what is needed is rerun."""

import json
import re
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy
import yaml
from local_archive import serve
from project import FIGURES, ROOT, SMALL, copied, planned, snakemake

from crossz.apply import cli


def reruns(where, *forced, **overrides):
    """Names of the rules that a change of top-level blocks, or a forced rule, would run."""
    jobs = planned(where, ["small.yaml"], "results/metrics.csv", config=overrides, forced=forced)
    return {job.rule.name for job in jobs}


TRAINING = {"train", "evaluate", "stack", "metrics"}
OTHERS = {"references", "trees", "mml"}
FROM_IMAGES = {"images", "gate", "splits"} | OTHERS | TRAINING


class TestMainJob:
    def test_metrics_hold_every_row_of_the_contract(self, run):
        metrics = pd.read_csv(run / "results/metrics.csv")
        assert metrics.columns.tolist() == [
            "dataset", "model", "inputs", "split", "estimate", "n_train", "n_val", "n_test", "rmse", "frac_lt_0.1", "frac_lt_0.2",
            "frac_lt_0.3", "frac_lt_0.4", "bias_mean", "bias_median", "sigma_nmad", "outlier_0.15",
            "crps", "pit_ks", "coverage_68", "coverage_95", "nll",
        ]  # fmt: skip
        rows = {tuple(row) for row in metrics[["dataset", "model", "inputs", "split"]].to_numpy().tolist()}
        models = [("crossmodal", inputs) for inputs in ("phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen")]
        models += [(name, "phot") for name in SMALL["references"]["models"]]
        models += [("stacked", inputs) for inputs in ("phot+img", "phot+img_gen")]
        rows_of_mml = {("baseline", "mml", inputs, 0) for inputs in ("phot", "phot+spec_gen", "spec")}
        assert rows == {(dataset, *model, 0) for dataset in ("baseline", "extended") for model in models} | rows_of_mml
        assert metrics["rmse"].between(0, 2).all()
        assert metrics["rmse"].nunique() == len(metrics)
        pdf = metrics.set_index("model")[["crps", "pit_ks", "coverage_68", "coverage_95", "nll"]]
        assert pdf.drop("mml").notna().all(axis=None)
        assert pdf.loc["mml"].isna().all(axis=None)
        table = (run / "results/table1.md").read_text()
        assert "not run" not in table
        assert re.search(r"\| baseline \| mml \| phot \| 1 \| [\d.]+ ± 0.00 \(80.41\)", table)
        binned = pd.read_csv(run / "results/metrics_binned.csv")
        assert set(binned["by"]) == {"z", "z_phot", "g", "zWarning"}
        assert set(binned["model"]) == set(metrics["model"])
        for figure in FIGURES:
            for suffix in (".png", ".pdf"):
                assert (run / figure).with_suffix(suffix).stat().st_size > 5000

    def test_counts_in_are_counts_out(self, run):
        images = pd.read_parquet(run / "results/images.parquet")
        objects = set()
        for dataset in ("baseline", "extended"):
            catalog = pd.read_parquet(run / f"results/catalog/{dataset}.parquet")
            assert catalog["objID"].is_unique
            objects |= set(catalog["objID"])
            split = pd.read_parquet(run / f"results/splits/{dataset}/0.parquet")
            assert set(split["objID"]) == set(catalog["objID"])
            parts = split.merge(catalog[["objID", "group"]]).groupby("group")["subset"].nunique()
            assert (parts == 1).all()
        assert set(images["objID"]) == objects
        record = yaml.safe_load((run / "results/run.yaml").read_text())
        assert record["config"]["sky"]["quasars"] == 100
        assert record["counts"]["results/images.counts.json"]["objects"] == len(objects)

    def test_a_second_run_has_nothing_to_do(self, run):
        output = snakemake(run, "results/metrics.csv")
        assert "Nothing to be done" in output.stdout + output.stderr

    def test_a_bundle_predicts_where_nothing_else_of_the_run_is(self, run, tmp_path):
        bundle = run / "results/bundle/extended-crossmodal.zip"
        snakemake(run, "results/bundle/extended-crossmodal.zip")
        before = bundle.read_bytes()
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(tmp_path)
        known = pd.read_parquet(run / "results/predictions/extended/stacked/0/phot+img_gen.parquet")
        rows = pd.read_parquet(run / "results/catalog/extended.parquet").drop(columns=["z", "zErr"])
        rows[rows["objID"].isin(known["objID"])].to_parquet(tmp_path / "targets.parquet", index=False)
        folder, out = tmp_path / "extended-crossmodal", tmp_path / "out.parquet"
        cli.main(["predict", str(folder), str(tmp_path / "targets.parquet"), str(out)])
        found = pd.read_parquet(out).set_index("objID").loc[known["objID"], "z_phot"]
        assert found.to_numpy() == pytest.approx(known["z_phot"].to_numpy(), abs=1e-4)
        card = (folder / "card.md").read_text()
        assert "The training objects come from a synthetic sky" in card
        assert (ROOT / "workflow/sql/extended.sql").read_text().strip() in card
        assert "| mlp | phot |" in card
        assert "| stacked | phot+img |" in card
        snakemake(run, "-R=bundle", "results/bundle/extended-crossmodal.zip")
        assert bundle.read_bytes() == before

    @pytest.mark.parametrize(
        ("overrides", "rules"),
        [
            ({"cutouts": {"align": "integer"}}, {"cutouts"} | FROM_IMAGES),
            ({"stamps": {"edges": "mask"}}, {"stamps", "cutouts"} | FROM_IMAGES),
            ({"splits": {"fractions": [0.5, 0.25, 0.25]}}, {"splits"} | OTHERS | TRAINING),
            ({"train": {"epochs": 4}}, TRAINING),
            ({"photometry": {"magnitudes": "psf"}}, OTHERS | TRAINING),
        ],
    )
    def test_a_changed_setting_reruns_what_it_reaches(self, run, overrides, rules):
        assert reruns(run, **overrides) == rules

    @pytest.mark.parametrize(
        ("module", "rules"),
        [
            ("images/cutouts", {"cutouts"} | FROM_IMAGES),
            ("models/training", TRAINING),
            ("models/references", {"references", "metrics"}),
            ("scores/metrics", {"metrics"}),
            ("report/style", set()),
            ("apply/predict", set()),
        ],
    )
    def test_an_edit_reruns_its_rule_and_what_follows(self, run, module, rules):
        source = run / f"src/crossz/{module}.py"
        before = source.read_text()
        try:
            source.write_text(before + "EDITED = 1\n")
            assert reruns(run) == rules
            source.write_text(f"{before}# edited\n")
            assert reruns(run) == set()
        finally:
            source.write_text(before)

    @pytest.mark.parametrize(("rule", "rules"), [("splits", {"splits"} | OTHERS | TRAINING), ("train", TRAINING)])
    def test_one_stage_by_hand_reruns_what_follows(self, run, rule, rules):
        assert reruns(run, rule) == rules

    def test_each_rule_needs_nothing_but_its_declared_inputs(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(run)
        jobs = {
            job.rule.name: job for job in planned(run, ["small.yaml"], "results/metrics.csv", *FIGURES, everything=True)
        }
        assert len(jobs) > 15

        def alone(name):
            where = tmp_path / name
            where.mkdir()
            copied(where)
            for given in map(Path, jobs[name].input):
                (where / given).parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if given.is_dir() else shutil.copy)(given, where / given)
            snakemake(where, f"--allowed-rules={name}", *jobs[name].output)
            for made in filter(Path.is_file, map(Path, jobs[name].output)):
                if made.suffix != ".jsonl":  # it tells when each frame was read
                    assert (where / made).read_bytes() == made.read_bytes(), made

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(alone, jobs))

    def test_new_objects_come_back_with_redshifts_from_their_images(self, run):
        objects = pd.read_parquet(run / "results/catalog/extended.parquet").head(6)[["ra", "dec"]]
        rows = [*objects.astype(str).itertuples(index=False, name=None), ("10", "-80"), ("x", "1")]
        pd.DataFrame(rows, columns=["ra", "dec"]).to_csv(run / "mine.csv", index=False)
        snakemake(run, "results/predict/mine.html", targets="mine.csv")
        found = pd.read_parquet(run / "results/predict/mine.parquet")
        assert found["status"].tolist() == ["ok"] * 6 + ["no_match", "malformed"]
        assert (found["inputs"] == "phot+img").sum() >= 5
        assert found["z_phot"].notna().sum() == 6
        page = json.loads(re.search(r'id="data">(.*?)</script>', (run / "results/predict/mine.html").read_text())[1])
        assert [image is not None for image in page["images"][:6]].count(True) >= 5

    def test_the_archive_s_way_gives_the_same_metrics(self, run, tmp_path):
        sky = run / "results/sky"
        overlay = yaml.safe_load((ROOT / "config/loopback.yaml").read_text())
        with serve(sky / "sky.sqlite", [sky / "sas", sky / "spectra"]) as server:
            addresses = {
                name: yaml.safe_load(yaml.safe_dump(value).replace("http://127.0.0.1:8917", server.url))
                for name, value in overlay["archive"].items()
            }
            login = {"SCISERVER_USER": "user", "SCISERVER_PASSWORD": "password"}
            blocks = overlay | {"archive": addresses, "catalog": {"backend": "skyserver"}}
            snakemake(copied(tmp_path), "results/metrics.csv", **blocks)
            queries = {
                "".join(hit.path.split("/")[:2]).lower() for hit in server.hits if not hit.path.startswith("/sas/")
            }
            assert queries == {"dr17"}
            catalogs = [f"results/catalog/{name}.parquet" for name in ("baseline", "extended")]
            by_jobs = tmp_path / "casjobs"
            by_jobs.mkdir()
            snakemake(copied(by_jobs), *catalogs, login=login, **overlay | {"archive": addresses})
            assert any("/jobs/" in hit.path for hit in server.hits)
            assert len({hit.path for hit in server.hits if hit.path.startswith("/sas/") and hit.complete}) > 30
        for name in ("metrics.csv", "table1.md", "images.parquet", "cutouts/0000.arrow", "catalog/baseline.parquet"):
            assert (tmp_path / "results" / name).read_bytes() == (run / "results" / name).read_bytes(), name
        for name in catalogs:
            assert (tmp_path / name).read_bytes() == (by_jobs / name).read_bytes() == (run / name).read_bytes(), name
        snakemake(tmp_path, "verify")
        shutil.copy(run / "mine.csv", tmp_path)
        snakemake(run, "results/predict/mine.parquet", targets="mine.csv")
        with serve(sky / "sky.sqlite", [sky / "sas"]) as server:
            overlay["archive"] |= {"skyserver": f"{server.url}/dr17", "sas": [f"{server.url}/sas"]}
            snakemake(tmp_path, "results/predict/mine.parquet", login=login, **overlay, targets="mine.csv")
        found, wanted = (pd.read_parquet(where / "results/predict/mine.parquet") for where in (tmp_path, run))
        pd.testing.assert_frame_equal(found, wanted)
        assert found["status"].tolist() == ["ok"] * 6 + ["no_match", "malformed"]
        cutouts = tmp_path / "results/cutouts/0001.arrow"
        cutouts.write_bytes(cutouts.read_bytes()[:-1] + b"x")
        done = snakemake(tmp_path, "verify", check=False)
        assert done.returncode != 0
        assert (
            "results/cutouts/0001.arrow: damaged since its job wrote it; delete results/cutouts/0001.arrow and rerun"
            in done.stderr
        )

    def test_a_corrupt_frame_stops_the_run_with_its_name_and_nothing_half_written(self, run):
        frame = next((run / "results/sky/sas").rglob("frame-r-*.bz2"))
        whole = frame.read_bytes()
        try:
            frame.write_bytes(whole[:-50])
            done = snakemake(run, "-R=stamps", "results/metrics.csv", check=False)
        finally:
            frame.write_bytes(whole)
        assert done.returncode != 0
        assert f"{frame.name}: damaged since its job wrote it; delete results/sky/sas and rerun" in done.stderr
        assert not list((run / "results").rglob("*.part*"))


def test_an_empty_query_stops_the_run_and_names_it(tmp_path):
    sql = copied(tmp_path) / "workflow/sql/baseline.sql"
    sql.write_text(sql.read_text().replace("'QSO'", "'NEBULA'"))
    done = snakemake(tmp_path, "results/catalog/baseline.parquet", check=False)
    assert done.returncode != 0
    assert "baseline.sql: no rows; loosen the query's cuts" in done.stderr
    assert not list((tmp_path / "results").rglob("baseline*"))


def test_classes_by_magnitudes_and_an_extra_column_of_a_user_catalog(tmp_path):
    """Survey photometry, task classification, photometry.columns and new objects, all by configuration."""
    objects = toy.told(toy.catalog(300))
    names = ["STAR", "GALAXY", "QSO"]
    kind = np.array(names)[np.digitize(objects["z"], [1.8, 3.0])]
    place = {"specObjID": objects["objID"], "ra": 0.1 * np.arange(300), "dec": 0.0, "zErr": 1e-4, "class": kind}
    objects = objects.rename(columns={"w1mpro": "W1"}).assign(**place)
    where = copied(tmp_path)
    (where / "data").mkdir()
    objects.to_csv(where / "data/quasars.csv", index=False)
    objects.drop(columns=["z", "zErr", "class"]).head(60).to_csv(where / "new.csv", index=False)
    overrides = yaml.safe_load((where / "config/photometry.yaml").read_text()) | {
        "task": "classification", "splits": {"count": 1}, "train": {"epochs": 12, "batch_size": 16},
        "photometry": {"magnitudes": "dered_model", "columns": ["w1mpro"]}, "references": {"models": ["mean", "knn"]},
        "targets": "new.csv",
    }  # fmt: skip
    overrides["catalog"]["columns"] = {"w1mpro": "W1"}
    figure = "results/figures/quasars/phot/phot.png"
    snakemake(where, "results/metrics.csv", "results/predict/new.parquet", figure, **overrides)
    metrics = pd.read_csv(where / "results/metrics.csv").set_index("model")
    assert (metrics.loc[["phot", "knn"], "accuracy"] > metrics.loc["mean", "accuracy"] + 0.2).all()
    assert (where / figure).stat().st_size > 5000
    found = pd.read_parquet(where / "results/predict/new.parquet")
    assert (found["class_phot"].to_numpy() == kind[:60]).mean() > 0.65
