"""The gallery: the right objects, each with its own image, colours and words; and every figure's bytes."""

import numpy as np
import pandas as pd
import pytest
from figures import binned_rows, draw_twice, history, metrics_rows, predictions, words

from crossz.estimates.pdf import Mixture
from crossz.report import calibration, gallery, models, redshifts, style


def test_the_gallery_chooses_the_worst_and_spreads_the_good_over_redshift():
    rng = np.random.default_rng(4)
    z = rng.uniform(1, 4, 300)
    error = rng.normal(0, 0.1, 300)
    own = np.arange(300)
    best, worst = gallery.choose(z, z + error * (1 + z), own)
    order = np.argsort(np.abs(error))
    assert list(worst) == list(order[::-1][:6])
    assert set(best) <= set(order[:30])
    assert (np.diff(z[best]) > 0).all()
    assert np.ptp(z[best]) == np.ptp(z[order[:30]])
    few = gallery.choose(z[:5], z[:5] + 0.1, own[:5])
    assert len(few.best) == len(few.worst) == 2
    assert not set(few.best) & set(few.worst)


def test_the_gallery_shows_a_quasar_once():
    z, error = np.full(40, 2.0), np.linspace(0.3, 0.01, 40)
    best, worst = gallery.choose(z, z + 3 * error, np.arange(40) // 4, count=3)  # the worst four are one quasar
    assert worst.tolist() == [0, 4, 8]
    assert best.tolist() == [39, 35, 31]
    same = gallery.choose(z, z + 3 * error, np.zeros(40), count=3)
    assert len(same.best) == len(same.worst) == 0


def test_the_density_of_z_is_one():
    mixtures = Mixture(np.array([[0.3, 0.7]]), np.array([[0.9, 1.2]]), np.array([[0.1, 0.05]]))
    z = np.linspace(0, 8, 20_001)
    p = gallery.density_of_z(mixtures, z)
    assert np.trapezoid(p[0], z) == pytest.approx(1, abs=1e-4)
    assert np.trapezoid(p[0] * np.log1p(z), z) == pytest.approx(0.3 * 0.9 + 0.7 * 1.2, abs=1e-4)


def test_the_gallery_shows_each_object_with_its_own_image_and_words(survey, drawn, monkeypatch):
    seen = {}
    draw = gallery.gallery
    monkeypatch.setattr(gallery, "gallery", lambda *given: draw(*seen.setdefault("given", given)))
    gallery.write_gallery(**survey, figure=[])
    objects, images, _, best, title = seen["given"]
    table = pd.read_parquet(survey["predictions"])
    chosen = gallery.choose(table["z_spec"], table["z_phot"], np.arange(30) // 2 * 2)
    rows = np.concatenate(chosen)
    assert best == 6
    assert objects["objID"].tolist() == table["objID"].iloc[rows].tolist()
    assert images[:, 2, 0, 0].tolist() == rows.tolist()
    text = words(drawn[0])
    assert all(str(10**18 + row) in text for row in rows)  # every digit
    assert f"r {20 + 0.01 * rows[0]:.2f}  zWarning 4" in text
    assert title == "baseline: crossmodal, phot+img; test part of split 0"
    shown = [entry.get_text() for entry in drawn[0].legends[0].get_texts()]
    assert shown == ["p(z)", r"$z_\mathrm{spec}$", r"$z_\mathrm{phot}$", "no frame"]


def test_a_gallery_of_point_estimates_has_no_pdfs(survey, drawn):
    table = pd.read_parquet(survey["predictions"])[["objID", "z_spec", "z_phot", "subset"]]
    table.to_parquet(survey["predictions"])
    gallery.write_gallery(**survey, figure=[])
    assert words(drawn[0]).count("no PDF") == 12


def test_every_figure_is_the_same_bytes_each_time(tmp_path, survey):
    opened = style.plt.get_fignums()
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
        "error_vs_z": lambda out: redshifts.write_error_vs_z(binned=binned, dataset="baseline", figure=out),
        "models": lambda out: models.write_models(metrics=metrics, dataset="baseline", figure=out),
        "learning": lambda out: models.write_learning(histories=[trained], figure=out),
        "pit": lambda out: calibration.write_calibration(predictions=paths, pit=out, calibration=[]),
        "calibration": lambda out: calibration.write_calibration(predictions=paths, pit=[], calibration=out),
        "gallery": lambda out: gallery.write_gallery(**survey, figure=out),
    }.items():
        draw_twice(write, tmp_path, name)
    assert style.plt.get_fignums() == opened
