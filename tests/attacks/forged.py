"""Bundles whose words were forged, with checksums that agree: bundle.json, card, names of files."""

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bundles import forge

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import CSV, OF_IMAGES, all_are, facts_changed, forged, predicting, unpacked

SCRIPT = "<script>alert(1)</script>"
_VALUES: dict[str, Any] = {
    "null": None, "a word": "x", "0": 0, "-1": -1, "1e9": 10**9, "1e308": 1e308, "true": True, "an empty list": [], "an empty object": {},
    "NaN": math.nan, "Infinity": math.inf, "a script": SCRIPT, "an escape": "\x1b[31m", "20 digits": 10**20, "a list of null": [None],
}  # fmt: skip
_PLACES = (
    "format", "crossz", "dataset", "network", "crossmodal", "crossmodal.backbone", "crossmodal.image_mlp_layers", "crossmodal.attention",
    "crossmodal.attention_layers", "crossmodal.z_patterns", "crossmodal.hidden_layers", "crossmodal.head", "crossmodal.components",
    "crossmodal.target", "train", "train.members", "magnitudes", "features", "seed", "images", "domain", "domain.objects",
    "domain.quantiles", "domain.features", "domain.features.z", "domain.missing", "domain.reference", "domain.threshold", "made", "made.survey", "made.versions",
    "splits", "splits.0", "splits.0.weights", "splits.0.format", "splits.0.n", "splits.0.scalers", "splits.0.scalers.x_mag", "splits.0.scalers.x_mag.centre",
    "splits.0.scalers.x_mag.width", "splits.0.scalers.x_colour.width", "splits.0.scalers.z", "splits.0.temperature", "splits.0.members", "probe", "probe.0",
    "ensemble", "ensemble.temperature", "ensemble.scores", "columns", "classes",
)  # fmt: skip
_SOME = ("null", "a word", "1e308", "an empty list")  # of most places


def cases() -> Iterator[Case]:
    for place in _PLACES:
        for name in _SOME if "." in place or place in ("crossmodal", "train", "made") else _VALUES:
            yield _predict(
                f"{place} is {name}",
                facts_changed(lambda facts, place=place, name=name: _set(facts, place, _VALUES[name])),
            )
        if place not in ("crossz", "train", "seed", "columns", "classes"):
            yield _predict(f"{place} is not there", facts_changed(lambda facts, place=place: _drop(facts, place)))
    for name, (change, wants) in _changes().items():
        yield _predict(name, facts_changed(change), wants)
    for place in (
        "stack",
        "stack.splits",
        "stack.ensemble.temperature",
        "splits.0.trees",
        "splits.0.scalers.sky_noise",
        "images.pixels",
    ):
        for name in _VALUES:
            yield _predict(
                f"of images: {place} is {name}",
                facts_changed(lambda facts, place=place, name=name: _set(facts, place, _VALUES[name]), OF_IMAGES),
            )
    yield from _folders()
    yield from _shown()


def _predict(name: str, folder: Callable[[Path], object], wants: str = EITHER, *words: str) -> Case:
    return predicting(name, "t.csv", CSV, wants, *words, files={"b": folder}, network="b")


def _at(facts: Any, place: str) -> tuple[Any, Any]:
    *parts, last = (int(part) if part.isdigit() else part for part in place.split("."))
    for part in parts:
        facts = facts[part] if isinstance(facts, list) else facts.setdefault(part, {})
    return facts, last


def _set(facts: dict, place: str, value: Any) -> None:
    where, last = _at(facts, place)
    where[last] = value


def _drop(facts: dict, place: str) -> None:
    where, last = _at(facts, place)
    if isinstance(where, list) or last in where:
        del where[last]


def _changes() -> dict[str, tuple[Callable[[dict], object], str]]:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    return {
        "honest": (lambda facts: None, ACCEPTED),
        "a key more": (lambda facts: facts.update(other=1), ACCEPTED),
        "100,000 keys more": (lambda facts: facts.update({f"k{n}": n for n in range(100_000)}), EITHER),
        "lists in each other": (lambda facts: facts.update(other=deep), EITHER),
        "a text of 3 MB": (lambda facts: facts.update(other="x" * 3_000_000), EITHER),
        "a text of 5 MB": (lambda facts: facts.update(other="x" * 5_000_000), REFUSED),
        "a million layers": (lambda facts: facts["crossmodal"].update(attention_layers=10**6), REFUSED),
        "vit_h_14": (lambda facts: facts["crossmodal"].update(backbone="vit_h_14", z_patterns="all"), REFUSED),
        "other patterns": (lambda facts: facts["crossmodal"].update(z_patterns="all"), REFUSED),
        "patterns of images": (lambda facts: facts["crossmodal"].update(z_patterns="img"), REFUSED),
        "another head": (lambda facts: facts["crossmodal"].update(head="point"), REFUSED),
        "another target": (lambda facts: facts["crossmodal"].update(target="z"), EITHER),
        "other magnitudes": (lambda facts: facts.update(magnitudes="dered_model"), REFUSED),
        "magnitudes of a file": (lambda facts: facts.update(magnitudes="../../etc/passwd"), REFUSED),
        "no splits": (lambda facts: facts.update(splits=[]), REFUSED),
        "a split fewer": (lambda facts: facts["splits"].pop(), REFUSED),
        "a split twice": (lambda facts: facts["splits"].append(facts["splits"][0]), REFUSED),
        "1,000 splits of one file": (lambda facts: facts.update(splits=[facts["splits"][0]] * 1000, probe=[facts["probe"][0]] * 1000), REFUSED),
        "a thousand members": (lambda facts: facts["splits"][0].update(members=[{}] * 1000), REFUSED),
        "weights elsewhere": (lambda facts: facts["splits"][0].update(weights="../../etc/passwd"), REFUSED),
        "weights by a full path": (lambda facts: facts["splits"][0].update(weights="/etc/passwd"), REFUSED),
        "weights that are the card": (lambda facts: facts["splits"][0].update(weights="card.md"), REFUSED),
        "the weights of another split": (lambda facts: facts["splits"][0].update(weights="split-1.safetensors"), REFUSED),
        "a domain elsewhere": (lambda facts: facts["domain"].update(reference="../../etc/passwd"), EITHER),
        "classes": (lambda facts: facts.update(classes=["STAR", "GALAXY", "QSO"]), REFUSED),
        "columns that no table has": (lambda facts: facts.update(columns=["x"]), REFUSED),
        "10,000 columns": (lambda facts: facts.update(columns=[f"c{n}" for n in range(10_000)]), REFUSED),
        "a probe of NaN": (lambda facts: facts["probe"][0]["phot"].update(z_mean=[math.nan] * 4), REFUSED),
        "a probe of infinities": (lambda facts: facts["probe"][0].update(phot={"z": [math.inf] * 4}), REFUSED),
        "a probe of nothing": (lambda facts: facts["probe"][0].update(phot={}), REFUSED),
        "a probe of other patterns": (lambda facts: facts["probe"][0].update({"<script>": {"z": [1]}}), REFUSED),
        "widths of 0": (lambda facts: facts["splits"][0]["scalers"].update(x_mag={"centre": [[0.0] * 3] * 5, "width": [[0.0] * 3] * 5}), REFUSED),
        "a temperature of 0": (lambda facts: facts["ensemble"]["temperature"].update(phot=0), REFUSED),
        "a temperature of 1e300": (lambda facts: facts["ensemble"]["temperature"].update(phot=1e300), EITHER),
        "a temperature of 1e-300": (lambda facts: facts["ensemble"]["temperature"].update(phot=1e-300), EITHER),
        "a threshold of 1": (lambda facts: facts["domain"].update(threshold=1), REFUSED),
        "redshifts of the training that decrease": (lambda facts: facts["domain"]["features"].update(z=[9.0, 1.0]), EITHER),
        "a count of 5,000 digits": (lambda facts: facts["domain"].update(objects=10**4000), REFUSED),
        "scores of words": (lambda facts: facts["ensemble"].update(scores={"phot": {"rmse": "low"}}), REFUSED),
        "scores of scripts": (lambda facts: facts["ensemble"].update(scores={SCRIPT: {"rmse": 1.0, "n": 1}}), EITHER),
        "scores of a list": (lambda facts: facts["ensemble"].update(scores=[1]), REFUSED),
    }  # fmt: skip


def _text(content: bytes, name: str = "bundle.json") -> Callable[[Path], None]:
    return forged(lambda folder: (folder / name).write_bytes(content))


def _folders() -> Iterator[Case]:
    texts = {"nothing": b"", "no JSON": b"x", "a list": b"[]", "a number": b"1", "null": b"null", "deep": b'{"a":' * 100_000, "two objects": b"{}{}", "no UTF-8": b'{"a": "\xff"}', "UTF-16": "{}".encode("utf-16"), "a number of 5,000 digits": b'{"format": ' + b"1" * 5000 + b"}", "1e999": b'{"format": 1e999}', "format alone": b'{"format": 3}', "a newer format": b'{"format": 99}', "a key twice": b'{"format": 99, "format": 3}'}  # fmt: skip
    for name, content in texts.items():
        for command in ("info", "predict"):
            folder = _text(content)
            yield (
                _predict(f"predict: bundle.json of {name}", folder, REFUSED)
                if command == "predict"
                else Case(f"info: bundle.json of {name}", ["info", "b"], {"b": folder})
            )
    sums = {
        "nothing": b"",
        "words": b"x",
        "no UTF-8": b"\xff\xfe",
        "1 MB": b"0" * 10**6,
        "other files": b"0" * 64 + b"  ../../etc/passwd\n",
        "an escape": b"0" * 64 + b"  \x1b[31m\n",
    }
    for name, content in sums.items():

        def broken(folder: Path, content: bytes = content) -> None:
            unpacked(folder)
            (folder / "SHA256SUMS").write_bytes(content)

        yield Case(f"SHA256SUMS of {name}", ["info", "b"], {"b": broken})
    changes: dict[str, Callable[[Path], object]] = {
        "a link": lambda folder: ((folder / "card.md").unlink(), (folder / "card.md").symlink_to("/etc/hostname")),
        "a link in a circle": lambda folder: (
            (folder / "card.md").unlink(),
            (folder / "card.md").symlink_to("card.md"),
        ),
        "a FIFO": lambda folder: ((folder / "card.md").unlink(), os.mkfifo(folder / "card.md")),
        "a folder": lambda folder: (folder / "more").mkdir(),
        "a file more": lambda folder: (folder / "run.py").write_text("import os"),
        "a name with an escape": lambda folder: (folder / "\x1b[31m").write_text(""),
        "a name that is no UTF-8": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text(""),
        "a card of 5 MB": lambda folder: (folder / "card.md").write_text("x" * 5_000_000),
        "a card that is not there": lambda folder: (folder / "card.md").unlink(),
        "10,000 files": lambda folder: [(folder / f"x{n}").touch() for n in range(10_000)],
    }
    for name, change in changes.items():
        yield Case(f"folder with {name}", ["info", "b"], {"b": forged(change)}, REFUSED)
    yield Case("a link to SHA256SUMS", ["info", "b"], {"b": _link_of_sums})
    yield Case("hidden files", ["info", "b"], {"b": forged(lambda folder: None), "b/.DS_Store": b"x"}, ACCEPTED)


def _link_of_sums(folder: Path) -> None:
    unpacked(folder)
    forge(folder)
    (folder / "SHA256SUMS").rename(folder.parent / "sums")
    (folder / "SHA256SUMS").symlink_to("../sums")


def _shown() -> Iterator[Case]:
    """Words of a bundle that a terminal or a page would show."""
    cards = {
        "escapes": "\x1b]0;x\x07\x9b31m",
        "no UTF-8": "\udcff",
        "right to left": "\u202e",
        "NUL": "\0",
        "a script": SCRIPT,
    }
    for name, text in cards.items():
        yield Case(
            f"a card with {name}",
            ["info", "b"],
            {"b": _text(f"# a card {text}\n".encode(errors="surrogateescape"), "card.md")},
            ACCEPTED,
        )
    for place in (
        "dataset",
        "network",
        "crossz",
        "made.source",
        "made.survey",
        "made.versions.torch",
        "domain.reference",
    ):
        for name, text in {
            "a script": SCRIPT,
            "an escape": "\x1b[31m",
            "a formula": "=1+1",
            "a line end": "a\nb",
        }.items():
            folder = facts_changed(lambda facts, place=place, text=text: _set(facts, place, text))
            yield predicting(
                f"page: {place} of {name}",
                "t.csv",
                CSV,
                EITHER,
                "--page",
                files={"b": folder},
                network="b",
                check=_no_script,
            )
    scores = facts_changed(lambda facts: facts["ensemble"].update(scores={SCRIPT: {"rmse": 1.0, "n": 1}}))
    yield predicting(
        "page: scores of a script", "t.csv", CSV, EITHER, "--page", files={"b": scores}, network="b", check=_no_script
    )
    for suffix in (".fits", ".vot", ".ecsv", ".parquet"):
        yield predicting(
            f"scores of a script in {suffix}",
            "t.csv",
            CSV,
            EITHER,
            files={"b": scores},
            network="b",
            out=f"out{suffix}",
            check=all_are("ok", out=f"out{suffix}"),
        )


def _no_script() -> None:
    assert SCRIPT not in Path("out.html").read_text()
    assert "\x1b" not in json.dumps(Path("out.csv").read_text(), ensure_ascii=False)
