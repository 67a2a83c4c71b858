"""The faults: what an answer is replaced by, and how it is changed. How it is sent badly stands in server.py."""

import csv
import io
import itertools
import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from .exchange import TABLE_LINE, Answer, csv_body, error_answer, not_found, skyserver_csv

FAULTS = {
    # Sent instead of the answer; the service does not see the request.
    "503": "the load balancer's page, status 503",
    "429": "status 429 with Retry-After: value (seconds, default 1)",
    "404": "status 404, HTML",
    "401": "status 401, JSON",
    "500json": "status 500 with the service's JSON error",
    "html200": "a maintenance page with status 200",
    "skyserver_error_html": "SkyServer's own error page with status 200",
    "error_message": "CSV with the one column error_message, status 200; value: the message",
    "refuse": "the connection is closed without an answer",
    # The answer, if its status is 200, with another body under a consistent Content-Length.
    "wrong_bytes": "zero bytes, as many as are right",
    "flip": "one bit flipped, in byte value (default: the middle)",
    "other_file": "another file of the archive: value (its path below /sas), else the first other one of its kind nearby",
    "trailing": "the right body and garbage behind it",
    "cut_row": "text cut in the middle of its last row",
    "etag_change": "the right body with another ETag each time",
    # The answer to a request for a range.
    "range_ignored": "the whole file with status 200",
    "range_other": "the range that begins 1000 bytes later, and says so",
    "range_lie": "the bytes of the range that begins value (default 1000) bytes later, under the headers of the right one",
    "range_short": "half of the range, and says so",
    "range_cut": "half of the range under its whole Content-Range and its own Content-Length",
    "range_html": "a maintenance page with status 206 and the right Content-Range",
    "range_flip": "one bit flipped in the middle of the range",
    "range_size": "another size of the whole file in Content-Range",
    # The same for CSV only.
    "drop_rows": "without its last value (default 1) rows",
    "short_row": "the last row lacks its last cell",
    "reorder": "the columns in reversed order, header and all",
    "rename_column": "the first column is named otherwise: value (default Column1)",
    "float_ids": "integers of 17 digits or more as floats: 1.23764872607149E+18",
    # The right answer, sent badly.
    "cut_length": "half of the body under the whole Content-Length, then the connection is closed",
    "cut_chunked": "half of the body as a chunk, then closed without the last chunk",
    "cut_no_length": "half of the body without any length, then closed, which is a legal end",
    "stall": "headers, at most 1000 bytes of the body, silence for value (default 3600) seconds, then closed",
    "slow": "a byte a second",
    "reset": "headers, at most 1000 bytes of the body, then a TCP reset",
    "delay": "the right answer after value (default 1) seconds",
}
"""Kinds of `Fault`: what is done to the answer. Where `value` is not named, it is not used."""


class Fault(NamedTuple):
    """What is done to requests that match `path`, a regular expression.

    It is searched for in "METHOD /path?query" as received, and in the decoded SQL of a query. `kind`: one of `FAULTS`;
    `times`: for how many requests, None: all.
    """

    path: str
    kind: str
    times: int | None = None
    value: Any = None


def check_kind(fault: Fault) -> None:
    if fault.kind not in FAULTS:
        raise ValueError(f"no kind of fault: {fault.kind}; there are {', '.join(FAULTS)}")


def _unavailable(_: Any) -> Answer:
    return Answer(
        503,
        b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
    )


def _too_many(value: Any) -> Answer:
    return Answer(429, b"Too Many Requests\n", "text/plain", {"Retry-After": str(1 if value is None else value)})


def _maintenance(_: Any) -> Answer:
    return Answer(200, b"<html><body><h1>The site is down for maintenance</h1>Please come back later.</body></html>\n")


def _error_page(_: Any) -> Answer:
    page = (
        "<html><head>\n<title>Skyserver Error</title>\n</head><body bgcolor=white>\n"
        "<h2>An error occured</h2><H3 BGCOLOR=pink><font color=red><br></font></H3></BODY></HTML>\n"
    )
    return Answer(200, page.encode())


def _error_message(value: Any) -> Answer:
    message = "error: the query was rejected" if value is None else value
    return Answer(200, skyserver_csv([["error_message"], [message]]), "text/csv")


INSTEAD: dict[str, Callable[[Any], Answer]] = {
    "503": _unavailable,
    "429": _too_many,
    "404": not_found,
    "401": lambda _: error_answer("Unauthorized", "Token is missing, not valid or expired"),
    "500json": lambda _: error_answer(
        "InternalServerError", "Transaction was deadlocked and has been chosen as the victim."
    ),
    "html200": _maintenance,
    "skyserver_error_html": _error_page,
    "error_message": _error_message,
}


def _wrong_bytes(answer: Answer, _: Any) -> Answer:
    return answer._replace(body=bytes(len(answer.body)))


def _flip(answer: Answer, value: Any) -> Answer:
    body = bytearray(answer.body)
    body[len(body) // 2 if value is None else value] ^= 1
    return answer._replace(body=bytes(body))


def _other_file(answer: Answer, value: Any) -> Answer:
    if answer.file is None:
        return answer
    if value is not None:
        return answer._replace(body=(answer.root / value).read_bytes())
    alike = f"*{answer.file.suffix}"
    near = itertools.chain(sorted(answer.file.parent.glob(alike)), sorted(answer.root.rglob(alike)))
    return answer._replace(body=next(path for path in near if path != answer.file).read_bytes())


def _trailing(answer: Answer, _: Any) -> Answer:
    return answer._replace(body=answer.body + b"<!-- cached -->\n" * 8)


def _cut_row(answer: Answer, _: Any) -> Answer:
    last = answer.body.rstrip(b"\n").rfind(b"\n") + 1
    return answer._replace(body=answer.body[: last + max((len(answer.body) - last) // 2, 1)])


def _etag_change(answer: Answer, _: Any) -> Answer:
    return answer._replace(headers=answer.headers | {"ETag": f'"{secrets.token_hex(8)}"'})


def _on_csv(change: Callable[[list[list[str]], Any], list[list[str]]]) -> Callable[[Answer, Any], Answer]:
    # A lie told by changing the cells of a CSV body, header first; other bodies stay as they are.
    def lie(answer: Answer, value: Any) -> Answer:
        if answer.kind not in ("text/csv", "text/plain"):
            return answer
        start = TABLE_LINE if answer.body.startswith(TABLE_LINE) else b""
        cells = list(csv.reader(io.StringIO(answer.body.removeprefix(start).decode(), newline="")))
        return answer._replace(body=start + csv_body(change(cells, value)))

    return lie


def _float_cell(cell: str) -> str:
    return f"{int(cell):.14E}" if re.fullmatch(r"-?\d{17,}", cell) else cell


def _content_range(answer: Answer) -> tuple[int, int, int]:
    return tuple(map(int, re.findall(r"\d+", answer.headers["Content-Range"])))


def _saying(answer: Answer, first: int, last: int, size: int) -> Answer:
    return answer._replace(headers=answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"})


def _range_other(answer: Answer, full: Answer, value: Any) -> Answer:
    first, last, size = _content_range(answer)
    first, last = min(first + 1000, size - 1), min(last + 1000, size - 1)
    return _saying(answer, first, last, size)._replace(body=full.body[first : last + 1])


def _range_lie(answer: Answer, full: Answer, value: Any) -> Answer:
    first, last, size = _content_range(answer)
    by = 1000 if value is None else value
    if last + by >= size:
        by = -by
    return answer._replace(body=full.body[max(first + by, 0) :][: last + 1 - first])


def _range_short(answer: Answer, full: Answer, value: Any) -> Answer:
    first, last, size = _content_range(answer)
    half = (last + 1 - first) // 2
    return _saying(answer, first, first + max(half, 1) - 1, size)._replace(body=answer.body[: max(half, 1)])


def _range_size(answer: Answer, full: Answer, value: Any) -> Answer:
    first, last, size = _content_range(answer)
    return _saying(answer, first, last, size + 1 + secrets.randbelow(1000))


RANGED: dict[str, Callable[[Answer, Answer, Any], Answer]] = {
    "range_ignored": lambda answer, full, _: full,
    "range_other": _range_other,
    "range_lie": _range_lie,
    "range_short": _range_short,
    "range_cut": lambda answer, *_: answer._replace(body=answer.body[: len(answer.body) // 2]),
    "range_html": lambda answer, *_: answer._replace(body=_maintenance(None).body),
    "range_flip": lambda answer, *_: _flip(answer, None),
    "range_size": _range_size,
}
ALTERED: dict[str, Callable[[Answer, Any], Answer]] = {
    "wrong_bytes": _wrong_bytes,
    "flip": _flip,
    "other_file": _other_file,
    "trailing": _trailing,
    "cut_row": _cut_row,
    "etag_change": _etag_change,
    "drop_rows": _on_csv(lambda cells, value: cells[:1] + cells[1:][: -1 if value is None else -value]),
    "short_row": _on_csv(lambda cells, _: [*cells[:-1], cells[-1][:-1]]),
    "reorder": _on_csv(lambda cells, _: [row[::-1] for row in cells]),
    "rename_column": _on_csv(lambda cells, value: [["Column1" if value is None else value, *cells[0][1:]], *cells[1:]]),
    "float_ids": _on_csv(lambda cells, _: [[_float_cell(cell) for cell in row] for row in cells]),
}
