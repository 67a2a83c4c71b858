"""Results of another survey are seen before they are remade."""

import pytest
import yaml

from crossz.core.files import write_json
from crossz.core.occupied import other_survey


@pytest.mark.parametrize(
    ("source", "record", "survey", "words"),
    [
        ("embedded sky", None, "embedded", ""),
        ("embedded sky", "embedded", "embedded", ""),
        (
            "embedded sky",
            None,
            "sdss",
            "baseline.receipt.json: a catalog of the embedded sky. This configuration is of",
        ),
        ("SELECT", None, "embedded", "baseline.receipt.json: a catalog of another survey. This configuration is of"),
        (
            "data/catalog.csv",
            "cutouts",
            "sdss",
            "run.yaml: a run of survey cutouts. This configuration is of survey sdss",
        ),
        ("data/catalog.csv", None, "photometry", ""),
        (None, None, "sdss", ""),
    ],
)
def test_results_of_another_survey_are_named_with_the_remedy(tmp_path, source, record, survey, words):
    (tmp_path / "catalog/raw").mkdir(parents=True)
    if source:
        write_json(tmp_path / "catalog/raw/baseline.receipt.json", {"source": source})
    if record:
        (tmp_path / "run.yaml").write_text(yaml.safe_dump({"config": {"survey": record}}))
    said = other_survey({"survey": survey}, tmp_path)
    assert words in said
    assert bool(said) == bool(words)
    assert not said or "--config run=NAME" in said


def test_the_first_run_finds_nothing(tmp_path):
    assert other_survey({"survey": "sdss"}, tmp_path / "results") == ""
