"""A bundle over a HATS catalog: seconds with 1 and 2 workers of Dask, and what they mean for a billion objects.

    make build/lsdb/ready
    OMP_NUM_THREADS=1 PYTHONPATH=src build/lsdb/bin/python benchmarks/partitions.py [--rows 400000] [--workers 1 2] [--output partitions.json]

The bundle and the magnitudes are those of prediction.py, at random positions of the sky; hats-import makes the catalog. The times are
those of `write_catalog`, with the start of the workers left out: each has read the bundle before.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import table
from prediction import bundle, targets

BILLION, CORES = 1_000_000_000, 1000


def catalog(folder: Path, count: int, client) -> Path:
    """A HATS catalog of `count` objects all over the sky, in 12 partitions. Those of surveys are larger, some million rows."""
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.pipeline import pipeline_with_client

    rng, path = np.random.default_rng(1), targets(folder / "plain.parquet", count)
    rows = pq.read_table(path)
    places = {"ra": rng.uniform(0, 360, count), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, count)))}
    for name, values in places.items():
        rows = rows.append_column(name, pa.array(values))
    pq.write_table(rows, path)
    arguments = ImportArguments(
        output_path=folder, output_artifact_name="sky", input_file_list=[path], file_reader="parquet",
        pixel_threshold=count, progress_bar=False, tmp_dir=folder, dask_tmp=folder,
    )  # fmt: skip
    pipeline_with_client(arguments, client)
    return folder / "sky"


def cost(folder: Path, sky: Path, networks: Path, workers: int) -> dict[str, float]:
    """Seconds until all estimates are written as a HATS catalog, and the processor seconds of the workers."""
    import lsdb
    from dask.distributed import Client

    from crossz.apply import hats

    local = {"local_directory": str(folder), "dashboard_address": None}
    with Client(n_workers=workers, threads_per_worker=1, **local) as client:
        client.run(hats._loaded, str(networks))
        mapped = hats.map_catalog(lsdb.open_catalog(sky), networks)
        before, begin = sum(client.run(time.process_time).values()), time.monotonic()
        mapped.write_catalog(folder / f"redshifts-{workers}", progress_bar=False)
        found = time.monotonic() - begin
        return {"seconds": found, "processor_seconds": sum(client.run(time.process_time).values()) - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    from dask.distributed import Client

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        networks = bundle(folder)
        with Client(n_workers=2, threads_per_worker=1, local_directory=scratch, dashboard_address=None) as client:
            sky = catalog(folder, options.rows, client)
        for workers in options.workers:
            rows.append({"workers": workers, "objects": options.rows} | cost(folder, sky, networks, workers))
    cells = [
        [row["workers"], f"{row['objects']:,}", f"{row['seconds']:.0f}", f"{row['processor_seconds']:.0f}", f"{row['objects'] / row['processor_seconds']:,.0f}",
         f"{BILLION / row['objects'] * row['processor_seconds'] / CORES / 60:.0f} min"]
        for row in rows
    ]  # fmt: skip
    print(
        table(
            ["workers", "objects", "s", "processor s", "objects a processor s", "a billion objects, 1,000 cores"], cells
        )
    )
    if options.output:
        options.output.write_text(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
