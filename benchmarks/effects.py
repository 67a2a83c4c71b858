"""What images add to photometry on the embedded sky, for each of `sky.effects`: one sky with it alone, one without any, one with all.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/effects.py [--only all none] [--quasars 4000] [--backbone growth]
        [--epochs 8] [--cores 2] [--folder /tmp/effects] [--output effects.json]

The network of images and photometry, the same network of photometry alone and extra trees are trained on the same splits. Each
sky has a subfolder; a run that was interrupted goes on there, and one that is done is only read.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from common import table
from main_job import job

from crossz.core.names import APERTURES
from crossz.core.provenance import versions
from crossz.scores.intervals import corrected
from crossz.sky.survey import EFFECTS

SKIES = {"none": (), "all": EFFECTS} | {effect: (effect,) for effect in EFFECTS}
"""Effects of each sky."""
ALONE = {"phot+img_gen": ("crossmodal", "phot+img_gen"), "phot": ("phot", "phot"), "trees": ("extra_trees", "phot")}
"""Model and inputs of what sees photometry alone."""
SCORES = {"rmse": ("mean", 1), "crps": ("mean", 1), "frac_lt_0.1": ("median", -1)}
"""Of which estimate each score is, and 1 where less is better. The mean of a PDF with two peaks lies between them, so that few
means are within 0.1."""


def gains(metrics: pd.DataFrame, score: str) -> dict[str, str]:
    """A score with images, and by how much it is worse for each of `ALONE`, with its corrected 95 % interval."""
    estimate, sign = SCORES[score]
    rows = metrics[metrics["estimate"] == estimate].set_index(["model", "inputs", "split"]).sort_index()
    values, sizes = rows[score] * sign, rows.iloc[0]
    both = values.loc["crossmodal", "phot+img"]
    found = {"objects": f"{int(sizes[['n_train', 'n_val', 'n_test']].sum())}", "score": score}
    found["phot+img"] = f"{abs(both.mean()):.4f}"
    for name, of in ALONE.items():
        difference = (values.loc[of] - both).to_numpy()
        low, high = corrected(difference, sizes["n_test"] / sizes["n_train"])
        text = f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
        found[name] = f"**{text}**" if low * high > 0 else text
    return found


def settings(dataset: str, effects: tuple[str, ...], quasars: int, backbone: str, epochs: int) -> dict:
    """Of one run."""
    return {
        "datasets": [dataset], "networks": ["crossmodal", "phot"], "sky": {"effects": list(effects), "quasars": quasars},
        "crossmodal": {"backbone": backbone}, "train": {"epochs": epochs, "patience": epochs},
        "references": {"models": ["extra_trees"]}, "stack": False,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SKIES, default=list(SKIES))
    parser.add_argument("--dataset", default="quasars_all")
    parser.add_argument("--quasars", type=int, default=4000)
    parser.add_argument("--backbone", choices=APERTURES, default="growth")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/effects"))
    parser.add_argument("--output", type=Path, default=Path("effects.json"))
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only:
        where, path = arguments.folder / name, "results/metrics.csv"
        job(
            where,
            settings(arguments.dataset, SKIES[name], arguments.quasars, arguments.backbone, arguments.epochs),
            [path],
            cores=arguments.cores,
        )
        metrics = pd.read_csv(where / path)
        rows += [(name, *gains(metrics, score).values()) for score in SCORES]
    result = {
        "quasars": arguments.quasars, "backbone": arguments.backbone, "epochs": arguments.epochs,
        "versions": versions("snakemake", "torch", "numpy"), "rows": rows,
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(["effects", "objects", "score", "phot+img", *(f"gain over {name}" for name in ALONE)], rows))


if __name__ == "__main__":
    main()
