"""Templates of the package, and text that is safe in them."""

import unicodedata
from typing import Any

import jinja2
from markupsafe import Markup

_WHITE = "\t\n\r"
_HIDDEN = ("Cc", "Cf", "Cs")  # control characters, invisible ones such as a change of direction, halves of a character
_MARKDOWN = str.maketrans({char: f"&#{ord(char)};" for char in "&<>`|[]*\\"})


def html_environment() -> jinja2.Environment:
    """Templates of HTML: every value is cleaned and escaped."""
    return _environment(autoescape=True, finalize=_cleaned)


def markdown_environment() -> jinja2.Environment:
    """Templates of Markdown: values are written as they are, see `escaped`."""
    return _environment(autoescape=False)


def clean(text: str) -> str:
    """Text on one line, without control characters and other characters that are not seen."""
    line = "".join(" " if char in _WHITE else char for char in text)
    return "".join(char for char in line if unicodedata.category(char) not in _HIDDEN)


def escaped(value: Any) -> Any:
    """A copy of `value`, all of whose texts, also in lists and dicts, are plain text in Markdown: neither HTML nor markup."""
    if isinstance(value, str):
        return clean(value).translate(_MARKDOWN)
    if isinstance(value, dict):
        return {escaped(key): escaped(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(entry) for entry in value]
    return value


def _environment(**options: Any) -> jinja2.Environment:
    loader = jinja2.PackageLoader("crossz.apply", "templates")
    return jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, **options,
    )  # fmt: skip


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
