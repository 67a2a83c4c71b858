"""How a job of stamps grows with its fields: one job of many fields beside ten jobs of the same fields.

    PYTHONPATH=src python benchmarks/stamps.py [--quasars 1500] [--output stamps.json]

The frames are those of the embedded sky with the settings of config/config.yaml. The ten jobs run one after the other, and the
large one meanwhile on the same core: what else the computer does slows both alike. Processor seconds are those of the whole
process, and those without the start of Python and its imports; the exponent is that of the latter.
"""

import argparse
import json
import math
import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import yaml
from common import peak_memory, table

from crossz.archive import sas
from crossz.catalog.plan import COLUMNS, plan
from crossz.core.provenance import versions
from crossz.sky.build import build

PARTS = 10
WITH_SPECTRUM = f"SELECT {', '.join(COLUMNS)} FROM PhotoObjAll WHERE objID IN (SELECT bestObjID FROM SpecObjAll WHERE class = 'QSO')"


def objects(database: Path) -> pd.DataFrame:
    """The quasars of the sky, as the plan of a run has them."""
    connection = sqlite3.connect(database)
    found = pd.read_sql_query(WITH_SPECTRUM.replace("specObjID", "0 AS specObjID"), connection)
    connection.close()
    return found


def job(path: Path, settings: dict, frames: Path, queue: multiprocessing.Queue) -> None:
    """The stamps of one plan; its processor seconds, in all and without imports, and GB."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = time.process_time()
    written = {name: path.with_suffix(f".{name}") for name in ("stamps", "counts", "manifest")}
    sas.write_stamps(
        plan=path,
        frames=str(frames),
        **written,
        edges=settings["stamps"]["edges"],
        cache=path.with_suffix(".cache"),
        config=settings,
    )
    counts = json.loads(written["counts"].read_text())
    now = time.process_time()
    queue.put({
        "fields": counts["fields"], "objects": counts["objects"], "s": now, "own s": now - before, "GB": peak_memory()
    })  # fmt: skip


def run(paths: list[Path], settings: dict, frames: Path, found: list[dict]) -> None:
    """One job after the other, each in a process of its own; what they gave goes into `found`."""
    context = multiprocessing.get_context("spawn")
    for path in paths:
        queue = context.Queue()
        process = context.Process(target=job, args=(path, settings, frames, queue))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"the job of {path.name} failed")
        found.append(queue.get())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quasars", type=int, default=1500)
    parser.add_argument("--output", type=Path, default=Path("stamps.json"))
    arguments = parser.parse_args()
    settings = yaml.safe_load((Path(__file__).parents[1] / "config/config.yaml").read_text())
    sky = settings["sky"] | {"quasars": arguments.quasars}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, frames = folder / "sky.sqlite", folder / "sas"
        build(database=database, sas=frames, truth=folder / "truth.parquet", seed=settings["seed"], workers=1, **sky)
        known = objects(database)
        paths = {"large": [folder / "all.parquet"], "small": [folder / f"{number}.parquet" for number in range(PARTS)]}
        for group in paths.values():
            for path, rows in zip(group, plan([known], len(group)), strict=True):
                rows.to_parquet(path, index=False)
        found: dict[str, list[dict]] = {"large": [], "small": []}
        threads = [
            threading.Thread(target=run, args=(group, settings, frames, found[size])) for size, group in paths.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    arguments.output.write_text(json.dumps({"versions": versions("numpy", "astropy"), "jobs": found}, indent=2) + "\n")
    few, many = (pd.DataFrame(found[size]).mean() for size in ("small", "large"))
    exponent = math.log(many["own s"] / few["own s"]) / math.log(many["fields"] / few["fields"])
    rows = [
        (count, f"{one['fields']:.0f}", f"{one['objects']:,.0f}", f"{one['s']:.1f}", f"{one['own s']:.1f}", f"{1e3 * one['own s'] / one['fields']:.0f}", f"{one['GB']:.2f}", last)
        for count, one, last in ((PARTS, few, ""), (1, many, f"{exponent:.2f}"))
    ]  # fmt: skip
    head = ["jobs", "fields of one", "objects", "s", "s without imports", "ms a field", "memory, GB", "exponent"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
