"""What of a configuration breaks its schema, in lines that a user can read."""

import difflib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from crossz.core.text import printable

_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # thirty times as fast, where libyaml is built in
_EXPONENT = re.compile(r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$")
_PLAIN = re.compile(r"^([+-]?\d+(\.\d*)?|true|false)$", re.IGNORECASE)
_PROSE = ("export.notes",)
"""Settings that are text of several lines."""
_LINES = 20
_LONGEST = 300  # characters of a message: a value may be long


def read_schema(path: str | Path) -> dict[str, Any]:
    """The JSON schema in a file of YAML."""
    return cast(dict[str, Any], yaml.load(Path(path).read_bytes(), Loader=_YAML))


def breaches(config: dict, schema: dict) -> list[str]:
    """One line for each value that breaks the schema, with its dotted key, and what would be right.

    Beside what JSON Schema says, each name is text, and text has no control characters: names become names of files.
    A number is finite, and a whole number is written as one: 2.0 is none.
    """
    lines = list(_unreadable(config))
    if not lines:
        errors = sorted(_Validator(schema).iter_errors(config), key=lambda e: [*map(str, e.absolute_path)])
        lines = [line for error in errors for line in _lines(error)]
    more = [f"and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else []
    return lines[:_LINES] + more


def _is_whole(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_whole(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_whole, "number": _is_number}
    ),
)


def _unreadable(value: object, key: str = "") -> Iterator[str]:
    """Names that are no text, and text with characters that nobody sees."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if isinstance(value, dict) and not isinstance(name, str):
            yield f"{key or 'configuration'}: the name {name!r} is no text; write it in quotes"
        elif not str(name).isprintable() or name == "":
            yield f"{key or 'configuration'}: the name {_shown(name)} is empty, or has characters that cannot be printed; write it anew"
        else:
            yield from _unreadable(part, f"{key}.{name}" if key else str(name))
    if isinstance(value, str) and key not in _PROSE and not value.isprintable():
        yield f"{key}: {_shown(value)} has characters that cannot be printed, such as the end of a line; write it anew"


def _shown(value: object) -> str:
    return printable(repr(value), 100)


def _lines(error: jsonschema.ValidationError) -> list[str]:
    key = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(_described(error).get("properties", {}))
        lines = []
        for name in cast(dict, error.instance):
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1, 0.6)
                hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
                lines.append(f"{key + '.' if key else ''}{printable(name, 100)}: unknown key{hint}")
        return lines
    return [f"{key or 'configuration'}: {_message(error)}"]


def _message(error: jsonschema.ValidationError) -> str:
    message = printable(error.message, _LONGEST)
    if error.validator == "type" and isinstance(error.instance, str) and _EXPONENT.match(error.instance):
        mantissa, exponent = re.split("[eE]", error.instance)
        mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
        sign = exponent if exponent[0] in "+-" else f"+{exponent}"
        message = f"YAML reads {error.instance} as text, not as a number; write {mantissa}e{sign}"
    elif error.validator == "type" and isinstance(error.instance, str) and _PLAIN.match(error.instance):
        message = (
            f"{error.instance!r} is text; write it without quotes, in a file (--configfile): "
            "inside a block, --config gives text only"
        )
    elif error.validator == "type" and isinstance(error.instance, float) and error.instance.is_integer():
        message = f"{error.instance!r} is no whole number; write {error.instance:.0f}"
    elif error.validator != "required":
        description = _described(error).get("description")
        message = f"{message} ({description})" if description else message
    return message


def _described(error: jsonschema.ValidationError) -> dict:
    return cast(dict, error.schema)  # `true` and `false` are schemas too, but not ones that this error comes from
