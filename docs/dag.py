"""Draw the rules that make results/metrics.csv, and what flows between them: docs/dag.svg.

`python docs/dag.py` writes the figure. It needs no run, but `tred` and `dot` of graphviz; without them it says so and leaves
the figure as it is. A test compares the figure with the rules.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "docs/dag.svg"


def main() -> None:
    """Write docs/dag.svg."""
    if not (shutil.which("tred") and shutil.which("dot")):
        print("docs/dag.svg stays as it is: graphviz is not installed", file=sys.stderr)
        return
    told = [sys.executable, "-m", "snakemake", "--rulegraph", "--forceall", "results/metrics.csv"]
    text = subprocess.run(told, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    for command in (["tred"], ["dot", "-Grankdir=LR", "-Tsvg"]):
        text = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout
    FIGURE.write_bytes(text)


if __name__ == "__main__":
    main()
