"""config/paper.yaml, the network as printed: it is built, trains, and goes on after kill -9 to the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import toy
import yaml
from helpers import ROOT

from crossz.models import backbones, inference, schedule, training
from crossz.models.info import ModelInfo

TRAIN = """
import json, logging, sys
from crossz.models import training
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
training.CHECKPOINT_SECONDS = -1.0  # after every epoch
training.train(**json.loads(sys.argv[1]))
"""
EPOCHS = 3


@pytest.fixture(scope="module")
def paper():
    """Blocks crossmodal and train of the default configuration under config/paper.yaml."""
    default, overlay = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "paper"))
    return {block: default[block] | overlay[block] for block in ("crossmodal", "train")}


def command(survey, folder, paper):
    folder.mkdir(exist_ok=True)
    settings = {"crossmodal": paper["crossmodal"], "training": paper["train"] | {"epochs": EPOCHS, "batch_size": 8}}
    return [sys.executable, "-c", TRAIN, toy.in_json(toy.arguments(survey, folder, **settings))]


def test_it_is_the_printed_network(paper):
    info = ModelInfo(paper["crossmodal"], paper["train"], "dered_model", seed=1, n={}, scalers={})
    net = inference.build(info)
    depths = [len(stage) for stage in (net.encode_img.cnn.layer1, net.encode_img.cnn.layer2, net.encode_img.cnn.layer3)]
    assert depths == [3, 4, 23]  # ResNet101
    assert net.encode_img.cnn.conv1.weight.shape == (64, 5, 7, 7)
    assert net.redshift[-1].out_features == 1
    linear = [layer for layer in net.encode_img.mlp if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(2048, 512), (512, 512)]
    assert {layer.p for layer in net.modules() if isinstance(layer, torch.nn.Dropout)} == {0.0}
    assert [schedule.reversal(paper["crossmodal"], progress) for progress in (0.0, 0.5, 1.0)] == [1.0] * 3
    unprinted = {name: paper["train"][name] for name in ("gradient_clip", "augment", "precision", "members", "share")}
    assert unprinted == {"gradient_clip": None, "augment": False, "precision": "float32", "members": 1, "share": 1.0}
    assert info.trained_inputs == ("phot+img",)
    optimizer = training._optimizer(net, paper["train"])
    assert isinstance(optimizer, torch.optim.SGD)
    assert {name: optimizer.defaults[name] for name in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.008, "momentum": 0.2, "weight_decay": 0.03,
    }  # fmt: skip
    assert backbones.build("resnet101", "imagenet")[1] == 2048


def test_a_training_that_is_killed_goes_on_to_the_same_bytes(paper, tmp_path):
    survey = toy.write(tmp_path / "toy", n=40, without_image=1)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(command(survey, tmp_path / "whole", paper), env=environment, check=True, timeout=600)
    running = subprocess.Popen(command(survey, tmp_path / "killed", paper), env=environment)
    checkpoint = tmp_path / "killed/checkpoint.pt"
    while not checkpoint.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed/model.pt").exists()
    done = subprocess.run(
        command(survey, tmp_path / "killed", paper), env=environment, capture_output=True, text=True, check=True
    )
    assert "going on after epoch" in done.stdout
    for name in ("model.pt", "model.json", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert len((tmp_path / "whole/history.csv").read_text().splitlines()) == EPOCHS + 1
