"""Reading a table of the user: a finished query, or targets."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from crossz.catalog.columns import with_extra
from crossz.core.errors import CrosszError, Refused, fail_if
from crossz.core.foreign import refusing


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
        The file cannot be read, two of its columns have one name, or a column of `columns` is not there.
    """
    path, columns = Path(path), columns or {}
    if not path.is_file():
        raise CrosszError(f"{path}: no such file")
    readers = {".parquet": pq.read_table} | dict.fromkeys((".fits", ".fit", ".vot", ".xml"), _read_astropy)
    try:
        with refusing(f"not a readable {path.suffix or 'CSV'} table"):
            table = readers.get(path.suffix, _read_csv)(path)
            given = [name.lower() for name in table.column_names]
    except Refused as error:
        raise CrosszError(f"{path}: {error}") from error
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise CrosszError(f"{path}: more than one column is named {', '.join(repeated)}; rename or remove the others")
    theirs = {name.lower(): name for name in table.column_names}
    absent = [
        f"{ours} is mapped to {name}, which is no column"
        for ours, name in columns.items()
        if name.lower() not in theirs
    ]
    fail_if(absent, f"{path} (it has: {', '.join(table.column_names)})")
    names = {columns.get(name, name).lower(): name for name in with_extra(extra_columns)}
    kept = [(names[low], table[name]) for low, name in theirs.items() if low in names]
    return pa.table(dict(kept))


def check_fits(path: Path) -> None:
    """Return if the file has as many bytes as its headers say. Raises Refused otherwise: astropy would make up the rest."""
    from astropy.io import fits

    with fits.open(path, ignore_missing_end=False) as hdus:
        last = hdus[len(hdus) - 1].fileinfo()
    if last["datLoc"] + last["datSpan"] > path.stat().st_size:
        raise Refused(f"{path.stat().st_size:,} bytes, its headers say {last['datLoc'] + last['datSpan']:,}")


def check_votable(path: Path) -> None:
    """Return if a VOTable names no other file: neither a DOCTYPE nor a STREAM with an address. Raises Refused otherwise.

    A library that reads it would open what it names, also in the network.
    """
    before = b""
    with open(path, "rb") as handle:
        while part := handle.read(1 << 20):
            text = (before + part).lower()
            if b"\0" in text[:200] or b"<!doctype" in text or b"<!entity" in text:
                raise Refused("a VOTable with a DOCTYPE, or not in UTF-8; save it anew without")
            if re.search(rb"<(\w+:)?stream\b[^>]{0,4000}\bhref\b", text):
                raise Refused("a VOTable whose data lie elsewhere (STREAM href); save it with its data in it")
            before = text[-5000:]


def _read_astropy(path: Path) -> pa.Table:
    from astropy.table import Table  # half a second, which no other reader should pay

    fits = path.suffix in (".fits", ".fit")
    if fits:
        check_fits(path)
    else:
        check_votable(path)
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
