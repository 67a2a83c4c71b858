"""The order of models in all figures: one for all, so that a model is found at its place in each of them."""

from collections.abc import Iterable

from crossz.core.names import CROSSMODAL, INPUTS, MML, REFERENCES, STACKED

Row = tuple[str, str]
"""Model and inputs."""


def group(model: str) -> int:
    """0 of a network, 1 of the stack, 2 of the baseline on spectra, 3 of a reference."""
    return 3 if model in REFERENCES else {STACKED: 1, MML: 2}.get(model, 0)


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of figures: groups, their models, the models' inputs.

    `crossmodal` is the first network; other networks follow as they come in `rows`.
    """
    rows = list(rows)
    models = [CROSSMODAL, *REFERENCES, *(model for model, _ in rows)]
    return sorted(rows, key=lambda row: (group(row[0]), models.index(row[0]), INPUTS.index(row[1])))
