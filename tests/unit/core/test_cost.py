"""The price of a deep network is told before it is paid."""

import copy

import yaml
from helpers import ROOT

from crossz.core.cost import cost_in_words

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def test_a_deep_network_has_its_price_and_the_small_one_none():
    assert cost_in_words(DEFAULT) == []
    config = copy.deepcopy(DEFAULT)
    config["networks"] = ["crossmodal"]
    config["crossmodal"] |= {"backbone": "resnet18", "stem": "small"}
    config["train"] |= {"epochs": 36, "members": 1, "share": 1.0}
    config["splits"]["count"], config["datasets"] = 5, ["baseline", "extended"]
    (line,) = cost_in_words(config)  # 1000 * 36 * 10 / (94 / 16) / 3600
    assert "crossmodal: resnet18 trains 6 images/s on one core; 10 trainings of 36 epochs take 17.0 core hours" in line
    config["crossmodal"]["backbone"] = "vit_b_16"
    assert "vit_b_16 trains at most 6 images/s" in cost_in_words(config)[0]
