"""Where the main job's time goes: processor seconds of each rule on the embedded sky, Python's start and imports included.

    PYTHONPATH=src python benchmarks/main_job.py [--quasars 4000] [--cores 2] [--output main_job.json]

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
from collections.abc import Sequence
from pathlib import Path

from common import table

from crossz.core.provenance import versions

ROOT = Path(__file__).parents[1]
TABLES = ("results/metrics.csv", "results/metrics_binned.csv", "results/comparison.md")
NOTE = """
import atexit, json, os, re, resource, sys
def note():
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])  # kB, without those of the parent
    name = "report" if "--report" in sys.argv else sys.argv[0]
    with open(os.environ["CROSSZ_USED"], "a") as handle:
        print(json.dumps([name, *(part.ru_utime + part.ru_stime for part in parts), peak]), file=handle)
if "-c" not in sys.orig_argv[:4]:  # not a worker, whose parent counts it
    atexit.register(note)
"""
"""Run by each Python at its start (as sitecustomize)."""


def job(folder: Path, settings: dict, targets: Sequence[str], *, cores: int, report: bool = False) -> dict[str, dict]:
    """What each rule of a job in `folder` has used: jobs, cpu s of all of them, and GB, the peak of the largest.

    A job that was interrupted goes on.
    """
    (folder / "site").mkdir(parents=True, exist_ok=True)
    (folder / "site/sitecustomize.py").write_text(NOTE)
    (folder / "settings.yaml").write_text(json.dumps(settings))
    if not (folder / "workflow").is_symlink():
        (folder / "workflow").symlink_to(ROOT / "workflow")
    used = folder / "used.jsonl"
    environment = os.environ | {"PYTHONPATH": str(folder / "site"), "CROSSZ_USED": str(used)}
    snakemake = [
        sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
        "--configfile", folder / "settings.yaml", "--cores", str(cores),
    ]  # fmt: skip
    subprocess.run([*snakemake, "--", *targets], check=True, stdout=sys.stderr, env=environment)
    if report:
        report_page = ["--report", folder / "report.html", "--", *targets]
        subprocess.run([*snakemake, *report_page], check=True, stdout=sys.stderr, env=environment)
    return used_by_rule(used)


def used_by_rule(used: Path) -> dict[str, dict]:
    """The sums over the lines of `NOTE` in the file `used`, the most seconds first."""
    seconds, jobs, memory = Counter(), Counter(), Counter()
    for line in used.read_text().splitlines():
        path, own, children, peak = json.loads(line)
        rule = re.search(r"\.snakemake/scripts/[^.]*\.(\w+)\.py$", path)
        name = rule[1] if rule else "(snakemake --report)" if path == "report" else "(Snakemake itself)"
        seconds[name] += own + children * bool(rule)
        jobs[name] += 1
        memory[name] = max(memory[name], peak * 1024 / 1e9)
    return {
        name: {"jobs": jobs[name], "cpu s": round(spent, 1), "GB": round(memory[name], 2)}
        for name, spent in seconds.most_common()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quasars", type=int, default=4000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("main_job.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        rules = job(Path(name), {"sky": {"quasars": arguments.quasars}}, TABLES, cores=arguments.cores)
        wall = time.perf_counter() - start
    total, jobs = (sum(rule[what] for rule in rules.values()) for what in ("cpu s", "jobs"))
    rules = {name: rule | {"share": round(rule["cpu s"] / total, 4)} for name, rule in rules.items()}
    result = {
        "quasars": arguments.quasars, "cores": arguments.cores, "wall s": round(wall), "cpu s": round(total),
        "versions": versions("snakemake", "torch", "numpy"), "rules": rules,
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    rows = [(name, row["jobs"], row["cpu s"], f"{row['share']:.1%}") for name, row in rules.items()]
    print(table(["rule", "jobs", "processor seconds", "share"], [*rows, ("all", jobs, round(total), "100 %")]))


if __name__ == "__main__":
    main()
