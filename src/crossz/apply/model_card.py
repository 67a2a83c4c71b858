"""The model card of a bundle: what the networks were trained on, how good they are, where they hold, how to use them."""

from collections.abc import Sequence

import pandas as pd

_SCORES = {
    "rmse": "RMSE",
    "frac_lt_0.1": "dz < 0.1",
    "frac_lt_0.2": "dz < 0.2",
    "bias_mean": "bias",
    "sigma_nmad": "sigma_nmad",
    "outlier_0.15": "outliers",
    "crps": "CRPS",
}
_CLASS_SCORES = {"accuracy": "accuracy", "log_loss": "log loss", "roc_auc": "ROC-AUC"}
_CALIBRATION = {"coverage_68": "68 % sets cover", "coverage_95": "95 % sets cover", "pit_ks": "PIT, KS distance"}


def card(facts: dict, metrics: pd.DataFrame, references: Sequence[str], query: str | None, name: str) -> str:
    """Markdown. `facts`: bundle.json; `metrics`: metrics.csv; `references`: models whose rows stand beside the network's."""
    made, domain, splits = facts["made"], facts["domain"], facts["splits"]
    ours = metrics[(metrics["dataset"] == facts["dataset"]) & (metrics["model"] == facts["network"])]
    theirs = metrics[(metrics["dataset"] == facts["dataset"]) & metrics["model"].isin(references)]
    z, classes = domain["features"]["z"], facts.get("classes")
    what = f"Classes ({', '.join(classes)})" if classes else "Photometric redshifts"
    sections = [
        f"# {name}",
        f"{what} by the network `{facts['network']}` of crossz {facts['crossz']}, after Zhang, Wang, Qu, Zhang & Jiang (2023), "
        f"trained on {domain['objects']:,} objects of the dataset `{facts['dataset']}`, {z[0]:.2f} <= z <= {z[-1]:.2f}. "
        f"{len(splits)} split(s) of {len(splits[0]['members'])} network(s) each; their PDFs are averaged.",
        *(["**Made from a synthetic sky: for trials, not for real objects.**"] if made["survey"] == "embedded" else []),
        "## How to use it",
        f"```sh\ncrossz predict {name} targets.csv redshifts.parquet\n```",
        f'```python\nfrom crossz import bundle, predict\n\ntable = predict.redshifts(targets, bundle.load("{name}"))\n```',
        f"Needs {_columns(facts['magnitudes'])}{_extra(facts.get('columns'))} of each object{_images(facts['images'])}.",
        "## Data",
        f"Survey `{made['survey']}`, source {made['source']} (SHA-256 {made['source_sha256']}).",
        *([f"```sql\n{query.strip()}\n```"] if query else []),
        f"Random splits of {' / '.join(f'{part:.0%}' for part in made['splits']['fractions'])} into training, validation and test part; objIDs of one "
        "quasar stay together. Scalers are fitted on the training part, the epoch and the temperatures are chosen on the validation part.",
        _table(["split", *splits[0]["n"]], [[number, *split["n"].values()] for number, split in enumerate(splits)]),
        "## Scores",
        "On the test part, mean ± sd over the splits; dz = (z_phot - z_spec) / (1 + z_spec). Below the network, models of photometry alone on the same "
        "objects and splits. Each row scores the networks of single splits: all of them together have seen every object, so that their "
        "mean, which is what a bundle gives, cannot be scored on them. To be expected: RMSE and CRPS a little better, sets a little wide.",
        _scores(pd.concat([ours, theirs]), _CLASS_SCORES if classes else _SCORES),
        "## Calibration",
        *_calibration(ours, splits, {} if classes else _CALIBRATION),
        "## Training domain",
        f"Quantiles of the {domain['objects']:,} training objects. What lies far outside is flagged `out_of_domain` in the predictions; do not trust it.",
        _domain(domain),
        "## Limits",
        _limits(facts),
        "## How it was made",
        _made(facts),
        "## Licence",
        "BSD 3-clause, as crossz itself. Please cite the paper (CITATION.cff), and acknowledge SDSS for its data.",
    ]
    return "\n\n".join(sections) + "\n"


def _columns(magnitudes: str) -> str:
    return {
        "dered_model": "`dered_u ... dered_z` (dereddened model magnitudes) and `psfMagErr_u ... psfMagErr_z`",
        "psf": "`psfMag_u ... psfMag_z`, `psfMagErr_u ... psfMagErr_z` and `extinction_u ... extinction_z`",
    }[magnitudes]


def _extra(columns: list[str] | None) -> str:
    return f" and {', '.join(f'`{name}`' for name in columns)} (empty where unknown)" if columns else ""


def _images(images: dict | None) -> str:
    if images is None:
        return "; the network sees no image"
    return (
        f"; better with its image, {images['pixels']} x {images['pixels']} pixels in {', '.join(images['bands'])}, in nanomaggies, not dereddened, bands aligned by "
        f"`{images['align']}`: `--cutouts FILE.arrow`. Without one, its features are generated from the photometry (`phot+img_gen`)"
    )


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _scores(metrics: pd.DataFrame, columns: dict[str, str]) -> str:
    rows = []
    for (model, inputs), group in metrics.groupby(["model", "inputs"], sort=False):
        mean, sd = group[[*columns]].mean(), group[[*columns]].std(ddof=1).fillna(0.0)
        cells = ["" if pd.isna(mean[name]) else f"{mean[name]:.4f} ± {sd[name]:.4f}" for name in columns]
        rows.append([model, inputs, *cells])
    return _table(["model", "inputs", *columns.values()], rows)


def _calibration(ours: pd.DataFrame, splits: list[dict], scores: dict[str, str]) -> list[str]:
    if "temperature" not in splits[0]:
        return ["None: the network gives a point, no PDF."]
    rows = [
        [inputs, *(f"{split['temperature'][inputs]:.3f}" for split in splits)] for inputs in splits[0]["temperature"]
    ]
    return [
        *([_scores(ours, scores)] if scores else []),
        "One temperature an input pattern, chosen on the validation part, scales every sigma of a PDF, or flattens the probabilities of classes:",
        _table(["inputs", *(f"split {number}" for number in range(len(splits)))], rows),
    ]


def _domain(domain: dict) -> str:
    head = ["feature", *({0: "min", 1: "max"}.get(q, f"{100 * q:g} %") for q in domain["quantiles"])]
    rows = [[name, *(values or ["-"] * len(domain["quantiles"]))] for name, values in domain["features"].items()]
    missing = ", ".join(f"{band} {share:.2%}" for band, share in domain["missing"].items())
    return f"{_table(head, rows)}\n\nWithout a magnitude: {missing}."


def _limits(facts: dict) -> str:
    z = facts["domain"]["features"]["z"]
    alone = [
        "* Whether an object is of the kind trained on is not decided here: a star gets a redshift too, a wrong one.",
        f"* Redshifts outside {z[0]:.2f} ... {z[-1]:.2f} are never found, whatever the object; near these ends estimates lean inwards.",
    ]
    return "\n".join(
        [
            *(["* Every object gets one of these classes, whatever it is."] if "classes" in facts else alone),
            "* PDFs and probabilities are calibrated for objects as the training's: its cuts, its depth, its mixture of redshifts. Of another selection they are too narrow or too wide.",
            "* Spectroscopic samples lack what was too faint or too odd for a spectrum; so does this.",
            "* The sums guard against damage, not against somebody who writes new ones: compare the fingerprint (`crossz info`) with a published one.",
        ]
    )


def _made(facts: dict) -> str:
    made, crossmodal, train = facts["made"], facts["crossmodal"], facts["train"]
    rows = [
        ["seed", facts["seed"]],
        ["device", ", ".join(sorted({split["device"] for split in facts["splits"]}))],
        [
            "best epochs",
            ", ".join(str(member["best_epoch"]) for split in facts["splits"] for member in split["members"]),
        ],
        ["magnitudes", facts["magnitudes"]],
        *([name, value] for name, value in crossmodal.items()),
        *(["train." + name, value] for name, value in train.items()),
        *(["code of " + name, digest] for name, digest in made["code"].items()),
        *([name, version] for name, version in made["versions"].items()),
        ["SHA-256 of run.yaml", made["record_sha256"]],
        ["SHA-256 of metrics.csv", made["metrics_sha256"]],
    ]
    return _table(["what", "value"], rows)
