"""The store gives back what was put in, by objID."""

import numpy as np
import pandas as pd
import pytest
from toy_images import index, write_cutout_file

from crossz.core import files
from crossz.core.errors import CrosszError
from crossz.images.arrow import read_arrays, write_arrays
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


@pytest.fixture
def stored(tmp_path):
    """An index of six images, and its two cutout files."""
    paths = [tmp_path / "0.arrow", tmp_path / "1.arrow"]
    rng = np.random.default_rng(0)
    write_cutout_file(paths[0], [50, 10, 30], ["ok", "ok", "missing_frame"], rng)
    write_cutout_file(paths[1], [20, 40, 60], ["ok", "ok", "ok"], rng)
    index(tmp_path, [10, 20, 30, 40, 50, 60], *paths)
    return tmp_path / "images.parquet", paths


def placed(**changes):
    """What puts other values into some rows of a column: column=(rows, values)."""

    def change(table):
        for name, (rows, values) in changes.items():
            column = table[name].to_numpy().copy()
            column[rows] = values
            table[name] = column
        return table

    return change


ALONE = {
    "an objID twice": placed(objID=([1], [10])),
    "unsorted": lambda table: table.iloc[::-1],
    "a row twice": lambda table: table.iloc[[0, 0, 1, 2, 3, 4, 5]],
    "a negative row": placed(row=([0], [-1])),
    "a negative shard": placed(shard=([0], [-1])),
    "one place twice": placed(shard=([0], [1]), row=([0], [0])),
    "an objID of NULL": lambda table: table.astype({"objID": "Int64"}).assign(objID=lambda t: t["objID"].where(t.index > 0)),
    "a status of NULL": placed(status=([0], [None])),
    "objIDs of floats": lambda table: table.astype({"objID": float}),
    "objIDs of text": lambda table: table.astype({"objID": str}),
    "rows of floats": lambda table: table.astype({"row": float}),
    "rows without sign": lambda table: table.astype({"row": "uint64"}).assign(row=np.uint64(2**64 - 1)),
    "statuses of numbers": lambda table: table.assign(status=1),
    **{f"no {name}": lambda table, name=name: table.drop(columns=name) for name in ("objID", "shard", "row", "status")},
}  # fmt: skip
WITH_IMAGES = {
    "a row behind the end": placed(row=([0], [3])),
    "a row far behind the end": placed(row=([0], [2**31 - 1])),
    "a shard behind the end": placed(shard=([0], [2])),
    "a row fewer": lambda table: table.iloc[1:],
    "a row more": lambda table: pd.concat([table, table.iloc[[5]].assign(objID=70, row=3)]),
    "two objIDs exchanged": placed(row=([1, 3], [1, 0])),
    "another objID": placed(objID=([5], [70])),
    "a lost image that is ok": placed(status=([2], ["ok"])),
    "an image that is lost": placed(status=([0], ["missing_frame"])),
}


@pytest.mark.parametrize("name", [*ALONE, *WITH_IMAGES])
def test_an_index_that_cannot_be_that_of_the_images_is_refused(stored, name):
    path, cutouts = stored
    change = (ALONE | WITH_IMAGES)[name]
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    for files_ in [cutouts] if name in WITH_IMAGES else [cutouts, []]:
        with pytest.raises(CrosszError, match=r"images\.parquet: .*; delete it and rerun"):
            ImageStore(path, files_)


@pytest.mark.parametrize("content", [b"", b"PAR1PAR1", b"objID,row\n1,2\n"])
def test_what_is_no_index_is_refused(stored, content):
    path, cutouts = stored
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=r"images\.parquet: not an index of images .*; delete it and rerun"):
        ImageStore(path, cutouts)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("objID", lambda values: values[::-1].copy()),
        ("objID", lambda values: values.astype(float)),
        ("status", lambda values: ["ok"] * 3),
        ("status", lambda values: [None] * 3),
        ("image", lambda values: values[:, :, :32].copy()),
        ("image", lambda values: values.astype(np.float32)),
        ("mask", lambda values: values[:, :32].copy()),
    ],
)
def test_a_cutout_file_that_is_not_that_of_the_index_is_refused(stored, name, change):
    path, cutouts = stored
    columns = read_arrays(cutouts[0])
    columns["status"] = columns["status"].tolist()
    write_arrays(cutouts[0].with_name("other.arrow"), columns | {name: change(columns[name])})
    with pytest.raises(CrosszError, match=r"images\.parquet|other\.arrow"):
        ImageStore(path, [cutouts[0].with_name("other.arrow"), cutouts[1]])


def test_exchanged_cutout_files_are_refused(stored):
    path, cutouts = stored
    with pytest.raises(CrosszError, match="images are of other objIDs"):
        ImageStore(path, cutouts[::-1])


def test_the_status_of_an_image_that_nobody_sought_is_empty(stored):
    assert ImageStore(*stored).status(np.array([30, 99, 10])).tolist() == ["missing_frame", "", "ok"]


def test_a_store_without_images_has_none(tmp_path):
    write_cutout_file(tmp_path / "0.arrow", [], [], np.random.default_rng(0))
    index(tmp_path, np.array([], np.int64), tmp_path / "0.arrow")
    store = ImageStore(tmp_path / "images.parquet", [tmp_path / "0.arrow"])
    assert store.rows(np.array([1, 2])).tolist() == [-1, -1]
    assert store.status(np.array([1, 2])).tolist() == ["", ""]
