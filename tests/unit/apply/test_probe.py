"""The probe: the same networks give the same answers, other networks give others."""

from dataclasses import replace

import pytest

from crossz.apply.bundle import trained_networks
from crossz.apply.probe import OBJECTS, largest_difference, probe


def test_the_probe_of_the_same_networks_gives_the_same_answers(networks):
    first = trained_networks(*networks).splits[0]
    answers = probe(first)
    assert answers == probe(trained_networks(*networks).splits[0])
    assert set(answers) == set(first.info.inputs)
    assert all(len(values) == OBJECTS for answer in answers.values() for values in answer.values())


def test_another_scaler_gives_other_answers(networks):
    first = trained_networks(*networks).splits[0]
    scale = first.info.scalers["z"]
    shifted = replace(first.info, scalers=first.info.scalers | {"z": scale | {"centre": scale["centre"] + 0.1}})
    before, after = probe(first), probe(first._replace(info=shifted))
    for inputs in before:
        assert largest_difference(before[inputs], after[inputs]) == pytest.approx(0.1, abs=1e-5)


def test_the_difference_is_the_largest_of_all_values():
    assert largest_difference({"y": [1, 2], "sd": [0, 0]}, {"y": [1, 2.5], "sd": [0, 0.1]}) == 0.5
    assert largest_difference({"p": [[0.2, 0.8]]}, {"p": [[0.3, 0.7]]}) == pytest.approx(0.1)
