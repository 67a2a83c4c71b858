"""A CSV answer of SkyServer or CasJobs, believed only as far as it can be checked."""

import io
import json
import re

import pyarrow as pa
import pyarrow.csv

from crossz.core.errors import CrosszError, Refused

_COUNT = re.compile(r"[0-9]{1,18}")
_HEADER = 1 << 16  # bytes of the line with the names
_WORDS = 1 << 14  # bytes of an error that are read
_BINS = 100_000  # redshift bins; those of all quasars are a thousand
_EXACT = 1 << 53  # a float holds integers up to here


def table(body: bytes, columns: tuple[str, ...], rows: int | None = None, more: bool = False) -> pa.Table:
    """The answer as text columns. NULL is an empty cell (SkyServer) or the word null (CasJobs).

    Parameters
    ----------
    body
        CSV with a header.
    columns
        Names of the columns, in the order of the result. Names agree regardless of case, as SQL Server's do.
    rows
        How many rows there must be; None: any number.
    more
        Whether there may be further columns, which are left out.

    Raises
    ------
    errors.Refused
        A second request may mend it: HTML, an `error_message` of the rate limit, another header, a cut last line, a row
        that is short, another number of rows than `rows`.
    errors.CrosszError
        The service rejects the query; the message has its words.
    """
    text = body.removeprefix(b"\xef\xbb\xbf")
    start = text[:200].lstrip()
    if start.startswith(b"<"):
        raise Refused("an HTML page instead of rows")
    if start.startswith((b"{", b"[")):
        raise CrosszError(f"the service says: {_message(text)}")
    if text.startswith(b"#"):
        text = text.partition(b"\n")[2]
    header, _, rest = text.partition(b"\n")
    if len(header) > _HEADER:  # a name a byte would take fifty times the memory
        raise Refused(f"a first line of {len(header):,} bytes instead of names of columns")
    names = [name.strip().strip('"').lower() for name in header.decode("utf-8", "replace").split(",")]
    if names == ["error_message"]:
        words = " ".join(rest[:_WORDS].decode("utf-8", "replace").split()).strip('"')
        if "queries allowed per minute" in words:
            raise Refused(f"the service says: {words[:200]}")
        raise CrosszError(f"the service says: {words[:500]}")
    wanted = sorted(name.lower() for name in columns)
    if sorted(name for name in names if not more or name in wanted) != wanted:
        raise Refused(
            f"columns {', '.join(names[:5])} ... ({len(names)}) instead of {', '.join(columns[:5])} ... ({len(columns)})"
        )
    if not text.endswith(b"\n"):
        raise Refused("its last line is cut")
    if rest.count(b'"') % 2:  # a quote within a cell is doubled
        raise Refused("its last cell is cut: a quote is open")
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=["", "null", "NULL"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    read = pa.csv.ReadOptions(column_names=names)
    try:
        answer = pa.csv.read_csv(io.BytesIO(rest), read_options=read, convert_options=convert) if rest.strip() else None
    except pa.ArrowInvalid as error:
        raise Refused(f"not a table: {error}") from error
    count = 0 if answer is None else len(answer)
    if rows is not None and count != rows:
        raise Refused(f"{count:,} rows instead of the {rows:,} that were counted")
    if answer is None:
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    return pa.table({name: answer[name.lower()] for name in columns})


def unchanged(answer: pa.Table) -> pa.Table:
    """The answer as it stands."""
    return answer


def number(answer: pa.Table) -> int:
    """The number in the answer to a count. Raises Refused when it is none."""
    cell = answer.column(0)[0].as_py() if len(answer) else None
    if cell is None or not _COUNT.fullmatch(cell.strip()):
        raise Refused(f"{str(cell)[:40]!r} instead of a count")
    return int(cell)


def bins(answer: pa.Table) -> list[tuple[int | None, int]]:
    """(redshift bin or None, rows) of each row of the answer to `sql.count_by_redshift`.

    Raises Refused for other cells, and for a bin that stands there twice.
    """
    if len(answer) > _BINS:
        raise Refused(f"not counts: {len(answer):,} bins")
    try:
        pairs = [tuple(row.values()) for row in answer.to_pylist()]
        counts = [(None if place is None else _whole(place), _whole(count)) for place, count in pairs]
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused(f"not counts: {error}") from error
    if any(count < 1 for _, count in counts) or len({place for place, _ in counts}) < len(counts):
        raise Refused("not counts: a bin without rows, or one that comes twice")
    return counts


def _whole(cell: str) -> int:
    value = float(cell)
    if not (cell.isascii() and "_" not in cell and value == int(value) and abs(value) <= _EXACT):
        raise ValueError(f"{cell[:40]!r}")
    return int(value)


def _message(body: bytes) -> str:
    try:
        if len(body) <= _WORDS:
            return str(json.loads(body)["ErrorMessage"])[:500]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return repr(body[:200])
