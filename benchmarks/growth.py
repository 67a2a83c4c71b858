"""How the whole job grows with the sky: processor seconds and memory of each rule at two sizes, and the exponent.

    OMP_NUM_THREADS=1 PYTHONPATH=src nice python benchmarks/growth.py [--quasars 2000 20000] [--epochs 2]
        [--cores 2] [--folder /tmp/growth] [--output growth.json]

All tables, figures, a bundle with its model card, and Snakemake's report. It takes half an hour: networks train for few epochs, which
tell the cost of an epoch as well as many. Each size has a subfolder; a run that was interrupted goes on there, and one that is
done is not repeated. Memory is the peak of the largest job of a rule.
"""

import argparse
import json
import math
from pathlib import Path

from common import table
from main_job import TABLES, job

from crossz.core.provenance import versions

TARGETS = ("all", "results/bundle/baseline-crossmodal.zip", *TABLES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quasars", type=int, nargs=2, default=[2000, 20_000])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/growth"))
    parser.add_argument("--output", type=Path, default=Path("growth.json"))
    arguments = parser.parse_args()
    found = []
    for count in arguments.quasars:
        settings = {
            "sky": {"quasars": count},
            "train": {"epochs": arguments.epochs},
            "mml": {"epochs": arguments.epochs},
        }
        done = arguments.folder / f"{count}.json"
        if not done.is_file():
            used = job(arguments.folder / str(count), settings, TARGETS, cores=arguments.cores, report=True)
            done.write_text(json.dumps(used))
        found.append(json.loads(done.read_text()))
    few, many = found
    ratio = arguments.quasars[1] / arguments.quasars[0]
    rows = []
    for name, rule in many.items():
        before = few[name]
        exponent = math.log(rule["cpu s"] / rule["jobs"] / before["cpu s"] * before["jobs"]) / math.log(ratio)
        cells = [f"{one['jobs']}: {one['cpu s']:.1f} s, {one['GB']:.2f} GB" for one in (before, rule)]
        rows.append([name, *cells, f"{exponent:.2f}"])
    result = {
        "quasars": arguments.quasars, "epochs": arguments.epochs, "versions": versions("snakemake", "torch", "numpy"),
        "rules": dict(zip(map(str, arguments.quasars), found, strict=True)),
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    heads = [f"{count:,} quasars: jobs, seconds of all, memory of one" for count in arguments.quasars]
    print(table(["rule", *heads, "exponent"], rows))


if __name__ == "__main__":
    main()
