"""Every code block of README.md and docs/ runs as printed, in a copy of the project whose sky is small.

What follows ```sh or ```python says how: nothing, it runs; `dry`: Snakemake and make plan only; `elsewhere`: it needs another machine, and only its syntax and
Snakemake's options are checked; a path: the block is written there, as its reader is told. Blocks of a page run in their order, each Python block by itself.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from project import ROOT, copied, environment
from snakemake.cli import get_argument_parser

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = {
    "datasets": ["extended", "quasars_all"],
    "sky": {"quasars": 100},
    "splits": {"count": 1},
    "plan": {"shards": 1},
    "cutouts": {"max_loss": 0.3},  # the one field that lacks a band weighs much among so few
    "train": {"epochs": 2, "batch_size": 16},
    "references": {"models": ["mean", "knn"]},
    "mml": {"datasets": []},
}
"""What the copy's config.yaml has otherwise: the least that makes every kind of file."""
SHOWN = {"text", "bibtex"}
"""Languages of blocks that only show."""


def blocks(page):
    """(language, how, text) of each block that does something."""
    return [found for found in BLOCK.findall(page.read_text()) if found[0] not in SHOWN]


RUN = [page for page in PAGES if any(how != "elsewhere" for _, how, _ in blocks(page))]


def tool(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the project whose defaults are small, with the tools of its .venv, after the README's first command."""
    where = copied(tmp_path_factory.mktemp("docs"))
    for name in ("Makefile", "requirements.txt", "requirements-uv.txt", "benchmarks"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, where / name)
    config = yaml.safe_load((where / "config/config.yaml").read_text())
    for block, values in SMALL.items():
        config[block] = config[block] | values if isinstance(values, dict) else values
    (where / "config/config.yaml").write_text(yaml.safe_dump(config))
    full = where / "config/dr17.yaml"  # planning the full run's 480 shards five times over would take a minute
    full.write_text(full.read_text().replace("shards: 480", "shards: 4"))
    tools = where / ".venv/bin"
    tools.mkdir(parents=True)
    tool(tools / "snakemake", f'exec {sys.executable} -m snakemake ${{DRY:+-n}} "$@"')
    tool(tools / "python", f'exec {sys.executable} "$@"')
    tool(tools / "crossz", f'PYTHONPATH=src exec {sys.executable} -m crossz "$@"')
    tool(tools / "make", f'exec {shutil.which("make")} ${{DRY:+-n}} "$@"')
    (where / ".venv/ready").touch()
    (where / "data/cutouts/mat").mkdir(parents=True)  # the authors' files are not ours to ship: enough to plan with
    (where / "data/cutouts/catalog.csv").touch()
    run(where, "make metrics")
    return where


def run(where, script, **more):
    path = f"{where}/.venv/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(PATH=path, MPLBACKEND="Agg", OMP_NUM_THREADS="1", **more),
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}{done.stderr[-5000:]}"


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_every_block_of_a_page_runs_in_turn(page, finished, tmp_path):
    where = tmp_path / "project"
    subprocess.run(["cp", "-a", finished, where], check=True)
    for language, how, text in blocks(page):
        if "/" in how:
            (where / how).parent.mkdir(parents=True, exist_ok=True)
            (where / how).write_text(text)
        elif language == "python" and how != "elsewhere":
            (where / "block.py").write_text(text)
            run(where, "python block.py", PYTHONPATH="src")
        elif how != "elsewhere":
            run(where, text, **{"DRY": "1"} if how == "dry" else {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page):
    fences = re.findall(r"^```(.*)$", page.read_text(), re.MULTILINE)
    assert all(fences[::2]), f"{page.name}: a block without a language"
    for language, how, text in blocks(page):
        assert language in ("sh", "python") or "/" in how, f"{page.name}: {language} {how}"
        assert how in ("", "dry", "elsewhere") or "/" in how, f"{page.name}: {language} {how}"
        if language == "sh" and "/" not in how:
            subprocess.run(["bash", "-n", "-c", text], check=True)


def told():
    """(file, command line) of every Snakemake command in a page's text, in a block that does not run, or in a comment of a configuration."""
    for page in PAGES:
        text = page.read_text()
        inline = re.findall(r"`snakemake ([^`\n]+)`", BLOCK.sub("", text))
        there = [line for _, how, block in blocks(page) if how == "elsewhere" for line in block.splitlines()]
        yield from ((page.name, line) for line in inline)
        yield from ((page.name, line.split("snakemake ", 1)[1]) for line in there if "snakemake " in line)
    for path in [*(ROOT / "config").glob("*.yaml"), *(ROOT / "profiles").rglob("*.yaml")]:
        text = re.sub(r"\\\n#\s*", " ", path.read_text())
        found = re.findall(r"^#.*?(?:(?<=\s)|(?<=`))snakemake (-.*?)(?:`|\s{3,}|$)", text, re.MULTILINE)
        yield from ((path.name, line) for line in found)


@pytest.mark.parametrize(("name", "line"), list(told()))
def test_every_command_is_read_as_it_is_meant(name, line):
    words = [word for word in shlex.split(line, comments=True) if word != "..."]
    arguments = get_argument_parser().parse_args(words)
    assert "={" not in line, f"{name}: Snakemake reads numbers inside a block as text: snakemake {line}"
    swallowed = [str(path) for path in arguments.configfile or [] if path.suffix != ".yaml"]
    swallowed += [entry for entry in arguments.config or [] if "=" not in entry]
    swallowed += [entry for entry in arguments.forcerun or [] if "/" in entry]
    assert not swallowed, f"{name}: snakemake {line}: write -- before {' '.join(swallowed)}"
    for path in [*(arguments.configfile or []), *filter(None, [arguments.workflow_profile])]:
        assert (ROOT / path).exists() or path.stem in ("mine", "my"), f"{name}: no {path}"


def test_every_link_leads_somewhere():
    for page in [*PAGES, ROOT / "config/README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
