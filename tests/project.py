"""A copy of the project, and running it as a user does, on a sky of a hundred quasars."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import yaml
from snakemake import api

from crossz.core import provenance

ROOT = Path(__file__).parents[1]
SMALL = {
    "datasets": ["baseline", "extended"],
    "sky": {"quasars": 100},
    "splits": {"count": 1},
    "plan": {"shards": 2},
    "cutouts": {"max_loss": 0.3},  # the one field that lacks a band weighs much among so few
    "train": {"epochs": 3, "batch_size": 16},
    "references": {"models": ["mean", "knn", "mlp"]},
    "mml": {"epochs": 3},
}
METRICS = ["results/metrics.csv", "results/metrics_binned.csv"]
FIGURES = [
    f"results/figures/{name}.png"
    for name in ("redshifts", "baseline/crossmodal/phot+img", "extended/crossmodal/phot+img_gen")
]


def command(where, *arguments, **overrides):
    """The command line that runs `arguments` (options and targets) in `where`, SMALL with top-level blocks from `overrides`."""
    (where / "small.yaml").write_text(yaml.safe_dump(SMALL))
    (where / "more.yaml").write_text(yaml.safe_dump(overrides))
    flags = [argument for argument in arguments if argument.startswith("-")]
    targets = [argument for argument in arguments if not argument.startswith("-")]
    configs = ["--configfile", "small.yaml", "more.yaml"]
    return [sys.executable, "-m", "snakemake", "--cores", "4", *configs, *flags, "--", *targets]


def environment(**more):
    """The environment of a run, without the tests' own settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")} | more


def snakemake(where, *arguments, check=True, login=None, **overrides):
    """Run `command` to its end."""
    done = subprocess.run(
        command(where, *arguments, **overrides),
        cwd=where,
        capture_output=True,
        text=True,
        timeout=900,
        env=environment(**login or {}),
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done


def copied(where):
    for name in ("Snakefile", "workflow", "src", "config", "profiles", "envs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, where / name)
    return where


def planned(where, configfiles, *targets, config=None, forced=(), everything=False, executor="dryrun"):
    """The jobs that `targets` need, of the copy of the project in `where`, in this process: a third of a second.

    Digests are of that copy's code. `forced`: rules that run in any case; `everything`: all of them do. With executor
    "touch" the engine notes in its metadata what it would have run.
    """
    before, variable = provenance.PACKAGE, os.environ.get("PYTHONPATH", "")
    provenance.PACKAGE = where / "src/crossz"
    provenance.forget()
    folder, places = Path.cwd(), list(sys.path)
    try:
        with api.SnakemakeApi(api.OutputSettings()) as smk:
            workflow = smk.workflow(
                snakefile=where / "Snakefile",
                workdir=where,
                resource_settings=api.ResourceSettings(cores=1),
                config_settings=api.ConfigSettings(
                    configfiles=[where / name for name in configfiles], config=config or {}
                ),
            )
            settings = api.DAGSettings(targets=set(targets), forcerun=set(forced), forceall=everything)
            workflow.dag(settings).execute_workflow(executor=executor)
            return list(workflow._workflow.dag.needrun_jobs(exclude_finished=False))  # no public accessor yet
    finally:
        os.chdir(folder)
        sys.path[:], os.environ["PYTHONPATH"] = places, variable  # which the Snakefile changes
        provenance.PACKAGE = before
        provenance.forget()


def work(where, job, **changed):
    """Run the script of `job`, one of `planned`, in this process and in the folder `where`; `changed`: its inputs, outputs ...

    Raises
    ------
    SystemExit
        The script ends with a message for the user.
    """
    script = where / "workflow/scripts" / Path(job.rule.script).name
    engine = {name: changed.get(name, getattr(job, name)) for name in ("input", "output", "params", "log", "wildcards")}
    engine |= {"threads": 1, "resources": SimpleNamespace(gpu=0), "config": job.rule.workflow.config}
    folder = Path.cwd()
    os.chdir(where)
    try:
        Path(engine["log"][0]).parent.mkdir(parents=True, exist_ok=True)
        code = compile(script.read_text(), script, "exec")
        exec(code, {"__name__": "__main__", "snakemake": SimpleNamespace(**engine)})
    finally:
        os.chdir(folder)
