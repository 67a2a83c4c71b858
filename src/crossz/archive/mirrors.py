"""The mirrors of one file: which have failed and why, and when each may be asked again."""

from dataclasses import dataclass, field

from crossz.archive.responses import Denied, Missing, host_name
from crossz.core.errors import CrosszError
from crossz.core.text import printable


@dataclass(eq=False)
class Mirror:
    """An address of a file, and what has become of its attempts; it is not asked before the time `ready`."""

    url: str
    failures: int = 0
    refusals: int = 0
    ready: float = 0.0


@dataclass
class Progress:
    """What has become of a file's attempts so far.

    Attributes
    ----------
    what
        The file, in messages.
    left
        The mirrors that have not said their last word.
    mirrors
        How many there were.
    reasons
        Of the failures.
    missing
        How many say that there is no such file.
    attempts
        How many there were.
    refused
        Whether a mirror was given up because what it sends stays refused.
    """

    what: str
    left: list[Mirror]
    mirrors: int
    reasons: list[str] = field(default_factory=list)
    missing: int = 0
    attempts: int = 0
    refused: bool = False

    def note(self, mirror: Mirror, error: Exception) -> None:
        """Keep the reason of a failure."""
        self.reasons.append(f"{host_name(mirror.url)}: {printable(str(error), 1000)}")

    def final(self, mirror: Mirror, error: Exception) -> bool:
        """Note a mirror's final answer. Returns True if no mirror is left. Raises the error if it was the last mirror."""
        self.left.remove(mirror)
        self.missing += isinstance(error, Missing)
        self.note(mirror, error)
        if self.left:
            return False
        if isinstance(error, CrosszError):
            raise CrosszError(f"{self.what}: {printable(str(error), 1000)}") from error
        if isinstance(error, Denied) or self.missing == self.mirrors:
            raise error
        return True
