"""Every rule has the digest of exactly what it runs: of the modules that its script imports, apart from those listed here."""

import ast
from pathlib import Path

import pytest
from helpers import ROOT
from snakemake import api

from crossz.core import provenance

EVERYWHERE = {"core.job": "logs, and names the arguments"}
TRANSPORT = {
    "archive.sas": "when a frame comes, and from where; its bytes are checked",
    "archive.http": "the same, of any file",
    "archive.spectra": "the same, of spectra",
    "archive.journal": "what became of a frame; here, that frames which waited are deleted",
    "archive.services": "which service answers, and how patient we are; what is asked and checked is in the digest",
    "archive.skyserver": "the same",
}
"""Modules that scripts import and no digest need cover."""
WITHOUT_DIGEST = {
    "doctor": "no output",
    "verify": "no output",
    "training_memory": "no output",
    "fetch_frames": "frames are as the archive has them",
    "gate": "who has passed need not train again because the gate was edited",
}
"""Rules that no edit reruns."""
SURVEYS: dict[str, dict] = {
    "embedded": {"networks": ["crossmodal", "phot"]},
    "sdss": {"survey": "sdss", "catalog": {"backend": "casjobs"}},
    "cutouts": {
        "survey": "cutouts", "datasets": ["baseline"], "catalog": {"files": {"baseline": "mine.csv"}}, "cutouts": {"folder": "."},
        "mml": {"datasets": []},
    },
    "photometry": {
        "survey": "photometry", "datasets": ["baseline"], "catalog": {"files": {"baseline": "mine.csv"}}, "networks": ["phot"],
        "mml": {"datasets": []},
    },
}  # fmt: skip


@pytest.fixture(params=SURVEYS)
def rules(request, tmp_path, monkeypatch):
    """Rules of a survey; `params` has the names of modules in place of their digest."""
    for name in ("workflow", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "mine.csv").write_text("objID\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provenance, "code_digest", lambda *modules: f"{' '.join(modules)} ")
    with api.SnakemakeApi(api.OutputSettings()) as smk:
        workflow = smk.workflow(
            snakefile=ROOT / "Snakefile", workdir=tmp_path, resource_settings=api.ResourceSettings(cores=1),
            config_settings=api.ConfigSettings(config=SURVEYS[request.param]),
        )  # fmt: skip
        return {rule.name: rule for rule in workflow._workflow.rules if rule.script}  # no public accessor yet


def covered(rule):
    """Files that the digest of a rule is of. It may have a digest of other files too, such as a template."""
    code = rule.params.get("code", "")
    words = " ".join(code.values() if isinstance(code, dict) else [code]).split()
    return provenance.closure(*filter(file_of, words))


def file_of(module):
    """The file of a module of ours, None where that is no module."""
    path = provenance.PACKAGE.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imports(script):
    """Modules of ours that a script imports."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "crossz":
            inside = node.module.removeprefix("crossz").removeprefix(".")
            for alias in node.names:
                name = f"{inside}.{alias.name}".removeprefix(".")
                yield name if file_of(name) else inside


def test_every_rule_has_the_digest_of_what_its_script_imports(rules):
    assert len(rules) > 10
    wrong = []
    for name, rule in rules.items():
        script = Path(rule.basedir.get_path_or_uri(secret_free=True)) / rule.script
        modules = set(imports(script)) - EVERYWHERE.keys() - TRANSPORT.keys()
        if name in WITHOUT_DIGEST:
            assert "code" not in rule.params.keys(), f"{name} has a digest"  # noqa: SIM118 - the engine's list yields values
            continue
        files = covered(rule)
        wrong += [f"{name}: {module}" for module in sorted(modules) if file_of(module) not in files]
    assert not wrong


def test_no_digest_covers_how_data_come(rules):
    sources = {file_of(module) for module in TRANSPORT}
    for name, rule in rules.items():
        assert not covered(rule) & sources, name
