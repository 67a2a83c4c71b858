"""Where a training that was ended goes on, to the same bytes."""

import hashlib
import json
import logging
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crossz.core.files import atomic_path
from crossz.images.store import sampled_digest
from crossz.models import distributed
from crossz.models.data import Part
from crossz.models.info import ModelInfo

log = logging.getLogger(__name__)

_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError),  # of zipfile
    *(RuntimeError, pickle.UnpicklingError, KeyError),  # of torch.load
)


@dataclass(frozen=True)
class Checkpoint:
    """Where a training that was ended goes on."""

    path: Path
    fingerprint: str
    """Of data, code and settings: a checkpoint of others is not taken up."""

    def read(self) -> dict[str, Any] | None:
        """What an earlier run left, or None. A damaged file is set aside under the name *.damaged."""
        if not self.path.exists():
            return None
        try:
            point = _loaded(self.path)
        except _DAMAGED as error:
            why = " ".join(str(error).split())[:150]
            distributed.wait()  # until every process has seen it
            aside = self.path.with_name(f"{self.path.name}.damaged")
            log.warning(f"{self.path}: damaged ({why}); set aside as {aside.name}; starting anew")
            if distributed.number() == 0:
                os.replace(self.path, aside)
            return None
        if point["fingerprint"] != self.fingerprint:
            log.info(f"{self.path}: a checkpoint of other data, code or settings; starting anew")
            return None
        log.info(f"{self.path}: going on after epoch {point['running']['state']['epoch']}")
        return point

    def write(self, members: list[dict[str, Any]], running: dict[str, Any]) -> None:
        """Keep the finished networks and the one that is in training."""
        if distributed.number() == 0:
            with atomic_path(self.path) as temporary:
                torch.save({"fingerprint": self.fingerprint, "members": members, "running": running}, temporary)


def _loaded(path: Path) -> dict[str, Any]:
    # torch.save writes a zip file; torch.load looks at none of its checksums: a flipped bit would become a weight.
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {name}")
    point: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return point


def fingerprint(info: ModelInfo, code: str, parts: Sequence[Part], cutouts: Sequence[str | Path]) -> str:
    """Digest of all that a training depends on: description, code, training and validation part, images, version of torch."""
    # Labels of the test part do not enter: permuting them must leave every byte of the training alone.
    digest = hashlib.sha256(json.dumps([info.to_json(), code, torch.__version__], sort_keys=True).encode())
    for part in parts:
        digest.update(part.objID.tobytes() + part.truth.tobytes())
        digest.update(part.inputs.x_mag.cpu().numpy().tobytes() + part.inputs.x_colour.cpu().numpy().tobytes())
    for path in cutouts:
        digest.update(sampled_digest(path).encode())
    return digest.hexdigest()
