"""The order of models that all figures have."""

from crossz.core.names import INPUTS, REFERENCES
from crossz.report.order import ordered


def test_the_order_does_not_depend_on_that_of_the_table():
    networks = [("crossmodal", "phot+img"), ("crossmodal", "phot+img_gen"), ("softmax", "phot+img")]
    rows = [*networks, ("stacked", "phot+img"), ("mml", "spec"), *((name, "phot") for name in REFERENCES)]
    assert ordered(reversed(rows)) == rows


def test_other_networks_keep_their_place():
    rows = [(name, inputs) for name in ("wide", "deep") for inputs in INPUTS]
    assert ordered(rows) == rows
