"""A CSV answer of SkyServer or CasJobs, believed only as far as it can be checked."""

import io
import json

import pyarrow as pa
import pyarrow.csv

from crossz.core.errors import CrosszError, Refused


def table(body: bytes, columns: tuple[str, ...], rows: int | None = None) -> pa.Table:
    """The answer as text columns under the names of `columns`, in their order; NULL and '' stay apart.

    Names agree regardless of case, as SQL Server's do. Raises Refused for what a second request may mend: HTML, an
    `error_message` of the rate limit, another header, a cut last line, a row that is short, another number of rows than `rows`.
    Raises CrosszError with the service's words for a query that it rejects.
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
    names = [name.strip().strip('"').lower() for name in header.decode("utf-8", "replace").split(",")]
    if names == ["error_message"]:
        words = " ".join(rest.decode("utf-8", "replace").split()).strip('"')
        if "queries allowed per minute" in words:
            raise Refused(f"the service says: {words[:200]}")
        raise CrosszError(f"the service says: {words[:500]}")
    if sorted(names) != sorted(name.lower() for name in columns):
        raise Refused(
            f"columns {', '.join(names[:5])} ... ({len(names)}) instead of {', '.join(columns[:5])} ... ({len(columns)})"
        )
    if not text.endswith(b"\n"):
        raise Refused("its last line is cut")
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=["null", "NULL"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    read = pa.csv.ReadOptions(column_names=names)
    try:
        found = pa.csv.read_csv(io.BytesIO(rest), read_options=read, convert_options=convert) if rest.strip() else None
    except pa.ArrowInvalid as error:
        raise Refused(f"not a table: {error}") from error
    count = 0 if found is None else len(found)
    if rows is not None and count != rows:
        raise Refused(f"{count:,} rows instead of the {rows:,} that were counted")
    if found is None:
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    return pa.table({name: found[name.lower()] for name in columns})


def number(answer: pa.Table) -> int:
    """The one number in the answer to a count. Raises Refused when it is none."""
    cell = answer.column(0)[0].as_py()
    if cell is None or not cell.strip().isdigit():
        raise Refused(f"{cell!r} instead of a count")
    return int(cell)


def bins(answer: pa.Table) -> list[list[int | None]]:
    """[redshift bin or None, rows] of each row of the answer to `sql.count_by_redshift`. Raises Refused for other cells."""
    try:
        return [[None if cell is None else int(float(cell)) for cell in row.values()] for row in answer.to_pylist()]
    except ValueError as error:
        raise Refused(f"not counts: {error}") from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["ErrorMessage"])[:500]
    except (ValueError, KeyError, TypeError):
        return repr(body[:200])
