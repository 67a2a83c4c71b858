"""The store gives back what was put in, by objID."""

import numpy as np
from toy_images import index, write_cutout_file

from crossz.core import files
from crossz.images.store import ImageStore


def test_images_are_gathered_by_objID_across_shards_in_any_order(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.arrow" for number in range(3)]
    first = write_cutout_file(paths[0], [50, 10, 30], ["ok", "ok", "missing_frame"], rng)
    write_cutout_file(paths[1], [], [], rng)
    third = write_cutout_file(paths[2], [20, 40], ["ok", "ok"], rng)
    counts = index(tmp_path, [10, 20, 30, 40, 50], *paths)
    assert counts["objects"] == 5
    assert counts["status"] == {"missing_frame": 1, "ok": 4}
    assert counts["sha256"] == files.digests(tmp_path / "images.parquet")
    bands = "".join(band for bit, band in enumerate("ugriz") if first[1][2, 32, 32] >> bit & 1)
    assert bands
    assert (tmp_path / "missing.csv").read_text() == f"objID,status,bands\n30,missing_frame,{bands}\n"
    store = ImageStore(tmp_path / "images.parquet", paths)
    rows = store.rows(np.array([40, 10, 30, 99, 50]))
    assert (rows[[2, 3]] == -1).all()  # no usable image; unknown
    image, mask = store.gather(rows[[0, 1, 4]])
    np.testing.assert_array_equal(image, np.stack([third[0][1], first[0][1], first[0][0]]))
    np.testing.assert_array_equal(mask, np.stack([third[1][1], first[1][1], first[1][0]]))
