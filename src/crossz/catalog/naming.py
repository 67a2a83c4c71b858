"""Which column of a user's table is which of ours: by what the user says, by its name, or by its UCD.

It needs nothing but Python: the graph of jobs asks it too.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence

from crossz.catalog.formats import Field
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, fail_if

POSITIONS = (
    ("ra", "dec"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("ra_icrs", "de_icrs"),
    ("ra_icrs", "dec_icrs"),
    ("_raj2000", "_dej2000"),
    ("_ra_icrs", "_de_icrs"),
    ("_ra.icrs", "_de.icrs"),
    ("_ra", "_de"),
    ("ra_j2000", "dec_j2000"),
    ("ra2000", "dec2000"),
    ("ra2000", "de2000"),
    ("alpha_j2000", "delta_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("radeg", "dedeg"),
    ("radeg", "decdeg"),
    ("ra_deg", "dec_deg"),
    ("ramean", "decmean"),
    ("right_ascension", "declination"),
    ("ra", "de"),
    ("ra", "decl"),
)
"""Names of right ascension and declination, J2000 or ICRS, in lower case; the first pair that is there counts."""
_UCDS = (
    ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"),
    ("pos_eq_ra_main", "pos_eq_dec_main"),
    ("pos.eq.ra", "pos.eq.dec"),
)
_ERROR_MARKS = ("err", "e_", "sig", "unc", "d_", "rms", "ivar")
_EXTINCTION_MARKS = ("ext", "a_", "ebv")


def expanded(columns: Mapping[str, str]) -> dict[str, str]:
    """`columns` with each pattern written out: psfMag_*: '*mag' stands for psfMag_u: umag ... psfMag_z: zmag.

    Raises
    ------
    CrosszError
        A pattern has no `*` on one of its sides.
    """
    pairs = {}
    for ours, theirs in columns.items():
        if ("*" in ours) != ("*" in theirs):
            raise CrosszError(f"{ours}={theirs}: * stands for the band, u g r i z; write it on both sides")
        for band in BANDS if "*" in ours else "-":
            pairs[ours.replace("*", band)] = theirs.replace("*", band)
    return pairs


def unknown(ours: str, known: Collection[str]) -> str:
    """Why `ours`, which may be a pattern, is no column of ours: the nearest name, and all names; "" if it is one."""
    if ours.replace("*", BANDS[0]) in known:
        return ""
    near = difflib.get_close_matches(ours, sorted(known), 1, 0.5)
    names = dict.fromkeys(_pattern(name, known) for name in known)
    return f"crossz has no column {ours}{f'; did you mean {near[0]}?' if near else ''}; there are {', '.join(names)}"


def _pattern(name: str, known: Collection[str]) -> str:
    """The name, with a star for the band where there are all five."""
    kind = name[:-1]
    return f"{kind}*" if kind.endswith("_") and all(f"{kind}{band}" in known for band in BANDS) else name


def taken(fields: Sequence[Field], columns: Mapping[str, str], known: Collection[str], source: str) -> dict[str, str]:
    """The name in the table of each of our columns that it has.

    Parameters
    ----------
    fields
        The table's columns. Their names match regardless of case, as SQL Server's do.
    columns
        Our name -> that of the table, where the user says so; or patterns, as `expanded` reads them.
    known
        All names of ours.
    source
        The table, for messages.

    Raises
    ------
    CrosszError
        Two columns have one name, or one of `columns` is not there; of a pattern, a band may be absent.
    """
    names = [field.name for field in fields]
    for name in names if len({*names}) < len(names) else ():
        _named(name, names, source)
    said = expanded(columns)
    absent = []
    for ours, name in columns.items():
        written = [name.replace("*", band) for band in BANDS] if "*" in ours else [name]
        if not any(_named(text, names, source) for text in written):
            what = "which is no column" if len(written) == 1 else f"but there is no column {', '.join(written)}"
            absent.append(f"{ours} is mapped to {name}, {what}")
    fail_if(absent, f"{source} (it has: {', '.join(names)})")
    wanted = {name: name for name in known} | said
    found = {ours: column for ours, text in wanted.items() if (column := _named(text, names, source))}
    if not {"ra", "dec"} <= {*found} and not {"ra", "dec"} & {*said}:
        found |= position(fields)
    return found


def _named(text: str, names: Sequence[str], source: str) -> str | None:
    """The column that `text` names, regardless of case unless columns differ by nothing else; None if there is none."""
    found = [name for name in names if name == text] or [name for name in names if name.lower() == text.lower()]
    if len(found) > 1:
        raise CrosszError(f"{source}: more than one column is named {' or '.join(found)}; rename or remove the others")
    return found[0] if found else None


def position(fields: Sequence[Field]) -> dict[str, str]:
    """The columns of right ascension and declination by their UCDs or names: ra and dec, or nothing."""
    names = {field.name.lower(): field.name for field in fields}
    for pairs, key in ((_UCDS[:2], "ucd"), (POSITIONS, "name"), (_UCDS[2:], "ucd")):
        for pair in pairs:
            if key == "name":
                both = [[names[name]] if name in names else [] for name in pair]
            else:
                both = [[field.name for field in fields if field.ucd.lower() == ucd] for ucd in pair]
            if all(len(one) == 1 for one in both):
                return {"ra": both[0][0], "dec": both[1][0]}
    return {}


def suggestion(fields: Sequence[Field], needed: Sequence[str]) -> str:
    """Words about --columns for the `needed` columns, from columns of the table that differ by the band alone; or a general one."""
    names = {field.name.lower(): field.name for field in fields}
    patterns = []
    for low, name in names.items():
        for place in [number for number, letter in enumerate(low) if letter == BANDS[0]]:
            if all(f"{low[:place]}{band}{low[place + 1 :]}" in names for band in BANDS):
                patterns.append(f"{name[:place]}*{name[place + 1 :]}")
    marked = {"Err": _ERROR_MARKS, "extinction": _EXTINCTION_MARKS}
    kinds = list(dict.fromkeys(f"{name[:-1]}*" for name in needed if name[-2:-1] == "_"))
    said = []
    for kind in kinds:
        marks = next((marks for part, marks in marked.items() if part in kind), ())
        others = [mark for part in marked.values() if part != marks for mark in part]
        found = [
            pattern
            for pattern in patterns
            if (not marks or any(mark in pattern.lower() for mark in marks))
            and not any(mark in pattern.lower() for mark in others)
        ]
        if found:  # of several, that which has our name or its beginning
            parts = kind[:-2].lower(), kind[:3].lower()
            said.append(f"'{kind}={min(found, key=lambda pattern: [part not in pattern.lower() for part in parts])}'")
    if not said:
        said = [f"'{kind}=...*...'" for kind in kinds]
    return f"name them: --columns {' '.join(said)} (* stands for u g r i z)"
