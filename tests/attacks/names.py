"""Names of columns, and words about them, in each format that is written; and a page that shows them."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from fuzz.mutate import TOKENS

from attacks.harness import ACCEPTED, EITHER, Case
from attacks.material import ROWS, parquet_bytes, predicting, sound, table, with_column, written

OUT = ("out.csv", "out.parquet", "out.fits", "out.vot", "out.ecsv")
SCRIPT = "<script>alert(1)</script>"
_ODD = (
    "", " ", ".", "..", "a.b", "a/b", "../../a", "\\", '"', "'", "a'b", "a,b", "a\tb", "a\nb", "a\r\nb", "\0", "\x1b[31m", "\x9b31m", "\u202e",
    "😀", "ä", "e\u0301", "x" * 67, "x" * 68, "x" * 69, "x" * 5000, "=1+1", "@SUM(A1)", "-1", "#a", "%s", "{0}", "{{ 7*7 }}", "${x}", SCRIPT,
    "</script><script>alert(1)//", "<!--", "&amp;", "null", "nan", "1", "1e5", "True", "COMMENT", "END", "row", "index", "__index_level_0__",
)  # fmt: skip
_OURS = (
    "status", "z_phot", "crossz_z_phot", "Z_PHOT", "why", "inputs", "missing", "domain_p", "odds", "pdf_weight", "weight_0", "crossz_network",
    "p_QSO", "z_peak_1", "CROSSZ_STATUS", "duplicate_of", "edge", "separation_arcsec", "class_phot",
)  # fmt: skip


def cases() -> Iterator[Case]:
    for number, name in enumerate(_ODD):
        for out in (OUT[number % 2], *OUT[2:]):
            yield predicting(f"{name[:20]!r} x {len(name)} in {out}", "t.parquet", _named(name), EITHER, out=out)
    for name in _OURS:
        for out in OUT if name in ("status", "z_phot") else OUT[:2]:
            yield predicting(
                f"the name {name} of ours in {out}", "t.parquet", _named(name), ACCEPTED, out=out, check=_checked(out)
            )
    yield from _words()
    yield from _pages()


def _named(name: str) -> bytes:
    column = pa.array(["theirs"] * ROWS)
    given = pa.Table.from_pandas(table(), preserve_index=False)
    return parquet_bytes(given.append_column(name, column))


def _checked(out: str) -> Callable[[], None]:
    def check() -> None:
        sound(out, ROWS, ["ok"])
        found = written(out)
        assert any((found[name].astype(str).str.strip() == "theirs").all() for name in found), (
            "the user's column is lost"
        )

    return check


def _words() -> Iterator[Case]:
    words = (
        "\x1b[31m",
        "\0",
        "\u202e",
        "😀",
        "x" * 100_000,
        "a\nb",
        SCRIPT,
        "'" * 200,
        "%",
        "&x;",
        "]]>",
        "{",
        "!!python/name:os.system",
    )
    for word in words:
        for key in ("unit", "ucd", "description"):
            for out in ("out.fits", "out.vot") if key == "unit" else ("out.ecsv",):
                content = with_column("note", pa.array(np.arange(ROWS)), {key: word})
                yield predicting(f"{key} {word[:20]!r} in {out}", "t.parquet", content, EITHER, out=out)


def _pages() -> Iterator[Case]:
    """Texts of a table, shown by a page: no token becomes a part of it."""
    texts = (
        SCRIPT,
        "</script>",
        "<!--<script>",
        "javascript:alert(1)",
        '"><img src=x onerror=alert(1)>',
        "{{7*7}}",
        "\u2028",
        "&lt;",
        "]]>",
        *(token.decode(errors="replace") for token in TOKENS if b"\0" not in token and len(token) < 100),
    )
    for number, text in enumerate(texts):
        frame = table(objID=[text] * ROWS, note=[text] * ROWS)
        content = parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False))
        yield predicting(
            f"page: text {number}", "t.parquet", content, EITHER, "--page", out="out.parquet", check=_plain_page
        )
    for name in (SCRIPT, '"><img src=x onerror=alert(1)>', "</title><script>"):
        safe = name.replace("/", "_")
        yield predicting(
            f"page: a file {safe}",
            f"{safe}.csv",
            table().to_csv(index=False),
            ACCEPTED,
            "--page",
            out=f"{safe}-out.csv",
            check=lambda: _plain_page("*.html"),
        )
    yield predicting(
        "page: a link in its place",
        "t.csv",
        table().to_csv(index=False),
        EITHER,
        "--page",
        files={"out.html": lambda path: path.symlink_to("elsewhere")},
        check=lambda: _untouched(),
    )


def _plain_page(pattern: str = "out.html") -> None:
    (page,) = Path().glob(pattern)
    text = page.read_text()
    scripts = re.findall(r"<script\b[^>]*>", text)
    assert all("alert" not in script for script in scripts)
    shown = re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)
    assert (
        "alert(1)" not in re.sub(r"&[a-z#0-9]+;", "", shown)
        or html.escape(SCRIPT) in shown
        or "<img src=x" not in shown
    )
    assert "<img src=x" not in shown
    assert text.count("<script") == text.count("</script>") <= 3, "a script more"
    assert "49" not in re.findall(r"\{\{7\*7\}\}|\b49\b(?=\s*</)", shown)


def _untouched() -> None:
    assert not Path("elsewhere").exists(), "the page was written through a link"
