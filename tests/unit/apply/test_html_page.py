"""The HTML page: every target, and no text of a user that becomes HTML."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crossz.apply import html_page
from crossz.apply.answer import SYNTHETIC, finished
from crossz.apply.bundle import load_bundle
from crossz.apply.predict import images_of, predict
from crossz.apply.writers import write_table

TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "p", "figure", "img", "figcaption", "div", "table", "tr",
    "th", "td",
}  # fmt: skip


class Elements(HTMLParser):
    """The names of all elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}


@pytest.fixture
def estimates(made, survey, targets):
    """Estimates of twenty targets with positions and images; the fourth is malformed."""
    table = targets.tail(20).reset_index(drop=True)
    table = table.assign(ra=np.linspace(150, 170, 20), dec=np.linspace(-2, 2, 20), status="ok", why="")
    table.loc[3, ["status", "why"]] = ["malformed", "ra '<script>' is not 0 to 360 degrees"]
    return predict(table, load_bundle(made), images_of(table["objID"], survey.index, survey.cutouts))


def figures(text):
    return text.count("data:image/png;base64,")


def test_the_page_shows_every_target_and_escapes_what_users_write(estimates, survey, tmp_path):
    write_table(finished(pa.table({}), {}, estimates, {"warning": SYNTHETIC}), tmp_path / "mine.parquet")
    images = [survey.index, *survey.cutouts]
    html_page.write_html_page(table=tmp_path / "mine.parquet", images=images, html=tmp_path / "mine.html")
    text = (tmp_path / "mine.html").read_text()
    assert text.count("<tr>") == 21
    assert figures(text) == 3
    assert "&lt;script&gt;" in text
    assert "<title>mine: redshifts</title>" in text
    assert str(estimates["objID"][0]) in text
    assert "20 targets" in text
    assert f'<p class="warning">{SYNTHETIC}.</p>' in text
    assert Elements(text).tags == TAGS
    html_page.write_html_page(table=tmp_path / "mine.parquet", images=images, html=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "mine.html").read_bytes()


FORGED = "<script>alert(1)</script>\"' onload='x\x07\u202e"


def test_forged_names_of_classes_columns_and_files_are_escaped():
    table = pd.DataFrame({"row": [0], "status": "ok", "inputs": FORGED, "missing": "", "class_phot": FORGED})
    table = table.assign(
        **{
            f"p_{FORGED}": 0.5,
            "edge": False,
            "out_of_domain": False,
            "photometry_suspect": False,
            "faint": True,
            "why": FORGED,
        }
    )
    text = html_page.page(table, FORGED)
    elements = Elements(text)
    assert elements.tags <= TAGS
    assert "onload" not in elements.attributes
    assert text.count("&lt;script&gt;") >= 6  # title, heading, summary, inputs, class, name of the column, why
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "0.500" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_a_status_that_is_no_formula_is_drawn_as_it_is(estimates):
    table = estimates.assign(status=["$\\frac{"] * 19 + ["ok"])
    assert "$\\frac{" in html_page.page(table, "mine")


def test_a_page_of_photometry_alone_and_a_page_without_any_redshift(made, targets):
    table = predict(targets.head(5), load_bundle(made))
    assert figures(html_page.page(table, "mine")) == 2  # no positions, no map
    lost = table.assign(status="no_data", ra=10.0, dec=0.0, z_phot=np.nan, z_low_68=np.nan, z_low_95=np.nan)
    assert figures(html_page.page(lost, "mine")) == 1
    nowhere = lost.assign(ra=np.nan)
    assert figures(html_page.page(nowhere, "mine")) == 0


def test_points_have_no_intervals(estimates):
    kept = [name for name in estimates if not name.startswith(("weight", "mean", "sigma", "z_low", "z_high", "z_peak"))]
    headings, rows = html_page.cells(estimates[kept])
    assert headings == ["row", "ra", "dec", "objID", "status", "inputs", "z_phot", "flags"]
    assert [len(row) for row in rows] == [8] * 20
    assert figures(html_page.page(estimates[kept], "mine")) == 3


def test_many_targets_are_listed_in_part(estimates, monkeypatch):
    monkeypatch.setattr(html_page, "ROWS", 7)
    text = html_page.page(estimates, "mine")
    assert "The first 7 of 20 targets." in text
    assert text.count("<tr>") == 8


def test_the_list_has_flags_intervals_and_reasons(estimates):
    table = estimates.head(4).assign(faint=[True, False, False, False], missing=["", "ug", "", "ugriz"])
    headings, rows = html_page.cells(table)
    column = {name: [row[number] for row in rows] for number, name in enumerate(headings)}
    assert column["flags"] == ["faint", "missing ug", "", ""]
    assert column["status"][3] == "malformed (ra '<script>' is not 0 to 360 degrees)"
    assert column["68 %"][0] == f"{table['z_low_68'][0]:.2f} – {table['z_high_68'][0]:.2f}"
    assert column["z_phot"][3] == column["95 %"][3] == ""
    assert column["ra"][0] == "150.00000"


@pytest.mark.parametrize(("ra", "kind"), [([359.5, 0.5], "rectilinear"), ([10.0, 200.0], "mollweide")])
def test_a_small_part_of_the_sky_has_plain_axes_also_across_zero(ra, kind):
    figure = html_page.sky_map(pd.DataFrame({"ra": ra, "dec": [0.0, 1.0], "status": "ok"}))
    assert figure.axes[0].name == kind
    html_page.plt.close(figure)
