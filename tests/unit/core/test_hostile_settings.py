"""Every setting of the schema with values of every wrong kind: refused in lines that name it, or of the right kind after all."""

import copy
import datetime
import math

import pytest
import yaml
from helpers import ROOT

from crossz.core import config as configuration
from crossz.core.breaches import breaches, read_schema
from crossz.core.config import problems

PATH = ROOT / "workflow/schemas/config.schema.yaml"
SCHEMA = read_schema(PATH)
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
NUMBERS = (-1, 0, 2.0, 1e300, 10**30, 10**400, math.nan, math.inf, -math.inf)
TEXTS = (
    "",
    "xyzzy",
    "1e-3",
    "../../etc/passwd",
    "$(id); rm -rf /",
    "a\nb",
    "a\n",
    "\0",
    "\x1b[2J",
    "{shard}",
    "x" * 5000,
)
OTHERS = (None, True, [], [1, 1], ["a", "a"], [[]], [None], ["x"] * 300, {}, {"a": 1}, {1: 2}, {"a\nb": "c"}, {"": "c"}, datetime.date(2026, 1, 1), b"x")  # fmt: skip
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict, "null": type(None)}  # fmt: skip


def described(schema, path=()):
    """(keys, its part of the schema) of every setting, blocks included."""
    for key, part in schema.get("properties", {}).items():
        yield (*path, key), part
        yield from described(part, (*path, key))


SETTINGS = dict(described(SCHEMA))


def changed(path, value):
    config = copy.deepcopy(DEFAULT)
    block = config
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    return config


def values(part, default):
    yield from (*NUMBERS, *TEXTS, *OTHERS)
    ends = [part[name] for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if name in part]
    yield from (end + step for end in ends for step in (-1, 1))
    yield from (word + more for word in part.get("enum", ()) for more in ("\n", " ", "x"))
    if isinstance(default, list):
        yield from ([*default[:-1], wrong] for wrong in (*NUMBERS, *TEXTS, None))
        yield default + default
    if isinstance(default, dict):
        yield from (default | {name: wrong} for name in ("nosuch", "a b", "../x", 1) for wrong in (1, None, "x\n"))


def is_right(value, part):
    """Whether a value is of a kind that the schema admits, finite, of moderate size and without control characters."""
    admitted = [KINDS[name] for name in ([part["type"]] if isinstance(part.get("type"), str) else part.get("type", []))]
    kind = value in part["enum"] if "enum" in part else any(isinstance(value, kind) for kind in admitted)
    if isinstance(value, bool) and "enum" not in part:
        kind = part["type"] == "boolean"
    if isinstance(value, int | float):
        return kind and abs(value) < 2**33
    if isinstance(value, str):
        return kind and len(value) <= 1000 and value.isprintable()
    return kind


@pytest.fixture(autouse=True)
def schema_read_once(monkeypatch):
    monkeypatch.setattr(configuration, "read_schema", lambda path: SCHEMA)


@pytest.mark.parametrize("path", SETTINGS, ids=".".join)
def test_a_wrong_value_is_refused_in_lines_that_name_the_setting(path):
    part, default = SETTINGS[path], DEFAULT
    for key in path:
        default = default[key]
    refused = 0
    for value in values(part, default):
        found = problems(changed(path, value), PATH, ROOT)
        refused += bool(found)
        if path == ("export", "notes") and isinstance(value, str):
            assert not found
        elif found:
            assert any(path[0] in line for line in found), f"{value!r}: {found}"
            assert all(line.isprintable() and len(line) < 1000 for line in found), f"{value!r}: {found}"
            assert len(found) < 30
        else:
            assert is_right(value, part), f"{'.'.join(path)}: {value!r} is accepted"
    assert refused > 20


def test_every_number_has_both_ends_and_every_text_a_length():
    def open_ones(part, key):
        kinds = [part.get("type")] if isinstance(part.get("type"), str) else part.get("type", [])
        if {"number", "integer"} & {*kinds}:
            ends = ({"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"})
            if not all(end & {*part} for end in ends):
                yield key
        if "string" in kinds and not {"maxLength", "enum"} & {*part} and key != "export.notes":
            yield key
        for name, inner in part.get("properties", {}).items():
            yield from open_ones(inner, f"{key}.{name}" if key else name)
        for name in ("items", "additionalProperties"):
            if isinstance(part.get(name), dict):
                yield from open_ones(part[name], f"{key}.{name}")

    assert len(SETTINGS) > 100
    assert list(open_ones(SCHEMA, "")) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("train", "epochs"), 2.0, "train.epochs: 2.0 is no whole number; write 2"),
        (("train", "learning_rate"), math.nan, "train.learning_rate: nan is not of type 'number' (Largest learning rate."),
        (("splits", "fractions"), [math.nan, 0.5, 0.5], "splits.fractions.0: nan is not of type 'number'"),
        (("datasets",), ["a\n"], "datasets.0: 'a\\n' has characters that cannot be printed"),
        (("catalog", "columns"), {1: "x"}, "catalog.columns: the name 1 is no text; write it in quotes"),
        (("run",), "../x", "run: '../x' does not match"),
    ],
)  # fmt: skip
def test_the_line_says_what_to_write(path, value, words):
    (line,) = breaches(changed(path, value), SCHEMA)
    assert line.startswith(words)


@pytest.mark.parametrize("address", ["https://[::1", "https://", "http://:80", "https://h:x/"])
def test_an_address_without_a_host_is_named(address):
    config = changed(("archive", "skyserver"), address)
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    (line,) = problems(config, PATH, ROOT)
    assert line.startswith("archive.skyserver: ")


def test_a_range_of_redshifts_begins_with_the_smaller():
    config = changed(("catalog", "also"), {"more": {"file": "Makefile", "units": "AB", "z": [5, 2.75]}})
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    assert problems(config, PATH, ROOT) == ["catalog.also.more.z: [5, 2.75] is no range; write the smaller redshift first"]  # fmt: skip


def test_kept_frames_need_a_folder():
    config = changed(("stamps",), DEFAULT["stamps"] | {"keep_frames": True, "frames_root": "Makefile"})
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    assert problems(config, PATH, ROOT) == ["stamps.frames_root: survey sdss needs a folder there; found Makefile"]
