"""A trained model as one folder that needs nothing else: weights, what is needed to use them, where they hold, and a card.

    SHA256SUMS           the digest of every other file, as `sha256sum -c` reads it
    bundle.json          network, scalers, temperatures, training domain, how it was made, and a probe
    split-0.safetensors  weights of the networks of each split
    card.md              for people

The sums guard against damage and mix-ups. Whoever forges a bundle can write sums that fit: against that, compare its
`fingerprint` with one that was published elsewhere. Nothing in a bundle is ever run or unpickled. Hidden files, which systems
leave in folders, are overlooked.
"""

import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crossz.apply.model_card import card
from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import atomic_path, read_json, sha256
from crossz.core.names import BANDS
from crossz.core.provenance import versions
from crossz.core.version import VERSION
from crossz.models import features as ft

if TYPE_CHECKING:
    import torch

    from crossz.models.crossmodal import CrossModal

log = logging.getLogger(__name__)

FORMAT = 1
"""Of the folder; a change that older code cannot read gets another number."""
SUMS, FACTS, CARD = "SHA256SUMS", "bundle.json", "card.md"
QUANTILES = (0.0, 0.01, 0.5, 0.99, 1.0)
"""Of each feature of the training objects, in the training domain."""
_COMMON = (
    "crossmodal",
    "train",
    "magnitudes",
    "columns",
    "classes",
    "seed",
)  # of model.json: what the splits of one network share
_TOLERANCE = 2e-3  # of ln(1 + z), between what a probe gets here and what it got where the bundle was made


def export(
    model_paths: Sequence[str | Path],
    info_paths: Sequence[str | Path],
    split_paths: Sequence[str | Path],
    catalog_path: str | Path,
    index_path: str | Path,
    receipt_path: str | Path,
    metrics_path: str | Path,
    record_path: str | Path,
    query_path: str | Path | None,
    folder: str | Path,
    *,
    dataset: str,
    network: str,
    align: str | None,
    references: Sequence[str],
) -> None:
    """Write the networks of all splits of one dataset as a bundle; equal inputs give equal bytes.

    Models, infos (model.json) and splits are in the same order; `align`: how the images of the training were aligned, None for a network
    that sees none; `references`: the models whose scores the card shows beside ours; `query_path`: SQL of the data, if it was a query.
    Raises CrosszError when the splits' networks were trained by different settings, or weights are not those of their info.
    """
    import torch
    import yaml
    from safetensors.torch import save

    from crossz.models.inference import load_networks

    infos = [read_json(path) for path in info_paths]
    common = {name: infos[0][name] for name in _COMMON if name in infos[0]}
    for path, info in zip(info_paths, infos, strict=True):
        if other := [name for name in _COMMON if info.get(name) != common.get(name)]:
            raise CrosszError(f"{path}: {', '.join(other)} differ from {info_paths[0]}; train all splits anew")
    files, splits, probes = {}, [], []
    for number, (paths, info) in enumerate(zip(zip(model_paths, info_paths, strict=True), infos, strict=True)):
        nets, _ = load_networks(*paths, torch.device("cpu"))
        weights = {
            f"{member}.{name}": value.contiguous()
            for member, net in enumerate(nets)
            for name, value in net.state_dict().items()
        }
        files[f"split-{number}.safetensors"] = save(weights)
        own = {name: value for name, value in info.items() if name not in (*_COMMON, "model_sha256")}
        splits.append({"weights": f"split-{number}.safetensors"} | own)
        probes.append(probe(nets, info))
    record = yaml.safe_load(Path(record_path).read_text())
    config, receipt = record["config"], read_json(receipt_path)
    facts = {"format": FORMAT, "crossz": VERSION, "dataset": dataset, "network": network} | common
    facts |= {
        "images": None if align is None else {"bands": BANDS, "pixels": 64, "align": align},
        "domain": domain(
            catalog_path,
            split_paths,
            index_path,
            common["magnitudes"],
            common["train"]["share"],
            common.get("columns", ()),
        ),
        "made": {
            "survey": config["survey"],
            "source": Path(receipt["source"]).name,
            "source_sha256": receipt.get("query_sha256") or receipt.get("source_sha256"),
            "splits": config["splits"],
            "code": record["code"],
            "versions": record["versions"] | versions("safetensors"),
            "record_sha256": sha256(record_path),
            "metrics_sha256": sha256(metrics_path),
        },
        "splits": splits,
        "probe": probes,
    }
    query = None if query_path is None else Path(query_path).read_text()
    files[FACTS] = (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode()
    files[CARD] = card(facts, pd.read_csv(metrics_path), references, query, Path(folder).name).encode()
    write(folder, files)
    size = sum(map(len, files.values()))
    log.info(f"{folder}: {len(splits)} splits, {size / 1e6:.1f} MB, fingerprint {fingerprint(folder)}")


def write(folder: str | Path, files: dict[str, bytes]) -> None:
    """Write `files` and their sums as a bundle, which appears whole under its name or not at all; replaces an older one.

    Raises CrosszError when something else is there.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / SUMS).is_file() or not any(folder.iterdir()))):
        raise CrosszError(f"{folder}: there is something else than a bundle; name another folder")
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        sums = _sums({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
        for name, content in (files | {SUMS: sums.encode()}).items():
            with open(temporary / name, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def check(folder: str | Path) -> dict:
    """What bundle.json says, after every byte of the folder was found to be what it was made as.

    Raises CrosszError that lists every file that is missing, does not belong there or has other bytes, or says that the
    folder is no bundle or of a format that this version of crossz cannot read.
    """
    folder = Path(folder)
    if folder.is_file():
        raise CrosszError(f"{folder}: a file; a bundle is a folder: unpack it first (python3 -m zipfile -e {folder} .)")
    if not folder.is_dir():
        raise CrosszError(f"{folder}: no such bundle")
    if not (folder / SUMS).is_file():
        raise CrosszError(f"{folder}: not a crossz bundle: it has no {SUMS}")
    text = (folder / SUMS).read_bytes().decode("ascii", "replace")
    listed = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  ([\w.-]+)$", text, re.MULTILINE)}
    problems = []
    if _sums(listed) != text:
        problems.append(f"{SUMS}: damaged")
    here = {path.name for path in _files(folder)} - {SUMS}
    for name in sorted(here | listed.keys()):
        if name not in here:
            problems.append(f"{name}: missing")
        elif name not in listed:
            problems.append(f"{name}: does not belong to the bundle")
        elif not (folder / name).is_file() or sha256(folder / name) != listed[name]:
            problems.append(f"{name}: not the bytes that the bundle was made with")
    if problems:
        problems[-1] += "\nget the bundle again, or make it again"
    fail_if(problems, str(folder))
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        kind, own = facts["format"], {FACTS, CARD, *(split["weights"] for split in facts["splits"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        kind, own = _format(folder / FACTS, error), set()
    if kind != FORMAT:
        raise CrosszError(
            f"{folder / FACTS}: a bundle of format {kind!r}; crossz {VERSION} reads format {FORMAT}: use the crossz that made it, or a newer one"
        )
    if own != here:
        raise CrosszError(f"{folder}: {', '.join(sorted(own ^ here))}: not what {FACTS} names; get the bundle again")
    return facts


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _format(path: Path, error: Exception) -> object:
    # A newer format may lack what this one needs: then its number is the better reason.
    try:
        kind = json.loads(path.read_bytes())["format"]
    except (OSError, ValueError, TypeError, KeyError):
        kind = FORMAT
    if kind == FORMAT:
        raise CrosszError(f"{path}: not a crossz bundle's, or cut: {error!r}; get the bundle again") from error
    return kind


def fingerprint(folder: str | Path) -> str:
    """The digest of all of a bundle, that of its sums: equal for equal bundles, and worth publishing beside one."""
    return sha256(Path(folder) / SUMS)


def load(folder: str | Path, device: "torch.device | None" = None) -> "list[tuple[list[CrossModal], dict]]":
    """The networks of every split, on `device` (default: machine.device()), as `predict.redshifts` takes them.

    Raises CrosszError for what `check` refuses, for weights that are no safetensors file or do not fit the network, and for
    networks that answer a probe otherwise than when they were exported.
    """
    import torch

    from crossz.models.device import choose_device

    facts = check(folder)
    ensemble = []
    for number, split in enumerate(facts["splits"]):
        path = Path(folder) / split["weights"]
        try:
            info = {name: facts[name] for name in _COMMON if name in facts} | split
            nets = _networks(path, info)
            found, told = probe(nets, info), facts["probe"][number]
            apart = max(_apart(found[inputs], told[inputs]) for inputs in found | told)
        except CrosszError:
            raise
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise CrosszError(f"{Path(folder) / FACTS}: incomplete ({error!r}); get the bundle again") from error
        if not apart <= _TOLERANCE:
            raise CrosszError(
                f"{path}: its networks answer otherwise than when they were exported (by {apart:.2g} of ln(1 + z) or of a probability); crossz {facts['crossz']} and torch "
                f"{facts['made']['versions']['torch']} made the bundle, here are crossz {VERSION} and torch {torch.__version__}: use the former"
            )
        device = choose_device() if device is None else device
        ensemble.append(([net.to(device, memory_format=torch.channels_last) for net in nets], info))
    return ensemble


def _networks(path: Path, info: dict) -> "list[CrossModal]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from crossz.models.inference import build

    try:
        weights = load_file(path)
        extra_columns = (info.get("columns", ()), info.get("classes", ()))
        nets = [build(info["crossmodal"], *extra_columns) for _ in info["members"]]
        for member, net in enumerate(nets):
            begin = f"{member}."
            net.load_state_dict(
                {name.removeprefix(begin): weights.pop(name) for name in [*weights] if name.startswith(begin)}
            )
            net.eval()
    except (SafetensorError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise CrosszError(
            f"{path}: not weights of the network that {FACTS} describes: {said[:300]}; get the bundle again"
        ) from error
    if weights:
        raise CrosszError(
            f"{path}: weights of more networks than {FACTS} names: {next(iter(weights))}; get the bundle again"
        )
    return nets


def probe(nets: "list[CrossModal]", info: dict) -> dict[str, dict[str, list[float]]]:
    """ln(1 + z_phot) and, of PDFs, the standard deviation, or the probabilities of classes, of four made-up objects from each input pattern.

    Weights and settings may be whole and yet mean something else to code that has changed: this tells.
    """
    import torch

    from crossz.models.data import load_part
    from crossz.models.inference import predict, recalibrated

    rng = np.random.default_rng(0)
    mag = rng.uniform(18.5, 21.0, 4)[:, None] + rng.uniform(-0.3, 0.3, (4, len(BANDS)))
    columns = {"objID": np.arange(4), "row": np.arange(4), "z": np.full(4, 2.0), "class": info.get("classes", [""])[0]}
    for number, band in enumerate(BANDS):
        own = {
            "dered": mag[:, number],
            "psfMag": mag[:, number] + 0.1,
            "psfMagErr": np.full(4, 0.04),
            "extinction": np.full(4, 0.1),
        }
        columns |= {f"{name}_{band}": values for name, values in own.items()}
    columns |= {name: rng.uniform(14.0, 18.0, 4) for name in info.get("columns", ())}
    columns["dered_u"][3] = columns["psfMag_u"][3] = np.nan
    r2 = ((np.mgrid[:64, :64] - 31.7) ** 2).sum(0)
    flux = 16 * 10 ** (0.4 * (22.5 - np.where(np.isnan(mag), 22.0, mag)))
    image = (flux[:, :, None, None] * np.exp(-r2 / 5) / (5 * np.pi)).astype(np.float16)
    mask = np.zeros((4, 64, 64), np.uint8)
    mask[2, :, 60:] = 1
    store = SimpleNamespace(gather=lambda rows: (image[rows], mask[rows]))
    estimates = predict(nets, load_part(pd.DataFrame(columns), store, info, torch.device("cpu")), info)
    answers = {}
    for inputs, estimate in estimates.items():
        if estimate.probability is not None:
            answers[inputs] = {"p": recalibrated(estimate, inputs, info).probability.round(6).tolist()}
            continue
        answers[inputs] = {"y": np.log1p(estimate.z_phot).round(6).tolist()}
        if estimate.pdf is not None:
            weight, mean, sigma = recalibrated(estimate, inputs, info).pdf
            variance = (weight * (sigma**2 + mean**2)).sum(1) - (weight * mean).sum(1) ** 2
            answers[inputs]["sd"] = np.sqrt(np.maximum(variance, 0)).round(6).tolist()
    return answers


def _apart(found: dict[str, list[float]], told: dict[str, list[float]]) -> float:
    return max(float(np.max(np.abs(np.subtract(found[name], told[name])))) for name in found | told)


def domain(
    catalog_path: str | Path,
    split_paths: Sequence[str | Path],
    index_path: str | Path,
    magnitudes: str,
    share: float,
    columns: Sequence[str] = (),
) -> dict:
    """Where the networks were trained: quantiles (QUANTILES) of redshift, photometry and extra `columns` of all training objects,
    None where there is no value; how many objects they are; the share of them that lacks each band."""
    from crossz.models.rows import subsample

    index = pd.read_parquet(index_path)
    usable = index.loc[index["status"] == "ok", "objID"]
    catalog = pd.read_parquet(catalog_path)
    seen = set()
    for path in split_paths:
        split = pd.read_parquet(path)
        chosen = split.loc[(split["subset"] == "train") & split["objID"].isin(usable), ["objID"]]
        seen |= set(subsample(chosen.sort_values("objID"), share)["objID"])
    rows = catalog[catalog["objID"].isin(seen)]
    phot = ft.photometry(rows, magnitudes)
    features = {"z": rows["z"].to_numpy(float)}
    features |= {f"mag_{band}": phot.mag[:, number] for number, band in enumerate(BANDS)}
    features |= {f"{a}-{b}": phot.colour[:, number] for number, (a, b) in enumerate(itertools.pairwise(BANDS))}
    features |= {f"err_{band}": phot.err[:, number] for number, band in enumerate(BANDS)}
    features["extinction_r"] = phot.extinction[:, BANDS.index("r")]
    features |= {name: rows[name].where(rows[name] > -9999).to_numpy(float) for name in columns}
    return {
        "objects": len(rows),
        "quantiles": list(QUANTILES),
        "features": {name: _quantiles(values) for name, values in features.items()},
        "missing": dict(zip(BANDS, phot.missing.mean(0).round(4).tolist(), strict=True)),
    }


def _quantiles(values: np.ndarray) -> list[float] | None:
    known = values[np.isfinite(values)]
    return np.quantile(known, QUANTILES).round(4).tolist() if len(known) else None


def pack(folder: str | Path, path: str | Path) -> None:
    """Write a checked bundle as one zip file: a release asset. Equal bundles give equal bytes: stored, sorted, without dates."""
    folder = Path(folder)
    check(folder)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in _files(folder):
            entry = zipfile.ZipInfo(f"{folder.name}/{file.name}")
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as Unix writes it, wherever this runs
            archive.writestr(entry, file.read_bytes())
