"""train.compile: a backbone by torch.compile trains the same network; compiling takes most of a minute."""

import pytest
import torch
import toy
from toy import CROSSMODAL, TRAIN

from crossz.images.store import ImageStore
from crossz.models import inference, training
from crossz.models.data import fit_scalers, load_part
from crossz.models.device import compile_once
from crossz.models.info import ModelInfo
from crossz.models.rows import load_rows


def test_a_compiled_backbone_trains_the_same_network(tmp_path, monkeypatch):
    survey = toy.write(tmp_path / "toy")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    store = ImageStore(survey.index, survey.cutouts)
    rows = load_rows(survey.catalog, survey.split, store)[:60]
    info = ModelInfo(
        crossmodal=CROSSMODAL | {"z_patterns": "img"}, train=TRAIN | {"batch_size": 30}, magnitudes="dered_model",
        seed=1, n={}, scalers={},
    )  # fmt: skip
    info = info.with_fields(scalers=fit_scalers(rows, store, info))
    part, losses = load_part(rows, store, info, torch.device("cpu")), []
    for compiled in (False, True):
        torch.manual_seed(3)
        net = inference.build(info)
        if compiled:
            compile_once(net.encode_img.cnn)
        optimizer = torch.optim.SGD(net.parameters(), 0.01)
        losses.append(training.train_epoch(net, optimizer, part, info, 0))
        losses[-1] |= {name: float(value.double().norm()) for name, value in net.state_dict().items()}
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-6)
