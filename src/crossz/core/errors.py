"""The one error that a user is meant to read."""

from collections.abc import Sequence


class CrosszError(ValueError):
    """Something the user can mend: the message names the file, the value and the remedy, without a traceback."""


class Refused(Exception):
    """What a server sent is not what was asked for, and may be if it is asked again."""


def fail_if(problems: Sequence[str], about: str) -> None:
    """Raise one CrosszError that lists all `problems` of `about`, if there are any."""
    if problems:
        raise CrosszError("\n  - ".join((f"{about}: {len(problems)} problem(s)", *problems)))
