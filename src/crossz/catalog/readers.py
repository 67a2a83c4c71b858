"""Reading a table of the user: a finished query, or targets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from crossz.catalog.columns import with_extra
from crossz.core.errors import CrosszError, fail_if


def read_table(
    path: str | Path, columns: Mapping[str, str] | None = None, extra_columns: Sequence[str] = ()
) -> pa.Table:
    """Read a table under our names.

    Names match regardless of case, as SQL Server's do. Ids and text of a CSV are read as text first, so that no id
    passes through a float.

    Parameters
    ----------
    path
        A CSV, FITS, VOTable or Parquet file.
    columns
        The file's name of each of our columns, where the two differ.
    extra_columns
        Columns that are kept beside those of a catalog.

    Raises
    ------
    CrosszError
        The file cannot be read, or a column of `columns` is not there.
    """
    path, columns = Path(path), columns or {}
    if not path.is_file():
        raise CrosszError(f"{path}: no such catalog; set catalog.files to your finished query")
    try:
        readers = {".parquet": pq.read_table} | dict.fromkeys((".fits", ".fit", ".vot", ".xml"), _read_astropy)
        table = readers.get(path.suffix, _read_csv)(path)
    except (pa.ArrowInvalid, OSError, TypeError) as error:
        raise CrosszError(f"{path}: not a readable {path.suffix or 'CSV'} table: {error}") from error
    theirs = {name.lower(): name for name in table.column_names}
    absent = [
        f"catalog.columns: {ours}: {name} is no column" for ours, name in columns.items() if name.lower() not in theirs
    ]
    fail_if(absent, f"{path} (it has: {', '.join(table.column_names)})")
    names = {columns.get(name, name).lower(): name for name in with_extra(extra_columns)}
    kept = [(names[low], table[name]) for low, name in theirs.items() if low in names]
    return pa.table(dict(kept))


def _read_astropy(path: Path) -> pa.Table:
    from astropy.table import Table  # half a second, which no other reader should pay

    fits = path.suffix in (".fits", ".fit")
    table = Table.read(path, **({"hdu": 1} if fits else {"format": "votable"}))
    table.convert_bytestring_to_unicode()
    return pa.Table.from_pandas(table.to_pandas(use_nullable_int=True), preserve_index=False)


def _read_csv(path: Path) -> pa.Table:
    with open(path, "rb") as handle:
        comment = handle.readline().lstrip(b"\xef\xbb\xbf").startswith(b"#")  # SkyServer's CSV opens with "#Table1"
        handle.seek(-1, 2)
        if handle.read(1) != b"\n":
            raise pa.ArrowInvalid("its last line has no end: the download may be cut; if it is whole, add a line break")
    read = pa.csv.ReadOptions(skip_rows=int(comment))
    with pa.csv.open_csv(path, read_options=read) as reader:
        header = reader.schema.names
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        strings_can_be_null=True,
        null_values=["null", "NULL"],
    )
    return pa.csv.read_csv(path, read_options=read, convert_options=convert)
