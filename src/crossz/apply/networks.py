"""The networks that come with crossz, and the one way from a name to a bundle.

They lie in the package as zip files of bundles. `make networks` makes them: docs/networks.md.
"""

import difflib
from pathlib import Path

from crossz.core.errors import CrosszError
from crossz.core.text import printable

FOLDER = Path(__file__).parents[1] / "networks"
"""Where they lie."""


def shipped() -> dict[str, Path]:
    """The zip file of each network that comes with crossz, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.zip"))}


def place_of(network: str | Path) -> Path:
    """The folder or zip file of a bundle.

    Parameters
    ----------
    network
        The name of a network that comes with crossz; else a folder or a zip file. `./NAME` is always a file.

    Raises
    ------
    CrosszError
        It is none of these. The nearest name is suggested.
    """
    known = shipped()
    if str(network) in known:
        return known[str(network)]
    if Path(network).is_dir() or Path(network).is_file():  # a pipe or a device may never end
        return Path(network)
    near = difflib.get_close_matches(Path(network).name, known, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"these come with crossz: {', '.join(known)}"
    raise CrosszError(f"{printable(str(network), 200)}: no such bundle; {hint}")
