"""Bundles of small networks, from a made-up record of a run."""

import pandas as pd
import toy
import yaml

from crossz.apply import domain, export
from crossz.apply.bundle_folder import SUMS
from crossz.core.files import sha256, write_json
from crossz.models import training

REFERENCES = ["mean", "knn"]


def trained(survey, folder, *, classes=(), columns=(), **settings):
    """[model.pt], [model.json] of two networks of two members on the same split; `settings`: of `crossmodal`."""
    models, infos = [], []
    for number in (0, 1):
        arguments = toy.arguments(
            survey,
            folder / str(number),
            crossmodal=toy.CROSSMODAL | settings,
            training=toy.TRAIN | {"epochs": 2, "members": 2},
            photometry=toy.PHOTOMETRY | {"columns": list(columns)},
            classes=classes,
            seed=7,
        )
        training.train(**arguments)
        models.append(arguments["model"])
        infos.append(arguments["info"])
    return models, infos


def scores():
    """A metrics.csv of two splits with easy means and standard deviations."""
    names = ("rmse", "frac_lt_0.1", "frac_lt_0.2", "bias_mean", "sigma_nmad", "outlier_0.15")
    models = (("crossmodal", "phot+img", 0.1), ("knn", "phot", 0.3), ("random_forest", "phot", 0.7777))
    rows = []
    for model, inputs, rmse in models:
        for split, offset in ((0, 0.0), (1, 0.02)):
            row = {"dataset": "toy", "model": model, "inputs": inputs, "split": split}
            row |= dict.fromkeys(names, rmse + offset)
            if model == "crossmodal":
                row |= {"crps": 0.05, "coverage_68": 0.66 + offset, "coverage_95": 0.94, "pit_ks": 0.03}
            rows.append(row)
    return pd.DataFrame(rows)


def exported(survey, networks, folder, *, query=(), scored=None, **changes):
    """A bundle in `folder`, from a made-up record of a run beside it; `changes`: arguments of `export`."""
    beside = folder.parent / f"{folder.name}.run"
    beside.mkdir(parents=True)
    (scores() if scored is None else scored).to_csv(beside / "metrics.csv", index=False)
    record = {
        "config": {
            "survey": "cutouts",
            "splits": {"count": 2, "fractions": [0.6, 0.2, 0.2]},
            "catalog": {"files": {"toy": "/home/me/secret.csv"}},
        },
        "code": {"training": "0123456789ab"},
        "versions": {"torch": "2.11.0"},
    }
    (beside / "run.yaml").write_text(yaml.safe_dump(record))
    write_json(beside / "receipt.json", {"source": "/home/me/quasars.csv", "source_sha256": "beef"})
    models, infos = networks
    domain.write_domain(**survey._asdict(), info=infos[0], domain=beside / "domain.safetensors")
    arguments = {
        "models": models,
        "infos": infos,
        "splits": [survey.split] * 2,
        "catalog": survey.catalog,
        "index": survey.index,
        "receipt": beside / "receipt.json",
        "metrics": beside / "metrics.csv",
        "record": beside / "run.yaml",
        "query": query,
        "bundle": folder,
        "dataset": "toy",
        "network": "crossmodal",
        "align": "fourier",
        "references": REFERENCES,
        "reference": beside / "domain.safetensors",
    }
    export.export(**arguments | changes)
    return folder


def forge(folder):
    """Give a folder checksums of the files that it holds now."""
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS and path.is_file())
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text(lines, errors="surrogateescape")
