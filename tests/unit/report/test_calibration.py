"""Figures of calibration: bars, bands and coverages of the right estimates."""

import numpy as np
import pandas as pd
import pytest
from figures import predictions, words

from crossz.report import calibration, style


def test_the_bars_of_a_pit_histogram_are_all_estimates_and_the_band_knows_of_the_objects(tmp_path, drawn):
    once, often = (
        predictions(tmp_path / "a", "crossmodal", "phot+img", 1),
        predictions(tmp_path, "crossmodal", "phot+img", 4),
    )
    for paths in (once, often):
        calibration.write_calibration(predictions=paths, pit=[], calibration=[])
    bands = []
    for figure, n in zip(drawn[::2], (150, 600), strict=True):
        band, outline = figure.axes[0].patches
        assert outline.get_xy()[1:-1:2, 1].sum() == n
        bands.append(np.array([band.get_y(), band.get_height()]) / n)
    assert bands[0] == pytest.approx(bands[1])  # four estimates of an object say no more than one


def test_models_without_pdfs_say_so(tmp_path, drawn):
    points = predictions(tmp_path, "mlp", "phot", mixture=False)
    for paths in (predictions(tmp_path, "crossmodal", "phot+img") + points, points):
        calibration.write_calibration(predictions=paths, pit=[], calibration=[])
    beside, _, pit, coverage = drawn
    for figure in (beside, pit, coverage):
        assert "point estimates, no PDF" in words(figure)
    assert "mlp phot" in words(beside)
    assert [len(figure.axes) for figure in drawn] == [1, 2, 0, 0]


def test_right_pdfs_are_calibrated_and_wrong_ones_are_not(tmp_path, drawn):
    right = predictions(tmp_path, "crossmodal", "phot+img", n=400)
    wrong = tmp_path / "baseline/crossmodal/0/phot_gen+img.parquet"
    pd.read_parquet(right[0]).assign(sigma_0=lambda table: table["sigma_0"] / 2).to_parquet(wrong)
    calibration.write_calibration(predictions=[*right, wrong], pit=[], calibration=[])
    top, below = drawn[1].axes
    low, high = 100 * np.array([calibration.binomial_band(400, level) - level for level in np.linspace(0, 1, 101)]).T
    lines = {line.get_color(): line.get_ydata() for line in below.lines if len(line.get_xdata()) == 101}
    inside, outside = (lines[style.LOOKS[name][0]] for name in ("phot+img", "phot_gen+img"))
    assert ((low <= inside) & (inside <= high)).all()
    assert outside[68] < 2 * low[68]
    (band,) = below.collections
    assert set(np.round(np.concatenate([low, high]), 9)) == set(np.round(band.get_paths()[0].vertices[:, 1], 9))
    assert "68 %" in words(drawn[1])
    legend = [text.get_text() for text in top.get_legend().get_texts()]
    assert [line.partition(":")[0] for line in legend] == ["phot+img", "phot_gen+img", "below"]


def test_a_binomial_band_holds_95_percent():
    draws = np.random.default_rng(0).binomial(300, 0.3, 20_000) / 300
    low, high = calibration.binomial_band(300, 0.3)
    assert ((draws >= low) & (draws <= high)).mean() == pytest.approx(0.95, abs=0.01)
    assert calibration.binomial_band(300, 0.0).tolist() == [0, 0]
    assert calibration.binomial_band(300, 1.0).tolist() == [1, 1]
