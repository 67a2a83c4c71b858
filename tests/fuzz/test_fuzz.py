"""Some hundred cases a reader; `make fuzz` runs many more."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from fuzz.targets import TARGETS

CASES = {
    "frame": 300, "compressed": 15, "spectrum": 300, "answer": 2000, "sources": 1000, "response": 40, "mat": 300, "csv": 60, "fits": 40,
    "votable": 40, "parquet": 40, "bundle": 15,
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_changed_bytes_are_refused_in_words(tmp_path, target):
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz", target, "--cases", str(CASES[target]), "--keep", tmp_path / "failures"],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
