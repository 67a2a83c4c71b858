"""Figures: drawn from the right rows, and the same bytes each time."""

import numpy as np
import pandas as pd
import pytest

from crossz import plots
from crossz.samples import write_predictions


def draw_twice(write, tmp_path, name):
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        paths = [folder / f"{name}.{suffix}" for suffix in ("png", "pdf")]
        write(paths)
        found.append([path.read_bytes() for path in paths])
    assert found[0] == found[1]
    png, pdf = found[0]
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")
    return png


def test_the_redshift_histogram_shows_every_dataset(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.parquet" for name in ("baseline", "extended")]
    for size, path in zip((300, 500), paths, strict=True):
        pd.DataFrame({"z": rng.uniform(1, 5, size)}).to_parquet(path)
    draw_twice(lambda out: plots.write_redshift_histogram(paths, out), tmp_path, "redshifts")
    figure = plots.redshift_histogram({path.stem: pd.read_parquet(path)["z"].to_numpy() for path in paths})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["baseline: 300 quasars", "extended: 500 quasars"]
    plots.plt.close(figure)


def test_the_estimate_shows_the_test_rows_of_all_splits(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    paths = []
    for split in (0, 1):
        z = rng.uniform(1, 4, 200)
        rows = pd.DataFrame({"objID": np.arange(200), "z": z, "subset": ["val"] * 100 + ["test"] * 100})
        paths.append(tmp_path / f"baseline/crossmodal/{split}/phot+img.parquet")
        write_predictions(paths[-1], rows, z + np.where(rows["subset"] == "val", 50, 0.1 * rng.normal(size=200)))
    seen = {}
    draw = plots.estimate
    monkeypatch.setattr(plots, "estimate", lambda *given: draw(*seen.setdefault("given", given)))
    draw_twice(lambda out: plots.write_estimates(paths, out[:1], out[1:]), tmp_path, "phot+img")
    z_spec, z_phot, title = seen["given"]
    assert len(z_spec) == len(z_phot) == 200
    assert np.abs(z_spec - z_phot).max() < 10  # no validation row among them
    assert "baseline" in title
    assert "phot+img" in title


def test_figures_are_closed_after_they_are_written(tmp_path):
    before = plots.plt.get_fignums()
    plots.save(plots.redshift_histogram({"baseline": np.linspace(1, 4, 50)}), [tmp_path / "one.png"])
    assert plots.plt.get_fignums() == before


@pytest.mark.parametrize("z_phot", [np.full(30, 2.0), np.linspace(0.5, 6.0, 30)])
def test_a_poor_estimate_can_be_drawn_too(tmp_path, z_phot):
    plots.save(plots.estimate(np.linspace(1, 4, 30), z_phot, "poor"), [tmp_path / "poor.png"])
    assert (tmp_path / "poor.png").stat().st_size > 10_000
