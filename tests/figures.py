"""What the tests of figures share: tables to draw, and the words of a figure."""

from statistics import NormalDist

import numpy as np
import pandas as pd
from matplotlib.text import Text

from crossz.estimates.estimates import Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions


def draw_twice(write, tmp_path, name):
    """Have `write` write the figure `name` twice; the bytes must be equal. Returns those of the PNG."""
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        paths = [folder / f"{name}.{suffix}" for suffix in ("png", "pdf")]
        write(paths)
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    png, pdf = made[0]
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")
    return png


def predictions(folder, model, inputs, splits=2, n=150, mixture=True, seed=0):
    """Paths of .../baseline/{model}/{split}/{inputs}.parquet: `n` test objects, the same in each split, with a PIT spread evenly."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.uniform(0.8, 1.5, (n, 1)), rng.uniform(0.03, 0.2, (n, 1))
    quantiles = rng.permutation([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    z = np.expm1(centre[:, 0] + sigma[:, 0] * quantiles)
    rows = pd.DataFrame({"objID": np.arange(n) + 10**18, "z": z, "subset": "test"})
    paths = [folder / f"baseline/{model}/{split}/{inputs}.parquet" for split in range(splits)]
    for path in paths:
        mixtures = Mixture(np.ones((n, 1)), centre, sigma)
        write_predictions(path, rows, Pdf(mixtures) if mixture else Point(np.expm1(centre[:, 0])))
    return paths


def words(figure):
    """All text of a figure."""
    return " ".join(text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in figure.findobj(Text))


def binned_rows(model, inputs, rmse, empty=False):
    """Rows of metrics_binned.csv by redshift; `empty`: the last bin has three objects and no scores."""
    lows = np.arange(1.0, 4.0, 0.5)
    rows = pd.DataFrame({"dataset": "baseline", "model": model, "inputs": inputs, "by": "z", "low": lows})
    rows = rows.assign(high=lows + 0.5, n=50)
    for name in ("rmse", "sigma_nmad", "bias_median", "outlier_0.15"):
        rows[name], rows[f"{name}_err"] = rmse, 0.01
    if empty:
        rows.loc[5, ["rmse", "sigma_nmad", "bias_median", "outlier_0.15"]] = np.nan
        rows.loc[5, "n"] = 3
    return rows


def history(epochs, best, names=("phot+img", "phot_gen+img"), adversary=True):
    """A history.csv of so many epochs, the smallest score in epoch `best`."""
    epoch = np.arange(epochs)
    score = 0.05 + 0.01 * np.abs(epoch - best)
    columns = {"member": 0, "epoch": epoch, "learning_rate": 1e-3, "loss": 1.0, "redshift": 0.5, "score": score}
    if adversary:
        columns |= {"extinction": 1.0, "adversarial": 0.7, "accuracy": 0.3}
    return pd.DataFrame(columns | {f"val {name}": 0.1 + 0.01 * np.abs(epoch - best) for name in names})


def metrics_rows(model, inputs, rmse, fraction=0.8):
    """Rows of metrics.csv of two splits."""
    columns = {"dataset": "baseline", "model": model, "inputs": inputs, "split": [0, 1]}
    return pd.DataFrame(columns | {"rmse": [rmse - 0.01, rmse + 0.01], "sigma_nmad": rmse / 2, "frac_lt_0.1": fraction})
