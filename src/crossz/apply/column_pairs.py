"""The option --columns: which column of a user's table is which of crossz."""

from collections.abc import Collection, Sequence
from pathlib import Path

from crossz.catalog.naming import expanded, unknown
from crossz.core.errors import CrosszError


def column_pairs(texts: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """The pairs of --columns: what crossz calls each column of a user's table.

    Parameters
    ----------
    texts
        OURS=THEIRS each, or @FILE, which has one a line. A star stands for the band.
    known
        Names that crossz has.

    Raises
    ------
    CrosszError
        A pair is none, names no column of crossz, or contradicts another one.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        if text.startswith("@"):
            if not Path(text[1:]).is_file():
                raise CrosszError(f"--columns {text}: no file {text[1:]}, which should hold a pair OURS=THEIRS a line")
            lines = Path(text[1:]).read_text(encoding="utf-8-sig", errors="replace").splitlines()
            found = column_pairs([line.strip() for line in lines if line.strip() and line[0] not in "#@"], known)
        else:
            found = dict([_pair(text, known)])
        if twice := [ours for ours in found if ours in pairs and pairs[ours] != found[ours]]:
            raise CrosszError(f"--columns {text}: {twice[0]} is {pairs[twice[0]]} already; say it once")
        pairs |= found
    _check_shared(pairs)
    return pairs


def _check_shared(pairs: dict[str, str]) -> None:
    owner: dict[str, str] = {}
    for ours, theirs in expanded(pairs).items():
        if (other := owner.setdefault(theirs.lower(), ours)) != ours:
            raise CrosszError(f"--columns: {theirs} would be {other} and {ours}; a column has one meaning")


def _pair(text: str, known: Collection[str]) -> tuple[str, str]:
    ours, mark, theirs = (part.strip() for part in text.partition("="))
    if not (ours and mark and theirs):
        raise CrosszError(f"--columns {text}: say OURS=THEIRS, for example dered_u=umag or 'dered_*=*mag'")
    if problem := unknown(ours, known):
        if not unknown(theirs, known):
            raise CrosszError(f"--columns {text}: ours comes first: {theirs}={ours}")
        raise CrosszError(f"--columns {text}: {problem}")
    return ours, theirs
