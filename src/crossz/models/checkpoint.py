"""Where a training that was ended goes on, to the same bytes."""

import hashlib
import io
import json
import logging
import os
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

_DIGEST_BYTES = 32  # of SHA-256, before the rest


@dataclass(frozen=True)
class Checkpoint:
    """Where a training that was ended goes on."""

    path: Path
    fingerprint: str
    """Of data, code and settings: a checkpoint of others is not taken up."""

    def read(self) -> dict[str, Any] | None:
        """What an earlier run left, or None. A damaged file is set aside under the name *.damaged."""
        if not self.path.is_file():
            return None
        content = self.path.read_bytes()
        digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            distributed.wait()  # until every process has seen it
            aside = self.path.with_name(f"{self.path.name}.damaged")
            log.warning(f"{self.path}: a damaged checkpoint; set aside as {aside.name}; starting anew")
            if distributed.number() == 0:
                os.replace(self.path, aside)
            return None
        point: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if point["fingerprint"] != self.fingerprint:
            log.info(f"{self.path}: a checkpoint of other data, code or settings; starting anew")
            return None
        log.info(f"{self.path}: going on after epoch {point['running']['state']['epoch']}")
        return point

    def write(self, members: list[dict[str, Any]], running: dict[str, Any]) -> None:
        """Keep the finished networks and the one that is in training."""
        if distributed.number() == 0:
            buffer = io.BytesIO()  # torch's own file would hide that a disk is full, and that a byte has changed
            torch.save({"fingerprint": self.fingerprint, "members": members, "running": running}, buffer)
            content = buffer.getvalue()
            with atomic_path(self.path) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)


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
