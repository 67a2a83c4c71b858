"""The index accounts for every planned object."""

import numpy as np
import pytest
from toy_images import index, write_cutout_file

from crossz.core.errors import CrosszError


def test_an_object_that_was_planned_and_never_cut_is_noticed(tmp_path):
    write_cutout_file(tmp_path / "0.arrow", [1], ["ok"], np.random.default_rng(0))
    with pytest.raises(CrosszError, match="1 planned objIDs stand in no cutout file, the first is 2"):
        index(tmp_path, [1, 2], tmp_path / "0.arrow")


def test_an_objID_in_two_cutout_files_is_refused(tmp_path):
    for name in ("0", "1"):
        write_cutout_file(tmp_path / f"{name}.arrow", [7], ["ok"], np.random.default_rng(0))
    with pytest.raises(CrosszError, match="two cutout files, the first is 7"):
        index(tmp_path, [7], tmp_path / "0.arrow", tmp_path / "1.arrow")
