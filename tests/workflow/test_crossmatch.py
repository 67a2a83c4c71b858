"""Columns of external surveys as a user gets them: from positions to networks that see them, and to estimates of targets."""

import json
import shutil

import numpy as np
import pandas as pd
import yaml
from local_archive import serve, vizier_of
from project import ROOT, copied, snakemake

from crossz.core.surveys import SURVEYS

COLUMNS = [*SURVEYS["allwise"].columns, *SURVEYS["gaia"].columns]


def test_networks_see_the_columns_of_external_surveys(small_sky, tmp_path):
    where = copied(tmp_path)
    tables = vizier_of(small_sky / "truth.parquet")
    login = {"SCISERVER_USER": "user", "SCISERVER_PASSWORD": "password"}
    with serve(small_sky / "sky.sqlite", [small_sky / "sas"], vizier=tables) as server:
        overlay = (ROOT / "config/loopback.yaml").read_text().replace("http://127.0.0.1:8917", server.url)
        overrides = yaml.safe_load(overlay) | {
            "datasets": ["baseline"], "networks": ["phot"], "mml": {"datasets": []}, "train": {"epochs": 2, "batch_size": 16},
            "references": {"models": ["mean", "knn"]}, "photometry": {"crossmatch": ["allwise", "gaia"]},
        }  # fmt: skip
        snakemake(where, "results/metrics.csv", login=login, **overrides)
        catalog = pd.read_parquet(where / "results/catalog/baseline.parquet")
        rows = pd.read_parquet(where / "results/crossmatch/baseline.parquet")
        pd.testing.assert_frame_equal(rows[catalog.columns.tolist()], catalog)
        assert 0.6 < rows["allwise_w1"].notna().mean() < 0.95
        assert rows["allwise_separation"].max() < 1.0
        record = yaml.safe_load((where / "results/run.yaml").read_text())
        assert (
            record["counts"]["results/crossmatch/baseline.counts.json"]["found"]["allwise"]
            == rows["allwise_w1"].count()
        )
        model = where / "results/models/baseline/phot/0/model.json"
        assert json.loads(model.read_text())["columns"] == COLUMNS

        objects = rows.head(8)
        targets = [*zip(objects["ra"], objects["dec"], strict=True), (10, -80)]
        pd.DataFrame(targets, columns=["ra", "dec"]).to_csv(where / "mine.csv", index=False)
        snakemake(where, "results/predict/mine.parquet", login=login, **overrides, targets="mine.csv")
        found = pd.read_parquet(where / "results/predict/mine/crossmatched.parquet")
        np.testing.assert_array_equal(found[COLUMNS].iloc[:8], objects[COLUMNS])
        assert found[COLUMNS].iloc[8].isna().all()
        estimates = pd.read_parquet(where / "results/predict/mine.parquet")
        assert estimates["status"].tolist() == ["ok"] * 8 + ["no_match"]
        assert estimates["z_phot"].notna().sum() == 8

        asked = sum("/xmatch/" in hit.path for hit in server.hits)
        shutil.rmtree(where / "results/crossmatch")
        snakemake(where, "results/crossmatch/baseline.parquet", login=login, **overrides)
        pd.testing.assert_frame_equal(pd.read_parquet(where / "results/crossmatch/baseline.parquet"), rows)
        assert sum("/xmatch/" in hit.path for hit in server.hits) == asked == 4
