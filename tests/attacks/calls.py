"""Words of the command line: names of files, options, places where nothing can be written."""

import os
from collections.abc import Iterator
from pathlib import Path

import crossz
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from attacks.material import CSV, NETWORK, all_are, parquet_bytes, predicting, table

ODD = ("", " ", ".", "..", "/", "-", "--", "none", "/dev/null", "/dev/zero", "/proc/self/mem", "/root", "~", "*", "a\0b", "\x1b[31m", "\u202e", "\udcff", "a" * 300, "a" * 5000, "http://127.0.0.1:9/x", "file:///etc/passwd", "s3://x/y", "|id", "$(id)", "`id`", ";id", "../" * 100, "😀", "-x", "@t.csv", "%s%n")  # fmt: skip
PLACES = ("predict NETWORK", "TARGETS", "OUT", "info", "--classes", "--columns", "--units", "--threads", "--pdf", "--cutouts", "OUT.csv")  # fmt: skip


def cases() -> Iterator[Case]:
    files: dict[str, Content] = {"t.csv": CSV}
    for place in PLACES:
        for word in ODD:
            yield Case(f"{place}: {word[:30]!r} x {len(word)}", _words(place, word), files, EITHER)
    yield from _options()
    yield from _places()
    yield from _python()


def _words(place: str, word: str) -> list[str]:
    if place == "info":
        return ["info", word]
    network, targets, out, more = NETWORK, "t.csv", "out.csv", []
    if place == "predict NETWORK":
        network = word
    elif place == "TARGETS":
        targets = word
    elif place.startswith("OUT"):
        out = word + place.removeprefix("OUT")
    else:
        more = [place, word]
    return ["predict", network, targets, out, "--no-page", *more]


def _options() -> Iterator[Case]:
    calls = (
        [], ["x"], ["--version"], ["--help"], ["predict"], ["predict", "--help"], ["models"], ["models", "x"], ["info"], ["nz"], ["completion"], ["completion", "x"], ["completion", "bash"],
        ["predict", NETWORK], ["predict", NETWORK, "t.csv"], ["predict", NETWORK, "t.csv", "out.txt"], ["predict", NETWORK, "t.csv", "t.csv"],
        ["predict", NETWORK, "t.csv", "./t.csv"], ["predict", NETWORK, "t.csv", "out.csv", "more"], ["predict", NETWORK, "t.csv", "out.csv", "--no-such"],
        ["predict", NETWORK, "t.csv", "out.csv", "--pdf"], ["predict", NETWORK, "t.csv", "out.csv", "--classes", NETWORK],
        ["predict", NETWORK, "--at"], ["predict", NETWORK, "t.csv", "out.csv", "--at", "1", "2"], ["predict", NETWORK, "--at", "1", "2", "--pdf", "qp"],
        ["predict", NETWORK, "--at", "1", "2", "3"], ["predict", NETWORK, "--at", "nan", "2"], ["predict", NETWORK, "--at", "400", "2"], ["predict", NETWORK, "--at", "1", "-95"],
        ["predict", NETWORK, "--at", "1", "inf"], ["predict", NETWORK, "--at", "99:99:99", "2"], ["predict", NETWORK, "--at", ""], ["predict", NETWORK, "--at", "1e400", "2"],
    )  # fmt: skip
    for call in calls:
        yield Case(f"call: {' '.join(call)}", call, {"t.csv": CSV}, EITHER)
    for number in ("0", "-1", "1025", "10**9", "nan", "1.5", "", "٣", "1_0", "9" * 5000):
        yield Case(
            f"--threads {number[:20]!r}",
            ["predict", NETWORK, "t.csv", "out.csv", "--no-page", "--threads", number],
            {"t.csv": CSV},
            EITHER,
        )
    for pdf in ("grid", "none", "mixture", "qp", "x"):
        for out in ("out.csv", "out.parquet", "out.fits", "out.vot", "out.ecsv", "out"):
            yield Case(
                f"--pdf {pdf} {out}",
                ["predict", NETWORK, "t.csv", out, "--no-page", "--pdf", pdf],
                {"t.csv": CSV},
                EITHER,
            )
    pairs = ("", "=", "a=", "=a", "psfMag_u", "x=ra", "psfMag_u=none", "psfMag_*=ra", "psfMag_u=*", "psfMag_*=*Mag_*", "*=*", "psfMag_u=ra=dec", "objID=psfMag_u", "psfMag_u=psfMag_g", "ra=dec", "psfMag_u=\x1b[31m", "\x1b[31m=ra", "a\0=b", "@", "@none", "@t.csv", "@.", "@/dev/zero", "@loop", "@fifo", "@big", "@latin", "psfMag_*=" + "x" * 10_000)  # fmt: skip
    more: dict[str, Content] = {
        "loop": "@loop\n",
        "fifo": lambda path: os.mkfifo(path),
        "big": lambda path: path.write_bytes(b"psfMag_u=x\n" * 2_000_000),
        "latin": b"psfMag_u=\xff\n",
    }
    for pair in pairs:
        yield predicting(f"--columns {pair[:30]!r}", "t.csv", CSV, EITHER, "--columns", pair, files=more)
    yield predicting(
        "--columns 20,000 times", "t.csv", CSV, EITHER, "--columns", *[f"psfMag_u=x{n}" for n in range(20_000)]
    )


def _places() -> Iterator[Case]:
    estimates: dict[str, Content] = {"out/part-00000.parquet": parquet_bytes()}
    places: dict[str, tuple[str, dict[str, Content], str]] = {
        "a folder of something else": ("out", {"out/mine.txt": b"mine"}, REFUSED),
        "a folder of estimates": ("out", estimates, ACCEPTED),
        "a folder of estimates and a link": ("out", {**estimates, "out/part-00001.parquet": lambda path: path.symlink_to("/etc/hostname")}, EITHER),
        "a file where a folder should be": ("out/", {"out": b"mine"}, REFUSED),
        "below a file": ("t.csv/out.csv", {}, REFUSED),
        "a link to a file": ("out.csv", {"mine": b"mine", "out.csv": lambda path: path.symlink_to("mine")}, EITHER),
        "a link to nowhere": ("out.csv", {"out.csv": lambda path: path.symlink_to("none/none")}, EITHER),
        "a link in a circle": ("out.csv", {"out.csv": lambda path: path.symlink_to("out.csv")}, EITHER),
        "a link to the targets": ("out.csv", {"out.csv": lambda path: path.symlink_to("t.csv")}, REFUSED),
        "a FIFO": ("out.csv", {"out.csv": lambda path: os.mkfifo(path)}, EITHER),
        "the page of another table": ("out.csv", {"out.html": b"mine"}, REFUSED),
        "a page that is a folder": ("out.csv", {"out.html/a": b"mine"}, REFUSED),
    }  # fmt: skip
    for name, (out, files, wants) in places.items():
        words = ["predict", NETWORK, "t.csv", out]
        yield Case(f"place: {name}", words, {"t.csv": CSV, **files}, wants, _kept)
    yield Case(
        "targets: a FIFO", ["predict", NETWORK, "fifo.csv", "out.csv"], {"fifo.csv": lambda path: os.mkfifo(path)}
    )
    yield Case("targets: a folder", ["predict", NETWORK, "d.csv", "out.csv"], {"d.csv/a": b""})
    yield Case(
        "targets: a link in a circle",
        ["predict", NETWORK, "l.csv", "out.csv"],
        {"l.csv": lambda path: path.symlink_to("l.csv")},
    )
    yield Case("a pipe of nothing", ["predict", NETWORK, "-", "out.csv"])
    yield Case(
        "--columns from a pipe and a table",
        ["predict", NETWORK, "-", "out.csv", "--no-page"],
        {"in": CSV},
        ACCEPTED,
        all_are("ok"),
        "in",
    )


def _kept() -> None:
    """What was there of others is there still."""
    assert Path("t.csv").read_bytes() == CSV
    for path in (Path("mine"), Path("out.html")):
        assert not path.is_file() or path.read_bytes()[:4] in (b"mine", b"<!do", b"<!DO")


def _python() -> Iterator[Case]:
    """The same from Python: CrosszError, whatever is given."""
    frame = table()
    odd = {"None": None, "a number": 5, "an empty list": [], "bytes": b"x", "text that is no path": "a\0b", "a dict of lists of other lengths": {"psfMag_u": [1], "psfMag_g": [1, 2]}, "an empty table": frame[:0], "no columns": frame[[]], "columns of numbers": frame.set_axis(range(frame.shape[1]), axis=1), "an object a cell": frame.assign(psfMag_u=[object()] * len(frame)), "lists a cell": frame.assign(psfMag_u=[[1]] * len(frame)), "a column twice": frame[["ra", *frame]], "an index twice": frame.set_axis([0] * len(frame))}  # fmt: skip
    for name, value in odd.items():
        yield Case(f"python: a table of {name}", lambda value=value: crossz.load(NETWORK).predict(value), wants=EITHER)
    for name, images in {
        "None of numbers": [1],
        "another shape": __import__("numpy").zeros((3, 5, 64, 64)),
        "text": "x",
    }.items():
        yield Case(
            f"python: images of {name}",
            lambda images=images: crossz.load("sdss-quasars").predict(frame, images),
            wants=REFUSED,
        )
    for name in ("", "none", "a\0b", "\x1b[31m", "\udcff", "a" * 5000, ".", "/dev/zero"):
        yield Case(f"python: load({name[:20]!r})", lambda name=name: crossz.load(name), wants=REFUSED)
