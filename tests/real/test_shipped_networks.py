"""The networks that come with crossz, on the real quasars that they were made of: with images, and without."""

import numpy as np
import pandas as pd

import crossz
from crossz.catalog.lists import read_table
from crossz.images import mat


def errors(found, z):
    """sigma_NMAD of the median, and the share of 68 % intervals that hold the redshift."""
    dz = (found["z_median"] - z) / (1 + z)
    return 1.4826 * np.median(np.abs(dz - np.median(dz))), ((found["z_low_68"] < z) & (z < found["z_high_68"])).mean()


def test_quasars_of_all_redshifts_get_them_from_photometry(sdss):
    rows = pd.read_csv(sdss / "catalog/dr5q.csv.gz").sample(3000, random_state=1)
    found = crossz.predict(rows.drop(columns="z"), crossz.load("sdss-dr5q"))
    assert (found["status"] == "ok").mean() > 0.99
    good = (found["status"] == "ok").to_numpy()
    scatter, covered = errors(found[good], rows["z"][good])
    assert scatter < 0.045  # most of them have trained the networks
    assert 0.62 < covered < 0.78


def test_quasars_with_images_get_better_redshifts_than_without(sdss):
    source = sdss / "cutouts/catalog.csv"
    rows = read_table(source, {}).to_pandas().drop_duplicates("objID").iloc[::6].reset_index(drop=True)
    files = mat.cutouts_by_spectrum(sdss / "cutouts/mat")
    pixels = np.stack([mat.read_mat(files[int(number)]) for number in rows["specObjID"]])
    network = crossz.load("sdss-quasars")
    z = rows["z"].to_numpy(float)
    scatters = []
    for images, inputs in ((None, "phot+img_gen"), (crossz.images_from(pixels), "phot+img")):
        found = crossz.predict(rows.drop(columns="z"), network, images)
        assert set(found["inputs"]) == {inputs}
        scatter, covered = errors(found, z)
        assert scatter < 0.04
        assert 0.6 < covered < 0.85
        scatters.append(scatter)
    assert scatters[1] < 1.1 * scatters[0]


def test_quasars_beyond_the_training_have_redshifts_that_are_marked_as_limits(sdss):
    rows = pd.read_csv(sdss / "catalog/dr5q.csv.gz")
    z = rows["z"].to_numpy()
    beyond, within = z > 5, (z > 3.25) & (z < 4.5)
    for name in ("sdss-dr5q", "sdss-quasars"):
        some = rows[beyond | within].drop(columns="z")
        marked = crossz.predict(some, crossz.load(name))["z_at_end"].to_numpy()
        assert marked[beyond[beyond | within]].mean() > 0.9
        assert marked[within[beyond | within]].mean() < 0.05
