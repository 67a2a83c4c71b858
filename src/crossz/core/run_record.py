"""The run record, `results/run.yaml`: what made the numbers beside it."""

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from crossz.core.files import atomic_path, read_json
from crossz.core.provenance import versions

DISTRIBUTIONS = (
    "snakemake",
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "astropy",
    "reproject",
)


def write_run_record(
    path: str | Path,
    config: dict,
    code: dict[str, str],
    counts_paths: Iterable[str | Path],
    info_paths: Iterable[str | Path],
) -> None:
    """Write the merged configuration, code digests, versions, seed, counts, devices and best epochs.

    Nothing in it depends on when or where the run was made, so that an equal run gives equal bytes.

    Parameters
    ----------
    path
        The run record.
    config
        The merged configuration.
    code
        Module -> digest of its code.
    counts_paths
        What rules counted, as JSON.
    info_paths
        model.json of every trained network.
    """
    infos = {_name(Path(path).parent): read_json(path) for path in info_paths}
    content = {
        "config": config,
        "seed": config["seed"],
        "code": code,
        "versions": versions(*DISTRIBUTIONS),
        "device": sorted({info["device"] for info in infos.values()}),
        "counts": {_name(path): read_json(path) for path in counts_paths},
        "models": {
            name: {key: info[key] for key in ("n", "members", "best_epoch", "model_sha256") if key in info}
            for name, info in infos.items()
        },
    }
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _name(path: str | Path) -> str:
    # From the folder `results` on: a job reads its copy of a file of a bucket at .snakemake/storage/s3/BUCKET/results/...
    return "results/" + re.split("(?:^|/)results/", Path(path).as_posix(), maxsplit=1)[-1]
