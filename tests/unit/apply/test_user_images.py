"""Images as users have them give the estimates of cutout files; others are refused by name."""

import os

import numpy as np
import pandas as pd
import pytest
import toy
from astropy.io import fits

from crossz.apply import cli
from crossz.apply.bundle import load_bundle
from crossz.apply.predict import images_in, predict
from crossz.apply.user_images import images_for, images_from
from crossz.core.errors import CrosszError
from crossz.images.arrow import to_units, write_arrays


@pytest.fixture
def some(targets):
    """Eight targets, and their images in nanomaggies."""
    rows = targets.tail(8).reset_index(drop=True)
    return rows, toy.images(rows).astype(np.float32)


def z(rows, made, images):
    table = predict(rows, load_bundle(made), images)
    assert set(table["inputs"]) <= {"phot+img", "phot_gen+img"}
    return table["z_phot"].to_numpy()


def test_an_array_a_folder_and_a_stack_give_what_cutout_files_give(made, some, tmp_path):
    rows, array = some
    units, _ = to_units(array)
    columns = {"objID": rows["objID"].to_numpy(), "status": ["ok"] * 8, "image": units}
    (tmp_path / "arrow").mkdir()
    write_arrays(tmp_path / "arrow/a.arrow", columns | {"mask": np.zeros((8, 64, 64), np.uint8)})
    (tmp_path / "own").mkdir()
    for number, objID in enumerate(rows["objID"]):
        if number % 2:
            np.save(tmp_path / f"own/{objID}.npy", array[number])
        else:
            fits.PrimaryHDU(array[number]).writeto(tmp_path / f"own/{objID}.fits")
    np.save(tmp_path / "stack.npy", array)
    wanted = z(rows, made, images_in([tmp_path / "arrow/a.arrow"], rows["objID"]))
    assert z(rows, made, images_from(array)).tolist() == wanted.tolist()
    for names in ([tmp_path / "arrow"], [tmp_path / "own"], [tmp_path / "stack.npy"]):
        images = images_for(names, rows["objID"].tolist(), 8, "mine.csv")
        assert z(rows, made, images).tolist() == wanted.tolist(), names


def test_images_alone_are_enough(made, some, tmp_path, capsys):
    rows, array = some
    np.save(tmp_path / "stack.npy", array)
    rows[["objID"]].rename(columns={"objID": "name"}).to_csv(tmp_path / "names.csv", index=False)
    cli.main(["predict", str(made), str(tmp_path / "names.csv"), str(tmp_path / "out.csv"), "--cutouts", str(tmp_path / "stack.npy")])  # fmt: skip
    table = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert set(table["inputs"]) == {"phot_gen+img"}
    assert set(table["missing"]) == {"ugriz"}
    without = rows[["objID"]].assign(status="ok")
    assert table["z_phot"].astype(float).tolist() == pytest.approx(
        z(without, made, images_from(array)).tolist(), abs=1e-6
    )


def test_pixels_that_are_no_numbers_are_masked_and_an_empty_image_is_none(some):
    _, array = some
    array[0, 2, 10:12, 5] = np.nan
    array[1] = np.nan
    images = images_from(array)
    assert images.row[1] == -1
    assert images.status.tolist() == ["ok", "empty"] + ["ok"] * 6
    image, mask = images.store.gather(images.row[[0]])
    assert (mask[0] == 4).sum() == (mask[0] > 0).sum() == 2
    assert np.isfinite(image).all()


def test_what_is_no_image_is_named(some, tmp_path):
    rows, array = some
    ids = rows["objID"].tolist()
    with pytest.raises(CrosszError, match=r"an array \[n, 5, 64, 64\] of numbers, not float32 \[8, 5, 64\]"):
        images_from(array[..., 0])
    np.save(tmp_path / "few.npy", array[:3])
    with pytest.raises(CrosszError, match=r"few\.npy: an array \[3, 5, 64, 64\]; for this table it must be \[8, "):
        images_for([tmp_path / "few.npy"], None, 8, "mine.csv")
    np.save(tmp_path / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    with pytest.raises(CrosszError, match=r"objects\.npy: not a readable \.npy file .*Python objects"):
        images_for([tmp_path / "objects.npy"], None, 2, "mine.csv")
    with pytest.raises(CrosszError, match=r"mine\.csv: no column objID"):
        images_for([tmp_path], None, 8, "mine.csv")
    folder = tmp_path / "own"
    folder.mkdir()
    with pytest.raises(CrosszError, match="no images in it"):
        images_for([folder], ids, 8, "mine.csv")
    np.save(folder / "quasar.npy", array[0])
    with pytest.raises(CrosszError, match=r"quasar\.npy: an image's name is its objID"):
        images_for([folder], ids, 8, "mine.csv")
    (folder / "quasar.npy").rename(folder / "12.npy")
    fits.PrimaryHDU(array[0, 0]).writeto(folder / "13.fits")
    with pytest.raises(CrosszError, match=r"13\.fits: an array \[64, 64\]; wanted \[5, 64, 64\]"):
        images_for([folder], ids, 8, "mine.csv")
    (folder / "13.fits").write_bytes(b"SIMPLE")
    with pytest.raises(CrosszError, match=r"13\.fits: not a readable FITS image"):
        images_for([folder], ids, 8, "mine.csv")
    (folder / "13.fits").unlink()
    os.mkfifo(folder / "14.npy")  # reading it would never end
    with pytest.raises(CrosszError, match=r"14\.npy: a folder or a device, not a file"):
        images_for([folder], ids, 8, "mine.csv")
