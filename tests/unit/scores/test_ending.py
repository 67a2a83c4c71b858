"""The last words of a run: aligned, short, and with files that are there."""

import pandas as pd

from crossz.scores.ending import ending, score_table


def rows(dataset, model, inputs, rmse, **scores):
    columns = {"dataset": dataset, "model": model, "inputs": inputs, "split": [0, 1], "estimate": "mean"}
    return pd.DataFrame(columns | {"rmse": [rmse - 0.01, rmse + 0.01], "frac_lt_0.1": 0.8} | scores)


def scored():
    made = [rows(dataset, "crossmodal", "phot+img", 0.1, coverage_68=0.7) for dataset in ("baseline", "extended")]
    made += [rows(dataset, "mean", "phot", 0.3) for dataset in ("baseline", "extended")]
    made += [rows("baseline", "knn", "phot", 0.2), rows("extended", "knn", "phot", 0.4)]
    made += [rows("baseline", "mml", inputs, 0.15) for inputs in ("phot", "spec")]
    return pd.concat(made)


def test_the_table_is_aligned_by_dataset_and_has_the_best_reference_alone():
    head, *lines = score_table(scored()).splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["baseline", "crossmodal", "phot+img"],
        ["baseline", "knn", "phot"],
        ["baseline", "mml", "phot"],
        ["extended", "crossmodal", "phot+img"],
        ["extended", "mean", "phot"],
    ]
    assert {line.index("±") for line in lines} == {head.index("RMSE") + len("0.1000 ")}
    assert "0.1000 ± 0.0141" in lines[0]
    assert "70.0 ± 0.0" in lines[0]
    assert "nan" not in "".join(lines)


def test_classes_have_their_own_scores():
    table = pd.DataFrame(
        {
            "dataset": "all",
            "model": ["crossmodal", "knn", "mean"],
            "inputs": "phot",
            "split": 0,
            "accuracy": [0.9, 0.8, 0.5],
        }
    )
    lines = score_table(table).splitlines()
    assert lines[0].split()[3:] == ["right", "(%)"]
    assert [line.split()[1] for line in lines[1:]] == ["crossmodal", "knn"]


def test_the_words_name_files_that_are_there(tmp_path):
    scored().to_csv(tmp_path / "metrics.csv", index=False)
    (tmp_path / "table1.md").touch()
    text = ending(tmp_path / "metrics.csv")
    assert str(tmp_path / "table1.md") in text
    assert "comparison.md" not in text
    assert "mean ± sd of 2 splits" in text
    assert "make report" in text
    named = ending(tmp_path / "metrics.csv", "deep")
    assert "make report RUN=deep" in named
    assert "--config run=deep targets=FILE" in named
    (tmp_path / "metrics.csv").write_text("damaged\n")
    assert ending(tmp_path / "metrics.csv") == ""
