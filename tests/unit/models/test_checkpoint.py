"""A checkpoint is whole, or it is left aside."""

import os

import pytest
import torch

from crossz.models.checkpoint import Checkpoint

RUNNING = {"state": {"epoch": 3}}


@pytest.fixture
def checkpoint(tmp_path):
    found = Checkpoint(tmp_path / "0.pt", "of these data")
    found.write([{"weight": torch.arange(1000.0)}], RUNNING)
    return found


def test_what_was_written_is_read(checkpoint):
    point = checkpoint.read()
    assert torch.equal(point["members"][0]["weight"], torch.arange(1000.0))
    assert point["running"] == RUNNING


@pytest.mark.parametrize("place", [0, 40, 1500, -1])
def test_one_flipped_bit_begins_anew(checkpoint, place, messages):
    content = bytearray(checkpoint.path.read_bytes())
    content[place] ^= 1
    checkpoint.path.write_bytes(content)
    assert checkpoint.read() is None
    assert "0.pt: a damaged checkpoint; set aside as 0.pt.damaged; starting anew" in messages.text


@pytest.mark.parametrize("length", [0, 31, 2000])
def test_a_cut_checkpoint_begins_anew(checkpoint, length):
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:length])
    assert checkpoint.read() is None


def test_a_checkpoint_that_is_no_file_is_left_aside_and_replaced(checkpoint):
    checkpoint.path.unlink()
    os.mkfifo(checkpoint.path)
    assert checkpoint.read() is None
    checkpoint.write([], RUNNING)
    assert checkpoint.read()["running"] == RUNNING
