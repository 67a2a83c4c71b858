"""Figures of redshifts: drawn from the right rows."""

import numpy as np
import pandas as pd
import pytest
from figures import binned_rows, draw_twice, words

from crossz.estimates.estimates import ClassProbabilities, Point
from crossz.estimates.predictions import write_predictions
from crossz.report import redshifts, style


def test_the_redshift_histogram_shows_every_dataset(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.parquet" for name in ("baseline", "extended")]
    for size, path in zip((300, 500), paths, strict=True):
        pd.DataFrame({"z": rng.uniform(1, 5, size)}).to_parquet(path)
    draw_twice(lambda out: redshifts.write_redshift_histogram(catalogs=paths, figure=out), tmp_path, "redshifts")
    figure = redshifts.redshift_histogram({path.stem: pd.read_parquet(path)["z"].to_numpy() for path in paths})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["baseline: 300 quasars", "extended: 500 quasars"]
    heights = [sum(outline.get_xy()[1:-1:2, 1]) for outline in figure.axes[0].patches]
    assert heights == pytest.approx([100, 100])  # shares: samples of different size compare
    style.plt.close(figure)


def test_the_estimate_shows_the_test_rows_of_all_splits(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    paths = []
    for split in (0, 1):
        z = rng.uniform(1, 4, 200)
        rows = pd.DataFrame({"objID": np.arange(200), "z": z, "subset": ["val"] * 100 + ["test"] * 100})
        paths.append(tmp_path / f"baseline/crossmodal/{split}/phot+img.parquet")
        z_phot = z + np.where(rows["subset"] == "val", 50, 0.1 * rng.normal(size=200))
        write_predictions(paths[-1], rows, Point(z_phot))
    seen = {}
    draw = redshifts.estimate
    monkeypatch.setattr(redshifts, "estimate", lambda *given: draw(*seen.setdefault("given", given)))
    draw_twice(
        lambda out: redshifts.write_estimates(predictions=paths, png=out[:1], pdf=out[1:]),
        tmp_path,
        "baseline/crossmodal/phot+img",
    )
    z_spec, z_phot, title = seen["given"]
    assert len(z_spec) == len(z_phot) == 200
    assert np.abs(z_spec - z_phot).max() < 10  # no validation row among them
    assert title == "baseline: crossmodal, phot+img\ntest parts of 2 splits: 200 estimates of 100 quasars"


def test_every_dataset_of_many_is_shown():
    figure = redshifts.redshift_histogram({f"sample{number}": np.linspace(1, 4, 50) for number in range(6)})
    assert len(figure.axes[0].patches) == 6
    looks = {(outline.get_edgecolor(), outline.get_linestyle()) for outline in figure.axes[0].patches}
    assert len(looks) >= 4
    style.plt.close(figure)


def test_errors_beyond_the_axis_are_counted_and_not_drawn_at_its_end():
    z = np.full(100, 2.0)
    figure = redshifts.estimate(z, z + np.where(np.arange(100) < 7, 9.0, 0.01), "wild")
    assert "beyond the axis: 7" in words(figure)
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 93
    style.plt.close(figure)


@pytest.mark.parametrize("z_phot", [np.full(30, 2.0), np.linspace(0.5, 6.0, 30)])
def test_a_poor_estimate_can_be_drawn_too(tmp_path, z_phot):
    style.save(redshifts.estimate(np.linspace(1, 4, 30), z_phot, "poor"), [tmp_path / "poor.png"])
    assert (tmp_path / "poor.png").stat().st_size > 10_000


def test_errors_over_redshift_skip_empty_bins_and_show_the_best_references(tmp_path, drawn):
    references = {"mean": 0.3, "knn": 0.2, "random_forest": 0.1, "gradient_boosting": 0.11}
    rows = [binned_rows("crossmodal", inputs, 0.09, empty=True) for inputs in ("phot+img", "phot_gen+img")]
    rows += [binned_rows(model, "phot", rmse) for model, rmse in references.items()]
    rows += [binned_rows("softmax", "phot+img", 0.08), binned_rows("mml", "phot", 0.08)]
    rows += [rows[0].assign(by="g", low=18.0), rows[0].assign(dataset="extended", n=777)]
    pd.concat(rows).to_csv(tmp_path / "binned.csv", index=False)
    redshifts.write_error_vs_z(binned=tmp_path / "binned.csv", dataset="baseline", figure=[])
    top = drawn[0].axes[0]
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == [
        "crossmodal, phot+img",
        "crossmodal, phot_gen+img",
        "random_forest, phot",
        "gradient_boosting, phot",
    ]
    middles = np.arange(1.25, 3.5, 0.5)
    for container in top.containers:
        assert container.lines[0].get_xdata()[:5] == pytest.approx(middles, abs=0.1)
    sizes = [len(container.lines[0].get_xdata()) for container in top.containers]
    assert sizes == [5, 5, 6, 6]
    assert [text.get_text() for text in top.texts] == ["50"] * 5 + ["3", "objects"]
    outliers = drawn[0].axes[2].containers[0].lines[0].get_ydata()
    assert outliers == pytest.approx([9.0] * 5)  # per cent


def test_each_figure_of_estimates_goes_under_the_name_of_its_inputs(tmp_path, monkeypatch):
    patterns = ["phot+img", "phot_gen+img"]
    rows = pd.DataFrame({"objID": range(9), "z": np.linspace(1, 4, 9), "subset": "test"})
    paths = [tmp_path / f"p/baseline/crossmodal/0/{inputs}.parquet" for inputs in patterns]
    for path in paths:
        write_predictions(path, rows, Point(rows["z"].to_numpy() + 0.1))
    saved = {}
    monkeypatch.setattr(redshifts, "save", lambda figure, paths: saved.update({figure.get_suptitle(): paths}))
    pngs = [tmp_path / f"f/baseline/crossmodal/{inputs}.png" for inputs in reversed(patterns)]
    pdfs = [path.with_suffix(".pdf") for path in reversed(pngs)]
    redshifts.write_estimates(predictions=paths, png=pngs, pdf=pdfs)
    style.plt.close("all")
    for title, files in saved.items():
        (inputs,) = {file.stem for file in files}
        assert f"crossmodal, {inputs}\n" in title
        assert [file.suffix for file in files] == [".png", ".pdf"]
    assert len(saved) == 2


def test_classes_are_shown_as_a_confusion_matrix(tmp_path, drawn):
    rows = pd.DataFrame({"objID": range(4), "class": ["STAR", "STAR", "QSO", "QSO"], "subset": "test"})
    path = tmp_path / "p/toy/crossmodal/0/phot.parquet"
    probability = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    write_predictions(path, rows, ClassProbabilities(probability, ("STAR", "QSO")))
    redshifts.write_estimates(predictions=[path], png=[tmp_path / "f/toy/crossmodal/phot.png"], pdf=[])
    text = words(drawn[0])
    assert "50.0 %\n1" in text
    assert "100.0 %\n2" in text
    assert "75.0 % right" in text
