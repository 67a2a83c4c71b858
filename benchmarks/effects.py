"""What images add to photometry on the embedded sky, for each of `sky.effects`: one sky with it alone, one without any, one with all.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/effects.py --folder FOLDER [--only all none hosts] [--cores 2]

The network of images and photometry, the same network of photometry alone and extra trees are trained on the same splits. A
run takes five to ten minutes of two cores; in a folder that holds it already, it is only read.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from common import table
from main_job import job

from crossz.scores.intervals import corrected
from crossz.sky.survey import EFFECTS

SKIES = {"none": (), "all": EFFECTS} | {effect: (effect,) for effect in EFFECTS}
"""Effects of each sky."""
ALONE = {"phot+img_gen": ("crossmodal", "phot+img_gen"), "phot": ("phot", "phot"), "trees": ("extra_trees", "phot")}
"""Model and inputs of what sees photometry alone."""


def gains(metrics: pd.DataFrame) -> dict[str, str]:
    """RMSE with images, and by how much that of each of `ALONE` is larger, with its corrected 95 % interval."""
    rows = metrics[metrics["estimate"] == "mean"].set_index(["model", "inputs", "split"]).sort_index()
    rmse, sizes = rows["rmse"], rows.iloc[0]
    both = rmse.loc["crossmodal", "phot+img"]
    found = {"objects": f"{int(sizes[['n_train', 'n_val', 'n_test']].sum())}", "phot+img": f"{both.mean():.4f}"}
    for name, of in ALONE.items():
        difference = (rmse.loc[of] - both).to_numpy()
        low, high = corrected(difference, sizes["n_test"] / sizes["n_train"])
        text = f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
        found[name] = f"**{text}**" if low * high > 0 else text
    return found


def settings(dataset: str, effects: tuple[str, ...], quasars: int) -> dict:
    """Of one run."""
    return {
        "datasets": [dataset], "networks": ["crossmodal", "phot"], "sky": {"effects": list(effects), "quasars": quasars},
        "references": {"models": ["extra_trees"]}, "mml": {"run": False}, "stack": False,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="what is made is kept there, a folder for each sky")
    parser.add_argument("--only", nargs="+", choices=SKIES, default=list(SKIES))
    parser.add_argument("--dataset", default="quasars_all")
    parser.add_argument("--quasars", type=int, default=2000)
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only:
        where, path = arguments.folder / name, "results/metrics.csv"
        job(where, settings(arguments.dataset, SKIES[name], arguments.quasars), [path], cores=arguments.cores)
        found = gains(pd.read_csv(where / path))
        print(name, found, file=sys.stderr)
        rows.append((name, *found.values()))
    print(table(["effects", "objects", "phot+img", *(f"gain over {name}" for name in ALONE)], rows))


if __name__ == "__main__":
    main()
