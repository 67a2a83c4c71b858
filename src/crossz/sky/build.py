"""The survey: strips in parallel, their rows into SQLite and Parquet."""

import errno
import json
import logging
import multiprocessing
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.core.constants import BANDS
from crossz.core.files import atomic_path
from crossz.sky import catalog, frames, geometry, infrared, survey

log = logging.getLogger(__name__)

METADATA_KEY = b"crossz.sky"
"""Under it the truth's Parquet metadata hold the settings and the counts of `counts`, as JSON."""
_BY_BAND = ("psfMag", "psfMagErr", "dered", "extinction", "rowc", "colc", "offsetRa", "offsetDec", "TAI")
PHOTO_COLUMNS = (
    dict.fromkeys(
        ("objID", "run", "rerun", "camcol", "field", "obj", "mode", "type", "clean", "flags", "thing_id"), "INTEGER"
    )
    | dict.fromkeys(("ra", "dec", "petroRad_r", "petroMag_r"), "REAL")
    | {f"{name}_{band}": "REAL" for name in _BY_BAND for band in BANDS}
)
SPEC_COLUMNS = (
    {"specObjID": "TEXT", "bestObjID": "INTEGER", "class": "TEXT COLLATE NOCASE", "z": "REAL", "zErr": "REAL"}
    | {"zWarning": "INTEGER", "plate": "INTEGER", "mjd": "INTEGER", "fiberID": "INTEGER", "run2d": "TEXT"}
    | {"ra": "REAL", "dec": "REAL"}
    | {f"snMedian_{band}": "REAL" for band in BANDS}
)
"""SQLite types; `class` is compared without regard to case, as SQL Server does."""
TABLES = {"PhotoObjAll": PHOTO_COLUMNS, "SpecObjAll": SPEC_COLUMNS, "wise_forcedTarget": infrared.COLUMNS}


def build(
    *,
    database: str | Path,
    sas: str | Path,
    truth: str | Path,
    seed: int,
    quasars: int,
    frame: tuple[int, int],
    quasars_per_field: int,
    galaxies: int = 0,
    stars: int = 0,
    effects: Collection[str] = (),
    workers: int,
    progress: Callable[[str], None] = log.info,
) -> None:
    """Make a synthetic SDSS. One frame is left out on purpose: real archives lack some.

    The result depends on `seed` and the numbers, byte for byte, and not on `workers`. Two thirds of the time is bz2;
    with frames of 512 x 512 and 24 quasars on each, a core makes 35 quasars a second (2,000 in 29 s on two cores,
    100,000 in 25 minutes). Memory does not grow with the number of quasars but for their rows.

    Parameters
    ----------
    database
        What is written: the tables, SQLite.
    sas
        What is written: the root of the frames.
    truth
        What is written: the truth, Parquet.
    seed
        Another seed is another sky.
    quasars
        How many distinct quasars there are.
    frame
        Columns and rows of a frame: (2048, 1489) as the real ones, or smaller.
    quasars_per_field
        About so many quasars lie on each field.
    galaxies, stars
        How many more objects with spectra there are.
    effects
        Those of `survey.EFFECTS` that there are.
    workers
        Processes of one thread each.
    progress
        Called with a line after each strip.

    Raises
    ------
    ValueError
        A frame is too small, or the sky is full.
    """
    plan = geometry.strips(quasars, frame, quasars_per_field, seed, galaxies, stars)
    absent = (plan[0].fields // 2, BANDS[np.random.default_rng([seed, 0]).integers(len(BANDS))])
    jobs = [(strip, Path(sas), seed, absent if strip.number == 0 else None, tuple(effects)) for strip in plan]
    start = time.perf_counter()
    total: dict[str, int] = {"quasars": quasars, "fields": sum(strip.fields for strip in plan), "strips": len(plan)}
    with (
        _run_all(jobs, workers) as results,
        atomic_path(database) as temporary,
        atomic_path(truth) as truth_part,
        _database(temporary) as connection,
        _TruthWriter(truth_part) as writer,
    ):
        connection.execute("PRAGMA journal_mode = OFF")  # a killed build leaves no journal: nobody would take it up
        for name, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {kind}' for c, kind in columns.items())})")
        for strip, rows in zip(plan, results, strict=True):
            for (name, columns), part in zip(TABLES.items(), (rows.photo, rows.spec, rows.wise), strict=True):
                _insert(connection, name, part[list(columns)])
            writer.write(rows.truth)
            for name, count in rows.counts.items():
                total[name] = total.get(name, 0) + count
            progress(
                f"sky: strip {strip.number + 1}/{len(plan)} (run {strip.run}, camcol {strip.camcol}): {strip.fields} fields, "
                f"{strip.quasars} quasars, {time.perf_counter() - start:.0f} s"
            )
        connection.execute("CREATE UNIQUE INDEX PhotoObjAll_objID ON PhotoObjAll (objID)")
        connection.execute("CREATE UNIQUE INDEX wise_forcedTarget_objID ON wise_forcedTarget (objID)")
        connection.execute("CREATE INDEX SpecObjAll_bestObjID ON SpecObjAll (bestObjID)")
        connection.commit()
        lost = frames.path(Path(), plan[0], *absent).as_posix()
        settings = {
            "seed": seed,
            "frame": list(frame),
            "quasars_per_field": quasars_per_field,
            "effects": list(effects),
        }
        writer.add_metadata({"settings": settings, "counts": total, "absent_frames": [lost]})


def counts(truth: str | Path) -> dict:
    """What `build` recorded beside the truth: settings, counts of rows by kind, absent_frames (paths below sas)."""
    return json.loads(pq.read_metadata(truth).metadata[METADATA_KEY])


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new database. A full disk is told as for other files."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


class _TruthWriter:
    """The truth, a row group a strip: no size of survey has to fit into memory."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, rows: pd.DataFrame) -> None:
        """Add the rows of one strip."""
        table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def add_metadata(self, content: dict) -> None:
        """Note `content` as JSON, after the rows."""
        assert self._writer is not None
        self._writer.add_key_value_metadata({METADATA_KEY: json.dumps(content)})

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _insert(connection: sqlite3.Connection, name: str, rows: pd.DataFrame) -> None:
    values = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * rows.shape[1])})", values)


@contextmanager
def _run_all(jobs: list[tuple], workers: int) -> Iterator[Iterator[catalog.Rows]]:
    """`survey.observe` of every job, in order, by `workers` processes of one thread each."""
    if workers <= 1:
        yield map(survey.observe, *zip(*jobs, strict=True))
        return
    with _calm_children():
        executor = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"))
        try:
            yield executor.map(survey.observe, *zip(*jobs, strict=True))
        finally:
            executor.shutdown(cancel_futures=True)


@contextmanager
def _calm_children() -> Iterator[None]:
    """Spawned processes get one BLAS thread each, and do not run the caller's script again to import it.

    The workers need this package only; without hiding `__main__`, every caller would need an `if __name__` guard.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    main = sys.modules["__main__"]
    hidden = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    os.environ.update(dict.fromkeys(names, "1"))
    for name in hidden:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
