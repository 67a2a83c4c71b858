"""Learning curves and the picture of Table 1: their rows, order and marks."""

import pandas as pd
from figures import history, metrics_rows, words

from crossz.report import models


def test_learning_copes_with_early_stops_and_marks_the_best_epochs(tmp_path, drawn):
    paths = [tmp_path / f"models/baseline/crossmodal/{split}/history.csv" for split in range(3)]
    for path, epochs, best in zip(paths, (12, 8, 10), (4, 2, 4), strict=True):
        path.parent.mkdir(parents=True)
        history(epochs, best).to_csv(path, index=False)
    models.write_learning(histories=paths, figure=[])
    loss, scores, accuracy = drawn[0].axes
    best = next(line for line in scores.lines if line.get_marker() == "^")
    assert list(best.get_xdata()) == [4, 2, 4]
    assert len(set(best.get_ydata())) == 2  # the two of epoch 4 stand above each other
    means = [line for line in scores.lines if line.get_linewidth() > 1.7 and line is not best]
    assert [len(line.get_xdata()) for line in means] == [8, 8]
    assert accuracy.get_ylim()[0] <= 0.3
    assert [text.get_text() for text in loss.get_legend().get_texts()][4:] == ["one of 3 trainings"]
    assert "mean of the trainings" in [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert "baseline: crossmodal" in words(drawn[0])


def test_learning_of_one_modality_has_no_discriminator(drawn):
    drawn.append(models.learning_curves([history(5, 3, ("phot",), adversary=False)], "phot"))
    loss, scores = drawn[0].axes
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["phot", "epoch that is kept"]
    assert len(loss.get_legend().get_texts()) == 2


def test_table_1_as_a_picture_has_the_order_of_all_figures(tmp_path, drawn):
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
    models.write_models(metrics=tmp_path / "metrics.csv", dataset="baseline", figure=[])
    axes = drawn[0].axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        "crossmodal, phot+img",
        "crossmodal, phot_gen+img (not run)",
        "crossmodal, phot+img_gen",
        "softmax, phot+img",
        "mml, phot",
        "mml, phot+spec_gen (not run)",
        "mean, phot",
        "knn, phot",
        "mlp, phot",
    ]
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert "printed in the paper, of 400,000 real quasars" in legend
    assert legend[-2:] == ["reference: photometry alone", "beyond the axis: its value"]
    printed = [line.get_xdata()[0] for line in axes[0].lines if line.get_marker() == "D" and line.get_markersize() == 7]
    assert sorted(printed) == [0.1010, 0.1011, 0.1235, 0.1332]
    assert [text.get_text() for text in axes[0].texts] == ["0.5"]  # beyond the axis
    assert axes[0].get_xlim()[1] < 0.2
    assert [text.get_text() for text in axes[2].texts] == ["20"]
