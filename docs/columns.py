"""Write the table of all columns that are written of new objects into docs/method.md, from `crossz.apply.output_columns`.

With `--check` it writes nothing, and exits with 1 if the page is out of date.
"""

import argparse
import sys
from pathlib import Path

from crossz.apply.output_columns import markdown

PAGE = Path(__file__).resolve().parent / "method.md"
BEGIN, END = (
    "<!-- columns: written by `make docs` from crossz.apply.output_columns; do not edit -->",
    "<!-- end of columns -->",
)


def with_columns(text: str) -> str:
    """The page with the table between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE}: no place for the table of columns"
    return f"{before}{begin}\n\n{markdown()}\n\n{end}{after}"


def main() -> None:
    """Write the page, or check that it is up to date."""
    parser = argparse.ArgumentParser(description="Write the table of columns in docs/method.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is out of date")
    text = PAGE.read_text()
    if parser.parse_args().check and text != with_columns(text):
        sys.exit("docs/method.md: out of date; run `make docs`")
    PAGE.write_text(with_columns(text))


if __name__ == "__main__":
    main()
