"""docs/network.py draws the network that is built: every module, with the sizes of its layers."""

import importlib.util

import pytest
from helpers import ROOT

from crossz.models.inference import build


@pytest.fixture(scope="module")
def network():
    spec = importlib.util.spec_from_file_location("network", ROOT / "docs/network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(network):
    """The printed network with a small backbone, which is built in no time."""
    info = network.paper()
    return info.with_fields(crossmodal=info.crossmodal | {"backbone": "small"})


def test_every_module_has_a_box_with_the_sizes_of_its_layers(network, small):
    net = build(small)
    boxes = network.boxes(net, small)
    for name, module in net.named_children():
        if name != "encode_phot":  # it has the sizes of its parts
            assert network.sizes(getattr(module, "mlp", module)) in boxes[name].text, name
    assert "fusion 19 → 256 → 512" in boxes["encode_phot"].text
    assert "30 → 512 → 512" in boxes["encode_img"].text
    assert {end for arrow in network.ARROWS for end in arrow} | {"redshift"} == set(boxes)


def test_the_figure_follows_the_settings(network, small):
    def words(**changes):
        drawn = network.figure(small.with_fields(crossmodal=small.crossmodal | changes))
        return " ".join(text.get_text() for text in drawn.axes[0].texts)

    assert "trained on: phot+img" in words()
    assert "point" in words()
    assert "times 1" in words()
    assert "4 Gaussians" in words(head="mixture", components=4)
    assert "times 0.1, growing from 0" in words(reversal=0.1, reversal_ramp=True)
    arrows = [
        len(network.figure(small.with_fields(crossmodal=small.crossmodal | {"z_patterns": kind})).axes[0].texts)
        for kind in ("real", "all")
    ]
    assert arrows[1] == arrows[0] + 2  # the generated features, too
