"""The SciServer login, from the environment or from a file that only its owner can read; it is never printed or stored."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from crossz.core.errors import CrosszError

DEFAULT_FILE = "~/.config/crossz/sciserver"
HELP = (
    f"set SCISERVER_USER and SCISERVER_PASSWORD (or SCISERVER_TOKEN) in the environment, or write lines `user = ...` and "
    f"`password = ...` (or `token = ...`) into {DEFAULT_FILE} (CROSSZ_CREDENTIALS names another file) and chmod 600 it; "
    f"an account is free at https://apps.sciserver.org"
)


@dataclass(frozen=True)
class Credentials:
    """A token, or what one is fetched with; the secrets stay out of its repr."""

    user: str | None
    password: str | None = field(repr=False)
    token: str | None = field(repr=False)


def load() -> Credentials:
    """The user's login.

    Raises
    ------
    errors.CrosszError
        There is none, or others can read its file; the message says where to put it.
    """
    names = ("user", "password", "token")
    values: dict[str, str | None] = {name: os.environ.get(f"SCISERVER_{name.upper()}") for name in names}
    path = Path(os.environ.get("CROSSZ_CREDENTIALS", DEFAULT_FILE)).expanduser()
    if not _complete(values) and path.is_file():
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise CrosszError(f"{path}: others can read it (mode {mode:04o}); chmod 600 {path}")
        values = dict.fromkeys(names)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            key, _, value = (part.strip() for part in line.partition("="))
            if key in names:
                values[key] = value
            elif line.strip() and not line.startswith("#"):  # which may be a password: not shown
                raise CrosszError(f"{path}, line {number}: none of {', '.join(names)} = ...; {HELP}")
    if not _complete(values):
        raise CrosszError(f"no SciServer login: {HELP}")
    return Credentials(values["user"], values["password"], values["token"])


def _complete(values: dict[str, str | None]) -> bool:
    return bool(values["token"] or (values["user"] and values["password"]))
