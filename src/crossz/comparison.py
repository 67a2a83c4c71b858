"""Every model against the main network, on the same objects: ablations and references with a paired bootstrap."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.files import atomic_path
from crossz.metrics import score
from crossz.samples import bootstrap, dz, read_predictions

SCORES = ["rmse", "sigma_nmad"]
RESAMPLES = 500
_SHARE = 0.95  # of the bootstrap's differences that an interval holds


def compared(ours: pd.DataFrame, theirs: pd.DataFrame, seed: int) -> dict[str, float]:
    """Scores of `ours` minus those of `theirs`, with 95 % intervals: {score}, {score}_low, {score}_high, n (objects).

    Both: objID, split, z_spec, z_phot of test rows, of the same objects and splits. Objects are drawn with replacement,
    for both alike, so that what makes an object hard for both cancels.
    """
    rows = ours.merge(theirs[["objID", "split", "z_phot"]], on=["objID", "split"], validate="one_to_one")
    z_spec = rows["z_spec"].to_numpy()
    a, b = (dz(rows[name].to_numpy(), z_spec) for name in ("z_phot_x", "z_phot_y"))

    def difference(some: np.ndarray) -> np.ndarray:
        return _scores(a[some]) - _scores(b[some])

    found = np.array([difference(some) for some in bootstrap(rows["objID"].to_numpy(), seed, RESAMPLES)])
    low, high = np.quantile(found, [(1 - _SHARE) / 2, (1 + _SHARE) / 2], axis=0)
    result = {"n": int(rows["objID"].nunique())}
    for k, (name, value) in enumerate(zip(SCORES, difference(np.arange(len(rows))), strict=True)):
        result |= {f"d_{name}": value, f"d_{name}_low": low[k], f"d_{name}_high": high[k]}
    return result


SAME_DATA = {"phot": "phot+img_gen", "phot+spec_gen": "phot+img_gen", "img": "phot_gen+img"}
"""The row of the main network that sees no more than a model with these inputs does."""


def _scores(error: np.ndarray) -> np.ndarray:
    """SCORES of dz [n], as metrics.score has them and nothing else: a bootstrap asks a thousand times."""
    return np.array([np.sqrt(np.mean(error**2)), 1.4826 * np.median(np.abs(error - np.median(error)))])


def comparison(prediction_paths: Iterable[str | Path], main: str, seed: int) -> pd.DataFrame:
    """Mean scores over the splits of each dataset, model and inputs, and their difference from the network `main`.

    One row per difference: `against` the first row of `main` (phot+img), and against the one that sees the same data, where
    that is another. Test parts of all splits together.
    """
    tests: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for dataset, model, split, inputs, table in read_predictions(prediction_paths):
        test = table.loc[table["subset"] == "test", ["objID", "z_spec", "z_phot"]].assign(split=split)
        tests.setdefault((dataset, model, inputs), []).append(test)
    rows = []
    for (dataset, model, inputs), parts in tests.items():
        theirs = [key[2] for key in tests if key[:2] == (dataset, main)]
        scores = pd.DataFrame([score(part["z_spec"].to_numpy(), part["z_phot"].to_numpy()) for part in parts])[SCORES]
        row = {"dataset": dataset, "model": model, "inputs": inputs, "splits": len(parts)}
        row |= scores.mean().to_dict() | scores.std(ddof=1).fillna(0.0).add_suffix("_sd").to_dict()
        same = SAME_DATA.get(inputs, inputs)
        for against in dict.fromkeys([theirs[0], same if same in theirs else theirs[0]]):
            if (model, inputs) == (main, against):
                found = {"n": int(pd.concat(parts)["objID"].nunique())}
            else:
                found = compared(pd.concat(parts), pd.concat(tests[dataset, main, against]), seed)
            if against == theirs[0] or (model, inputs) != (main, against):
                rows.append(row | {"against": against} | found)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, main: str) -> str:
    """The comparison as a page: a table a dataset, differences whose interval leaves out 0 in bold."""
    first = table["against"].iloc[0]
    lines = ["# Every model against the main network", ""]
    lines += [
        f"Mean ± sd over the splits, and the difference from `{main}` on the same test objects with the 95 % interval of a paired bootstrap",
        f"over objects: from its row {first}, and from its row that sees the same data (phot+img_gen beside a model of photometry alone).",
        "Positive: worse than the main network. Bold: the interval leaves out 0.",
    ]
    for dataset, part in table.groupby("dataset", sort=False):
        head = f"| model | inputs | RMSE | Δ from {first} | sigma_nmad | Δ from {first} | Δ RMSE at the same data |"
        lines += ["", f"## {dataset}", "", head, "|---" * 7 + "|"]
        for (model, inputs), rows in part.groupby(["model", "inputs"], sort=False):
            row, same = rows.iloc[0], rows.iloc[-1]
            cells = [model, inputs]
            for name in SCORES:
                cells += [f"{row[name]:.4f} ± {row[name + '_sd']:.4f}", _difference(row, name)]
            cells.append(_difference(same, "rmse") if len(rows) > 1 or same["inputs"] == first else "—")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _difference(row: pd.Series, name: str) -> str:
    value, low, high = (row[f"d_{name}{end}"] for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return "—"
    text = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def write_comparison(
    prediction_paths: Iterable[str | Path], csv_path: str | Path, markdown_path: str | Path, main: str, seed: int
) -> None:
    """Write the comparison as CSV and as Markdown."""
    table = comparison(prediction_paths, main, seed)
    text = markdown(table, main)
    with atomic_path(csv_path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_path(markdown_path) as temporary:
        temporary.write_text(text)
    print(text, flush=True)
