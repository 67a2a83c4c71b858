"""What a stranger installs: one lock, the same versions for conda, no registry's address, short rules."""

import re
import tomllib

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement

LOCK = (ROOT / "requirements.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(python, lock=LOCK):
    """Version of each distribution that a lock file installs on Linux for `python`."""
    environment = {
        "python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux", "os_name": "posix",
        "platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }  # fmt: skip
    found = {}
    for line in re.findall(r"^([A-Za-z0-9][^\\\n]+)\\?$", lock, re.MULTILINE):
        requirement = Requirement(line.strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def test_conda_environments_pin_the_versions_of_the_lock():
    for path in sorted((ROOT / "envs").glob("*.yaml")):
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        python = dependencies[0].removeprefix("python=")
        versions = locked(python)
        pins = dependencies[-1]["pip"]
        assert pins
        for pin in pins:
            name, version = pin.split("==")
            assert versions[name] == version, f"{path.name}: {pin}, the lock has {versions[name]}"


def test_conda_environments_have_what_their_stages_import():
    def pins(name):
        return {
            pin.split("==")[0]
            for pin in yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"][-1]["pip"]
        }

    assert {"astropy", "reproject", "speclite", "sqlglot", "requests", "urllib3", "scipy", "pyarrow", "pandas"} <= pins(
        "pipeline"
    )
    assert {"torch", "torchvision", "scikit-learn", "matplotlib", "pyarrow", "pandas", "pyyaml"} <= pins("train")
    assert not {"torch", "scikit-learn"} & pins("pipeline")


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("requirements.txt", 100),
        ("requirements-uv.txt", 1),
        ("requirements-container.txt", 20),
        ("requirements-storage.txt", 60),
        ("requirements-lsdb.txt", 90),
    ],
)
def test_every_distribution_is_hashed_and_no_address_is_named(name, least):
    text = (ROOT / name).read_text()
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) >= least
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text
    assert "--index-url" not in text


INSTALL = re.compile(r"\bpip3? (?:install|download|wheel|sync)\b|\b(?:pipx|uvx|npm|curl|wget|apt-get) ")
HASHED = re.compile(
    r"--require-hashes (?:--dest \S+ )?-r \S*requirements[\w-]*\.txt|--no-deps --no-build-isolation --editable [./]"
)


@pytest.mark.parametrize(
    "name",
    [
        "Makefile",
        "Containerfile",
        ".ci/run",
        ".github/workflows/ci.yml",
        "profiles/kubernetes/profile.yaml",
        "README.md",
    ],
)
def test_nothing_is_installed_without_a_hash(name):
    # Our own package is built without a network: by hatchling, which the lock has.
    commands = re.split(r"\n|&&", (ROOT / name).read_text().replace("\\\n", " "))
    found = [command for command in commands if INSTALL.search(command)]
    assert not [command for command in found if not HASHED.search(command)]
    assert len(found) == {"Makefile": 6, "Containerfile": 4, "profiles/kubernetes/profile.yaml": 1, "README.md": 2}.get(
        name, 0
    )
    assert "\nhatchling==" in LOCK


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_everything_asked_for_is_locked(python):
    pinned = [line for line in (ROOT / "requirements.in").read_text().splitlines() if line and not line.startswith("#")]
    versions = {"lsdb": locked(python, (ROOT / "requirements-lsdb.txt").read_text())}
    for extra, packages in (PROJECT["optional-dependencies"] | {"none": [*PROJECT["dependencies"], *pinned]}).items():
        for requirement in map(Requirement, packages):
            assert requirement.specifier.contains(versions.get(extra, locked(python))[requirement.name]), requirement


def test_the_makefile_locks_the_installer_that_it_uses():
    (version,) = re.findall(r"uv==([\d.]+)", (ROOT / "Makefile").read_text())
    assert f"\nuv=={version} " in (ROOT / "requirements-uv.txt").read_text()


@pytest.mark.parametrize(
    ("environment", "older"),
    [
        ("container", "python-dateutil"),
        ("storage", "python-dateutil"),
        ("lsdb", "packaging"),
    ],  # for botocore, Snakemake
)
def test_an_environment_beside_the_main_one_has_its_versions(environment, older):
    pins = locked("3.12", (ROOT / f"requirements-{environment}.txt").read_text())
    versions = locked("3.12")
    differ = {name for name, version in pins.items() if name in versions and versions[name] != version}
    assert differ <= {older}


def test_rule_files_hold_no_functions():
    for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]:
        if path.name != "common.smk":
            assert not re.search(r"^\s*def ", path.read_text(), re.MULTILINE), path.name
