"""Bundles as the start of a training (train.start): zip files, weights, and what is no bundle."""

import copy
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from helpers import ROOT

from attacks import weights, zips
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from attacks.material import NETWORK, OF_IMAGES, copied, facts_changed, forged, unpacked
from crossz.apply import named_files
from crossz.apply.networks import FOLDER
from crossz.apply.start import write_start
from crossz.core.errors import CrosszError
from crossz.models import start

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def cases() -> Iterator[Case]:
    for name, (content, wants) in {**zips.entries(), **zips.damage()}.items():
        yield _case(f"zip: {name}", "b.zip", content, wants)
    for name, change in {**weights.arrays(), **weights.damage()}.items():
        folder = forged(lambda folder, change=change: weights.rewrite(folder / weights.WEIGHTS, change))
        yield _case(f"weights: {name}", "b", folder, ACCEPTED if name == "as they are" else EITHER)
    for name, (content, wants) in _others().items():
        yield _case(name, "b", content, wants)


def _case(name: str, network: str, content: Content, wants: str) -> Case:
    return Case(name, functools.partial(_start, network), {network: content}, wants, check=_sound)


def _start(network: str) -> None:
    """What a run does with train.start: it looks at the bundle before any job, and a job writes its weights."""
    config = copy.deepcopy(DEFAULT)
    config["train"]["start"] = network
    if found := named_files.problems(config):
        raise CrosszError(found[0])
    write_start(network=network, start="start.pt")


def _sound() -> None:
    """The weights are finite numbers, and few."""
    networks = start.read("start.pt")
    assert 0 < len(networks) <= 100, len(networks)
    for arrays in networks:
        assert all(bool(torch.isfinite(array).all()) for array in arrays.values()), "weights that are not finite"
        assert sum(array.numel() for array in arrays.values()) < 1e8, "too many weights"


def _others() -> dict[str, tuple[Content, str]]:
    def without(name: str) -> Content:
        return lambda folder: (unpacked(folder), (folder / name).unlink())

    def cut(name: str) -> Content:
        return lambda folder: (unpacked(folder), os.truncate(folder / name, 1000))

    def instead(name: str, make: str) -> Content:
        """A bundle in which one file is something else."""

        def write(folder: Path) -> None:
            unpacked(folder)
            path = folder / name
            path.rename(folder.with_name("aside"))
            {
                "FIFO": lambda: os.mkfifo(path),
                "folder": path.mkdir,
                "link to itself": lambda: path.symlink_to(name),
                "link to it": lambda: path.symlink_to("../aside"),
                "link to /dev/zero": lambda: path.symlink_to("/dev/zero"),
                "link to /etc/passwd": lambda: path.symlink_to("/etc/passwd"),
            }[make]()

        return write

    found: dict[str, tuple[Content, str]] = {
        "of photometry": (unpacked, ACCEPTED),
        "of images": (lambda folder: unpacked(folder, OF_IMAGES), ACCEPTED),
        "an honest zip file": (copied(FOLDER / f"{NETWORK}.zip"), ACCEPTED),
        "a link to an honest folder": (lambda path: (unpacked(path.with_name("c")), path.symlink_to("c")), ACCEPTED),
        "nothing": (b"", REFUSED),
        "text": (b"a bundle", REFUSED),
        "a pickle": (b"\x80\x02cos\nsystem\n(S'touch hacked'\ntR.", REFUSED),
        "weights of torch": (lambda path: torch.save({"a": torch.zeros(3)}, path), REFUSED),
        "an empty folder": (lambda path: path.mkdir(), REFUSED),
        "a folder in a folder": (lambda path: unpacked(path / "b"), REFUSED),
        "a FIFO": (os.mkfifo, REFUSED),
        "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), REFUSED),
        "a link to itself": (lambda path: path.symlink_to(path.name), REFUSED),
        "a link to /dev/zero": (lambda path: path.symlink_to("/dev/zero"), REFUSED),
        "another survey": (facts_changed(lambda facts: facts["made"].update(survey="cutouts")), EITHER),
        "other magnitudes": (facts_changed(lambda facts: facts.update(magnitudes="dered_model")), EITHER),
        "of classes": (facts_changed(lambda facts: facts.update(classes=["QSO", "STAR"])), REFUSED),
        "answers of NaN": (forged(_without_answers), REFUSED),
        "NaN in one network of many": (forged(_one_nan), REFUSED),
        "without checksums, but a file of them": (lambda folder: (unpacked(folder), (folder / "SHA256SUMS").write_text("")), REFUSED),
        "weights of another bundle": (lambda folder: (unpacked(folder), _swapped(folder)), REFUSED),
    }  # fmt: skip
    for name in ("SHA256SUMS", "bundle.json", weights.WEIGHTS):
        found[f"without {name}"] = without(name), REFUSED
        found[f"a cut {name}"] = cut(name), REFUSED
        for make in ("FIFO", "folder", "link to itself", "link to it", "link to /dev/zero", "link to /etc/passwd"):
            found[f"{name} is a {make}"] = instead(name, make), REFUSED
    return found


def _without_answers(folder: Path) -> None:
    """NaN weights, and a probe that expects them."""
    weights.rewrite(folder / weights.WEIGHTS, weights.arrays()["NaN"])
    facts = (folder / "bundle.json").read_text()
    (folder / "bundle.json").write_text(facts.replace('"probe": [', '"probe": [NaN, ', 1))


def _one_nan(folder: Path) -> None:
    last = sorted(folder.glob("split-*.safetensors"))[-1]
    weights.rewrite(last, weights.arrays()["one NaN"])


def _swapped(folder: Path) -> None:
    other = folder.with_name("other")
    unpacked(other, OF_IMAGES)
    shutil.copy(other / weights.WEIGHTS, folder / weights.WEIGHTS)
