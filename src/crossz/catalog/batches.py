"""A user's table of any length, some rows at a time: memory does not grow with it.

Parquet, FITS and tables of text are read piece by piece. VOTable, ECSV and IPAC tables, which nothing reads so, are read whole.
"""

import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crossz.catalog.formats import kind_of, plain, reading_of
from crossz.catalog.lists import Reading, UserList, check_needed, log_missing, missing_marks, reading, renamed
from crossz.catalog.parquet import of_parquet, row_bytes, texts_of
from crossz.catalog.readers import fields_of, fits_batches, note_last_line, read_all, text_batches
from crossz.core.errors import CrosszError

log = logging.getLogger(__name__)

ROWS = 1 << 14
"""So many rows are in memory together; fewer if they are wide."""
_BYTES = 1 << 27  # of rows in memory
_BUFFER = 1 << 16  # bytes of each column of a Parquet file that are read together
_ANNOUNCED = 100_000_000  # bytes of a table that is read whole
_MARKS = 1000  # different values that count as missing; of more of them, the rarest are counted together

Pieces = Callable[[bool], Iterator[pa.Table]]
"""Gives the rows of a table in pieces: all columns, or those of text alone."""


class UserBatches:
    """A table of targets, read as `lists.read_list` reads it, some rows at a time.

    Attributes
    ----------
    how
        What was taken for what.
    """

    def __init__(self, path: str | Path, pieces: Pieces, how: Reading):
        self._path, self._pieces = path, pieces
        self.how = how

    def given(self, texts_alone: bool = False) -> Iterator[pa.Table]:
        """The user's columns, at most ROWS rows at a time; with `texts_alone`, only those of text."""
        return _tables(self._path, self._pieces, texts_alone)

    def count(self) -> int:
        """How many rows it has: it is read for this."""
        return sum(map(len, self.given()))

    def lists(self) -> Iterator[UserList]:
        """The rows with their form under our names. In the end a message says which values count as missing."""
        marks: Counter[str] = Counter()
        for table in self.given():
            known = renamed(table, self.how)
            marks += missing_marks(table, self.how)
            if len(marks) > _MARKS:
                kept = Counter(dict(marks.most_common(_MARKS)))
                marks = kept + Counter({"others": marks.total() - kept.total()})
            yield UserList(table, known, self.how)
        log_missing(marks, self.how)


@contextlib.contextmanager
def user_batches(
    path: str | Path,
    needed: Sequence[str],
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] = (),
    units: str | None = None,
) -> Iterator[UserBatches]:
    """Open a table of targets; parameters and errors are those of `lists.read_list`."""
    with contextlib.ExitStack() as stack:
        with reading_of(path):
            file = stack.enter_context(plain(Path(path)))
            pieces = _pieces_of(path, file)
        first = next(_tables(path, pieces), None)
        if first is None:
            raise CrosszError(f"{path}: no rows")
        if kind_of(file) == "text":
            note_last_line(file)
        how = reading(fields_of(first.schema), str(path), columns, extra_columns, units)
        check_needed(how, needed)
        yield UserBatches(path, pieces, how)


def _tables(path: str | Path, pieces: Pieces, texts_alone: bool = False) -> Iterator[pa.Table]:
    """Tables of at most ROWS rows, none empty; `path` is the name for messages."""
    parts = pieces(texts_alone)
    waiting: list[pa.Table] = []
    while True:
        with reading_of(path):
            piece = next(parts, None)
        if piece is not None and len(piece):
            waiting.append(piece)
        wide = sum(table.nbytes for table in waiting) >= _BYTES
        if waiting and (piece is None or wide or sum(map(len, waiting)) >= ROWS):
            whole = pa.concat_tables(waiting)
            full = len(whole) if piece is None or wide else len(whole) // ROWS * ROWS
            yield from (whole.slice(start, min(ROWS, full - start)) for start in range(0, full, ROWS))
            waiting = [whole.slice(full)]
        if piece is None:
            return


def _pieces_of(path: str | Path, file: Path) -> Pieces:
    kind = kind_of(file)
    if kind == "parquet":
        return functools.partial(_parquet_pieces, file)
    parts = {"text": text_batches, "fits": fits_batches}.get(kind)
    if parts is not None:
        return lambda texts_alone: (_columns(table, texts_alone) for table in parts(file, ROWS))
    if (size := file.stat().st_size) > _ANNOUNCED:
        log.warning(
            f"{path}: a table of this format ({kind}, {size / 1e9:.1f} GB) is held in memory as a whole; "
            "save a long one as Parquet, FITS or CSV"
        )
    whole = read_all(file)  # once: it takes longest
    return lambda texts_alone: iter([_columns(whole, texts_alone)])


def _columns(table: pa.Table, texts_alone: bool) -> pa.Table:
    return table.select([field.name for field in table.schema if _is_text(field.type)]) if texts_alone else table


def _parquet_pieces(file: Path, texts_alone: bool) -> Iterator[pa.Table]:
    rows = max(1, min(ROWS, _BYTES // max(row_bytes(file), 1)))
    # Unless told otherwise, pyarrow reads all of the file ahead.
    with pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False, read_dictionary=texts_of(file)) as source:
        schema = of_parquet(source.schema_arrow.empty_table()).schema
        names = [field.name for field in schema if not texts_alone or _is_text(field.type)]
        for batch in source.iter_batches(rows, columns=names) if names else ():
            # What pandas writes for itself would be applied again to a table with other columns.
            yield of_parquet(pa.Table.from_batches([batch])).replace_schema_metadata(None)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
