"""Pages that are written from the code: every setting (config/README.md) and the Python interface (docs/api.md). `make docs` writes them."""

import ast
import inspect
import re
from pathlib import Path

import yaml

from crossz.core.files import atomic_path

MODULES = (
    "predict",
    "training",
    "pdf",
    "samples",
    "metrics",
    "features",
    "catalog",
    "shards",
    "cutouts",
    "stamps",
    "frames",
    "spectra",
    "archive.mat",
    "gallery",
    "qp_export",
)
"""What one calls on one's own arrays, tables and files: estimates, PDFs, scores, images. Not: what fetches, makes the sky, draws or serves rules."""
ONLY = {"training": ("Estimate", "load_networks"), "gallery": ("rgb",), "qp_export": ("ensemble",)}
"""Of these modules only a part; of the others every public name but `write_*`, which are the rules' own."""
_MADE = "<!-- Written by `make docs`; do not edit. -->"
_CONFIG = """# Configuration

{made}

`config.yaml` holds every setting with its default. Overlays change some of them, several in turn: `--configfile config/dr17.yaml config/paper.yaml` is the
real survey with the network as printed. On the command line itself only single settings and texts can be given (`--config seed=3 targets=mine.csv`); a number inside a block
would arrive as text. An unknown key, a wrong value or two that
contradict each other stop the run before anything starts, all listed at once.

Speed and place (cores, memory, GPUs, clusters) are no settings here: they belong to [profiles](../docs/clusters.md). Logins belong to the environment
or a private file ([dr17.md](../docs/dr17.md)).

| overlay | what it is for |
|---|---|
{overlays}
"""
_API = """# Python

{made}

What can be called on one's own arrays, tables and files. Everything else in `src/crossz` serves a rule of the workflow, and may change with it. From the project's folder:
`PYTHONPATH=src .venv/bin/python`. Bands are `ugriz`, in this order, on every axis of bands; fluxes are nanomaggies, magnitudes AB, angles degrees. An error of the user's input is a
`crossz.core.errors.CrosszError`, which names the file and the remedy. Examples: [tutorial](tutorial.md).
"""


def config_page(schema: dict, defaults: dict, overlays: dict[str, str]) -> str:
    """The page of all settings, Markdown: a table of `overlays` (name -> its text), then for each block its keys, defaults and ranges."""
    rows = [f"| `{name}` | {_first_sentence(text)} |" for name, text in overlays.items()]
    parts = [_CONFIG.format(made=_MADE, overlays="\n".join(rows))]
    single = {key: part for key, part in schema["properties"].items() if "properties" not in part}
    parts.append(_settings("Single settings", "", single, defaults))
    for key, part in schema["properties"].items():
        if key not in single:
            parts.append(_settings(f"`{key}`", part["description"], part["properties"], defaults[key]))
    return "\n".join(parts)


def _settings(title: str, description: str, properties: dict, defaults: dict) -> str:
    lines = [f"## {title}", "", *([f"{description[0].upper()}{description[1:]}.", ""] if description else [])]
    lines += ["| key | default | may be | what |", "|---|---|---|---|"]
    for key, part in properties.items():
        cells = (f"`{key}`", _default(defaults[key]), _range(part), part["description"].replace("|", "\\|"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _default(value: object) -> str:
    shown = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return f"`{shown}`" if len(shown) <= 60 else "in `config.yaml`"


def _range(part: dict) -> str:
    if "enum" in part:
        return ", ".join(f"`{'null' if value is None else value}`" for value in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    words = {"object": "mapping", "array": "list", "string": "text", "boolean": "`true`, `false`", "null": "`null`"}
    items = part.get("items", {})
    told = [
        f"{words.get(kind, kind)}" + (f" of {_range(items)}" if kind == "array" and items else "") for kind in kinds
    ]
    limits = [("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")]
    told[0] = " ".join([told[0], ", ".join(f"{sign} {part[name]:g}" for name, sign in limits if name in part)]).strip()
    return " or ".join(told)


def _first_sentence(text: str) -> str:
    return re.split(r"\. (?=[A-Z])", text)[0].strip().rstrip(".:")


def api_page(package: Path, modules: tuple[str, ...] = MODULES) -> str:
    """The page of the Python interface, Markdown, from the sources of `modules` in `package`; nothing is imported."""
    parts = [_API.format(made=_MADE)]
    for name in modules:
        tree = ast.parse((package / f"{name.replace('.', '/')}.py").read_text())
        parts.append(f"## crossz.{name}\n\n{ast.get_docstring(tree)}\n")
        parts += [_entry(*found) for found in _public(tree) if found[0] in ONLY.get(name, (found[0],))]
    return "\n".join(parts)


def _public(tree: ast.Module) -> list[tuple[str, str, str]]:
    """(name, how it is written, docstring) of functions, classes and constants that have a docstring."""
    found = []
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            found.append((node.name, _signature(node), ast.get_docstring(node)))
        elif isinstance(node, ast.ClassDef):
            fields = ", ".join(ast.unparse(part) for part in node.body if isinstance(part, ast.AnnAssign))
            found.append((node.name, f"{node.name}({fields})", ast.get_docstring(node)))
            for method in (part for part in node.body if isinstance(part, ast.FunctionDef)):
                written = f"{node.name}.{_signature(method)}" if method.name != "__init__" else ""
                if written and not method.name.startswith("_"):
                    found.append((node.name, written, ast.get_docstring(method)))
                elif method.name == "__init__":
                    found[-1] = (node.name, _signature(method).replace("__init__", node.name, 1), found[-1][2])
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            value = ast.unparse(node.value) if node.value is not None else ""
            shown = f"{name} = {value}" if len(value) <= 60 else name
            if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                found.append((name, shown, inspect.cleandoc(after.value.value)))
    return [entry for entry in found if not entry[0].startswith(("_", "write_")) and entry[2]]


def _signature(node: ast.FunctionDef) -> str:
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("self")
    returned = f" -> {ast.unparse(node.returns)}" if node.returns and ast.unparse(node.returns) != "None" else ""
    return f"{node.name}({arguments}){returned}"


def _entry(name: str, written: str, docstring: str) -> str:
    return f"**`{written}`**\n\n{docstring}\n"


def pages(root: Path) -> dict[Path, str]:
    """Path under `root` and text of each page that is made here."""
    read = {path: path.read_text() for path in sorted((root / "config").glob("*.yaml"))}
    overlays = {path.name: text.splitlines()[0].lstrip("# ") for path, text in read.items() if path.stem != "config"}
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    defaults = yaml.safe_load(read[root / "config/config.yaml"])
    return {
        root / "config/README.md": config_page(schema, defaults, overlays),
        root / "docs/api.md": api_page(root / "src/crossz"),
    }


def main() -> None:
    """Write the pages of this project."""
    for path, text in pages(Path(__file__).parents[2]).items():
        with atomic_path(path) as temporary:
            Path(temporary).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
