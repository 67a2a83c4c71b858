"""README's table of what reruns, row by row, on the graphs of finished runs whose scripts only write their files' names."""

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from project import ROOT, copied, environment
from snakemake import api

from crossz.core import provenance

SCRIPT = """from pathlib import Path
for name in snakemake.output:
    path = Path(name)
    path.write_text(name) if path.suffix else path.mkdir(parents=True)
"""
ONE = {"plan": {"shards": 1}, "splits": {"count": 1}, "references": {"models": ["mean"]}}
EMBEDDED = ONE | {"networks": ["crossmodal", "point", "integer"]}
ARCHIVE = ONE | {"survey": "sdss", "catalog": {"backend": "casjobs"}, "mml": {"run": False}}

# Rules, from the last to the first: what a change of each kind reaches.
RECORD = {"metrics", "figure_scores"}
SCORES = RECORD | {"metrics_binned", "comparison"}
NETWORKS = SCORES | {"train", "evaluate", "figure_estimates", "figure_network", "figure_gallery"}
MODELS = NETWORKS | {"references", "mml"}
SPLITS = MODELS | {"splits"}
IMAGES = SPLITS | {"images", "gate"}
ALIGNED = IMAGES | {"cutouts"}
STAMPS = ALIGNED | {"cutouts_aligned", "stamps"}
CATALOG = STAMPS | {"catalog", "plan", "spectra", "figure_redshifts"}
SKY = CATALOG | {"embedded_sky", "embedded_spectra", "query"}

ROWS: dict[str, list[tuple[dict, set[str]]]] = {
    "`sky` or `seed`": [({"sky": {"quasars": 300}}, SKY), ({"seed": 1}, SKY)],
    "a file of `workflow/sql/`": [({"file": "workflow/sql/baseline.sql"}, CATALOG | {"query"})],
    "`catalog.group_radius_arcsec`": [({"catalog": {"group_radius_arcsec": 2.0}}, CATALOG)],
    "`stamps.edges`": [({"stamps": {"edges": "mask"}}, STAMPS)],
    "`cutouts.max_loss`": [({"cutouts": {"max_loss": 0.9}}, RECORD)],
    "`cutouts.align`, or a function in `src/crossz/cutouts.py`": [
        ({"cutouts": {"align": "reproject"}}, ALIGNED),
        ({"file": "src/crossz/cutouts.py"}, ALIGNED | {"cutouts_aligned"}),
    ],
    "`splits`": [({"splits": {"fractions": [0.5, 0.25, 0.25]}}, SPLITS)],
    "`photometry.magnitudes`": [({"photometry": {"magnitudes": "psf"}}, MODELS)],
    "`photometry.columns`": [({"photometry": {"columns": ["pm"]}}, CATALOG | {"query"})],
    "`crossmodal`, `train`": [({"crossmodal": {"dropout": 0.1}}, NETWORKS), ({"train": {"epochs": 3}}, NETWORKS)],
    "`networks`, `variants`": [
        ({"networks": [*EMBEDDED["networks"], "softmax"]}, SCORES | {"train softmax", "evaluate softmax"}),
        ({"variants": {"point": {"crossmodal": {"head": "point", "dropout": 0.1}}}}, SCORES | {"train point", "evaluate point"}),
        ({"networks": ["crossmodal", "point"]}, SCORES),
    ],
    "`references`, `mml`": [
        ({"references": {"models": ["mean", "knn"]}}, SCORES | {"references"}),
        ({"mml": {"epochs": 3}}, SCORES | {"mml"}),
    ],
    "a comment or a docstring of a module": [({"file": "src/crossz/binned.py"}, {"metrics_binned", "figure_scores"})],
}  # fmt: skip
"""First cell of a row: changes (of the configuration, or a comment more in a file), and the rules that run. `train point`: of that model alone."""
ARCHIVE_ROWS = {
    "`archive`, `catalog.backend`, `stamps.fetch`": [
        ({"archive": {"sas": ["https://example.org/sas"], "attempts": 2}}, set()),
        ({"catalog": {"backend": "skyserver"}}, RECORD),
        ({"stamps": {"fetch": "blocks"}}, RECORD),
        ({"archive": {"context": "DR18"}}, (CATALOG | {"archive_query"}) - {"spectra", "mml", "cutouts_aligned"}),
    ],
}
BOTH = {"stamps": {"edges": "mask"}, "splits": {"fractions": [0.5, 0.25, 0.25]}, "train": {"epochs": 3}}


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A function: finishes a run and gives a function from changes to the rules that they rerun."""

    def make(config: dict) -> Callable[[dict], set[str]]:
        copied(tmp_path)
        for script in (tmp_path / "workflow/scripts").glob("*.py"):
            script.write_text(SCRIPT)
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--cores", "4", "--configfile", "run.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment())
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "src/crossz")  # the digests are those of the copy's code
        monkeypatch.chdir(tmp_path)
        return lambda changes: reruns(tmp_path, config, changes)

    return make


def reruns(folder: Path, config: dict, changes: dict) -> set[str]:
    config = copy.deepcopy(config)
    for block, value in changes.items():
        if block == "file":
            (folder / value).write_text(
                (folder / value).read_text() + ("-- more\n" if value.endswith(".sql") else "# more\n")
            )
        else:
            config[block] = config.get(block, {}) | value if isinstance(value, dict) else value
    provenance._imports.cache_clear()
    with api.SnakemakeApi(api.OutputSettings()) as smk:
        workflow = smk.workflow(
            snakefile=folder / "Snakefile",
            workdir=folder,
            resource_settings=api.ResourceSettings(cores=1),
            config_settings=api.ConfigSettings(
                configfiles=(folder / "run.yaml",), config={key: config[key] for key in changes if key != "file"}
            ),
        )
        workflow.dag().execute_workflow(executor="dryrun")
        jobs = list(workflow._workflow.dag.needrun_jobs(exclude_finished=False))  # no public accessor yet
    if "file" in changes:
        (folder / changes["file"]).write_text((ROOT / changes["file"]).read_text())
    of_one_model = "networks" in changes or "variants" in changes
    return {
        f"{job.rule.name} {job.wildcards.model}"
        if of_one_model and job.rule.name in ("train", "evaluate")
        else job.rule.name
        for job in jobs
    } - {"all"}


def test_each_row_of_the_embedded_survey(finished):
    planned = finished(EMBEDDED)
    assert planned({}) == set()
    for row, changes in ROWS.items():
        for change, expected in changes:
            assert planned(change) == expected, f"{row}: {change}"
    both = planned(BOTH)
    assert both == STAMPS | NETWORKS, "a change beyond another one is seen in the same run"


def test_each_row_of_the_archive(finished):
    planned = finished(ARCHIVE)
    for row, changes in ARCHIVE_ROWS.items():
        for change, expected in changes:
            assert planned(change) == expected, f"{row}: {change}"


def test_the_table_has_the_rows_that_are_tested():
    table = (ROOT / "README.md").read_text().split("## Change X")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    assert first_cells == ["change", *sorted([*ROWS, *ARCHIVE_ROWS], key=first_cells.index)]
