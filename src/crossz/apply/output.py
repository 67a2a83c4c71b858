"""Where estimates go, some rows at a time: a file, or a folder of Parquet files. It is complete, or is not there."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crossz.apply.writers import check_names, csv_head, csv_rows, parquet_metadata, write_table
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path

Write = Callable[[pa.Table], None]
"""Writes the next rows of a table that `answer.answered` made."""


@contextlib.contextmanager
def opened(path: Path, folder: bool = False) -> Iterator[Write]:
    """What writes the rows of a table, batch by batch.

    A folder gets a Parquet file of each batch, part-00000.parquet and so on, which readers of Parquet take for one table.
    The memory of Parquet and CSV is that of one batch; FITS, VOTable and ECSV are held whole until they are written.

    Parameters
    ----------
    path
        What is written: a file whose suffix is one of writers.WRITERS, or a folder.
    folder
        Whether it is a folder.

    Raises
    ------
    CrosszError
        The folder holds something else than estimates, or the format has no column of such a name.
    """
    if folder:
        with _whole_folder(path) as temporary:
            yield _parts(temporary)
    elif path.suffix in (".parquet", ".csv"):
        with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
            yield (_parquet if path.suffix == ".parquet" else _csv)(temporary, stack)
    else:
        tables: list[pa.Table] = []

        def keep(table: pa.Table) -> None:
            check_names(table.column_names, path)  # with the first rows, not after hours
            tables.append(table)

        yield keep
        write_table(pa.concat_tables(tables), path)


def _parquet(path: Path, stack: contextlib.ExitStack) -> Write:
    writers: list[pq.ParquetWriter] = []

    handle = stack.enter_context(path.open("wb"))  # of a name, pyarrow would make an address, and text

    def write(table: pa.Table) -> None:
        table = table.replace_schema_metadata(parquet_metadata(table.schema))
        if not writers:
            writers.append(stack.enter_context(pq.ParquetWriter(handle, table.schema)))
        writers[0].write_table(table)

    return write


def _csv(path: Path, stack: contextlib.ExitStack) -> Write:
    handle = stack.enter_context(path.open("wb"))

    def write(table: pa.Table) -> None:
        if not handle.tell():
            handle.write(csv_head(table))
        handle.writelines(csv_rows(table))

    return write


def _parts(folder: Path) -> Write:
    def write(table: pa.Table) -> None:
        number = len(list(folder.iterdir()))
        with atomic_path(folder / f"part-{number:05}.parquet") as temporary, temporary.open("wb") as handle:
            pq.write_table(table.replace_schema_metadata(parquet_metadata(table.schema)), handle)

    return write


@contextlib.contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, which takes its place in the end. Older estimates there stay until then."""
    if path.exists() and not (path.is_dir() and all(part.match("part-*.parquet") for part in path.iterdir())):
        raise CrosszError(f"{path}: there is something else than estimates; name another folder")
    temporary, old = (path.with_name(f".{path.name}.{end}") for end in ("part", "old"))
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where it is full
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
