"""All benchmarks on this machine, one after the other: benchmarks/results/{machine}.json, and the tables of the pages.

    make benchmarks                                  # all but effects*, growth and partitions: some half an hour on two idle cores
    PYTHONPATH=src python benchmarks/run.py --only store scale [--sas FOLDER]

A benchmark writes JSON and prints its table; here the tables go between the page's marks. What is not run this time stays as it is.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
PAGES = dict.fromkeys(("effects", "effects_small"), ROOT / "docs/ablations.md")
"""Pages of the benchmarks whose table is not on `PAGE`."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
BENCHMARKS: dict[str, dict[str, str]] = {
    "frames": ONE_THREAD, "stamps": ONE_THREAD, "store": ONE_THREAD, "scale": ONE_THREAD, "temperature": ONE_THREAD,
    "references": {"OMP_NUM_THREADS": "2"}, "prediction": ONE_THREAD, "main_job": ONE_THREAD, "memory": ONE_THREAD, "training": {},
    "growth": ONE_THREAD, "effects": ONE_THREAD, "effects_small": ONE_THREAD, "partitions": ONE_THREAD,
}  # fmt: skip
"""Each benchmark, in order, and the environment it wants."""
OTHERWISE = {
    "effects_small": ("effects", ["--backbone", "small", "--quasars", "8000", "--epochs", "16", "--only", "none", "all", "hosts", "blending", "dcr", "psf", "defects"]),
}  # fmt: skip
"""What has no file of its own: the file that it runs, and how."""
LONG = ("scale", "growth", "effects", "effects_small")
"""What can go on where it was interrupted."""
HOURS = ("growth", "effects", "effects_small")
"""What takes hours, and runs only when it is named."""
ELSEWHERE = {"partitions": ROOT / "build/lsdb/bin/python"}
"""What runs in another environment, which `make build/lsdb/ready` makes, and only when it is named."""


def measured(name: str, arguments: list[str]) -> dict:
    """What one benchmark wrote, with its table and the machine."""
    file, fixed = OTHERWISE.get(name, (name, []))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        python, program = ELSEWHERE.get(name, sys.executable), ROOT / "benchmarks" / f"{file}.py"
        command = [str(python), str(program), "--output", str(output), *fixed, *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | BENCHMARKS[name]
        done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
        print(done.stdout, flush=True)
        table = [line for line in done.stdout.splitlines() if line.startswith("|")]
        return {"machine": machine(), "table": table} | json.loads(output.read_text())


def filled(page: str, results: dict[str, dict]) -> str:
    """`page` with the table of each of `results` between its marks."""
    for name, result in results.items():
        block = "\n".join([f"<!-- {name} -->", f"{result['machine']}.", "", *result["table"], f"<!-- /{name} -->"])
        page, count = re.subn(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _: block, page, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise SystemExit(
                f"{PAGES.get(name, PAGE).name} has {count} places for {name}, not one: <!-- {name} --> ... <!-- /{name} -->"
            )
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        choices=BENCHMARKS,
        default=[name for name in BENCHMARKS if name not in (*HOURS, *ELSEWHERE)],
    )
    parser.add_argument("--sas", type=Path, help="real frames for `frames`: a folder in the archive's layout")
    parser.add_argument(
        "--folder",
        type=Path,
        help=f"what {', '.join(LONG)} make is kept there: they go on where they were interrupted",
    )
    arguments = parser.parse_args()
    slug = re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    path = ROOT / "benchmarks/results" / f"{slug}.json"
    path.parent.mkdir(exist_ok=True)
    for name in arguments.only:
        more = ["--sas", str(arguments.sas)] if name == "frames" and arguments.sas else []
        more += ["--folder", str(arguments.folder / name)] if name in LONG and arguments.folder else []
        results = json.loads(path.read_text()) if path.is_file() else {}
        results[name] = measured(name, more)
        path.write_text(json.dumps(results, indent=1) + "\n")
        page = PAGES.get(name, PAGE)
        page.write_text(filled(page.read_text(), {name: results[name]}))


if __name__ == "__main__":
    main()
