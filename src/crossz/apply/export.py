"""Export of the networks of a run as a bundle, with their training domain and the model card."""

import itertools
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import save

from crossz.apply import stacking
from crossz.apply.bundle import COMMON
from crossz.apply.bundle_folder import CARD, DOMAIN, FACTS, FORMAT, fingerprint, write
from crossz.apply.domain import THRESHOLD
from crossz.apply.model_card import markdown
from crossz.apply.probe import probe
from crossz.apply.weights import packed, unpacked
from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.errors import CrosszError
from crossz.core.files import read_json, sha256
from crossz.core.provenance import versions
from crossz.core.version import VERSION
from crossz.images.store import read_index
from crossz.models import features as ft
from crossz.models.inference import Networks, for_estimates, load_networks
from crossz.models.info import ModelInfo
from crossz.models.rows import subsample

log = logging.getLogger(__name__)

QUANTILES = (0.0, 0.01, 0.5, 0.99, 1.0)
"""Of each feature of the training objects, in the training domain."""


def export(
    *,
    models: Sequence[str | Path],
    infos: Sequence[str | Path],
    splits: Sequence[str | Path],
    catalog: str | Path,
    index: str | Path,
    receipt: str | Path,
    metrics: str | Path,
    record: str | Path,
    query: Sequence[str | Path],
    bundle: str | Path,
    dataset: str,
    network: str,
    align: str | None,
    references: Sequence[str],
    reference: str | Path,
    ensemble: str | Path | None = None,
    binned: str | Path | None = None,
    weights: str = "float32",
    notes: str | None = None,
    stack: Sequence[str | Path] = (),
) -> None:
    """Write the networks of all splits of one dataset as a bundle; equal inputs give equal bytes.

    Parameters
    ----------
    models, infos, splits
        model.pt, model.json and subsets of each split, in one order.
    catalog, index, receipt
        The rows, which of them have an image, and where they came from.
    metrics, record
        metrics.csv and run.yaml of the run.
    query
        The SQL file of the data; empty if it was no query.
    bundle
        The folder to write.
    dataset, network
        Their names.
    align
        How the images of the training were aligned; None of networks that see none.
    references
        Models whose scores the model card shows beside ours.
    reference
        The file of `domain.write_domain`: what the distance of new objects is measured from.
    ensemble
        The JSON file of `scores.ensemble`: temperatures and scores of all splits together.
    binned
        metrics_binned.csv of the run, whose bins of redshift the model card shows; None of classes.
    weights
        Number format of the weights: float32 or int8 (`apply.weights`).
    notes
        Markdown text for the model card: known failures, credit of the data.
    stack
        The files of `stacking.of_run`; nothing for a bundle of networks alone.

    Raises
    ------
    CrosszError
        The splits' networks were trained by different settings, or weights are not those of their info.
    """
    common = _common(infos)
    files: dict[str, bytes] = {}
    entries, probes = [], []
    for number, (model, info) in enumerate(zip(models, infos, strict=True)):
        networks = _exported(load_networks(model, info, torch.device("cpu")), weights)
        files[f"split-{number}.safetensors"] = _weights(networks, weights)
        content = networks.info.to_json()
        own = {name: value for name, value in content.items() if name not in (*COMMON, "model_sha256")}
        entries.append({"weights": f"split-{number}.safetensors"} | own)
        probes.append(probe(networks))
    files[DOMAIN] = Path(reference).read_bytes()
    covered = domain(catalog, splits, index, ModelInfo.read(infos[0]))
    covered |= {"reference": DOMAIN, "threshold": THRESHOLD}
    facts = {"format": FORMAT, "crossz": VERSION, "dataset": dataset, "network": network} | common
    facts |= {
        "images": None if align is None else {"bands": BANDS, "pixels": CUTOUT_SIZE, "align": align},
        "domain": covered,
        "made": _made(record, receipt, metrics),
        "splits": entries,
        "probe": probes,
    }
    facts |= {} if ensemble is None else {"ensemble": read_json(ensemble)}
    files |= _with_stack(facts, stack)
    sql = next((Path(path).read_text() for path in query), None)
    files[FACTS] = (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode()
    bins = pd.read_csv(binned) if binned else None
    card = markdown(facts, pd.read_csv(metrics), references, sql, Path(bundle).name, binned=bins, notes=notes)
    files[CARD] = card.encode()
    write(bundle, files)
    size = sum(map(len, files.values()))
    log.info(f"{bundle}: {len(entries)} splits, {size / 1e6:.1f} MB, fingerprint {fingerprint(bundle)}")


def _with_stack(facts: dict[str, Any], stack: Sequence[str | Path]) -> dict[str, bytes]:
    """The files of a stack; `facts` name them."""
    if not stack:
        return {}
    trees, facts["stack"] = stack[:-2], stacking.facts_of(stack)
    names = [f"trees-{number}.safetensors" for number in range(len(trees))]
    for split, name in zip(facts["splits"], names, strict=True):
        split["trees"] = name
    return {name: Path(path).read_bytes() for name, path in zip(names, trees, strict=True)}


def _common(infos: Sequence[str | Path]) -> dict[str, Any]:
    contents = [read_json(path) for path in infos]
    first = {name: contents[0][name] for name in COMMON if name in contents[0]}
    for path, content in zip(infos, contents, strict=True):
        if other := [name for name in COMMON if content.get(name) != first.get(name)]:
            raise CrosszError(f"{path}: {', '.join(other)} differ from {infos[0]}; train all splits anew")
    return first


def _exported(networks: Networks, weights: str) -> Networks:
    """The networks as a bundle has them: without what only training needs, their weights rounded."""
    nets = [for_estimates(net, networks.info) for net in networks.members]
    for net in nets:
        net.load_state_dict(unpacked(packed(net.state_dict(), weights)))
    return networks._replace(members=nets)


def _weights(networks: Networks, weights: str) -> bytes:
    return save(
        {
            f"{number}.{name}": value
            for number, net in enumerate(networks.members)
            for name, value in packed(net.state_dict(), weights).items()
        }
    )


def _made(record: str | Path, receipt: str | Path, metrics: str | Path) -> dict[str, Any]:
    run, source = yaml.safe_load(Path(record).read_text()), read_json(receipt)
    return {
        "survey": run["config"]["survey"],
        "source": Path(source["source"]).name,
        "source_sha256": source.get("query_sha256") or source.get("source_sha256"),
        "splits": run["config"]["splits"],
        "code": run["code"],
        "versions": run["versions"] | versions("safetensors"),
        "record_sha256": sha256(record),
        "metrics_sha256": sha256(metrics),
    }


def domain(catalog: str | Path, splits: Sequence[str | Path], index: str | Path, info: ModelInfo) -> dict[str, Any]:
    """Where the networks of `info` were trained.

    Returns
    -------
    dict
        objects: how many trained them; quantiles: QUANTILES; features: these quantiles of redshift, photometry and extra
        columns, None where there is no value; missing: the share of objects that lacks each band.
    """
    usable = read_index(index).loc[lambda rows: rows["status"] == OK, "objID"]
    trained: list[pd.Series] = []
    for path in splits:
        split = pd.read_parquet(path)
        chosen = split.loc[(split["subset"] == "train") & split["objID"].isin(usable), ["objID"]]
        trained.append(subsample(chosen.sort_values("objID"), info.train["share"])["objID"])
    rows = pd.read_parquet(catalog)
    rows = rows[rows["objID"].isin(pd.concat(trained))]
    phot = ft.photometry(rows, info.magnitudes)
    features = {"z": rows["z"].to_numpy(float)}
    features |= {f"mag_{band}": phot.mag[:, number] for number, band in enumerate(BANDS)}
    features |= {f"{a}-{b}": phot.colour[:, number] for number, (a, b) in enumerate(itertools.pairwise(BANDS))}
    features |= {f"err_{band}": phot.err[:, number] for number, band in enumerate(BANDS)}
    features["extinction_r"] = phot.extinction[:, BANDS.index("r")]
    features |= {name: rows[name].where(rows[name] > -9999).to_numpy(float) for name in info.columns}
    return {
        "objects": len(rows),
        "quantiles": list(QUANTILES),
        "features": {name: _quantiles(values) for name, values in features.items()},
        "missing": dict(zip(BANDS, phot.missing.mean(0).round(4).tolist(), strict=True)),
    }


def _quantiles(values: np.ndarray) -> list[float] | None:
    known = values[np.isfinite(values)]
    return np.quantile(known, QUANTILES).round(4).tolist() if len(known) else None
