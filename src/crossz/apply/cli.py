"""The command `crossz`: redshifts of new objects by a bundle, and what a bundle is.

Imports stand where they are used: a wrong call should not wait seconds for torch, nor `--help` for pandas.
"""

import argparse
import difflib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossz.core.errors import CrosszError
from crossz.core.job import message_of
from crossz.core.names import BANDS
from crossz.core.version import VERSION

if TYPE_CHECKING:
    import pandas as pd

    from crossz.apply.predict import Images

WRITERS = (".parquet", ".csv", ".fits")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; an error that the user can mend ends it with one line and exit status 1, a wrong call with 2."""
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except (CrosszError, OSError) as error:
        sys.exit(f"crossz: {message_of(error)}")


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    whole = argparse.ArgumentParser(
        "crossz", description="Photometric redshifts of quasars by trained networks. Training: see the README."
    )
    whole.add_argument("--version", action="version", version=VERSION)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser(
        "predict",
        help="redshifts of the objects of a table",
        description="Redshifts of the objects of a table, a row for each row.",
    )
    predict.add_argument("bundle", metavar="BUNDLE", help="folder of a bundle")
    predict.add_argument(
        "targets",
        metavar="TARGETS",
        help="table of photometry: CSV, FITS, VOTable or Parquet; `crossz info BUNDLE` names its columns",
    )
    predict.add_argument("out", metavar="OUT", help=f"what is written: {', '.join(WRITERS)}")
    predict.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="OURS=THEIRS",
        help="names of the table's columns where they differ: dered_u=umag",
    )
    predict.add_argument(
        "--cutouts",
        nargs="+",
        default=[],
        metavar="FILE",
        help="images, found by objID: shards as results/cutouts/*.arrow",
    )
    predict.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="of the processor (default: 1; more pay with large backbones)",
    )
    predict.set_defaults(run=_predict)
    info = commands.add_parser(
        "info", help="a bundle's card", description="Check a bundle, and print its fingerprint and its card."
    )
    info.add_argument("bundle", metavar="BUNDLE", help="folder of a bundle")
    info.set_defaults(run=_info)
    return whole


def _info(given: argparse.Namespace) -> None:
    from crossz.apply import bundle

    bundle.check(given.bundle)
    print(f"fingerprint {bundle.fingerprint(given.bundle)}\n")
    print((Path(given.bundle) / bundle.CARD).read_text(), end="")


def _predict(given: argparse.Namespace) -> None:
    from crossz.apply import bundle
    from crossz.catalog.columns import COLUMNS
    from crossz.catalog.readers import read_table

    begun = time.monotonic()
    out, table_path = Path(given.out), Path(given.targets)
    if out.suffix not in WRITERS:
        raise CrosszError(f"{out}: tables are written as {', '.join(WRITERS)}; end its name so")
    if not table_path.is_file():
        raise CrosszError(f"{table_path}: no such table of targets")
    if out.exists() and out.samefile(table_path):
        raise CrosszError(f"{out}: that is the table of targets itself; name another file")
    facts = bundle.check(given.bundle)
    columns = dict(_pair(text, {*COLUMNS, *facts.get("columns", ())}) for text in given.columns)
    read = read_table(table_path, columns, facts.get("columns", ()))
    targets = read.to_pandas()
    kinds = {"dered_model": ("dered", "psfMagErr"), "psf": ("psfMag", "psfMagErr", "extinction")}[facts["magnitudes"]]
    needed = [*(f"{kind}_{band}" for kind in kinds for band in BANDS), *facts.get("columns", ())]
    if absent := [name for name in needed if name not in targets]:
        raise CrosszError(
            f"{table_path}: no column {', '.join(absent)}, which this bundle reads; where it has another name: --columns {absent[0]}=NAME"
        )
    if given.cutouts and "objID" not in targets:
        raise CrosszError(
            f"{table_path}: no column objID, by which images are found; where it has another name: --columns objID=NAME"
        )

    from crossz.apply import predict
    from crossz.models.device import deterministic

    deterministic(max(given.threads, 1))
    ensemble = bundle.load(given.bundle)
    print(f"{given.bundle}: {len(ensemble)} splits, trained on {facts['domain']['objects']:,} objects", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        images = (
            {"images": _images(read["objID"].to_pylist(), given.cutouts, Path(scratch) / "index.parquet")}
            if given.cutouts
            else {}
        )
        try:
            table = predict.redshifts(targets, ensemble, **images)
        except CrosszError as error:
            raise CrosszError(f"{table_path}: {error}") from error
    _write(table, out)
    counts = ", ".join(f"{name} {count:,}" for name, count in table["status"].value_counts().items())
    print(f"{out}: {len(table):,} targets: {counts}; {time.monotonic() - begun:.1f} s", file=sys.stderr)


def _pair(text: str, known: set[str]) -> tuple[str, str]:
    ours, mark, theirs = text.partition("=")
    if not (ours and mark and theirs):
        raise CrosszError(f"--columns {text}: say OURS=THEIRS, for example dered_u=umag")
    if ours not in known:
        near = difflib.get_close_matches(ours, sorted(known), 1, 0.5)
        raise CrosszError(
            f"--columns {text}: crossz has no column {ours}" + (f"; did you mean {near[0]}?" if near else "")
        )
    return ours, theirs


def _images(ids: list, paths: Sequence[str], index_path: Path) -> "Images":
    """The images of targets out of shards, whose index is made on the way; ids as read, so that none passes through a float."""
    import numpy as np
    import pandas as pd

    from crossz.apply import predict
    from crossz.images.store import read_arrays

    parts = []
    for number, path in enumerate(paths):
        if not Path(path).is_file():
            raise CrosszError(f"{path}: no such file of cutouts")
        columns = read_arrays(path)
        if absent := {"objID", "status", "image", "mask"} - columns.keys():
            raise CrosszError(
                f"{path}: no column {', '.join(sorted(absent))}; --cutouts takes shards as results/cutouts/*.arrow"
            )
        place = {"shard": np.int32(number), "row": np.arange(len(columns["objID"]), dtype=np.int32)}
        parts.append(pd.DataFrame({"objID": columns["objID"], **place, "status": columns["status"].astype(str)}))
    index = pd.concat(parts).sort_values("objID", ignore_index=True)
    if index["objID"].duplicated().any():
        raise CrosszError(
            f"{', '.join(paths)}: two images of objID {index['objID'][index['objID'].duplicated()].iloc[0]}; name one file"
        )
    index.to_parquet(index_path, index=False)
    known = pd.Series([int(text) if text.isdigit() else None for text in map(str, ids)], dtype="Int64")
    return predict.images_of(known, index_path, paths)


def _write(table: "pd.DataFrame", path: Path) -> None:
    from crossz.core.files import atomic_path

    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        elif path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            from astropy.table import Table

            Table.from_pandas(table).write(temporary, format="fits")
