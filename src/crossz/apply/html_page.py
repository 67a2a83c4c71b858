"""The HTML page about new objects: a table to sort and to search, sky map, n(z), and a card of each row. One file, no network."""

import base64
import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from crossz.apply.answer import counted, frame_of, header_in, summary
from crossz.apply.page_data import script_data
from crossz.apply.page_sample import Sample
from crossz.apply.predict import images_of
from crossz.apply.templating import html_environment
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.version import VERSION

GENERATOR = "crossz"
"""Begins what the page names as its maker. A file that does not name it is not overwritten."""
_HUB = "http://localhost:21012"  # of SAMP, on the reader's own computer
_MARK = f'<meta name="generator" content="{GENERATOR} '


def write_html_page(*, table: str | Path, images: Sequence[str | Path], html: str | Path) -> None:
    """Write the HTML page of a table of `predict`.

    Parameters
    ----------
    table
        The Parquet file of the estimates.
    images
        The index of the targets' images, then the cutout files; empty without images.
    html
        The file to write.
    """
    answer = pq.read_table(table)
    targets = frame_of(answer)
    sample = Sample()
    sample.add(answer, images_of(targets["objID"], images[0], images[1:]) if images else None)
    write_page(sample, header_in(answer.schema), summary(counted(targets)), Path(html), Path(table).name)


def write_page_of(rows: pa.Table, header: Mapping[str, str], html: Path, file: str) -> None:
    """Write the page of a table that `answer.finished` made, of objects without images."""
    sample = Sample()
    sample.add(rows)
    write_page(sample, header, summary(counted(frame_of(rows))), html, file)


def page_beside(out: str | Path) -> Path:
    """The page of a table: the table's name with the suffix .html.

    Raises
    ------
    CrosszError
        There is something else of that name, which is no page of crossz.
    """
    path = Path(out)
    page = path.with_name(f"{path.stem if path.suffix else path.name}.html")
    if page.exists() and not (page.is_file() and _MARK in page.read_text(encoding="utf-8", errors="replace")[:2000]):
        raise CrosszError(f"{page}: the page of {path.name} would replace it; rename it, or say --no-page")
    return page


def write_page(sample: Sample, header: Mapping[str, str], counts: str, html: Path, file: str) -> None:
    """Write the page.

    Parameters
    ----------
    sample
        The rows.
    header
        What `answer.header_of` gave.
    counts
        What `answer.summary` gave of all rows.
    html
        The file to write.
    file
        The name of the whole table, which lies beside it.
    """
    text = page(sample, html.stem, header, counts, file)
    with atomic_path(html) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")  # a file's name may have bytes that are no text


def page(sample: Sample, title: str, header: Mapping[str, str], counts: str, file: str = "") -> str:
    """The HTML page, in one file that loads nothing.

    Parameters
    ----------
    sample, header, counts, file
        As in `write_page`; without a `file`, the page has no link to it.
    title
        The heading.
    """
    table = frame_of(sample.table())
    outside = int(table["out_of_domain"].sum())
    share = "" if len(table) == sample.total else f" of the {len(table):,} rows here"
    outside_text = (
        f"{outside:,} target(s){share} are unlike the training objects (out_of_domain): do not trust their estimates. "
        "One in twenty objects like the training ones is marked, too"
    )
    what = "redshifts" if "z_phot" in table else "classes"
    network = header.get("network", "networks of this run")
    style, script = (_own(name) for name in ("page.css", "page.js"))
    return html_environment().get_template("page.html").render(
        generator=f"{GENERATOR} {VERSION}",
        policy=f"default-src 'none'; img-src data:; connect-src {_HUB}; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'",
        title=title,
        subject=what,
        lead=f"Photometric {what} of {sample.total:,} targets by {network}",
        warnings=[text for text in (header.get("warning", ""), outside_text if outside else "") if text],
        facts=facts(header, counts, set(table["inputs"])),
        sampled="" if len(table) == sample.total else f"{len(table):,} of the {sample.total:,} rows, chosen at random. The whole table is in {file or 'the file of the estimates'}",
        file=file,
        file_url=quote(os.fsencode(file)),
        style=style,
        script=script,
        data=script_data(sample, title, file),
    )  # fmt: skip


def facts(header: Mapping[str, str], counts: str, inputs: Collection[str]) -> list[tuple[str, str]]:
    """What stands above the table: what the answers are, what gave them, how good it is for these inputs, and on what."""
    network = header.get("network", "networks of this run")
    if "fingerprint" in header:
        network += f" (fingerprint {header['fingerprint'][:12]})"
    network += f", crossz {header['crossz']}" if "crossz" in header else ""
    rows = [("Answers", counts), ("Network", network)]
    scores = [text for text in header.get("scores", "").split("; ") if text.partition(":")[0] in inputs]
    said = {**header, "scores": "; ".join(scores)}
    titles = {
        "classes": "Classes",
        "training": "Trained on",
        "scores": "How good on the objects of its training",
        "date": "Date",
    }
    return rows + [(title, said[name]) for name, title in titles.items() if said.get(name)]


def _own(name: str) -> Markup:
    return Markup(resources.files("crossz.apply").joinpath("templates", name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
