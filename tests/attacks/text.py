"""Tables of text: layouts, encodings, damage, cells and names that nobody expects."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

from fuzz.mutate import TOKENS

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import CSV, ROWS, all_are, csv_bytes, predicting, sound, table

LINES = CSV.decode().splitlines()
HEAD, BODY = LINES[0], LINES[1:]


def cases() -> Iterator[Case]:
    yield from _layouts()
    yield from _encodings()
    yield from _not_tables()
    yield from _damage()
    yield from _values()
    yield from _tokens()
    yield from _large()


def _lines(head: str = HEAD, body: list[str] = BODY, end: str = "\n") -> bytes:
    return (end.join([head, *body]) + end).encode()


def _layouts() -> Iterator[Case]:
    layouts = {
        "tabs": csv_bytes(sep="\t"),
        "semicolons": csv_bytes(sep=";"),
        "semicolons and decimal commas": csv_bytes(table().astype({"objID": str}), sep=";", decimal=","),
        "bars": csv_bytes(sep="|"),
        "blanks": csv_bytes(sep=" "),
        "quotes": csv_bytes(quoting=1),
        "CRLF": _lines(end="\r\n"),
        "CR": _lines(end="\r"),
        "no last end": CSV[:-1],
        "comments": b"# a\n#b\n" + CSV,
        "comments between": _lines(body=["# a comment", *BODY[:3], "#,,", *BODY[3:]]),
        "empty lines between": _lines(body=["", *BODY[:3], "", "", *BODY[3:], "", ""]),
        "blanks about": _lines(HEAD.replace(",", " , "), [line.replace(",", " ,  ") for line in BODY]),
        "upper case": _lines(HEAD.upper()),
        "named in a comment": _lines("# " + HEAD),
        "units and dashes": _lines(body=["," * HEAD.count(","), ",".join(["---"] * (HEAD.count(",") + 1)), *BODY]),
        "a column without a name": _lines(f",{HEAD}", [f"{number},{line}" for number, line in enumerate(BODY)]),
    }
    for name, content in layouts.items():
        yield predicting(f"layout: {name}", "t.csv", content, ACCEPTED, check=all_are("ok"))
        packed = gzip.compress(content)
        yield predicting(f"layout by gzip: {name}", "t.csv.gz", packed, ACCEPTED, check=all_are("ok"))
        yield predicting(
            f"layout by a pipe: {name}", "-", b"", ACCEPTED, files={"in": content}, stdin="in", check=all_are("ok")
        )


def _encodings() -> Iterator[Case]:
    latin = HEAD.replace("ra,", "größe,")
    texts = {
        "BOM": (b"\xef\xbb\xbf" + CSV, ACCEPTED),
        "BOM twice": (b"\xef\xbb\xbf" * 2 + CSV, EITHER),
        "UTF-8 name": (_lines(latin), ACCEPTED),
        "Latin-1 name": (_lines(latin).decode().encode("latin-1"), REFUSED),
        "Latin-1 cell": (csv_bytes(table(note="Gr\xf6\xdfe")).decode().encode("latin-1"), REFUSED),
        "UTF-16": (CSV.decode().encode("utf-16"), REFUSED),
        "UTF-16 LE without mark": (CSV.decode().encode("utf-16-le"), REFUSED),
        "UTF-32": (CSV.decode().encode("utf-32"), REFUSED),
        "EBCDIC": (CSV.decode().encode("cp500"), REFUSED),
        "NUL in a name": (CSV.replace(b"ra,", b"r\0a,", 1), REFUSED),
        "NUL in a cell": (csv_bytes(table(note="a\0b")), EITHER),
        "NUL behind": (CSV + b"\0" * 4096, EITHER),
        "NUL far behind": (CSV + b"".join([BODY[0].encode() + b"\n"] * 300) + b"\0", EITHER),
        "lone surrogate": (CSV.replace(b"ra,", b"\xed\xa0\x80,", 1), REFUSED),
        "overlong UTF-8": (CSV.replace(b"ra,", b"\xc0\xaf,", 1), REFUSED),
        "bytes above Unicode": (CSV.replace(b"ra,", b"\xf5\x80\x80\x80,", 1), REFUSED),
        "right to left": (CSV.replace(b"ra,", "\u202eabc,".encode(), 1), ACCEPTED),
        "zero width": (CSV.replace(b"ra,", "r\u200ba,".encode(), 1), ACCEPTED),
    }
    for name, (content, wants) in texts.items():
        yield predicting(f"encoding: {name}", "t.csv", content, wants)


def _not_tables() -> Iterator[Case]:
    others = {
        "nothing": b"",
        "one byte": b"a",
        "a line end": b"\n",
        "blank lines": b"\n" * 1000,
        "blanks": b" " * 1000,
        "header alone": HEAD.encode(),
        "header and a line end": HEAD.encode() + b"\n",
        "header and blank lines": HEAD.encode() + b"\n" * 50,
        "comments alone": b"# a\n# b,c\n",
        "numbers alone": _lines(BODY[0], BODY[1:]),
        "one word": b"ra\n1\n",
        "prose": b"It was a dark and stormy night; the rain fell in torrents.\n" * 3,
        "JSON": b'[{"objID": 1, "psfMag_u": 18}]\n',
        "HTML": b"<!DOCTYPE html><html><body>503</body></html>",
        "zip": b"PK\x03\x04" + bytes(100),
        "bzip2": bz2.compress(CSV),
        "xz": lzma.compress(CSV),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(100),
        "PDF": b"%PDF-1.7\n%\xe2\xe3",
        "HDF5": b"\x89HDF\r\n\x1a\n",
        "SQLite": b"SQLite format 3\0",
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "ELF": b"\x7fELF" + bytes(100),
        "a pickle": b"\x80\x04cos\nsystem\n(S'touch hacked'\ntR.",
        "escapes": b"\x1b[2J\x1b]0;x\x07\n1\n",
    }
    for name, content in others.items():
        for suffix in (".csv", ".fits", ".parquet", ".vot"):
            if suffix == ".csv" or name in ("nothing", "prose", "JSON", "a pickle", "escapes"):
                yield predicting(f"no table: {name}{suffix}", f"t{suffix}", content)


def _damage() -> Iterator[Case]:
    packed = gzip.compress(CSV * 20)
    damaged = {
        "a row too short": (_lines(body=[*BODY, BODY[0].rpartition(",")[0]]), REFUSED),
        "a row too long": (_lines(body=[*BODY, BODY[0] + ",1,2,3"]), REFUSED),
        "an open quote": (_lines(body=[*BODY, '"' + BODY[0]]), REFUSED),
        "an open quote in the names": (_lines('"' + HEAD), REFUSED),
        "quotes within": (_lines(body=['1"2"3' + BODY[0], *BODY[1:]]), EITHER),
        "the header twice": (_lines(body=[HEAD, *BODY]), EITHER),
        "cut in a row": (CSV[:-40], EITHER),
        "two names alike": (_lines(HEAD.replace("ra,", "dec,")), REFUSED),
        "two names alike but for their case": (
            _lines(HEAD.replace("objID", "objid").replace("ra,", "OBJID,")),
            REFUSED,
        ),
        "all names alike": (_lines(",".join(["a"] * (HEAD.count(",") + 1))), REFUSED),
        "all names empty": (_lines("," * HEAD.count(",")), REFUSED),
    }
    for name, (content, wants) in damaged.items():
        yield predicting(f"damage: {name}", "t.csv", content, wants)
    for name, content in {
        "cut": packed[:-20],
        "cut to its head": packed[:8],
        "damaged": packed[:30] + b"\xff" * 10 + packed[40:],
        "wrong sum": packed[:-8] + bytes(8),
        "of nothing": gzip.compress(b""),
        "twice": gzip.compress(packed),
        "rubbish behind": packed + b"rubbish",
    }.items():
        yield predicting(f"gzip: {name}", "t.csv.gz", content)
    yield predicting(
        "gzip: two members",
        "t.csv.gz",
        gzip.compress(_lines(body=BODY[:6])) + gzip.compress(_lines(BODY[6], BODY[7:])),
        ACCEPTED,
    )


def _values() -> Iterator[Case]:
    same = [str(number) for number in range(ROWS)]
    ids = {
        "floats": (table(objID=["1.2376487206937559e+18"] * ROWS), REFUSED),
        "inf": (table(objID=["inf"] * ROWS), EITHER),
        "NaN": (table(objID=["nan"] * ROWS), EITHER),
        "negative": (table(objID=["-5"] * ROWS), EITHER),
        "beyond 64 bits": (table(objID=["9" * 25] * ROWS), ACCEPTED),
        "5,000 digits": (table(objID=["1" * 5000] * ROWS), ACCEPTED),
        "words": (table(objID=["3C 273"] * ROWS), ACCEPTED),
        "formulas": (table(objID=["=cmd|' /C calc'!A0"] * ROWS), ACCEPTED),
        "superscripts": (table(objID=["²"] * ROWS), ACCEPTED),
        "leading zeros": (table(objID=["0001"] * ROWS), ACCEPTED),
        "all the same": (table(objID=[1] * ROWS), ACCEPTED),
        "scripts": (table(objID=["<script>alert(1)</script>"] * ROWS), ACCEPTED),
    }
    for name, (frame, wants) in ids.items():
        yield predicting(f"objID: {name}", "t.csv", csv_bytes(frame), wants)
    missing = (
        "",
        "nan",
        "NaN",
        "null",
        "NULL",
        "N/A",
        "-",
        "--",
        "-9999",
        "99",
        "99.99",
        "-99",
        "0",
        "1e20",
        "inf",
        "-inf",
        "masked",
    )
    for mark in missing:
        whole = {f"psfMag_{band}": [mark] * ROWS for band in "ugriz"}
        yield predicting(
            f"no magnitude: {mark}", "t.csv", csv_bytes(table(**whole)), ACCEPTED, check=all_are("no_data")
        )
        frame = table(psfMag_u=[mark] * ROWS)
        yield predicting(f"no u: {mark}", "t.csv", csv_bytes(frame), ACCEPTED, check=lambda: _missing("u"))
        frame = table(**{f"psfMagErr_{band}": [mark] * ROWS for band in "ugriz"})
        yield predicting(f"no errors: {mark}", "t.csv", csv_bytes(frame), ACCEPTED, check=all_are("no_data"))
    for value in ("400", "-1", "95", "inf", "nan", "1e308", "12:34:56", "12 34 56.7", "99:99:99", "a", ""):
        yield predicting(f"ra: {value}", "t.csv", csv_bytes(table(ra=[value] * ROWS)), EITHER)
        yield predicting(f"dec: {value}", "t.csv", csv_bytes(table(dec=[value] * ROWS)), EITHER)
    for value in (
        "1e308",
        "-1e308",
        "1e-320",
        "5",
        "-3",
        "45",
        "1e5",
        "0x13",
        "1_9",
        "19,5",
        "１９.5",
        "19.5 mag",
        "+19.5",
        "19.5e0",
        "True",
    ):
        yield predicting(
            f"a magnitude of {value}", "t.csv", csv_bytes(table(psfMag_g=[value, *["19.3"] * (ROWS - 1)])), EITHER
        )
        yield predicting(f"all magnitudes of {value}", "t.csv", csv_bytes(table(psfMag_g=[value] * ROWS)), EITHER)
    yield predicting("extinctions of 1e300", "t.csv", csv_bytes(table(extinction_g=[1e300] * ROWS)), EITHER)
    yield predicting("extinctions below 0", "t.csv", csv_bytes(table(extinction_g=[-50] * ROWS)), EITHER)
    yield predicting("errors of 1e-300", "t.csv", csv_bytes(table(psfMagErr_g=[1e-300] * ROWS)), EITHER)
    yield predicting("nothing but ids", "t.csv", csv_bytes(table()[["objID", "ra", "dec"]]))
    yield predicting("objid beside objID, which is ours", "t.csv", csv_bytes(table(objid=same)), ACCEPTED)


def _missing(band: str) -> None:
    from attacks.material import answer

    sound("out.csv", ROWS, ["ok"])
    assert set(answer("out.csv")["missing"]) == {band}


def _tokens() -> Iterator[Case]:
    """What the fuzzing puts anywhere, as a cell, as a name, and as a line."""
    for number, token in enumerate(TOKENS):
        first = BODY[0].encode()
        places = {
            "an objID": _lines().replace(first, token + first[first.index(b",") :]),
            "a magnitude": csv_bytes(table(psfMag_g=["@@", *["19.3"] * (ROWS - 1)])).replace(b"@@", token),
            "a name": _lines().replace(b"ra,", token + b",", 1),
            "a line": _lines().replace(first, token),
            "the first line": token + b"\n" + _lines(),
        }
        for place, content in places.items():
            yield predicting(f"{place} of token {number}", "t.csv", content, EITHER)


def _large() -> Iterator[Case]:
    def written(make: Callable[[io.BufferedWriter], object]) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            with open(path, "wb") as handle:
                make(handle)

        return write

    cells = HEAD.count(",")
    yield predicting(
        "a cell of 10 MB",
        "t.csv",
        written(lambda f: f.write(csv_bytes(table(note=["x" * 10**7] + ["a"] * (ROWS - 1))))),
        EITHER,
    )
    yield predicting(
        "a cell of 200 MB", "t.csv", written(lambda f: f.write(CSV + b"a" * (200 << 20) + b"," * cells)), EITHER
    )
    yield predicting(
        "a name of 2 MB", "t.csv", written(lambda f: f.write(CSV.replace(b"ra,", b"a" * (2 << 20) + b",", 1)))
    )
    yield predicting(
        "a name of 0.5 MB", "t.csv", written(lambda f: f.write(CSV.replace(b"ra,", b"a" * (1 << 19) + b",", 1))), EITHER
    )
    yield predicting(
        "a million columns",
        "t.csv",
        written(lambda f: f.write(b",".join(b"c%d" % k for k in range(10**6)) + b"\n" + b"1," * 10**6 + b"1\n")),
        EITHER,
    )
    yield predicting(
        "100,000 columns",
        "t.csv",
        written(
            lambda f: f.write(
                (HEAD + "".join(f",c{k}" for k in range(10**5)) + "\n" + BODY[0] + ",1" * 10**5 + "\n").encode()
            )
        ),
        EITHER,
    )
    yield predicting("a line of 50 MB without an end", "t.csv", written(lambda f: f.write(b"a" * (50 << 20))))
    yield predicting(
        "100 MB of commas", "t.csv", written(lambda f: f.write(HEAD.encode() + b"\n" + b"," * (100 << 20)))
    )
    yield predicting("100 MB of line ends", "t.csv", written(lambda f: f.write(CSV + b"\n" * (100 << 20))), EITHER)
    yield predicting("100 MB of quotes", "t.csv", written(lambda f: f.write(CSV + b'"' * (100 << 20))), EITHER)
    yield predicting(
        "100 MB of comments", "t.csv", written(lambda f: f.write(b"# a comment\n" * (8 << 20) + CSV)), EITHER
    )
    for size, what in ((1 << 30, "1 GB"), (12 << 30, "12 GB")):
        yield predicting(f"gzip of {what} of zeros", "t.csv.gz", lambda path, size=size: _bomb(path, b"\0", size))
        yield predicting(
            f"gzip of {what} of line ends", "t.csv.gz", lambda path, size=size: _bomb(path, b"\n", size), EITHER
        )


def _bomb(path: Path, byte: bytes, size: int) -> None:
    piece = gzip.compress(byte * (64 << 20))  # members of gzip, one behind another, are one text
    with open(path, "wb") as target:
        target.write(gzip.compress(CSV))
        for _ in range(size // (64 << 20)):
            target.write(piece)
