"""docs/method.md has every column that is written of new objects."""

import subprocess
import sys

from helpers import ROOT

from crossz.apply.output_columns import COLUMNS, markdown


def test_the_page_is_up_to_date():
    done = subprocess.run([sys.executable, ROOT / "docs/columns.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs/method.md").read_text()
    assert markdown() in page
    assert all(column.meaning in page for column in COLUMNS.values())
