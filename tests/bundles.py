"""Bundles of small networks, from a made-up record of a run."""

import pandas as pd
import yaml
from toy import CROSSMODAL, TRAIN

from crossz.apply import bundle
from crossz.core.files import write_json
from crossz.models import training

REFERENCES = ["mean", "knn"]


def trained(survey, folder, more=None, **settings):
    """[model.pt], [model.json] of two networks of two members on the same split; `more`: arguments of train."""
    made = [[folder / f"{number}.{name}" for name in ("pt", "json", "csv", "resume")] for number in (0, 1)]
    folder.mkdir(exist_ok=True)
    for paths in made:
        given = {
            "crossmodal": CROSSMODAL | settings,
            "training": TRAIN | {"epochs": 2, "members": 2},
            "magnitudes": "dered_model",
        }
        training.train(*survey, *paths, **given | (more or {}), seed=7, code="code")
    return [paths[0] for paths in made], [paths[1] for paths in made]


def scores():
    """A metrics.csv of two splits with easy means and standard deviations."""
    rows = []
    for model, inputs, rmse in (
        ("crossmodal", "phot+img", 0.1),
        ("knn", "phot", 0.3),
        ("random_forest", "phot", 0.7777),
    ):
        for split, more in ((0, 0.0), (1, 0.02)):
            names = ("rmse", "frac_lt_0.1", "frac_lt_0.2", "bias_mean", "sigma_nmad", "outlier_0.15")
            row = {"dataset": "toy", "model": model, "inputs": inputs, "split": split} | dict.fromkeys(
                names, rmse + more
            )
            pdf = {"crps": 0.05, "coverage_68": 0.66 + more, "coverage_95": 0.94, "pit_ks": 0.03}
            rows.append(row | pdf if model == "crossmodal" else row)
    return pd.DataFrame(rows)


def exported(survey, networks, folder, query=None, scored=None, **changes):
    """A bundle in `folder`, from a made-up record of a run beside it."""
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
    settings = {"dataset": "toy", "network": "crossmodal", "align": "fourier", "references": REFERENCES} | changes
    bundle.export(
        *networks, [survey.split] * 2, survey.catalog, survey.index, beside / "receipt.json", beside / "metrics.csv", beside / "run.yaml",
        query, folder, **settings,
    )  # fmt: skip
    return folder
