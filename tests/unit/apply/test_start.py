"""How soon the command begins."""

import subprocess
import sys

from helpers import ROOT


def test_reading_a_bundle_does_not_load_the_compiler_of_torch(made):
    code = f"import sys; import crossz; crossz.load_bundle({str(made)!r}); print('torch._dynamo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "False\n", done.stdout + done.stderr
