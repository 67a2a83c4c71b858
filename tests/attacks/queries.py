"""A query on SkyServer or CasJobs from its first count to its last slice: each answer on the way may be a hostile one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pyarrow.parquet as pq
from helpers import ROOT

from attacks.answers import answers
from attacks.clients import block, honest
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.server import Answer, Client, Connection, Urls, answer, asking
from crossz.archive import query, services
from crossz.archive.sql import archive_query

SQL = ROOT / "workflow/sql/extended.sql"
_, COLUMNS, DIGEST = archive_query(SQL.read_text(), "extended.sql", "DR17")
ROWS = 5
_CELLS = {"rerun": 301, "camcol": 3, "field": 100, "run": 1043, "type": 6, "class": "QSO", "z": 1.5, "zErr": 1e-4, "zWarning": 0, "run2d": "26", "plate": 266, "mjd": 51630, "ra": 150, "dec": 2}  # fmt: skip
HOSTILE = ("status: 503", "status: 404", "status: 401", "status: HTTP/0.9", "length: none, endless", "chunks: never ending", "encoding: gzip bomb", "headers: trickle", "connection: reset in the body", "redirect: loop", "status: endless 103", "status: 500 Bad, JSON with escapes")  # fmt: skip
PAGES = ("<html>\x1b[31mService unavailable</html>", "<!DOCTYPE html><title>Login</title>", "", "null", "{}", "[1]", "[" * 100_000, "\x1b[31m", "a,b\n1,2\n", "error_message\n\x1b[31mbad\n", "9" * 5000)  # fmt: skip


def row(number: int = 0, **cells: object) -> str:
    """A line of an object."""
    ids = {"objID": 1237648720693755918 + number, "bestObjID": 1237648720693755918 + number, "specObjID": 299489676975171584 + number, "fiberID": 7 + number}  # fmt: skip
    values = dict.fromkeys(COLUMNS, 20) | _CELLS | {"thing_id": number + 1} | ids | cells
    return ",".join(str(values[name]) for name in COLUMNS)


def table(**cells: object) -> str:
    """All rows; `cells`: those of the first one that are other ones."""
    return "\n".join([",".join(COLUMNS), row(**cells), *map(row, range(1, ROWS)), ""])


SKYSERVER = {"count": f"n\n{ROWS}\n", "bins": f"bin,n\n150,{ROWS}\n", "rows": table()}
CASJOBS = {"tables": "[]", "submission": "12", "job": '{"Status": 5, "Message": ""}', "count": f"n\n{ROWS}\n", "bins": SKYSERVER["bins"], "rows": table()}  # fmt: skip
"""The honest answer to each question."""


def _stage(c: Connection) -> str:
    sql = unquote_plus(c.path) + c.body.decode("latin-1")
    if "/jobs" in c.path:
        return "submission" if c.head.startswith(b"PUT") else "job"
    if c.path.endswith("/Tables"):
        return "tables"
    return "bins" if "GROUP BY" in sql else "count" if "AS n" in sql or "SELECT n" in sql else "rows"


def _except(given: Mapping[str, str], stage: str, evil: Answer, makes: bool) -> Answer:
    """Honest answers to all questions but one; `makes`: whether a job makes its table."""
    made: list[str] = []

    def act(c: Connection) -> None:
        now = _stage(c)
        made.append(now)
        if now == stage and callable(evil):
            evil(c)
        elif now == stage:
            c.send(evil)
            c.close()
        elif now == "tables" and "submission" in made and makes:
            names = (f"crossz_{DIGEST}{end}" for end in ("_n", "")[: made.count("submission")])
            c.send(answer(json.dumps([{"Name": name} for name in names])))
        else:
            of_one = f"FROM crossz_{DIGEST}_n".encode() in c.body and b"COUNT_BIG" in c.body  # the table of the count
            c.send(answer("n\n1\n" if of_one else given[now]))

    return act


def _asks(backend: str) -> Client:
    def ask(urls: Urls, folder: Path) -> Any:
        outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
        with services.connected(backend, block(urls)) as service:
            query.write_archive_query(sql=SQL, **outputs, cache=folder / "cache", context="DR17", service=service)
        return pq.read_table(folder / "raw.parquet")

    return ask


def _are_rows(found: Any) -> bool:
    return len(found) == ROWS and found["objID"].to_pylist()[1:] == [1237648720693755918 + k for k in range(1, ROWS)]


def cases() -> Iterator[Case]:
    for backend in ("skyserver", "casjobs"):
        yield _case(backend, "all", b"", "honest", ACCEPTED)
    known = answers()
    for backend, stages in (("skyserver", SKYSERVER), ("casjobs", CASJOBS)):
        for stage in stages:
            for name in HOSTILE:
                evil = known[name][0]
                assert not isinstance(evil, tuple)
                lost = stage == "submission" or (stage, name) == ("job", "status: 404")  # its table is waited for
                yield _case(backend, stage, evil, name, EITHER if lost else REFUSED)
            for page in PAGES:
                yield _case(backend, stage, answer(page), f"{page[:20]!r} x {len(page)}", EITHER)
            for name, (body, wants) in _own().get(stage, {}).items():
                yield _case(backend, stage, answer(body), name, wants)


def _case(backend: str, stage: str, evil: Answer, name: str, wants: str = REFUSED) -> Case:
    given = SKYSERVER if backend == "skyserver" else CASJOBS
    makes = not name.startswith(("failed", "canceled"))
    act = _except(given, stage, evil, makes)
    return asking(f"{backend}, {stage}: {name}", act, _asks(backend), wants, _are_rows, honest, deadline_s=14)


def _own() -> dict[str, dict[str, tuple[str, str]]]:
    """What only this question can be answered with."""
    numbers = ("0", "-5", "6", "1e18", "9" * 18, "9" * 30, "nan", "²", "5.0", "٥", "", "null", "\x1b[31m")
    counts = {f"{text[:20]!r}": (f"n\n{text}\n", REFUSED) for text in numbers}
    bins = {"more rows": "150,6", "fewer rows": "150,4", "a bin twice": "150,2\n150,3", "no rows": "150,0\n151,5", "fewer than none": "150,-5\n151,10", "NaN": "nan,5", "infinite": "inf,5", "half a bin": "150.5,5", "half a row": "150,2.5\n151,2.5", "1e300": "1e300,5", "text": "x,5", "an escape": "\x1b[31m,5", "nothing": "", "too many": "\n".join(f"{k},1" for k in range(100_001)), "a huge bin": f"{1 << 54},5", "Arabic digits": "١٥٠,5"}  # fmt: skip
    cells = {"objID": ("-5", "0", "1.23e18", "9" * 30, "", "x", "nan"), "ra": ("400", "-1", "inf", "nan", "x", "1_0"), "dec": ("95", "-91"), "z": ("-1", "1e6", "nan", "x", "\x1b[31m", "1e400"), "zErr": ("inf", "x"), "psfMag_u": ("x", "\x1b[31m", "1e400"), "camcol": ("9", "1.5", "-1"), "run2d": ("../../etc", "\x1b[31m", "a" * 5000), "class": ("\x1b[31m", "=cmd|x"), "mjd": ("9" * 20,)}  # fmt: skip
    rows = {f"{name} {text[:20]!r}": (table(**{name: text}), EITHER) for name, some in cells.items() for text in some}
    whole = table()
    rows |= {"an object twice": (table(objID=1237648720693755919), EITHER), "a row fewer": (whole.rpartition(row(4))[0], REFUSED), "a row more": (f"{whole}{row(5)}\n", REFUSED), "cut": (whole[:-3], REFUSED), "no header": (whole.partition("\n")[2], REFUSED), "a cell more": (whole.replace("\n", ",\n"), EITHER), "120,000 letters a cell": (table(psfMag_u="1" * 120_000), EITHER), "another table": (f"{whole}\n#Table2\nn\n5\n", REFUSED)}  # fmt: skip
    numbers_of_jobs = (
        "-1",
        "../../x",
        "1e5",
        "²",
        "9" * 5000,
        "1 2",
        "12\n",
        '"12"',
        "0",
        "\x1b[31m",
        "12?a=b",
        "12/../x",
    )
    states = ("99", '"5"', "[5]", "5.0", "true", "null", "-1", "5e0", "NaN", "1e400", "{}")
    failed = {"an escape": '"\\u001b[31m\\u202e"', "1 MB": f'"{"a" * (1 << 20)}"', "a list": '["\\u001b"]', "nothing": "null"}  # fmt: skip
    jobs = {f"status {state}": (f'{{"Status": {state}}}', EITHER) for state in states}
    jobs |= {f"failed with {name}": (f'{{"Status": 4, "Message": {text}}}', REFUSED) for name, text in failed.items()}
    jobs |= {f"canceled with {name}": (f'{{"Status": 3, "Message": {text}}}', REFUSED) for name, text in failed.items()}
    return {
        "count": counts, "bins": {name: (f"bin,n\n{text}\n", REFUSED) for name, text in bins.items()}, "rows": rows, "job": jobs,
        "submission": {f"{text[:20]!r}": (text, EITHER) for text in numbers_of_jobs},
    }  # fmt: skip
