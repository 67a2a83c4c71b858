"""Cutout files without pixels: every object is usable."""

import json

import pandas as pd

from crossz.core import files
from crossz.images.arrow import read_arrays
from crossz.images.no_images import write_without_images


def test_every_object_of_a_plan_is_usable_without_pixels(tmp_path):
    pd.DataFrame({"objID": [7, 3]}).to_parquet(tmp_path / "plan.parquet")
    path = tmp_path / "0.arrow"
    write_without_images(plan=tmp_path / "plan.parquet", cutouts=path, counts=tmp_path / "0.json")
    columns = read_arrays(path)
    assert (columns["objID"].tolist(), columns["status"].tolist()) == ([7, 3], ["ok", "ok"])
    counts = json.loads((tmp_path / "0.json").read_text())
    assert counts == {"objects": 2, "status": {"ok": 2}, "sha256": files.digests(path)}
