"""To draw the graph costs little: no table is read, and no library of the jobs is loaded."""

import json
import subprocess
import sys

import pytest
from helpers import ROOT
from project import environment

HEAVY = {"numpy", "pandas", "scipy", "pyarrow", "torch", "astropy", "sklearn", "matplotlib"}
RUNNER = """
import builtins, json, sys
from pathlib import Path
from snakemake import api

root, targets, settings = sys.argv[1], sys.argv[2].split(), json.loads(sys.argv[3])
imported, statement = set(), builtins.__import__
ours = tuple(f"{root}/{part}" for part in ("src/", "workflow/", "Snakefile"))  # and not an environment that lies in root

def noted(name, *arguments, **more):
    if sys._getframe(1).f_code.co_filename.startswith(ours):  # Snakemake and its plugins load pandas themselves
        imported.add(name.split(".")[0])
    return statement(name, *arguments, **more)

builtins.__import__ = noted
with api.SnakemakeApi(api.OutputSettings()) as smk:
    workflow = smk.workflow(
        snakefile=Path(root) / "Snakefile", workdir=Path.cwd(), resource_settings=api.ResourceSettings(cores=1),
        config_settings=api.ConfigSettings(config=settings),
    )
    workflow.dag(api.DAGSettings(targets=set(targets))).execute_workflow(executor="dryrun")
    jobs = len(list(workflow._workflow.dag.jobs))
print(json.dumps({"jobs": jobs, "imported": sorted(imported), "loaded": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def parsed(folder, asked="results/metrics.csv", **settings):
    """What the graph of the files `asked` has, and the libraries that our code loads for it."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, ROOT, asked, json.dumps(settings)],
        cwd=folder, capture_output=True, text=True, timeout=120, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def folder(tmp_path):
    for name in ("workflow", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_the_main_job_s_graph_loads_no_library_of_the_jobs(folder):
    graph = parsed(folder)
    assert graph["jobs"] > 20
    assert "yaml" in graph["imported"], "the imports of the rules are seen"
    assert not HEAVY & set(graph["imported"])
    assert not {"torch", "scipy", "astropy"} & set(graph["loaded"])


@pytest.mark.parametrize("columns", ["ra,dec", "objID", "dered_u,dered_g,dered_r,dered_i,dered_z"])
def test_a_table_of_targets_is_not_read_to_draw_the_graph(folder, columns):
    (folder / "mine.csv").write_text(columns + "\n" + "no number\n" * 3)
    graph = parsed(folder, "results/predict/mine.parquet", targets="mine.csv")
    assert graph["jobs"] > (20 if "dered" in columns else 25)
    assert "yaml" in graph["imported"], "the imports of the rules are seen"
    assert not HEAVY & set(graph["imported"])
    assert not {"torch", "scipy", "astropy"} & set(graph["loaded"])
