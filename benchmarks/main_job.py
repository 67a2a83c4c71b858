"""Where the main job's time goes: processor seconds of each rule on the embedded sky, Python's start and imports included.

    PYTHONPATH=src python benchmarks/main_job.py [--quasars 2000] [--cores 2] [--output main_job.json]

The whole job runs in a folder of its own; every process of it says at its end what it has used.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from common import table

from crossz.core.provenance import versions

ROOT = Path(__file__).parents[1]
NOTE = """
import atexit, json, os, resource, sys
def note():
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open(os.environ["CROSSZ_USED"], "a") as handle:
        print(json.dumps([sys.argv[0], *(part.ru_utime + part.ru_stime for part in parts)]), file=handle)
if "-c" not in sys.orig_argv[:4]:  # not a worker, whose parent counts it
    atexit.register(note)
"""
"""Run by each Python at its start (as sitecustomize)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quasars", type=int, default=2000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("main_job.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "workflow").symlink_to(ROOT / "workflow")
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(NOTE)
        (folder / "sky.yaml").write_text(json.dumps({"sky": {"quasars": arguments.quasars}}))
        used = folder / "used.jsonl"
        start = time.perf_counter()
        subprocess.run(
            [
                sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
                "--configfile", folder / "sky.yaml", "--cores", str(arguments.cores), "--",
                "results/metrics.csv", "results/metrics_binned.csv", "results/comparison.md",
            ],
            check=True, stdout=sys.stderr, env=os.environ | {"PYTHONPATH": str(folder / "site"), "CROSSZ_USED": str(used)},
        )  # fmt: skip
        wall = time.perf_counter() - start
        seconds, jobs = Counter(), Counter()
        for line in used.read_text().splitlines():
            path, own, children = json.loads(line)
            rule = re.search(r"\.snakemake/scripts/[^.]*\.(\w+)\.py$", path)
            name = rule[1] if rule else "(Snakemake itself)"
            seconds[name] += own + children * bool(rule)
            jobs[name] += 1
    total = seconds.total()
    result = {
        "quasars": arguments.quasars, "cores": arguments.cores, "wall s": round(wall), "cpu s": round(total),
        "versions": versions("snakemake", "torch", "numpy"),
        "rules": {
            name: {"jobs": jobs[name], "cpu s": round(spent, 1), "share": round(spent / total, 4)}
            for name, spent in seconds.most_common()
        },
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    rows = [(name, row["jobs"], row["cpu s"], f"{row['share']:.1%}") for name, row in result["rules"].items()]
    print(table(["rule", "jobs", "processor seconds", "share"], [*rows, ("all", jobs.total(), round(total), "100 %")]))


if __name__ == "__main__":
    main()
