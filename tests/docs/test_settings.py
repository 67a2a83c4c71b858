"""config/README.md and the comments of config/config.yaml say what the schema says of each setting."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

TOOL = ROOT / "docs/settings.py"
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture(scope="module")
def settings():
    spec = importlib.util.spec_from_file_location("settings", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described(schema, path=()):
    """(dotted key, its part of the schema) of every setting, blocks included."""
    for key, part in schema["properties"].items():
        yield ".".join([*path, key]), part
        if "properties" in part:
            yield from described(part, (*path, key))


SETTINGS = list(described(SCHEMA))


def test_the_files_are_up_to_date():
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_outdated_file_is_named(settings, tmp_path, monkeypatch, capsys):
    for path in (
        *(path for path in (ROOT / "config").iterdir() if path.is_file()),
        ROOT / "workflow/schemas/config.schema.yaml",
    ):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    config = tmp_path / "config/config.yaml"
    config.write_text(config.read_text().replace("seed: 2023", "seed: 7 # lucky"))
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["settings.py", "--check"])
    with pytest.raises(SystemExit, match=re.escape("config/README.md, config/config.yaml: out of date")):
        settings.main()
    monkeypatch.setattr(sys, "argv", ["settings.py"])
    settings.main()
    assert "\nseed: 7\n" in config.read_text()
    assert "| `seed` | `7` |" in (tmp_path / "config/README.md").read_text()
    monkeypatch.setattr(sys, "argv", ["settings.py", "--check"])
    settings.main()


def test_every_setting_has_a_row_with_its_default():
    page = (ROOT / "config/README.md").read_text()
    blocks = [(None, SCHEMA)] + [(name, part) for name, part in SCHEMA["properties"].items() if "properties" in part]
    for name, block in blocks:
        section = page.split("## Single settings" if name is None else f"## `{name}`")[1].split("\n## ")[0]
        for key, part in block["properties"].items():
            assert (f"| `{key}` | " in section) == ("properties" not in part), key


@pytest.mark.parametrize(("key", "part"), SETTINGS, ids=[key for key, _ in SETTINGS])
def test_a_description_is_sentences_and_explains_every_choice(key, part):
    text = part["description"]
    assert text[0].isupper()
    assert text.endswith(".")
    for value in part.get("enum", []):
        assert re.search(rf"(?<!\w){value}(?!\w)", text), f"{key}: {value}"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "integer ≥ 1, ≤ 1000"),
        ({"type": "number", "exclusiveMinimum": 0}, "number > 0"),
        ({"type": ["string", "null"]}, "text or `null`"),
        ({"type": "array", "items": {"type": "number", "exclusiveMaximum": 1}}, "list of number < 1"),
    ],
)
def test_a_range_is_written_in_words(settings, part, words):
    block = {"description": "About it.", "properties": {"key": part | {"description": "What | it does."}}}
    page = settings.readme({"properties": {"block": block}}, {"block": {"key": 1}}, {})
    assert f"| `key` | `1` | {words} | What \\| it does. |" in page
    assert "## `block`\n\nAbout it.\n" in page


def test_only_comments_of_the_configuration_are_rewritten(settings):
    old = (
        "# old\n\n\n"
        "block: # old\n"
        "  a:   [1,\n    2] # old\n"
        "  # old\n"
        "  b: 'x # y'   # old\n"
        "  other: {c: 1} # old\n\n"
        "free: {a: b}\n"
    )
    parts = {"a": {"description": "An a."}, "b": {"description": "A b, " + "long " * 30 + "indeed."}}
    schema = {
        "properties": {"block": {"description": "A block.", "properties": parts}, "free": {"description": "Free."}}
    }
    body = settings.commented(old, schema).removeprefix(settings.HEADER)
    assert body == (
        "\n# A block.\nblock:\n"
        "  # An a.\n  a:   [1,\n    2]\n"
        "  # A b, " + "long " * 17 + "long\n  # " + "long " * 12 + "indeed.\n"
        "  b: 'x # y'\n"
        "  other: {c: 1}\n\n"
        "# Free.\nfree: {a: b}\n"
    )
    assert settings.commented(settings.HEADER + body, schema) == settings.HEADER + body


def test_the_tool_needs_nothing_of_the_package():
    assert "crossz" not in {
        word.split(".")[0] for word in re.findall(r"^(?:from|import) (\S+)", Path(TOOL).read_text(), re.MULTILINE)
    }
