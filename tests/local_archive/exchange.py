"""One request and its answer, and the bodies that several services send."""

import csv
import email
import io
import json
import math
import secrets
import time
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from astropy.table import Table

TABLE_LINE = b"#Table1\n"
"""What SkyServer writes above a CSV."""
_STATUSES = {"BadRequest": 400, "Unauthorized": 401, "NotFound": 404, "InternalServerError": 500}


class Request(NamedTuple):
    """What a client asks for."""

    method: str
    target: str  # path and query as received
    path: str  # decoded, without the query
    query: dict[str, str]  # parameters in the address
    form: dict[str, str]  # fields in the body
    headers: Message
    body: bytes

    def json(self) -> dict:
        """The body as a JSON object; an empty one where it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            content = None
        return content if isinstance(content, dict) else {}

    @property
    def sql(self) -> str | None:
        """The query that the request holds."""
        if self.path.lower().startswith("/casjobs/"):
            return self.json().get("Query")
        return (self.form | self.query).get("cmd") or self.form.get("uquery")


class Answer(NamedTuple):
    """What a service answers."""

    status: int
    body: bytes
    kind: str = "text/html"
    headers: dict[str, str] = {}  # noqa: RUF012 (never changed)
    root: Path | None = None  # where a file comes from,
    file: Path | None = None  # and the file


def csv_body(rows: Sequence[Sequence], null: str = "null") -> bytes:
    """The rows as CSV, NULL as `null`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # floats by repr
    writer.writerows([[null if cell is None else cell for cell in row] for row in rows])
    return text.getvalue().encode()


def skyserver_csv(rows: Sequence[Sequence]) -> bytes:
    """The rows as SkyServer writes them: NULL is an empty cell, text with a comma is quoted, quotes in it are not doubled."""

    def text(cell: object) -> str:
        words = "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)
        return f'"{words}"' if "," in words or "\n" in words else words

    return TABLE_LINE + "".join(",".join(map(text, row)) + "\n" for row in rows).encode()


def fits_answer(names: Sequence[str], rows: Sequence[Sequence]) -> Answer:
    """The rows as a binary table; ids beyond 63 bits are text."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {name: [""] for name in names}
    body = io.BytesIO()
    Table({name: _plain(cells) for name, cells in columns.items()})[: len(rows)].write(body, format="fits")
    return Answer(200, body.getvalue(), "application/fits")


def _plain(cells: Sequence) -> list:
    if any(isinstance(cell, str) for cell in cells):
        return ["" if cell is None else str(cell) for cell in cells]
    return [math.nan if cell is None else cell for cell in cells]


def json_answer(content: object, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(content).encode(), "application/json")


def error_answer(kind: str, message: str) -> Answer:
    """An error in the services' own words."""
    content = {"ErrorCode": _STATUSES[kind], "ErrorType": kind, "ErrorMessage": message}
    return json_answer(content | {"LogMessageID": secrets.token_hex(8), "LogTime": now()}, _STATUSES[kind])


def now() -> str:
    """The time as the services write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def not_found(_: Any = None) -> Answer:
    """The file server's HTML page for a path that it does not have."""
    page = b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
    return Answer(404, page)


def form_fields(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form."""
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = message.get_payload() if message.is_multipart() else []
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode() for part in parts
    }
