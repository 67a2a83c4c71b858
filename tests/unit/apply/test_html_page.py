"""The HTML page: every target, no text of a user that becomes HTML, and a browser that sorts, filters and opens rows."""

import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from browser import CHROMIUM, browser

from crossz.apply import html_page, page_sample
from crossz.apply.answer import SYNTHETIC, finished
from crossz.apply.bundle import load_bundle
from crossz.apply.html_page import page, page_beside, write_html_page
from crossz.apply.page_sample import Sample
from crossz.apply.predict import images_of, predict
from crossz.apply.writers import write_table
from crossz.core.errors import CrosszError

FORGED = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x\x07\u202e&lt;{{ 7 }}${7}"
HEADER = {"crossz": "0.1.0", "network": "toy-crossmodal", "fingerprint": "0123456789abcdef", "warning": SYNTHETIC}


class Elements(HTMLParser):
    """The names of all elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}


@pytest.fixture(scope="module")
def answer(made, survey):
    """Estimates of forty targets behind columns of a user, whose texts are hostile; the fourth is malformed."""
    table = pd.read_parquet(survey.catalog).drop(columns="z").tail(40).reset_index(drop=True)
    table = table.assign(ra=np.linspace(150, 170, 40), dec=np.linspace(-2, 2, 40), status="ok", why="")
    table.loc[3, ["status", "why"]] = ["malformed", FORGED]
    images = images_of(table["objID"], survey.index, survey.cutouts)
    found = predict(table, load_bundle(made), images)
    theirs = {"my name": [f"star {number}" for number in range(40)], FORGED: [FORGED] * 40, "mag": np.arange(40) / 7}
    given = pa.table(theirs | {"empty": pa.nulls(40, pa.float64()), "big": [(1 << 62) + n for n in range(40)]})
    return finished(given, {}, found, HEADER), images


@pytest.fixture
def sample(answer):
    made = Sample()
    made.add(*answer)
    return made


def content(text):
    """What the script of a page reads."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def test_the_page_has_every_target_with_its_columns_and_images(answer, survey, tmp_path):
    table, _ = answer
    write_table(table, tmp_path / "mine.parquet")
    html = tmp_path / "mine.html"
    write_html_page(table=tmp_path / "mine.parquet", images=[survey.index, *survey.cutouts], html=html)
    text = html.read_text()
    data = content(text)
    columns = {column["name"]: column for column in data["columns"]}
    assert data["rows"] == list(range(1, 41))
    assert columns["my name"]["values"][5] == "star 5"
    assert columns["big"]["values"][1] == str((1 << 62) + 1)  # which no number of JavaScript is
    assert "empty" not in columns
    assert next(iter(columns)) == "status"
    assert sum(image is not None for image in data["images"]) == 40
    assert "<title>mine: redshifts</title>" in text
    assert f'<p class="warning" role="alert">{SYNTHETIC}.</p>' in text
    assert "toy-crossmodal (fingerprint 0123456789ab), crossz 0.1.0" in text
    assert 'href="mine.parquet"' in text
    before = html.read_bytes()
    write_html_page(table=tmp_path / "mine.parquet", images=[survey.index, *survey.cutouts], html=html)
    assert html.read_bytes() == before


def test_forged_names_of_classes_columns_and_files_are_escaped(sample):
    plain = Elements(page(sample, "mine", HEADER, "1 target", "mine.parquet"))
    table = pd.DataFrame({"status": ["ok"], "inputs": FORGED, "missing": "", "class_phot": FORGED, "why": FORGED})
    table = table.assign(
        **{f"p_{FORGED}": 0.5, "edge": False, "out_of_domain": False, "photometry_suspect": False, "faint": True}
    )
    other = Sample()
    other.add(finished(pa.table({FORGED: [FORGED]}), {}, table, {"network": FORGED}))
    text = page(other, FORGED, dict.fromkeys((*HEADER, "training"), FORGED), FORGED, FORGED)
    forged = Elements(text)
    assert forged.tags.count("script") == plain.tags.count("script") == 2
    assert set(forged.tags) <= set(plain.tags) | {"p"}
    assert forged.attributes <= plain.attributes
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert [0.5] in [column["values"] for column in content(text)["columns"]]


def test_a_file_name_of_bytes_that_are_no_text_is_linked(sample, tmp_path):
    html_page.write_page(sample, {}, "", tmp_path / "o.html", os.fsdecode(b"mine\xff.csv"))
    assert 'href="mine%FF.csv"' in (tmp_path / "o.html").read_text()


def test_a_page_of_points_has_no_pdfs_and_a_page_without_any_redshift_is_one(answer):
    table, _ = answer
    for dropped in (("pdf_",), ("pdf_", "z_", "odds")):
        part = Sample()
        part.add(table.drop_columns([name for name in table.column_names if name.startswith(dropped)]))
        data = content(page(part, "mine", {}, "some"))
        assert data["pdf"] is None
        assert data["images"] is None
    assert not any(column["role"] == "z_phot" for column in data["columns"])


def test_many_targets_are_sampled_and_the_page_says_so(answer, monkeypatch):
    monkeypatch.setattr(page_sample, "ROWS", 7)
    some = Sample()
    some.add(*answer)
    text = page(some, "mine", {}, "40 targets", "mine.parquet")
    assert len(content(text)["rows"]) == 7
    assert "7 of the 40 rows, chosen at random. The whole table is in mine.parquet." in text


def test_scores_are_those_of_the_inputs_that_the_targets_have(sample):
    header = {
        "scores": "phot+img: RMSE of dz 0.111 on 9 test objects; phot_gen+img: RMSE of dz 0.222 on 9 test objects"
    }
    text = page(sample, "mine", header, "40 targets")
    assert "RMSE of dz 0.111" in text
    assert "RMSE of dz 0.222" not in text


def test_a_file_that_is_no_page_of_ours_is_not_replaced(sample, tmp_path):
    assert page_beside(tmp_path / "mine.fits") == tmp_path / "mine.html"
    assert page_beside(f"{tmp_path}/folder/") == tmp_path / "folder.html"
    html_page.write_page(sample, HEADER, "40 targets", tmp_path / "mine.html", "mine.fits")
    assert page_beside(tmp_path / "mine.fits") == tmp_path / "mine.html"
    (tmp_path / "mine.html").write_text("<p>my diary, which mentions crossz</p>")
    with pytest.raises(CrosszError, match=r"mine\.html: the page of mine\.fits would replace it"):
        page_beside(tmp_path / "mine.fits")
    (tmp_path / "more.html").mkdir()
    with pytest.raises(CrosszError, match=r"more\.html: the page of more\.fits would replace it"):
        page_beside(tmp_path / "more.fits")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def shown(tab, sample, tmp_path):
    """Opens the page at a width."""
    html = tmp_path / "mine's #1.html"
    html_page.write_page(sample, HEADER | {"training": FORGED}, "40 targets", html, FORGED.replace("/", ""))

    def show(width):
        tab.open(html, width)
        return tab

    yield show
    assert tab.errors == []
    assert [address.partition(":")[0] for address in tab.requests if not address.startswith("blob:")] == ["file"]


TEXTS = "[...document.querySelectorAll('#body tr.row')].map((row) => row.children[{}].textContent)"
OUTSIDE = """(() => {
    const ends = [...document.querySelectorAll("header *, main *, dialog[open] *")].filter(
        (element) => element.offsetParent && !element.closest("#box table"));
    return ends.filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width && (box.left < -0.5 || box.right > innerWidth + 0.5);
    }).map((element) => element.outerHTML.slice(0, 80));
})()"""


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_outside_its_box_whatever_texts_are(shown, width):
    tab = shown(width)
    for what in ("page", "card", "gallery"):
        assert tab.run("document.documentElement.scrollWidth") == width
        assert tab.run(OUTSIDE) == []
        if what == "page":
            assert tab.run("document.querySelector('#body tr.row:nth-child(4)').click()") is None
            assert tab.run("document.querySelector('#card').open")
            assert "malformed" in tab.run("document.querySelector('.flags').textContent")
        elif what == "card":
            tab.run("document.querySelector('#close').click()")
            tab.run("document.querySelector('#gallery-button').click()")
            assert tab.run("document.querySelectorAll('#gallery img').length") == 40
    tab.size(680)  # between the two
    assert tab.run("document.documentElement.scrollWidth") == 680


def column(tab, name):
    names = tab.run("[...document.querySelectorAll('#names th')].map((head) => head.textContent)")
    return next(place for place, found in enumerate(names) if found.lstrip("▲▼ ") == name)


def filtered(tab, name, text):
    place = column(tab, name)
    tab.run(
        f"(() => {{ const input = document.querySelectorAll('#filters th')[{place}].firstChild; input.value = {json.dumps(text)}; input.oninput(); }})()"
    )
    return tab.run("document.querySelector('#found').textContent")


def test_it_sorts_filters_and_searches(shown):
    tab = shown(1280)
    place = column(tab, "z_phot")
    head = f"document.querySelectorAll('#names th')[{place}]"
    for wanted in (1, -1):
        tab.run(f"{head}.click()")
        z = [float(text) for text in tab.run(TEXTS.format(place)) if text]
        assert len(z) > 10
        assert (np.diff(z) * wanted >= 0).all()
    tab.run(f"{head}.click()")
    assert tab.run(TEXTS.format(0))[:3] == ["1", "2", "3"]
    assert filtered(tab, "mag", "1..2") == "8 of 40 rows"
    assert filtered(tab, "mag", "<1") == "7 of 40 rows"
    assert filtered(tab, "my name", "=star 3") == "1 of 40 rows"
    filtered(tab, "my name", "")
    assert filtered(tab, "mag", "") == "40 rows"
    tab.run(
        "[...document.querySelectorAll('#chips button')].find((chip) => chip.textContent === 'malformed 1').click()"
    )
    assert tab.run(TEXTS.format(0)) == ["4"]
    tab.run("document.querySelector('#chips button[aria-pressed=true]').click()")
    tab.run("document.querySelector('#search').value = 'STAR 17'")
    tab.run("document.querySelector('#search').oninput()")
    assert tab.run(TEXTS.format(0)) == ["18"]


def test_a_row_opens_with_its_image_pdf_values_and_links(shown):
    tab = shown(1280)
    tab.run("document.querySelector('#body tr.row').click()")
    card = tab.run("document.querySelector('#card').innerText")
    assert "Row 1 · star 0" in card
    assert "68 %:" in card
    assert FORGED.replace("\x07", "").replace("\u202e", "") in card  # as it was written, but for what is not seen
    assert tab.run("document.querySelector('.pictures img').naturalWidth") == 64
    inked = "(() => { const c = document.querySelector('.pictures canvas'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v).length; })()"
    assert tab.run(inked) > 500
    links = tab.run("[...document.querySelectorAll('.links a')].map((link) => link.href)")
    assert [link.split("/")[2] for link in links] == [
        "skyserver.sdss.org", "aladin.cds.unistra.fr", "simbad.cds.unistra.fr",
    ]  # fmt: skip
    assert "150%20-2" in links[1]
    tab.run("document.querySelector('#next').click()")
    assert "Row 2 · star 1" in tab.run("document.querySelector('#card-title').textContent")
    tab.run("document.querySelector('#close').click()")
    assert not tab.run("document.querySelector('#card').open")
    # A click on the map opens the point there: the first and the last target lie at opposite corners of it.
    spot = "(() => { const map = document.querySelector('#map'), box = map.getBoundingClientRect(), pen = map.getContext('2d'); const data = pen.getImageData(0, 0, map.width, map.height).data; for (let i = 0; i < data.length; i += 4) if (data[i] < 20 && data[i + 2] > 120 && data[i + 3] > 120) return [box.left + i / 4 % map.width, box.top + Math.floor(i / 4 / map.width)]; })()"
    x, y = tab.run(spot)
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y + 2, button="left", clickCount=1)
    assert "Row 40 · star 39" in tab.run("document.querySelector('#card-title').textContent")


def test_only_the_rows_in_sight_are_drawn(answer, tab, tmp_path):
    table, _ = answer
    many = Sample()
    many.add(pa.concat_tables([table] * 300))
    html_page.write_page(many, HEADER, "12,000 targets", tmp_path / "many.html", "many.fits")
    tab.open(tmp_path / "many.html", 1280)
    assert "10,000 of the 12,000 rows" in tab.run("document.querySelector('main').innerText")
    assert len(tab.run(TEXTS.format(0))) < 60
    tab.run("document.querySelector('#box').scrollTop = 5e6")
    rows = tab.run(TEXTS.format(0))
    assert len(rows) < 60
    assert int(rows[-1]) == many.rows[-1] + 1
    assert tab.errors == []


def test_the_table_is_downloaded_as_csv(shown, tmp_path):
    tab = shown(1280)
    folder = tmp_path / "downloads"
    folder.mkdir()
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    filtered(tab, "mag", "<1")
    tab.run("document.querySelector('#download').click()")
    for _ in range(500):
        tab.run("1")  # two frames
        if found := list(folder.glob("*.csv")):
            break
    table = pd.read_csv(found[0])
    assert len(table) == 7
    assert table["my name"].tolist() == [f"star {number}" for number in range(7)]
    assert table["big"].tolist() == [(1 << 62) + number for number in range(7)]
