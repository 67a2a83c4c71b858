"""Saving: figures are laid out, written under their names and closed."""

import numpy as np
import pytest

from crossz.report import redshifts, style


def test_figures_are_closed_after_they_are_written(tmp_path):
    before = style.plt.get_fignums()
    style.save(redshifts.redshift_histogram({"baseline": np.linspace(1, 4, 50)}), [tmp_path / "one.png"])
    assert style.plt.get_fignums() == before


def test_axes_stand_at_rounded_places():
    figure = redshifts.redshift_histogram({"baseline": np.linspace(1, 4, 50)})
    style.settle(figure)
    place = figure.axes[0].get_position(original=True).bounds
    assert list(place) == pytest.approx(np.round(place, 6).tolist(), abs=1e-15)
    style.plt.close(figure)


def test_splits_are_counted_in_words():
    assert [style.splits_text(count) for count in (1, 5)] == ["1 split", "5 splits"]
