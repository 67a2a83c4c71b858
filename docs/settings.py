"""Write what the schema says of each setting into config/README.md and into the comments of config/config.yaml.

`python docs/settings.py` writes both files. With `--check` it writes nothing, and exits with 1 if one of them is out of date.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100
"""Columns of a comment in config.yaml."""
PAGE = """# Configuration

<!-- Written by `make docs` from workflow/schemas/config.schema.yaml; do not edit. -->

`config.yaml` holds every setting with its default. An overlay is a file that changes some of them.
Several overlays apply in turn: `--configfile config/dr17.yaml config/paper.yaml` is the real survey
with the network as printed in the paper.

On the command line, `--config` takes single settings: `--config seed=3 targets=mine.csv`. A number
inside a block would arrive as text, so write it in a file. Three kinds of problems stop the run
before it starts: an unknown key, a wrong value, and two values that contradict each other. All
problems are listed at once.

Cores, memory, GPUs and clusters are not settings. They belong to [profiles](../docs/clusters.md).
Passwords belong to the environment or to a private file ([dr17.md](../docs/dr17.md)).

| overlay | what it is for |
|---|---|
{overlays}
"""
HEADER = """\
# yaml-language-server: $schema=../workflow/schemas/config.schema.yaml
# Every setting of crossz, with its default. The defaults run on a small synthetic sky in minutes.
# To change some settings, write them into a file of your own, and pass it with --configfile.
# `make docs` writes the comments from workflow/schemas/config.schema.yaml; edit them there.
"""
SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
KINDS = {"object": "mapping", "array": "list", "string": "text", "boolean": "`true`, `false`", "null": "`null`"}


def readme(schema: dict[str, Any], defaults: dict[str, Any], overlays: dict[str, str]) -> str:
    """The page of all settings, as Markdown.

    Parameters
    ----------
    schema
        JSON schema of the configuration; each property has a description.
    defaults
        The configuration's default values.
    overlays
        First comment line of each overlay, by the name of its file.
    """
    rows = [f"| `{name}` | {_first_sentence(text)} |" for name, text in overlays.items()]
    parts = [PAGE.format(overlays="\n".join(rows))]
    single = {key: part for key, part in schema["properties"].items() if "properties" not in part}
    parts.append(_table("Single settings", "", single, defaults))
    for key, part in schema["properties"].items():
        if key not in single:
            parts.append(_table(f"`{key}`", part["description"], part["properties"], defaults[key]))
    return "\n".join(parts)


def _table(title: str, description: str, properties: dict[str, Any], defaults: dict[str, Any]) -> str:
    lines = [f"## {title}", "", *([*textwrap.wrap(description, WIDTH), ""] if description else [])]
    lines += ["| key | default | may be | what |", "|---|---|---|---|"]
    for key, part in properties.items():
        cells = (f"`{key}`", _default(defaults[key]), allowed(part), part["description"].replace("|", "\\|"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _default(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return f"`{text}`" if len(text) <= 60 else "in `config.yaml`"


def allowed(part: dict[str, Any]) -> str:
    """The values that a property of the schema allows, in words."""
    if "enum" in part:
        return ", ".join(f"`{'null' if value is None else value}`" for value in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    items = part.get("items", {})
    words = [
        f"{KINDS.get(kind, kind)}" + (f" of {allowed(items)}" if kind == "array" and items else "") for kind in kinds
    ]
    limits = ", ".join(f"{sign} {part[name]:g}" for name, sign in SIGNS.items() if name in part)
    return " or ".join([f"{words[0]} {limits}".strip(), *words[1:]])


def _first_sentence(text: str) -> str:
    return re.split(r"\. (?=[A-Z])", text)[0].strip().rstrip(".:")


def commented(config: str, schema: dict[str, Any]) -> str:
    """The text of config.yaml with the schema's descriptions as its only comments; every value stays as it is written."""
    described = {line: (column, text) for line, column, text in _keys(yaml.compose(config), schema)}
    ends = _ends(config)
    lines = [*HEADER.splitlines(), ""]
    for number, line in enumerate(config.splitlines()):
        if number in described:
            column, text = described[number]
            mark = f"{' ' * column}# "
            lines += textwrap.wrap(
                text,
                WIDTH,
                initial_indent=mark,
                subsequent_indent=mark,
                break_long_words=False,
                break_on_hyphens=False,
            )
        if number in ends:
            lines.append(line[: ends[number]].rstrip())
        elif not line.strip() and lines[-1]:
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _keys(node: yaml.Node | None, schema: dict[str, Any]) -> Iterator[tuple[int, int, str]]:
    """(line, column, description) of each key of a mapping that the schema describes, nested ones included."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if part := schema.get("properties", {}).get(key.value):
            yield key.start_mark.line, key.start_mark.column, part["description"]
            yield from _keys(value, part)


def _ends(text: str) -> dict[int, int]:
    """Column where the last token of each line ends; a comment is what comes after it."""
    ends: dict[int, int] = {}
    for token in yaml.scan(text):
        if token.start_mark.index < token.end_mark.index:
            ends[token.end_mark.line] = token.end_mark.column
    return ends


def pages(root: Path) -> dict[Path, str]:
    """Path and new text of each file that is written here."""
    texts = {path: path.read_text() for path in sorted((root / "config").glob("*.yaml"))}
    overlays = {path.name: text.splitlines()[0].lstrip("# ") for path, text in texts.items() if path.stem != "config"}
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    config = root / "config/config.yaml"
    defaults = yaml.safe_load(texts[config])
    written = commented(texts[config], schema)
    assert yaml.safe_load(written) == defaults, "a value of config.yaml would change"
    return {root / "config/README.md": readme(schema, defaults, overlays), config: written}


def main() -> None:
    """Write the files, or check that they are up to date."""
    parser = argparse.ArgumentParser(description="Write config/README.md and the comments of config/config.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    check = parser.parse_args().check
    old = [path for path, text in pages(ROOT).items() if not path.exists() or path.read_text() != text]
    if check and old:
        sys.exit(f"{', '.join(str(path.relative_to(ROOT)) for path in old)}: out of date; run `make docs`")
    for path, text in pages(ROOT).items() if old else ():
        path.write_text(text)


if __name__ == "__main__":
    main()
