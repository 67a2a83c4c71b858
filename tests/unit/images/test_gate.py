"""The gate stops a run in which too many objects have no image."""

import json

import numpy as np
import pytest
from toy_images import index, write_cutout_file

from crossz.core.errors import CrosszError
from crossz.images.gate import write_gate


def test_the_gate_stops_the_run_and_names_the_list_of_the_missing(tmp_path):
    write_cutout_file(tmp_path / "0.arrow", [1, 2, 3, 4], ["ok", "ok", "ok", "missing_frame"], np.random.default_rng(0))
    index(tmp_path, [1, 2, 3, 4], tmp_path / "0.arrow")
    files = {"counts": tmp_path / "counts.json", "missing": tmp_path / "missing.csv", "gate": tmp_path / "gate.json"}
    with pytest.raises(CrosszError, match=r"25\.0% of 4 objects.*missing_frame.*missing\.csv lists.*max_loss = 0\.1"):
        write_gate(**files, max_loss=0.1)
    assert not files["gate"].exists()
    write_gate(**files, max_loss=0.25)
    assert json.loads(files["gate"].read_text())["loss"] == 0.25
    files["counts"].write_text('{"objects": 4, "status": {"ok": NaN}}')
    with pytest.raises(CrosszError, match="nan% of 4 objects"):
        write_gate(**files, max_loss=1)
