"""Python's road: any kind of table in, the user's columns and ours out, PDFs in z, plots."""

import os
import subprocess
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from helpers import ROOT
from quasars import QUASARS

import crossz
from crossz.apply.bundle import load_bundle
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError


@pytest.fixture(scope="module")
def network():
    return crossz.load("sdss-dr5q")


@pytest.fixture
def frame():
    names = [f"{kind}_{band}" for kind in ("psfMag", "psfMagErr", "extinction") for band in BANDS]
    rows = [
        {"name": name} | dict(zip(names, np.concatenate(values), strict=True)) for name, (_, *values) in QUASARS.items()
    ]
    return pd.DataFrame(rows).set_index(pd.Index(range(10, 10 + len(rows)), name="mine"))


def test_a_column_that_crossz_has_not_is_refused(network, frame):
    with pytest.raises(CrosszError, match=r"columns: crossz has no column psfMagg_u; did you mean psfMag_u\?"):
        network.predict(frame, columns={"psfMagg_u": "psfMag_u"})


def test_a_dataframe_keeps_its_columns_and_index_and_gets_ours(network, frame):
    frame["class"] = pd.Categorical(["QSO"] * len(frame))
    frame["odd"] = [{"a": 1}, (1, 2), "x", None, 1.5, b"y"]
    found = network.predict(frame)
    assert found.table.columns[: frame.shape[1]].tolist() == frame.columns.tolist()
    pd.testing.assert_frame_equal(found.table[frame.columns], frame)
    assert "weight_0" not in found.table
    truth = np.array([z for z, *_ in QUASARS.values()])
    assert np.median(np.abs(found.table["z_median"] - truth) / (1 + truth)) < 0.05
    assert found.table.attrs["network"] == "sdss-dr5q"
    assert "6 targets: ok 6" in repr(found)


def test_every_kind_of_table_gets_the_same_answer(network, frame, tmp_path):
    expected = network.predict(frame).table["z_phot"].to_numpy()
    columns = {name: frame[name].to_numpy() for name in frame}
    swapped = {name: values.astype(">f8") if values.dtype.kind == "f" else values for name, values in columns.items()}
    numbers = frame.drop(columns="name")
    frame.to_csv(tmp_path / "mine.csv", index=False)
    kinds = {
        "astropy": Table(columns),
        "pyarrow": pa.Table.from_pandas(frame),
        "dict": swapped,
        "lists": {name: values.tolist() for name, values in columns.items()},
        "structured": numbers.to_records(index=False),
        "file": tmp_path / "mine.csv",
    }
    for kind, table in kinds.items():
        answer = network.predict(table).table
        np.testing.assert_allclose(answer["z_phot"], expected, rtol=1e-6, err_msg=kind)
        assert kind == "structured" or answer["name"].tolist() == frame["name"].tolist(), kind


def test_units_and_masks_of_astropy_are_believed(network, frame):
    table = QTable({name: frame[name].to_numpy() for name in frame})
    table["objID"] = MaskedColumn([1237648745899425806, 2, 3, 4, 5, 6], mask=[0, 1, 0, 0, 0, 0])
    table["psfMag_u"] = MaskedColumn(frame["psfMag_u"], mask=[1, 0, 0, 0, 0, 0])
    flux = 10 ** ((22.5 - frame["psfMag_g"].to_numpy()) / 2.5)
    table["psfMagErr_g"] = frame["psfMagErr_g"].to_numpy() * flux * np.log(10) / 2.5 * 1e-9 * u.maggy
    table["psfMag_g"] = flux * 1e-9 * u.maggy
    answer = network.predict(table).table
    assert answer["missing"].tolist() == ["u", "", "", "", "", ""]
    assert answer["objID"].iloc[0] == 1237648745899425806
    assert answer["objID"].isna().tolist() == [False, True, False, False, False, False]
    np.testing.assert_allclose(answer["z_phot"][1:], network.predict(frame).table["z_phot"].iloc[1:], atol=0.01)
    assert table["psfMag_g"].unit == u.maggy  # the given table is not changed


def test_names_are_given_by_patterns(network, frame):
    other = frame.rename(columns=lambda name: name.replace("psfMagErr_", "e_").replace("psfMag_", "m"))
    found = network.predict(other, columns={"psfMag_*": "m*", "psfMagErr_*": "e_*"})
    np.testing.assert_array_equal(found.table["z_phot"], network.predict(frame).table["z_phot"])


def test_pdfs_are_densities_of_z(network, frame):
    frame.loc[10, [f"psfMag_{band}" for band in BANDS]] = np.nan
    found = network.predict(frame)
    z = np.linspace(-0.5, 9, 40001)
    p = found.pdf(z)
    assert p.shape == (6, 40001)
    assert np.isnan(p[0]).all()
    np.testing.assert_allclose(np.trapezoid(p[1:], z), 1, atol=1e-3)
    below = np.where(z <= found.table["z_median"].to_numpy()[1:, None], p[1:], 0)
    np.testing.assert_allclose(np.trapezoid(below, z), 0.5, atol=0.01)
    for wrong in (1.0, [-1.0], [[1.0]], [np.nan]):
        with pytest.raises(CrosszError, match="redshifts"):
            found.pdf(wrong)


def test_a_plot_shows_the_pdf_its_peaks_and_its_estimate(network, frame):
    frame.loc[10, [f"psfMag_{band}" for band in BANDS]] = np.nan
    found = network.predict(frame)
    figure, axes = plt.subplots()
    assert found.plot(4, axes) is axes
    row = found.table.iloc[4]
    z, p = axes.lines[0].get_data()
    np.testing.assert_allclose(p, found.pdf(z)[4])
    assert np.trapezoid(p, z) > 0.99
    labels = [text.get_text() for text in axes.texts]
    assert labels[0] == f"{row['z_peak_1']:.3f} ({row['p_peak_1']:.0%})"
    np.testing.assert_allclose(z[p.argmax()], row["z_mode"], atol=0.01)
    assert f"z_phot {row['z_phot']:.3f}" in axes.get_legend_handles_labels()[1]
    figure.canvas.draw()
    plt.close(figure)
    plt.close(found.plot(5).figure)  # one of its own
    for row, message in ((0, "no estimate: no_data"), (6, "no row 6"), (-1, "no row -1")):
        with pytest.raises(CrosszError, match=message):
            found.plot(row)


def test_a_plot_leaves_matplotlib_the_backend_that_it_has(frame, tmp_path):
    """In a notebook, nothing would be shown otherwise."""
    frame.to_parquet(tmp_path / "mine.parquet")
    code = (
        "import sys, matplotlib, crossz; crossz.load('sdss-dr5q').predict(sys.argv[1]).plot(0)\n"
        "print(matplotlib.get_backend())"
    )
    environment = os.environ | {"MPLBACKEND": "svg", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code, tmp_path / "mine.parquet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True)
    assert done.stdout == "svg\n"


def test_what_is_no_table_is_refused_in_words(network, frame):
    for table, message in (
        (3, "not a table but int"),
        (np.zeros((3, 5)), "not a table but ndarray"),
        (frame[:0], "no rows"),
        ({"psfMag_g": [1.0, 2], "psfMagErr_g": [1.0]}, "different lengths: 1, 2"),
        ({"psfMag_g": 1.0}, "a column that is float"),
        ({"a": [1.0]}, "no column psfMag"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a"),
    ):
        with pytest.raises(CrosszError, match=message):
            network.predict(table)
    with pytest.raises(CrosszError, match="2 images for a table of 6 rows"):
        network.predict(frame, images=np.zeros((2, 5, 64, 64)))
    with pytest.raises(CrosszError, match="images are an array, or what images_in gave, not list"):
        network.predict(frame, images=[1, 2])


def test_images_are_an_array(made, targets):
    network, n = load_bundle(made), 8
    images = np.random.default_rng(0).normal(0, 0.1, (n, 5, 64, 64))
    targets = targets[:n]
    found = network.predict(targets, images=images)
    assert (found.table["inputs"] == "phot+img").all()
    alone = network.predict({"name": [f"a{i}" for i in range(n)]}, images=images)
    assert (alone.table["inputs"] == "phot_gen+img").all()
    assert alone.table.columns[0] == "name"
