"""Writes what tutorial.md shows, from a run with the defaults: `make tutorial`, after `make metrics report`.

Outputs of Python blocks, rows of Table 1, and pictures come from the run that lies in results/. The commands of sh blocks
that estimate targets are run again. Output of `snakemake -n` stays. The picture of a page needs a Chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/tutorial.md"
PICTURES = {
    "results/figures/quasars_all/crossmodal/phot+img.png": "docs/estimate.png",
    "results/pdf.png": "docs/tutorial-pdf.png",
}
"""Where a picture comes from, and its name in the docs."""
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = 3  # cells of a row of Table 1 that say whose it is


def with_outputs(page: str) -> str:
    """`page` with what its Python blocks print in the text blocks behind them; its predictions are made, too."""
    printed, parts, end = None, [], 0
    for found in BLOCK.finditer(page):
        language, how, text = found.groups()
        if language == "text" and printed is not None:
            parts += [page[end : found.start(3)], printed]
            end = found.end(3)
        printed = None
        if language == "python":
            done = subprocess.run(
                [sys.executable, "-"], input=text, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
            )
            printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines()) or None
        elif language == "sh" and "--config targets" in text and not how:
            subprocess.run(
                text.replace("snakemake", f"{sys.executable} -m snakemake"), shell=True, cwd=ROOT, check=True
            )
    return "".join([*parts, page[end:]])


def with_rows(page: str, table: str) -> str:
    """`page` with the rows of Table 1 that it has, from `table`."""
    first = table.partition("\n## ")[0].splitlines()  # later tables have the same models
    rows = {tuple(line.split("|")[1 : KEYS + 1]): line for line in first if line.startswith("|")}
    lines = [rows.get(tuple(line.split("|")[1 : KEYS + 1]), line) for line in page.splitlines()]
    return "\n".join(lines) + "\n"


def page_picture(page: Path, picture: Path) -> None:
    """Write what a browser shows of the page of new objects: its top, and below it a row that has an image, opened."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import CHROMIUM, browser

    if CHROMIUM is None:
        print(f"{picture.name} stays as it is: there is no chromium", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder, "profile")) as tab:
        shots = [Path(folder, name) for name in ("top.png", "row.png")]
        tab.open(page, 1000, 860)
        tab.picture(shots[0])
        tab.run("document.querySelector('#body tr.row:nth-child(2)').click()")
        tab.picture(shots[1])
        both = Image.new("RGB", (1000, 1740), "white")
        for place, shot in zip((0, 880), shots, strict=True):
            both.paste(Image.open(shot), (0, place))
        both.quantize(128).save(picture, optimize=True)


def main() -> None:
    page = with_outputs(PAGE.read_text())
    head, line, rest = page.partition("| inputs | the network is given |")  # rows of Table 1 stand before it
    PAGE.write_text(with_rows(head.rstrip("\n"), (ROOT / "results/table1.md").read_text()) + "\n" + line + rest)
    for source, picture in PICTURES.items():
        shutil.copy(ROOT / source, ROOT / picture)
    page_picture(ROOT / "results/predict/places.html", ROOT / "docs/new-objects.png")


if __name__ == "__main__":
    main()
