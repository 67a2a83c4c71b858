"""Scores of classes: as scikit-learn has them, and where a class is missing; their table."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from crossz.core.errors import CrosszError
from crossz.estimates import classes
from crossz.scores import classes as class_scores

NAMES = ["STAR", "GALAXY", "QSO"]


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=400)
    probability = rng.dirichlet([1, 1, 1], 400).round(1) + 0.02 + 0.3 * np.eye(3)[label]  # with ties
    probability /= probability.sum(1, keepdims=True)
    scores, best = class_scores.score(probability, label, NAMES), probability.argmax(1)
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(label, best))
    assert scores["log_loss"] == pytest.approx(sk.log_loss(label, probability))
    assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(label, probability, multi_class="ovr"))
    precision, recall, _, _ = sk.precision_recall_fscore_support(label, best)
    for k, name in enumerate(NAMES):
        assert scores[f"precision_{name}"] == pytest.approx(precision[k])
        assert scores[f"recall_{name}"] == pytest.approx(recall[k])
        assert scores[f"roc_auc_{name}"] == pytest.approx(sk.roc_auc_score(label == k, probability[:, k]))
    np.testing.assert_array_equal(class_scores.confusion(label, best, 3), sk.confusion_matrix(label, best))


def test_a_class_that_is_never_estimated_or_not_there_has_no_score():
    scores = class_scores.score(np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0]]), np.array([0, 1]), NAMES)
    assert (scores["accuracy"], scores["recall_STAR"], scores["recall_GALAXY"]) == (0.5, 1.0, 0.0)
    assert all(np.isnan(scores[name]) for name in ("precision_GALAXY", "recall_QSO", "roc_auc_QSO"))
    assert scores["roc_auc"] == 1.0
    assert np.isfinite(classes.log_loss(np.array([[0.0, 1.0]]), np.array([0])))


def test_a_table_of_redshifts_is_refused():
    with pytest.raises(CrosszError, match="redshifts, not classes"):
        class_scores.score_table(pd.DataFrame({"objID": [1], "z_phot": [1.0]}))


def test_the_table_has_a_row_per_model_and_per_cent_where_it_says_so():
    label = np.array([0, 1, 2, 0])
    right = class_scores.score(0.1 + 0.7 * np.eye(3)[label], label, NAMES)
    rows = [{"dataset": "toy", "model": "knn", "inputs": "phot", "split": split} | right for split in (0, 1)]
    text = class_scores.markdown(pd.DataFrame(rows))
    head, _, row = text.splitlines()[4:]
    assert head.startswith(
        "| dataset | model | inputs | splits | accuracy (%) | ROC-AUC | log loss | recall STAR (%) |"
    )
    assert head.count("|") == row.count("|") == 14
    assert row.startswith(
        "| toy | knn | phot | 2 | 100.00 ± 0.00 | 1.0000 ± 0.0000 | 0.2231 ± 0.0000 | 100.00 ± 0.00 |"
    )
