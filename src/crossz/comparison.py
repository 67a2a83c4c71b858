"""Every model against the main network, on the same objects: ablations and references with a paired bootstrap."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.files import atomic_path
from crossz.metrics import score
from crossz.samples import bootstrap, read_predictions

SCORES = ["rmse", "sigma_nmad"]
RESAMPLES = 1000
_SHARE = 0.95  # of the bootstrap's differences that an interval holds


def compared(ours: pd.DataFrame, theirs: pd.DataFrame, seed: int) -> dict[str, float]:
    """Scores of `ours` minus those of `theirs`, with 95 % intervals: {score}, {score}_low, {score}_high, n (objects).

    Both: objID, split, z_spec, z_phot of test rows, of the same objects and splits. Objects are drawn with replacement,
    for both alike, so that what makes an object hard for both cancels.
    """
    rows = ours.merge(theirs[["objID", "split", "z_phot"]], on=["objID", "split"], validate="one_to_one")
    columns = [rows[name].to_numpy() for name in ("z_spec", "z_phot_x", "z_phot_y")]

    def difference(some: np.ndarray) -> list[float]:
        z, a, b = (column[some] for column in columns)
        first, second = score(z, a), score(z, b)
        return [first[name] - second[name] for name in SCORES]

    found = np.array([difference(some) for some in bootstrap(rows["objID"].to_numpy(), seed, RESAMPLES)])
    low, high = np.quantile(found, [(1 - _SHARE) / 2, (1 + _SHARE) / 2], axis=0)
    result = {"n": int(rows["objID"].nunique())}
    for k, (name, value) in enumerate(zip(SCORES, difference(np.arange(len(rows))), strict=True)):
        result |= {f"d_{name}": value, f"d_{name}_low": low[k], f"d_{name}_high": high[k]}
    return result


def comparison(prediction_paths: Iterable[str | Path], main: str, seed: int) -> pd.DataFrame:
    """One row per dataset, model and inputs: mean scores over the splits, and their difference from the network `main`.

    A row is compared with the row of `main` of the same inputs (`against`), or with its first (phot+img) where it has
    no such inputs, and so are the further rows of `main`. Test parts of all splits together.
    """
    tests: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for dataset, model, split, inputs, table in read_predictions(prediction_paths):
        test = table.loc[table["subset"] == "test", ["objID", "z_spec", "z_phot"]].assign(split=split)
        tests.setdefault((dataset, model, inputs), []).append(test)
    rows = []
    for (dataset, model, inputs), parts in tests.items():
        theirs = [key for key in tests if key[:2] == (dataset, main)]
        against = (dataset, main, inputs) if model != main and (dataset, main, inputs) in theirs else theirs[0]
        scores = pd.DataFrame([score(part["z_spec"].to_numpy(), part["z_phot"].to_numpy()) for part in parts])[SCORES]
        row = {"dataset": dataset, "model": model, "inputs": inputs, "splits": len(parts)}
        row |= scores.mean().to_dict() | scores.std(ddof=1).fillna(0.0).add_suffix("_sd").to_dict()
        if (dataset, model, inputs) != against:
            row |= {"against": against[2]} | compared(pd.concat(parts), pd.concat(tests[against]), seed)
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, main: str) -> str:
    """The comparison as a page: a table a dataset, differences whose interval leaves out 0 in bold."""
    lines = ["# Every model against the main network", ""]
    lines += [
        f"Mean ± sd over the splits, and the difference from `{main}` of the same inputs (or of those named) on the same test objects,",
        "with the 95 % interval of a paired bootstrap over objects. Positive: worse than the main network. Bold: the interval leaves out 0.",
    ]
    for dataset, rows in table.groupby("dataset", sort=False):
        lines += [
            "",
            f"## {dataset}",
            "",
            "| model | inputs | splits | RMSE | Δ RMSE | sigma_nmad | Δ sigma_nmad | against |",
        ]
        lines.append("|---" * 8 + "|")
        for _, row in rows.iterrows():
            cells = [row["model"], row["inputs"], str(row["splits"])]
            for name in SCORES:
                cells += [f"{row[name]:.4f} ± {row[name + '_sd']:.4f}", _difference(row, name)]
            lines.append("| " + " | ".join([*cells, row["against"] if isinstance(row["against"], str) else "—"]) + " |")
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
