"""config/wise.yaml on the embedded sky and through an archive that serves this sky: the same bytes."""

import pandas as pd
import yaml
from local_archive import serve
from project import ROOT, copied, snakemake

MADE = ("results/catalog/extended_wise.parquet", "results/metrics.csv")
LESS = {"train": {"epochs": 2, "batch_size": 16}, "references": {"models": ["mean", "knn"]}, "stack": False}


def test_infrared_magnitudes_are_the_same_from_the_embedded_sky_and_the_archive(tmp_path):
    embedded, archive = tmp_path / "embedded", tmp_path / "archive"
    wise = yaml.safe_load((ROOT / "config/wise.yaml").read_text()) | LESS
    for where in (embedded, archive):
        where.mkdir()
        copied(where)
    snakemake(embedded, *MADE, **wise)
    sky = embedded / "results/sky"
    with serve(sky / "sky.sqlite", [sky / "sas"]) as server:
        overlay = (ROOT / "config/loopback.yaml").read_text().replace("http://127.0.0.1:8917", server.url)
        login = {"SCISERVER_USER": "user", "SCISERVER_PASSWORD": "password"}
        snakemake(archive, *MADE, login=login, **wise, **yaml.safe_load(overlay))
        assert any("/jobs/" in hit.path for hit in server.hits)
    for name in MADE:
        assert (archive / name).read_bytes() == (embedded / name).read_bytes(), name
    assert pd.read_parquet(embedded / MADE[0])["w1_mag"].between(10, 20).mean() > 0.5
    models = set(pd.read_csv(embedded / MADE[1])["model"])
    assert models >= {"crossmodal", "without_wise", "knn"}
