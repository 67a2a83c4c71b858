"""The authors' pickled cutouts: arrays come out, nothing else gets in."""

import json
import pickle
import struct

import numpy as np
import pandas as pd
import pytest

from crossz.core.errors import CrosszError
from crossz.images import mat
from crossz.images.arrow import read_arrays, to_nmgy


def joblib_bytes(array):
    """The bytes that joblib.dump writes for an array (protocol 4), made without it."""

    def text(word):
        return b"\x8c" + struct.pack("<B", len(word)) + word.encode()

    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in array.shape) + b"t"
    dtype = text("numpy") + text("dtype") + b"\x93" + text(array.dtype.str[1:]) + b"\x89\x88\x87R"
    state = {
        "subclass": text("numpy") + text("ndarray") + b"\x93",
        "shape": shape,
        "order": text("C"),
        "dtype": dtype,
        "allow_mmap": b"\x88",
        "numpy_array_alignment_bytes": b"K\x10",
    }
    wrapper = text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81"
    items = b"}(" + b"".join(text(key) + value for key, value in state.items()) + b"u"
    return b"\x80\x04" + wrapper + items + b"b" + b"\x02\xff\xff" + array.tobytes() + b"."


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(5, 64, 64)).astype(np.float32)


def test_a_cutout_is_read_bit_for_bit(tmp_path, image):
    path = tmp_path / "1_2.5_0.0001.mat"
    path.write_bytes(joblib_bytes(image))
    np.testing.assert_array_equal(mat.read_mat(path), image)


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.marker}",)


def test_a_planted_command_is_refused_and_never_run(tmp_path):
    path = tmp_path / "1_2.5_0.0001.mat"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "pwned")))
    with pytest.raises(CrosszError, match=r"1_2\.5_0\.0001\.mat: not a cutout .*it names \w+\.system"):
        mat.read_mat(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a cutout"),
        (b"<html>503</html>", "not a cutout"),
        (pickle.dumps([1, 2, 3]), "found list"),
        (pickle.dumps({"a": eval}), "it names builtins.eval"),
        (joblib_bytes(np.zeros((5, 64, 64), np.float32))[:5000], "cut short"),
        (joblib_bytes(np.zeros((5, 32, 32), np.float32)), r"found float32 \(5, 32, 32\)"),
        (joblib_bytes(np.zeros((5, 64, 64), np.int32)), "found int32"),
        (joblib_bytes(np.full((5, 64, 64), np.nan, np.float32)), "not finite"),
        (
            joblib_bytes(np.zeros((5, 64, 64), np.float32)).replace(struct.pack("<i", 64), b"\xff\xff\xff\x7f"),
            "admitted",
        ),
    ],
)
def test_anything_else_is_refused_with_its_reason(tmp_path, content, words):
    path = tmp_path / "7_2.5_0.0001.mat"
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=words) as caught:
        mat.read_mat(path)
    assert str(path) in str(caught.value)


def test_a_shard_takes_the_file_of_each_spectrum_and_says_what_is_missing(tmp_path, image):
    big = 12300528913910880256  # beyond int64
    folder = tmp_path / "mat"
    folder.mkdir()
    (folder / f"{big}_4.2_0.0007.mat").write_bytes(joblib_bytes(image))
    plan = pd.DataFrame({"objID": [5, 6], "specObjID": np.array([17, big], np.uint64)})
    plan.to_parquet(tmp_path / "plan.parquet")
    written = {"cutouts": tmp_path / "c.arrow", "counts": tmp_path / "c.json"}
    mat.write_mat_cutouts(plan=tmp_path / "plan.parquet", folder=folder, **written)
    columns = read_arrays(tmp_path / "c.arrow")
    assert columns["status"].tolist() == ["missing_file", "ok"]
    np.testing.assert_allclose(to_nmgy(columns["image"][1]), image, atol=2e-3)
    assert json.loads((tmp_path / "c.json").read_text())["status"] == {"missing_file": 1, "ok": 1}


def test_all_unreadable_files_of_a_shard_are_listed_and_nothing_is_written(tmp_path):
    for name in ("1_2.5_0.1.mat", "2_2.5_0.1.mat"):
        (tmp_path / name).write_bytes(b"garbage")
    pd.DataFrame({"objID": [5, 6], "specObjID": [1, 2]}).to_parquet(tmp_path / "plan.parquet")
    written = {"cutouts": tmp_path / "c.arrow", "counts": tmp_path / "c.json"}
    with pytest.raises(CrosszError) as caught:
        mat.write_mat_cutouts(plan=tmp_path / "plan.parquet", folder=tmp_path, **written)
    assert "1_2.5_0.1.mat" in str(caught.value)
    assert "2_2.5_0.1.mat" in str(caught.value)
    assert not (tmp_path / "c.arrow").exists()


def test_a_folder_of_other_things_is_refused(tmp_path):
    with pytest.raises(CrosszError, match=r"set cutouts\.folder"):
        mat.cutouts_by_spectrum(tmp_path)
    (tmp_path / "quasar.mat").touch()
    with pytest.raises(CrosszError, match="expected a name like"):
        mat.cutouts_by_spectrum(tmp_path)


def test_joblib_itself_writes_what_is_read(tmp_path, image):
    joblib = pytest.importorskip("joblib")
    path = tmp_path / "1_2.5_0.0001.mat"
    joblib.dump(image, path)
    np.testing.assert_array_equal(mat.read_mat(path), image)


@pytest.mark.parametrize("name", ["²_2.5_0.0001.mat", "١_2.5_0.0001.mat", "-1_2.5_0.0001.mat", ".mat"])
def test_a_name_without_a_number_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CrosszError, match="expected a name like"):
        mat.cutouts_by_spectrum(tmp_path)
