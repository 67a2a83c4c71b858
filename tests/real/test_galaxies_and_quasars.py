"""Real SDSS galaxies and quasars, photometry alone, through the pipeline: classes, and redshifts of the galaxies."""

import subprocess
import sys

import numpy as np
import pandas as pd
import yaml
from project import copied, environment

from crossz.core.constants import BANDS
from crossz.scores.metrics import headline

REFERENCES = ["knn", "random_forest", "gradient_boosting", "mlp"]
MINE = {
    "splits": {"count": 1},
    "train": {"batch_size": 256},
    "references": {"models": REFERENCES},
    "photometry": {"magnitudes": "dered_model"},
}


def catalog(sdss) -> pd.DataFrame:
    """10,000 of the 30,000 objects as a finished query. The file has no ids, places, errors or extinctions: these are made up, and the same for all."""
    rows = pd.read_csv(sdss / "catalog/galaxies_and_quasars.csv.gz").sample(10_000, random_state=1)
    number = np.arange(len(rows)) + 1
    made = {"objID": number, "specObjID": number, "ra": number % 1000 * 0.3, "dec": number // 1000 * 0.5}
    for band in BANDS:
        made |= {f"{name}_{band}": rows[band] for name in ("dered", "psfMag")}
        made |= {f"psfMagErr_{band}": 0.02, f"extinction_{band}": 0.0}
    told = {"z": rows["redshift"], "zErr": rows["redshift_err"].clip(lower=1e-6), "class": rows["spec_class"]}
    return pd.DataFrame(made | told)


def metrics(where, rows, *overlays, **changed):
    copied(where)
    (where / "data").mkdir()
    rows.to_csv(where / "data/quasars.csv", index=False)
    (where / "mine.yaml").write_text(yaml.safe_dump(MINE | changed))
    command = ["--cores", "4", "--configfile", "config/photometry.yaml", *overlays, "mine.yaml", "--"]
    command += ["results/metrics.csv"]
    subprocess.run(
        [sys.executable, "-m", "snakemake", *command], cwd=where, env=environment(), check=True, timeout=1200
    )
    return headline(pd.read_csv(where / "results/metrics.csv")).set_index("model")


def test_galaxies_and_quasars_are_told_apart_as_well_as_by_the_best_reference(sdss, tmp_path):
    found = metrics(tmp_path, catalog(sdss), "config/classes.yaml", datasets=["quasars"], classes=["GALAXY", "QSO"])
    assert found.loc["phot", "accuracy"] > found.loc[REFERENCES, "accuracy"].max() - 0.005
    assert found.loc["phot", "log_loss"] < 1.15 * found.loc[REFERENCES, "log_loss"].min()


def test_redshifts_of_galaxies_are_as_good_as_those_of_the_best_reference(sdss, tmp_path):
    rows = catalog(sdss)
    found = metrics(tmp_path, rows[(rows["class"] == "GALAXY") & (rows["z"] > 0)])
    assert found.loc["phot", "sigma_nmad"] < 1.05 * found.loc[REFERENCES, "sigma_nmad"].min()
