"""A request as a line for a shell, so that a user can try by hand what failed. It holds no secret."""

import json
import shlex
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

_SECRET = {"x-auth-token": "$TOKEN", "authorization": "$AUTHORIZATION", "cookie": "$COOKIE"}


def line(method: str, url: str, span: tuple[int, int] | None, options: dict[str, Any]) -> str:
    """A `curl` line that sends the same request, for bash or zsh.

    Parameters
    ----------
    method
        Of HTTP.
    url
        Asked. A user's name and password in it are left out.
    span
        Only the bytes [start, stop) are asked for; None for all.
    options
        As requests takes them: params, data, files, json and headers. A header that holds a secret has the name of a shell
        variable instead. An upload is read from targets.txt; a comment says what this file has to hold.
    """
    headers = options.get("headers", {})
    words = ["curl", "-sS"]
    if method == "GET" and not headers:
        words.append("-L")
    elif method != "POST" and method != "GET":
        words += ["-X", method]
    if span is not None:
        words += ["-r", f"{span[0]}-{span[1] - 1}"]
    for name, value in headers.items():
        secret = _SECRET.get(name.lower())
        words += ["-H", f'"{name}: {secret}"' if secret else _quoted(f"{name}: {value}")]
    comment = ""
    if options.get("json") is not None:
        words += ["-H", "'Content-Type: application/json'", "--data-raw", _quoted(json.dumps(options["json"]))]
    for name, value in options.get("data", {}).items():
        words += ["--form-string", _quoted(f"{name}={value}")]
    for name, (_, content) in options.get("files", {}).items():
        words += ["-F", f"{name}=@targets.txt"]
        first, *others = content.splitlines()
        comment = f"  # targets.txt holds the line {first!r} and then {len(others):,} lines, one a target"
    return " ".join([*words, _quoted(_address(url, options.get("params")))]) + comment


def _address(url: str, params: dict[str, str] | None) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def _quoted(text: str) -> str:
    """One word of a shell. Control characters are written as escapes, so that the line stays one line."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(c if c.isprintable() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in escaped) + "'"
