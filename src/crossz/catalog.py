"""The catalogue: what a row is, reading a finished query, one row per objID, groups of one quasar.

A catalogue row is a match of one spectrum (SpecObjAll) with one photometric object (PhotoObjAll). Values stay as the
archive gave them: NULL, -9999 and 0 magnitudes are kept apart here and masked where features are made.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from crossz import BANDS
from crossz import classes as cl
from crossz.errors import CrosszError, fail_if
from crossz.files import atomic_path, digests, sha256, write_json

_PER_BAND = ("psfMag", "psfMagErr", "extinction")
REQUIRED: dict[str, pa.DataType] = {
    "objID": pa.int64(),
    "specObjID": pa.uint64(),
    "ra": pa.float64(),
    "dec": pa.float64(),
    "z": pa.float64(),
    "zErr": pa.float64(),
} | {f"{name}_{band}": pa.float64() for name in _PER_BAND for band in BANDS}
"""Columns that every catalogue must have, and what they are read as."""
FIELD: dict[str, pa.DataType] = {name: pa.int32() for name in ("rerun", "run", "camcol", "field")}
"""Columns that say on which frames an object lies; needed wherever frames are cut."""
OPTIONAL: dict[str, pa.DataType] = {
    "bestObjID": pa.int64(),
    "thing_id": pa.int64(),
    "class": pa.string(),
    "zWarning": pa.int32(),
    "plate": pa.int32(),
    "mjd": pa.int32(),
    "fiberID": pa.int32(),
    "run2d": pa.string(),
    "mode": pa.int32(),
    "type": pa.int32(),
    "clean": pa.int32(),
} | {f"{name}_{band}": pa.float64() for name in ("dered", "rowc", "colc") for band in BANDS}
"""Columns that some stage uses when they are there; null otherwise."""
COLUMNS = REQUIRED | FIELD | OPTIONAL
_NO_NUMBER = ("", "nan")


def with_further(further: Iterable[str], columns: Mapping[str, pa.DataType] = COLUMNS) -> dict[str, pa.DataType]:
    """`columns` and those `further` that the models see (photometry.columns), which are numbers."""
    return dict(columns) | {name: pa.float64() for name in further if name not in columns}


def conform(
    table: pa.Table, source: str, further: Sequence[str] = (), columns: Mapping[str, pa.DataType] = COLUMNS
) -> pa.Table:
    """`table` with exactly the `columns` and `further` and their types; others are left out, missing optional ones null.

    Names agree regardless of case, as SQL Server's do. An empty text is null where a number is wanted, and '' in a text.
    Raises one CrosszError that lists every missing column, every id that passed through a float and every value that
    is not of its column's type, naming `source`.
    """
    problems, arrays = [], {}
    theirs = {name.lower(): name for name in table.column_names}
    for name, kind in with_further(further, columns).items():
        if name.lower() not in theirs:
            if name in REQUIRED:
                problems.append(f"column {name} is missing; map it in catalog.columns if it has another name")
            elif name in further:
                problems.append(
                    f"column {name} of photometry.columns is missing; select it in the query, or map it in catalog.columns"
                )
            arrays[name] = pa.nulls(len(table), kind)
            continue
        try:
            arrays[name] = _cast(table[theirs[name.lower()]], name, kind)
        except CrosszError as error:
            problems.append(str(error))
    fail_if(problems, source)
    for name in [name for name in REQUIRED if name in arrays]:
        if name in ("objID", "specObjID", "z", "zErr", "ra", "dec") and arrays[name].null_count:
            problems.append(f"column {name} has {arrays[name].null_count} empty value(s)")
    problems += _rounded_ids(arrays)
    fail_if(problems, source)
    if not len(table):
        raise CrosszError(f"{source}: no rows; loosen the query's cuts or check its tables")
    return pa.table(arrays)


_DIGITS = 1 << 53  # a float64 holds integers up to here
_ENOUGH = 20  # so many ids are not multiples of a large number by chance


def _rounded_ids(arrays: dict[str, pa.Array]) -> list[str]:
    """What betrays 64-bit ids that went through a float or a spreadsheet and came back as integers.

    A float64 leaves multiples of 128 of numbers like 1.2e18, a spreadsheet's 15 digits multiples of 1,000. (That an objID
    holds its run, camcol and field is no check: the authors' own catalogue gives those of another detection to one row
    in five. And every specObjID is a multiple of 1,024.)
    """
    remedy = "64-bit ids lose digits in a float: export the column as bigint or text"
    found = []
    for name, steps in (("objID", (128, 1000)), ("bestObjID", (128, 1000)), ("specObjID", (1000,))):
        if name not in arrays:
            continue
        ids = np.unique(arrays[name].drop_null().to_numpy())
        if len(ids) >= _ENOUGH and ids[0] > _DIGITS and any((ids % step == 0).all() for step in steps):
            found.append(f"column {name}: every id is a multiple of a large number; {remedy}")
    return found


def _cast(column: pa.ChunkedArray, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    remedy = "64-bit ids lose digits in a float: export the column as bigint or text"
    is_id = name.endswith("ID") or name == "thing_id"
    if is_id and pa.types.is_floating(column.type):
        raise CrosszError(f"column {name} holds floats ({column.type}); {remedy}")
    if pa.types.is_large_string(column.type):  # as pandas writes text
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) and not pa.types.is_string(kind):
        column = pc.if_else(
            pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(column)), pa.array(_NO_NUMBER)), None, column
        )
    if pa.types.is_integer(kind) and pa.types.is_string(column.type) and not is_id:
        column = pc.replace_substring_regex(pc.replace_substring_regex(column, "^[Tt]rue$", "1"), "^[Ff]alse$", "0")
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise CrosszError(f"column {name} is not {kind}: {error}" + (f"; {remedy}" if is_id else "")) from error


def read_table(path: str | Path, columns: dict[str, str], further: Sequence[str] = ()) -> pa.Table:
    """A finished query (CSV, FITS, VOTable or Parquet) under our names; `columns` maps our name to the file's where they differ.

    Kept are `COLUMNS` and `further`.

    Names match regardless of case, as SQL Server's do. Ids and text of a CSV are read as text first, so that no id
    passes through a float. Raises CrosszError for an unreadable file or a mapped column that is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise CrosszError(f"{path}: no such catalogue; set catalog.files to your finished query")
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
    names = {columns.get(name, name).lower(): name for name in with_further(further)}
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


def dedupe(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row per objID, the one with the smallest valid zErr (ties: the smallest specObjID), sorted by objID; and counts.

    A row is valid when zErr > 0 and z is finite: the pipeline's failed fits have zErr = -1, and "the smallest" would
    prefer them. The result does not depend on the order of `rows`, and deduping it again changes nothing.
    """
    valid = rows[(rows["zErr"] > 0) & np.isfinite(rows["z"])]
    ordered = valid.sort_values(["objID", "zErr", "specObjID"], ignore_index=True)
    unique = ordered.drop_duplicates("objID", ignore_index=True)
    counts = {
        "rows": len(rows),
        "dropped_failed_fit": len(rows) - len(valid),
        "dropped_repeated_objID": len(valid) - len(unique),
        "objects": len(unique),
    }
    return unique, counts


def groups(
    ra: np.ndarray, dec: np.ndarray, thing_id: np.ndarray, objID: np.ndarray, radius_arcsec: float
) -> np.ndarray:
    """Group [n] int64 of each object: objects within `radius_arcsec` of each other (chains count) or of one thing_id.

    ra, dec [n] in degrees; thing_id [n] with values <= 0 meaning none. A group's name is its smallest objID, so it does
    not depend on the order of objects. Needed because several objIDs of one quasar must never be torn apart
    between train, validation and test.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    xyz = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    chord = 2 * np.sin(np.radians(radius_arcsec / 3600) / 2)
    pairs = cKDTree(xyz).query_pairs(chord, output_type="ndarray")
    known = np.flatnonzero(thing_id > 0)
    ordered = known[np.argsort(thing_id[known], kind="stable")]
    same = thing_id[ordered][1:] == thing_id[ordered][:-1]
    links = np.concatenate([pairs, np.stack([ordered[:-1][same], ordered[1:][same]], axis=1)])
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(len(ra), len(ra)))
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, label, objID)
    return smallest[label]


def write_raw(
    table: pa.Table,
    source: str,
    path: str | Path,
    receipt_path: str | Path,
    receipt: dict,
    further: Sequence[str] = (),
) -> None:
    """Check `table` against the row schema and write it, with a receipt that says where the rows came from."""
    table = conform(table, source, further)
    empty = [name for name in further if not pc.any(pc.greater(table[name].cast(pa.float64()), -9999)).as_py()]
    fail_if([f"column {name} of photometry.columns holds no value; take it out of there" for name in empty], source)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)
    write_json(receipt_path, receipt | {"rows": len(table), "sha256": digests(path)})


def write_brought(
    source_path: str | Path,
    columns: dict[str, str],
    raw_path: str | Path,
    receipt_path: str | Path,
    further: Sequence[str] = (),
) -> None:
    """Check a finished query that the user brought, and write its rows under our names, with a receipt."""
    table = read_table(source_path, columns, further)
    receipt = {"source": str(source_path), "source_sha256": sha256(source_path)}
    write_raw(table, str(source_path), raw_path, receipt_path, receipt, further)


def write_catalog(
    raw_path: str | Path,
    catalog_path: str | Path,
    counts_path: str | Path,
    radius_arcsec: float,
    classes: Sequence[str] = (),
) -> None:
    """Dedupe and group the rows of `raw_path`; write one row per objID, and the account of every row.

    With `classes` (classification), rows of other classes are dropped first. A failed fit is dropped there too: its class is
    as uncertain as its redshift; a star's fit has a valid zErr.
    """
    raw = pq.read_table(raw_path)
    rows = raw.to_pandas()
    wanted = cl.cleaned(rows["class"]).isin(classes).to_numpy(bool) if classes else np.ones(len(rows), bool)
    if not wanted.any():
        raise CrosszError(f"{raw_path}: no row's class is one of {', '.join(classes)}; select class in the query")
    catalog, counts = dedupe(rows[wanted])
    if classes:
        counts = {"rows": len(rows), "dropped_other_class": int((~wanted).sum())} | {**counts, "rows": len(rows)}
    if catalog.empty:
        raise CrosszError(
            f"{raw_path}: none of its {counts['rows']} rows has a valid redshift (zErr > 0); check zErr and z of the query"
        )
    thing_id = catalog["thing_id"].fillna(-1).to_numpy(np.int64)
    group = groups(
        catalog["ra"].to_numpy(),
        catalog["dec"].to_numpy(),
        thing_id,
        catalog["objID"].to_numpy(),
        radius_arcsec,
    )
    counts["groups"] = len(np.unique(group))
    schema = raw.schema.remove_metadata().append(pa.field("group", pa.int64()))
    with atomic_path(catalog_path) as temporary:
        pq.write_table(pa.Table.from_pandas(catalog.assign(group=group), schema, preserve_index=False), temporary)
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()), flush=True)
    write_json(counts_path, counts | {"sha256": digests(catalog_path)})
