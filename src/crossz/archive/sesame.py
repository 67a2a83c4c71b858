"""CDS Sesame: the position of an object by its name, from SIMBAD, NED or VizieR."""

import re
from collections.abc import Sequence
from urllib.parse import quote

from crossz.archive.http import Client
from crossz.archive.responses import PAGE, Denied, Missing, Reply
from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable

ADDRESSES = ("https://cds.unistra.fr/cgi-bin/nph-sesame", "https://vizier.cfa.harvard.edu/viz-bin/nph-sesame")
"""The service and its mirror."""
_POSITION = re.compile(
    r"^%J +([0-9]{1,3}(?:\.[0-9]{0,20})?) +([+-]?[0-9]{1,2}(?:\.[0-9]{0,20})?) ", re.MULTILINE
)  # bounded: no answer takes long

_END = re.compile("^#====Done", re.MULTILINE)


def position(client: Client, name: str, addresses: Sequence[str] = ADDRESSES) -> tuple[float, float]:
    """Right ascension and declination (ICRS, degrees) of the object `name`.

    Raises
    ------
    CrosszError
        Nobody knows the name, or the service does not answer.
    """

    def accept(answer: Reply) -> tuple[float, float] | None:
        text = answer.body.decode("utf-8", "replace")
        if found := _POSITION.search(text):
            ra, dec = float(found[1]), float(found[2])
            if ra < 360 and abs(dec) <= 90:
                return ra, dec
        if "%J" in text or not _END.search(text):  # a position that is none, or no last line
            raise Refused("an answer that is none of Sesame, or cut")
        return None

    urls = [f"{address}/-oI/SNV?{quote(name)}" for address in addresses]
    what = f"position of {printable(name, 60)}"
    try:
        place = client.fetch(urls, what, accept, "Give its position: --at RA DEC", most=PAGE)
    except (Missing, Denied) as error:
        raise CrosszError(f"{what}: CDS Sesame does not serve {error}; give its position: --at RA DEC") from error
    if place is None:
        raise CrosszError(
            f"--at {printable(name, 60)}: neither SIMBAD nor NED nor VizieR knows this name; give its position: --at RA DEC"
        )
    return place
