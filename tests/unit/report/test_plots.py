"""Figures: drawn from the right rows, and the same bytes each time."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from crossz.core.names import BANDS
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions
from crossz.images.store import UNITS_PER_NMGY, write_arrays
from crossz.report import gallery, plots


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
    draw_twice(lambda out: plots.write_estimates(paths, out[:1], out[1:]), tmp_path, "baseline/crossmodal/phot+img")
    z_spec, z_phot, title = seen["given"]
    assert len(z_spec) == len(z_phot) == 200
    assert np.abs(z_spec - z_phot).max() < 10  # no validation row among them
    assert title == "baseline: crossmodal, phot+img; test parts of 2 splits"


def test_figures_are_closed_after_they_are_written(tmp_path):
    before = plots.plt.get_fignums()
    plots.save(plots.redshift_histogram({"baseline": np.linspace(1, 4, 50)}), [tmp_path / "one.png"])
    assert plots.plt.get_fignums() == before


@pytest.mark.parametrize("z_phot", [np.full(30, 2.0), np.linspace(0.5, 6.0, 30)])
def test_a_poor_estimate_can_be_drawn_too(tmp_path, z_phot):
    plots.save(plots.estimate(np.linspace(1, 4, 30), z_phot, "poor"), [tmp_path / "poor.png"])
    assert (tmp_path / "poor.png").stat().st_size > 10_000


def predictions(folder, model, inputs, splits=2, n=150, mixture=True, seed=0):
    """Paths of .../baseline/{model}/{split}/{inputs}.parquet: `n` test objects, the same in each split, with a PIT spread evenly."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.uniform(0.8, 1.5, (n, 1)), rng.uniform(0.03, 0.2, (n, 1))
    quantiles = rng.permutation([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    z = np.expm1(centre[:, 0] + sigma[:, 0] * quantiles)
    rows = pd.DataFrame({"objID": np.arange(n) + 10**18, "z": z, "subset": "test"})
    paths = [folder / f"baseline/{model}/{split}/{inputs}.parquet" for split in range(splits)]
    for path in paths:
        pdfs = Mixture(np.ones((n, 1)), centre, sigma) if mixture else None
        write_predictions(path, rows, np.expm1(centre[:, 0]), pdfs)
    return paths


def words(figure):
    return " ".join(text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in figure.findobj(Text))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, still open to be looked at."""
    found = []
    monkeypatch.setattr(plots, "save", lambda figure, paths: found.append(figure))
    monkeypatch.setattr(gallery, "save", lambda figure, paths: found.append(figure))
    yield found
    for figure in found:
        plots.plt.close(figure)


def test_the_bars_of_a_pit_histogram_are_all_estimates_and_the_band_knows_of_the_objects(tmp_path, drawn):
    once, often = (
        predictions(tmp_path / "a", "crossmodal", "phot+img", 1),
        predictions(tmp_path, "crossmodal", "phot+img", 4),
    )
    for paths in (once, often):
        plots.write_pit(paths, [])
    bands = []
    for figure, n in zip(drawn, (150, 600), strict=True):
        band, outline = figure.axes[0].patches
        assert outline.get_xy()[1:-1:2, 1].sum() == n
        bands.append(np.array([band.get_y(), band.get_height()]) / n)
    assert bands[0] == pytest.approx(bands[1])  # four estimates of an object say no more than one


def test_models_without_pdfs_say_so(tmp_path, drawn):
    points = predictions(tmp_path, "mlp", "phot", mixture=False)
    plots.write_pit(predictions(tmp_path, "crossmodal", "phot+img") + points, [])
    plots.write_pit(points, [])
    plots.write_calibration(points, [])
    for figure in drawn:
        assert "point estimates, no PDF" in words(figure)
    assert "mlp phot" in words(drawn[0])
    assert [len(figure.axes) for figure in drawn] == [1, 0, 0]


def test_right_pdfs_are_calibrated_and_wrong_ones_are_not(tmp_path, drawn):
    right = predictions(tmp_path, "crossmodal", "phot+img", n=400)
    wrong = tmp_path / "baseline/crossmodal/0/phot_gen+img.parquet"
    pd.read_parquet(right[0]).assign(sigma_0=lambda table: table["sigma_0"] / 2).to_parquet(wrong)
    plots.write_calibration([*right, wrong], [])
    top, below = drawn[0].axes
    low, high = 100 * np.array([plots.binomial_band(400, level) - level for level in np.linspace(0, 1, 101)]).T
    lines = {line.get_color(): line.get_ydata() for line in below.lines if len(line.get_xdata()) == 101}
    inside, outside = (lines[plots.LOOKS[name][0]] for name in ("phot+img", "phot_gen+img"))
    assert ((low <= inside) & (inside <= high)).all()
    assert outside[68] < 2 * low[68]
    (band,) = below.collections
    assert set(np.round(np.concatenate([low, high]), 9)) == set(np.round(band.get_paths()[0].vertices[:, 1], 9))
    assert "68 %" in words(drawn[0])
    assert len(top.get_legend().get_texts()) == 2


def test_a_binomial_band_holds_95_percent():
    draws = np.random.default_rng(0).binomial(300, 0.3, 20_000) / 300
    low, high = plots.binomial_band(300, 0.3)
    assert ((draws >= low) & (draws <= high)).mean() == pytest.approx(0.95, abs=0.01)
    assert plots.binomial_band(300, 0.0).tolist() == [0, 0]
    assert plots.binomial_band(300, 1.0).tolist() == [1, 1]


def binned_rows(model, inputs, rmse, empty=False):
    lows = np.arange(1.0, 4.0, 0.5)
    rows = pd.DataFrame({"dataset": "baseline", "model": model, "inputs": inputs, "by": "z", "low": lows})
    rows = rows.assign(high=lows + 0.5, n=50)
    for name in ("rmse", "sigma_nmad", "bias_median", "outlier_0.15"):
        rows[name], rows[f"{name}_err"] = rmse, 0.01
    if empty:
        rows.loc[5, ["rmse", "sigma_nmad", "bias_median", "outlier_0.15"]] = np.nan
        rows.loc[5, "n"] = 3
    return rows


def test_errors_over_redshift_skip_empty_bins_and_show_the_best_references(tmp_path, drawn):
    references = {"mean": 0.3, "knn": 0.2, "random_forest": 0.1, "gradient_boosting": 0.11}
    rows = [binned_rows("crossmodal", inputs, 0.09, empty=True) for inputs in ("phot+img", "phot_gen+img")]
    rows += [binned_rows(model, "phot", rmse) for model, rmse in references.items()]
    rows += [binned_rows("softmax", "phot+img", 0.08), binned_rows("mml", "phot", 0.08)]
    rows += [rows[0].assign(by="g", low=18.0), rows[0].assign(dataset="extended", n=777)]
    pd.concat(rows).to_csv(tmp_path / "binned.csv", index=False)
    plots.write_error_vs_z(tmp_path / "binned.csv", "baseline", [])
    top = drawn[0].axes[0]
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert sorted(labels) == [
        "crossmodal, phot+img",
        "crossmodal, phot_gen+img",
        "gradient_boosting, phot",
        "random_forest, phot",
    ]
    sizes = [len(container.lines[0].get_xdata()) for container in top.containers]
    assert sizes == [5, 5, 6, 6]
    assert [text.get_text() for text in top.texts] == ["50"] * 5 + ["3", "objects"]
    outliers = drawn[0].axes[2].containers[0].lines[0].get_ydata()
    assert outliers == pytest.approx([9.0] * 5)  # per cent


def history(epochs, best, names=("phot+img", "phot_gen+img"), adversary=True):
    epoch = np.arange(epochs)
    score = 0.05 + 0.01 * np.abs(epoch - best)
    columns = {"member": 0, "epoch": epoch, "learning_rate": 1e-3, "loss": 1.0, "redshift": 0.5, "score": score}
    if adversary:
        columns |= {"extinction": 1.0, "adversarial": 0.7, "accuracy": 0.3}
    return pd.DataFrame(columns | {f"val {name}": 0.1 + 0.01 * np.abs(epoch - best) for name in names})


def test_learning_copes_with_early_stops_and_marks_the_best_epochs(tmp_path, drawn):
    paths = [tmp_path / f"models/baseline/crossmodal/{split}/history.csv" for split in range(3)]
    for path, epochs, best in zip(paths, (12, 8, 10), (4, 2, 4), strict=True):
        path.parent.mkdir(parents=True)
        history(epochs, best).to_csv(path, index=False)
    plots.write_learning(paths, [])
    loss, scores, accuracy = drawn[0].axes
    best = next(line for line in scores.lines if line.get_marker() == "^")
    assert list(best.get_xdata()) == [4, 2, 4]
    assert len(set(best.get_ydata())) == 2  # the two of epoch 4 stand above each other
    means = [line for line in scores.lines if line.get_linewidth() > 1.7 and line is not best]
    assert [len(line.get_xdata()) for line in means] == [8, 8]
    assert accuracy.get_ylim()[0] <= 0.3
    assert len(loss.get_legend().get_texts()) == 4
    assert "baseline: crossmodal" in words(drawn[0])


def test_learning_of_one_modality_has_no_discriminator(drawn):
    drawn.append(plots.learning([history(5, 3, ("phot",), adversary=False)], "phot"))
    loss, scores = drawn[0].axes
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["phot", "epoch that is kept"]
    assert len(loss.get_legend().get_texts()) == 2


def metrics_rows(model, inputs, rmse, fraction=0.8):
    columns = {"dataset": "baseline", "model": model, "inputs": inputs, "split": [0, 1]}
    return pd.DataFrame(columns | {"rmse": [rmse - 0.01, rmse + 0.01], "sigma_nmad": rmse / 2, "frac_lt_0.1": fraction})


def test_table_1_as_a_picture_is_sorted_within_its_groups(tmp_path, drawn):
    rows = [
        metrics_rows("softmax", "phot+img", 0.10),
        metrics_rows("crossmodal", "phot+img", 0.12),
        metrics_rows("crossmodal", "phot+img_gen", 0.11),
        metrics_rows("mean", "phot", 0.50, 0.2),
        metrics_rows("knn", "phot", 0.15),
        metrics_rows("mlp", "phot", 0.13),
        metrics_rows("mml", "phot", 0.12),
    ]
    pd.concat(rows).to_csv(tmp_path / "metrics.csv", index=False)
    plots.write_models(tmp_path / "metrics.csv", "baseline", [])
    axes = drawn[0].axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        "crossmodal, phot+img_gen",
        "crossmodal, phot+img",
        "crossmodal, phot_gen+img (not run)",
        "softmax, phot+img",
        "mml, phot",
        "mml, phot+spec_gen (not run)",
        "mlp, phot",
        "knn, phot",
        "mean, phot",
    ]
    printed = [line.get_xdata()[0] for line in axes[0].lines if line.get_marker() == "D" and line.get_markersize() == 7]
    assert sorted(printed) == [0.1010, 0.1011, 0.1235, 0.1332]
    assert [text.get_text() for text in axes[0].texts] == ["0.5"]  # beyond the axis
    assert axes[0].get_xlim()[1] < 0.2
    assert [text.get_text() for text in axes[2].texts] == ["20"]


def test_the_gallery_chooses_the_worst_and_spreads_the_good_over_redshift():
    rng = np.random.default_rng(4)
    z = rng.uniform(1, 4, 300)
    error = rng.normal(0, 0.1, 300)
    best, worst = gallery.choose(z, z + error * (1 + z))
    order = np.argsort(np.abs(error))
    assert list(worst) == list(order[::-1][:6])
    assert set(best) <= set(order[:30])
    assert (np.diff(z[best]) > 0).all()
    assert np.ptp(z[best]) == np.ptp(z[order[:30]])
    few = gallery.choose(z[:5], z[:5] + 0.1)
    assert len(few.best) == len(few.worst) == 2
    assert not set(few.best) & set(few.worst)


def test_colours_of_an_image():
    image = np.zeros((5, 64, 64), np.float32)
    mask = np.zeros((64, 64), np.uint8)
    image[BANDS.index("i"), 32, 32] = image[BANDS.index("u"), 10, 10] = 1e4
    image[1:4, 40, 40] = 0.2
    image[:, 5, 5] = -1
    mask[0, 0], mask[1, 1] = 1 << BANDS.index("r"), 1 << BANDS.index("z")
    colour = gallery.rgb(image, mask)
    assert colour.min() >= 0
    assert colour.max() <= 1
    assert list(colour[32, 32]) == [1, 0, 0]  # saturated, and still red
    assert len(set(colour[40, 40])) == 1
    assert not colour[10, 10].any()
    assert not colour[5, 5].any()
    assert list(colour[0, 0]) == [0.5] * 3
    assert not colour[1, 1].any()


def test_the_density_of_z_is_one():
    mixtures = Mixture(np.array([[0.3, 0.7]]), np.array([[0.9, 1.2]]), np.array([[0.1, 0.05]]))
    z = np.linspace(0, 8, 20_001)
    p = gallery.density_of_z(mixtures, z)
    assert np.trapezoid(p[0], z) == pytest.approx(1, abs=1e-4)
    assert np.trapezoid(p[0] * np.log1p(z), z) == pytest.approx(0.3 * 0.9 + 0.7 * 1.2, abs=1e-4)


@pytest.fixture
def survey(tmp_path):
    """Predictions, catalog, index and shard of 30 objects; pixel (0, 0) of an image says which object it is of."""
    (prediction,) = predictions(tmp_path, "crossmodal", "phot+img", 1, n=30)
    objID = pd.read_parquet(prediction)["objID"].to_numpy()
    magnitude = 20 + 0.01 * np.arange(30)
    pd.DataFrame({"objID": objID, "psfMag_r": magnitude, "zWarning": 4}).to_parquet(tmp_path / "baseline.parquet")
    image = np.zeros((30, 5, 64, 64), np.float16)
    image[:, :, 0, 0] = np.arange(30)[:, None] * UNITS_PER_NMGY
    columns = {"objID": objID, "image": image, "mask": np.zeros((30, 64, 64), np.uint8), "status": ["ok"] * 30}
    write_arrays(tmp_path / "0000.arrow", columns)
    index = {"objID": objID, "shard": np.int32(0), "row": np.arange(30, dtype=np.int32), "status": "ok"}
    pd.DataFrame(index).to_parquet(tmp_path / "images.parquet")
    return prediction, tmp_path / "baseline.parquet", tmp_path / "images.parquet", [tmp_path / "0000.arrow"]


def test_the_gallery_shows_each_object_with_its_own_image_and_words(survey, drawn, monkeypatch):
    seen = {}
    draw = gallery.gallery
    monkeypatch.setattr(gallery, "gallery", lambda *given: draw(*seen.setdefault("given", given)))
    gallery.write_gallery(*survey, [])
    objects, images, _, best, title = seen["given"]
    table = pd.read_parquet(survey[0])
    chosen = gallery.choose(table["z_spec"], table["z_phot"])
    rows = np.concatenate(chosen)
    assert best == 6
    assert objects["objID"].tolist() == table["objID"].iloc[rows].tolist()
    assert images[:, 2, 0, 0].tolist() == rows.tolist()
    text = words(drawn[0])
    assert all(str(10**18 + row) in text for row in rows)  # every digit
    assert f"r {20 + 0.01 * rows[0]:.2f}  zWarning 4" in text
    assert title == "baseline: crossmodal, phot+img; test part of split 0"


def test_a_gallery_of_point_estimates_has_no_pdfs(survey, drawn):
    table = pd.read_parquet(survey[0])[["objID", "z_spec", "z_phot", "subset"]]
    table.to_parquet(survey[0])
    gallery.write_gallery(*survey, [])
    assert words(drawn[0]).count("no PDF") == 12


def test_every_figure_is_the_same_bytes_each_time(tmp_path, survey):
    paths = predictions(tmp_path / "many", "crossmodal", "phot+img")
    binned, metrics, trained = (
        tmp_path / "binned.csv",
        tmp_path / "metrics.csv",
        tmp_path / "baseline/net/0/history.csv",
    )
    binned_rows("crossmodal", "phot+img", 0.1).to_csv(binned, index=False)
    metrics_rows("crossmodal", "phot+img", 0.1).to_csv(metrics, index=False)
    trained.parent.mkdir(parents=True)
    history(4, 2).to_csv(trained, index=False)
    for name, write in {
        "error_vs_z": lambda out: plots.write_error_vs_z(binned, "baseline", out),
        "models": lambda out: plots.write_models(metrics, "baseline", out),
        "learning": lambda out: plots.write_learning([trained], out),
        "pit": lambda out: plots.write_pit(paths, out),
        "calibration": lambda out: plots.write_calibration(paths, out),
        "gallery": lambda out: gallery.write_gallery(*survey, out),
    }.items():
        draw_twice(write, tmp_path, name)
    assert not plots.plt.get_fignums()
