"""docs/networks.md has the scores of the networks that are shipped."""

import importlib.util

from helpers import ROOT


def test_the_page_has_the_scores_of_the_networks():
    place = importlib.util.spec_from_file_location("docs_networks", ROOT / "docs/networks.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    text = module.PAGE.read_text()
    assert module.page(text) == text, "python docs/networks.py"
    assert "sdss-quasars  phot+img" in text
    assert module.page(text.replace("RMSE  ", "")) == text
