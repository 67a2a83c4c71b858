"""The pages written from the code are up to date, and say what the code says."""

import ast

import pytest
import yaml
from project import ROOT

from crossz import reference


def test_the_pages_are_up_to_date():
    for path, text in reference.pages(ROOT).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is out of date: make docs"


def test_every_setting_has_a_row_with_its_default():
    page = (ROOT / "config/README.md").read_text()
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    blocks = [(None, schema)] + [(name, part) for name, part in schema["properties"].items() if "properties" in part]
    for name, block in blocks:
        section = page.split("## Single settings" if name is None else f"## `{name}`")[1].split("\n## ")[0]
        for key, part in block["properties"].items():
            assert (f"| `{key}` | " in section) == ("properties" not in part), key


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
def test_a_range_is_told_in_words(part, words):
    settings = {"key": part | {"description": "what | it does"}}
    page = reference.config_page(
        {"properties": {"block": {"description": "about", "properties": settings}}}, {"block": {"key": 1}}, {}
    )
    assert f"| `key` | `1` | {words} | what \\| it does |" in page
    assert "## `block`\n\nAbout.\n" in page


def test_a_function_is_told_with_its_signature_and_docstring(tmp_path):
    source = '''"""Module."""
LIMIT: float = 6.0
"""A limit."""
_HIDDEN = 1
"""Not told."""
class Pair(NamedTuple):
    """Two."""
    a: int
    b: str
class Store:
    """Kept."""
    def __init__(self, path: str): ...
    def get(self, key: int = 0) -> bytes:
        """One."""
def f(x: float, *, y: int = 2) -> str:
    """First line.

    More.
    """
def write_f(path: str) -> None:
    """Of a rule."""
def untold(): ...
'''
    (tmp_path / "m.py").write_text(source)
    page = reference.api_page(tmp_path, ("m",)).split("## crossz.m\n")[1]
    assert " ".join(page.split()) == (
        "Module. **`LIMIT = 6.0`** A limit. **`Pair(a: int, b: str)`** Two. **`Store(path: str)`** Kept. "
        "**`Store.get(key: int=0) -> bytes`** One. **`f(x: float, *, y: int=2) -> str`** First line. More."
    )


def test_the_modules_told_of_have_what_is_picked_from_them():
    for name, picked in reference.ONLY.items():
        tree = ast.parse((ROOT / f"src/crossz/{name}.py").read_text())
        assert set(picked) <= {node.name for node in tree.body if hasattr(node, "name")}, name
