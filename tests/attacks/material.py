"""Honest examples, from which attacks are made, and what must hold of an answer."""

import functools
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table
from bundles import forge

from attacks.harness import ACCEPTED, EITHER, Case, Content
from crossz.apply import cli
from crossz.apply.networks import FOLDER
from crossz.core.constants import BANDS
from crossz.images.arrow import to_units, write_arrays

NETWORK, OF_IMAGES = "sdss-dr5q", "sdss-quasars"
"""The networks that come with crossz: of photometry, and of images too."""
ROWS = 12
IDS = 1237648720693755918 + np.arange(ROWS)
STATUSES = {"ok", "no_data", "malformed"}
_MAGNITUDES = np.array([19.6, 19.3, 19.1, 19.0, 18.9])


def table(**changes: Any) -> pd.DataFrame:
    """Targets with all columns that the networks read; `changes`: columns that are other ones."""
    columns: dict[str, Any] = {"objID": IDS, "ra": 150 + np.arange(ROWS) / 100, "dec": np.full(ROWS, 2.0)}
    for number, band in enumerate(BANDS):
        columns[f"psfMag_{band}"] = _MAGNITUDES[number] + np.arange(ROWS) / 20
        columns[f"psfMagErr_{band}"] = np.full(ROWS, 0.03)
        columns[f"extinction_{band}"] = np.full(ROWS, 0.1)
    return pd.DataFrame(columns | changes)


def csv_bytes(frame: pd.DataFrame | None = None, **how: Any) -> bytes:
    """A table as CSV; `how`: options of pandas."""
    return (table() if frame is None else frame).to_csv(index=False, **how).encode()


CSV = csv_bytes()


def astropy_bytes(form: str, frame: pd.DataFrame | None = None, **how: Any) -> bytes:
    """A table in a format of astropy: fits, votable, ascii.ecsv, ascii.ipac."""
    made = Table.from_pandas(table() if frame is None else frame)
    sink: Any = io.StringIO() if form.startswith("ascii") else io.BytesIO()
    made.write(sink, format=form, **how)
    content = sink.getvalue()
    return content.encode() if isinstance(content, str) else content


def parquet_bytes(given: pa.Table | None = None, **how: Any) -> bytes:
    """A table as Parquet; `how`: options of pyarrow."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table(), preserve_index=False) if given is None else given, sink, **how)
    return sink.getvalue()


def with_column(name: str, column: pa.Array, metadata: Mapping[str, str | bytes] | None = None) -> bytes:
    """A Parquet file of targets in which one column is another, or is added."""
    given = pa.Table.from_pandas(table(), preserve_index=False)
    if len(column) != len(given):
        given = given.take(np.resize(np.arange(ROWS), len(column)))
    field = pa.field(name, column.type, metadata=metadata)
    place = given.column_names.index(name) if name in given.column_names else len(given.column_names)
    given = given.set_column(place, field, column) if name in given.column_names else given.append_column(field, column)
    return parquet_bytes(given)


def image_bytes() -> np.ndarray:
    """Images [ROWS, 5, 64, 64] of stars."""
    rows, columns = np.mgrid[:64, :64]
    light = np.exp(-((rows - 32) ** 2 + (columns - 32) ** 2) / 8).astype(np.float32)
    return np.random.default_rng(0).normal(0, 0.02, (ROWS, 5, 64, 64)).astype(np.float32) + light


def cutout_file(path: Path) -> None:
    """A cutout file of all targets."""
    image, _ = to_units(image_bytes())
    mask = np.zeros((ROWS, 64, 64), np.uint8)
    write_arrays(path, {"objID": IDS, "status": ["ok"] * ROWS, "image": image, "mask": mask})


def unpacked(target: Path, network: str = NETWORK) -> None:
    """The folder of a network that comes with crossz."""
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(FOLDER / f"{network}.zip") as source:
        for entry in source.infolist():
            (target / Path(entry.filename).name).write_bytes(source.read(entry))


def forged(change: Callable[[Path], object], network: str = NETWORK) -> Callable[[Path], None]:
    """What makes a folder of a bundle, changes it, and writes checksums that agree."""

    def write(folder: Path) -> None:
        unpacked(folder, network)
        change(folder)
        forge(folder)

    return write


def facts_changed(change: Callable[[dict], object], network: str = NETWORK) -> Callable[[Path], None]:
    """A bundle whose bundle.json is changed, with checksums that agree."""

    def changed(folder: Path) -> None:
        facts = json.loads((folder / "bundle.json").read_text())
        change(facts)
        (folder / "bundle.json").write_text(json.dumps(facts))

    return forged(changed, network)


def predicting(
    name: str, file: str, content: Content, wants: str = "refused", *words: str, out: str = "out.csv", **more: Any
) -> Case:
    """`crossz predict` on one file; `more`: other fields of Case, and the network."""
    network, files = more.pop("network", NETWORK), more.pop("files", {})
    page = () if "--page" in words else ("--no-page",)
    call = ["predict", network, file, out, *page, *(word for word in words if word != "--page")]
    check = more.pop("check", lambda: sound(out))
    return Case(
        name, call, {file: content, **files}, wants, check=check if wants in (ACCEPTED, EITHER) else None, **more
    )


def written(out: str) -> pd.DataFrame:
    """The columns of an answer of `crossz predict`, those of arrays apart."""
    if out.endswith((".fits", ".vot", ".ecsv")):
        found = Table.read(out)
        found.convert_bytestring_to_unicode()
        return found[[name for name in found.colnames if found[name].ndim == 1]].to_pandas()
    return pd.read_csv(out) if out.endswith(".csv") else pd.read_parquet(out)


def answer(out: str) -> pd.DataFrame:
    """The same under our names: ours has a prefix where the user's table has such a name."""
    found = written(out)
    names = {name.removeprefix("crossz_"): name for name in found}  # of two, it is the last
    return pd.DataFrame({ours: found[name] for ours, name in names.items()})


def sound(out: str, rows: int | None = None, statuses: Sequence[str] | None = None) -> None:
    """An answer holds: each row has a known status, and those that are ok, and no others, have an estimate that can be."""
    found = answer(out)
    ok = found["status"].to_numpy(object) == "ok"
    assert set(found["status"]) <= STATUSES, set(found["status"])
    z, low, high = (found[name].to_numpy(float) for name in ("z_phot", "z_low_95", "z_high_95"))
    assert np.isfinite(z[ok]).all(), "no estimate of an object that is ok"
    assert not np.isfinite(z[~ok]).any(), "an estimate of an object that is not ok"
    assert ((z[ok] > -0.5) & (z[ok] < 10) & (low[ok] <= high[ok])).all(), "no redshift"
    assert rows is None or len(found) == rows, f"{len(found)} rows"
    assert statuses is None or set(found["status"]) == set(statuses), set(found["status"])


def all_are(*statuses: str, out: str = "out.csv", rows: int | None = ROWS) -> Callable[[], None]:
    """The check that an answer has these statuses, all of them, and so many rows."""
    return lambda: sound(out, rows, statuses)


@functools.cache
def estimates() -> pa.Table:
    """A table of estimates with the columns of the targets, as `crossz predict` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "targets.csv").write_bytes(CSV)
        out = f"{folder}/estimates.parquet"
        cli.main(["predict", NETWORK, f"{folder}/targets.csv", out, "--no-page", "--quiet"])
        return pq.read_table(out)


def copied(path: Path) -> Callable[[Path], object]:
    """What writes a copy of a file or a folder."""
    return lambda target: shutil.copytree(path, target) if path.is_dir() else shutil.copyfile(path, target)
