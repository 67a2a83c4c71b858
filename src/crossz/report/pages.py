"""Tables of a run as HTML pages, and the first page of the report: a browser shows them without any other program."""

import base64
import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from crossz.core.files import atomic_path

_NUMBER = re.compile(r"[-+\d.]")
_STYLE = """
.crossz { font: 14px/1.45 system-ui, sans-serif; color: #222; padding: 0.5em 1em; max-width: 88em; }
.crossz h1 { font-size: 1.5em; margin: 0.3em 0; } .crossz h2 { font-size: 1.15em; margin: 1.2em 0 0.3em; }
.crossz .wide { overflow-x: auto; } .crossz img { max-width: 100%; height: auto; }
.crossz table { border-collapse: collapse; font-size: 0.92em; font-variant-numeric: tabular-nums; }
.crossz th, .crossz td { padding: 0.2em 0.5em; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }
.crossz th { border-bottom: 2px solid #888; cursor: pointer; } .crossz td.number { text-align: right; }
.crossz tr:hover td { background: #f2f6fa; } .crossz input { font: inherit; width: 18em; margin: 0.4em 0; }
.crossz code::before, .crossz code::after { content: none; }
.crossz pre { font-size: 0.85em; white-space: pre-wrap; }
"""
_SCRIPT = """
for (const table of document.querySelectorAll(".crossz table")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    let sign = -1;
    cell.title = "sort by this column";
    cell.onclick = () => {
      sign = -sign;
      const value = (row) => row.cells[column].textContent.replace(/^dz /, "");
      const compare = (a, b) => {
        const [x, y] = [parseFloat(value(a)), parseFloat(value(b))];
        return isNaN(x) || isNaN(y) ? value(a).localeCompare(value(b)) : x - y;
      };
      body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
    };
  });
}
const filter = document.querySelector(".crossz input");
if (filter) filter.oninput = () => {
  const words = filter.value.toLowerCase().split(/\\s+/);
  for (const row of document.querySelectorAll(".crossz tbody tr")) {
    row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  }
};
"""
_FILTER = '<input type="search" placeholder="show rows with these words" aria-label="show rows with these words">'


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells of plain text; cells may have **bold** and `code`, and numbers stand on the right."""
    lines = ["<tr>" + "".join(f"<th>{_inline(cell)}</th>" for cell in head) + "</tr>"]
    for row in rows:
        cells = (f"<td{_aligned(cell)}>{_inline(cell)}</td>" for cell in row)
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return f'<div class="wide"><table><thead>{lines[0]}</thead><tbody>{"".join(lines[1:])}</tbody></table></div>'


def html_of_markdown(text: str) -> str:
    """The Markdown that crossz writes as HTML: headings, paragraphs and tables."""
    parts = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.splitlines()
        if heading := re.fullmatch(r"(#+) (.*)", block):
            level = len(heading[1])
            parts.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
        elif lines[0].startswith("|"):
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            parts.append(html_table(cells[0], cells[2:]))  # the second line is |---|---|
        else:
            parts.append(f"<p>{_inline(block)}</p>")
    return "\n".join(parts)


def html_page(title: str, body: str) -> str:
    """A page that loads nothing."""
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>\n'
        f'<div class="crossz">\n{body}\n</div>\n'
    )


def start_page(table1: str, record: Mapping[str, Any], figure: str | Path) -> str:
    """The first page of the report: what the run is, Table 1 and the main figure. It has no script: a page holds it.

    Parameters
    ----------
    table1
        table1.md.
    record
        run.yaml.
    figure
        Path of the PNG of the main network's estimates.
    """
    config = record["config"]
    sizes = [f"{name}: {_objects(record, name)}" for name in config["datasets"]]
    sky = "a synthetic sky that comes with crossz" if config["survey"] == "embedded" else f"survey {config['survey']}"
    first, _, _ = table1.partition("\n## ")
    picture = base64.b64encode(Path(figure).read_bytes()).decode()
    source = Path(figure).as_posix()
    return html_page(
        "crossz: a run",
        f"""<h1>crossz: {"classes" if config["task"] == "classification" else "redshifts"} from photometry and images</h1>
<p>This run is of {escape(sky)}. Datasets: {escape("; ".join(sizes))}.
The networks ({escape(", ".join(config["networks"]))}) are trained and tested on {config["splits"]["count"]} random splits of the
objects; no object of a test part, and no other image of it, is seen in training.</p>
{html_of_markdown(first).replace("h1>", "h2>")}
<h2>The main network on test objects</h2>
<p>The estimate against the spectrum, for the test parts of all splits.</p>
<p><img src="data:image/png;base64,{picture}" alt="{escape(source)}"></p>
<p>On the left: <b>Tables</b> has all models, scores and bins, to sort and to filter; <b>Figures</b> has the rest, by dataset,
network and inputs. The files lie in <code>{escape(str(Path(figure).parents[3]))}</code>.</p>""",
    )


def write_pages(
    *, tables: Sequence[str | Path], figure: str | Path, start: str | Path, pages: Sequence[str | Path]
) -> None:
    """Write the tables of a run as pages, and the first page of the report.

    Parameters
    ----------
    tables
        table1.md and run.yaml, and any other Markdown or CSV file of the run.
    figure
        PNG of the main network's estimates.
    start
        The first page to write.
    pages
        The pages to write, one for each table in their order.
    """
    for source, made in zip(map(Path, tables), pages, strict=True):
        _write(made, f"{html_page(source.name, _body(source))}<script>{_SCRIPT}</script>\n")
    named = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in tables}
    _write(start, start_page(named["table1.md"], yaml.safe_load(named["run.yaml"]), figure))


def _body(source: Path) -> str:
    text = source.read_text(encoding="utf-8")
    name = f"<p>The file: <code>{escape(source.as_posix())}</code></p>"
    if source.suffix == ".md":
        return html_of_markdown(text) + name
    if source.suffix == ".csv":
        head, *rows = csv.reader(text.splitlines())
        return f"<h1>{escape(source.name)}</h1>{name}{_FILTER}{html_table(head, rows)}"
    return f"<h1>{escape(source.name)}</h1>{name}<pre>{escape(text)}</pre>"


def _objects(record: Mapping[str, Any], dataset: str) -> str:
    found = [counts for path, counts in record["counts"].items() if path.endswith(f"catalog/{dataset}.counts.json")]
    return f"{found[0]['objects']:,} objects" if found else "no count"


def _aligned(cell: str) -> str:
    return ' class="number"' if _NUMBER.match(cell.lstrip("*−")) else ""


def _inline(text: str) -> str:
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", bold)


def _write(path: str | Path, text: str) -> None:
    with atomic_path(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
