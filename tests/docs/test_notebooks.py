"""The notebooks run from their first cell to their last, and hold no output."""

import json
import os
import re
import subprocess
import sys

import pytest
from project import ROOT, copied, environment

BOOKS = sorted((ROOT / "docs").glob("*.ipynb"))
THEN = {
    "candidates": "assert (found.table['status'] == 'ok').all() and 'SDSSJ1148+0113' in good['name'].tolist()",
    "training": "assert (found.table['status'] == 'ok').all() and len(found) == 20 and net.facts['dataset'] == 'quasars'",
}
"""What is true in the end."""


def cells(book, kind):
    content = json.loads(book.read_text())
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_every_cell_runs_in_turn(book, tmp_path):
    where = copied(tmp_path)
    (where / "cells.py").write_text("\n".join([*cells(book, "code"), THEN[book.stem]]))
    done = subprocess.run(
        [sys.executable, "cells.py"],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(PYTHONPATH=str(where / "src"), MPLBACKEND="Agg", OMP_NUM_THREADS="1", PATH=os.environ["PATH"]),
    )
    assert done.returncode == 0, done.stderr[-5000:]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_holds_no_output_and_its_links_lead_somewhere(book):
    content = json.loads(book.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    for text in cells(book, "markdown"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (book.parent / target).exists(), target
