"""ECSV and IPAC tables: YAML in a header that would build objects, grow or never end."""

from collections.abc import Iterator

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import all_are, astropy_bytes, predicting, table

ECSV = astropy_bytes("ascii.ecsv").decode()
IPAC = astropy_bytes("ascii.ipac", table().astype({"objID": str})).decode()
_U = "# - {name: psfMag_u, datatype: float64}"


def cases() -> Iterator[Case]:
    assert _U in ECSV
    yield predicting("ecsv: honest", "t.ecsv", ECSV, ACCEPTED, check=all_are("ok"))
    yield predicting("ipac: honest", "t.tbl", IPAC, ACCEPTED, check=all_are("ok"))
    for name, (content, wants) in {**_headers(), **_columns(), **_rows()}.items():
        yield predicting(f"ecsv: {name}", "t.ecsv", content, wants)
    for name, content in _ipac().items():
        yield predicting(f"ipac: {name}", "t.tbl", content, EITHER)


def _headers() -> dict[str, tuple[str, str]]:
    def meta(text: str) -> str:
        lines = "".join(f"# {line}\n" for line in text.splitlines())
        return ECSV.replace("# schema:", f"{lines}# schema:")

    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    tags = (
        "object/apply:os.system ['touch hacked']",
        "object/new:subprocess.Popen [[touch, hacked]]",
        "name:os.system",
        "module:os",
    )
    headers = {f"a tag of Python: {tag.split()[0]}": (meta(f"meta: !!python/{tag}"), REFUSED) for tag in tags}
    headers["a tag of Python: tuple"] = (meta("meta: !!python/tuple [1]"), EITHER)
    headers |= {
        "a tag of astropy": (meta("meta: !astropy.time.Time {jd1: 1}"), EITHER),
        "an unknown tag": (meta("meta: !x {a: 1}"), REFUSED),
        "a billion laughs": (meta("meta:\n" + "".join(f"  {line}\n" for line in laughs.splitlines())), EITHER),
        "an anchor in itself": (meta("meta: &a [*a]"), EITHER),
        "a merge in itself": (meta("meta: &a\n  <<: *a\n  b: 1"), EITHER),
        "deep lists": (meta(f"meta: {'[' * 5000}"), REFUSED),
        "deep blocks": (meta("meta:\n" + "".join(" " * n + "a:\n" for n in range(1, 900))), EITHER),
        "a text of 5 MB": (meta("meta: " + "x" * 5_000_000), EITHER),
        "50,000 keys": (meta("meta:\n" + "".join(f"  k{n}: 1\n" for n in range(50_000))), EITHER),
        "a key of a list": (meta("meta: {[1]: 2}"), EITHER),
        "numbers beyond": (meta("meta: {a: 1e999999999, b: " + "9" * 5000 + "}"), EITHER),
        "a date that cannot be": (meta("meta: {a: 2026-99-99}"), EITHER),
        "two documents": (meta("--- a"), EITHER),
        "tabs": (meta("meta:\t- a\t"), EITHER),
        "escapes": (meta('meta: {a: "\\e[31m"}'), EITHER),
        "a list": (ECSV.replace("# ---", "# ---\n# - a"), REFUSED),
        "no YAML": (ECSV.replace("# ---", "# --- }{"), REFUSED),
        "version 9": (ECSV.replace("ECSV 1.0", "ECSV 9.0"), EITHER),
        "no version": (ECSV.replace("%ECSV 1.0", "%ECSV"), EITHER),
        "no schema": (ECSV.replace("schema: astropy-2.0", "schema: [1]"), EITHER),
        "alone": (ECSV[: ECSV.index("objID ra")], REFUSED),
        "a separator that is none": (ECSV.replace("# ---", "# ---\n# delimiter: x"), REFUSED),
        "no UTF-8": (ECSV.replace("# ---", "# ---\n# a: \udcff"), REFUSED),
    }
    return headers


def _columns() -> dict[str, tuple[str, str]]:
    def column(text: str) -> str:
        return ECSV.replace(_U, f"# - {text}")

    kinds = (
        "object",
        "complex128",
        "bool",
        "string",
        "float128",
        "int8",
        "uint64",
        "x",
        "[1]",
        "null",
        "'<f8'",
        "'O'",
        "'S99999999'",
        "'V8'",
        "datetime64",
        "1e9",
    )
    columns = {f"datatype {kind}": (column(f"{{name: psfMag_u, datatype: {kind}}}"), EITHER) for kind in kinds}
    subtypes = (
        "float64[999999999]",
        "float64[99999,99999]",
        "float64[null]",
        "float64[-1]",
        "json",
        "object",
        "'float64[1e9]'",
        "[1]",
        "int64",
    )
    columns |= {
        f"subtype {kind}": (column(f"{{name: psfMag_u, datatype: string, subtype: '{kind.strip(chr(39))}'}}"), EITHER)
        for kind in subtypes
    }
    columns |= {
        "no name": (column("{datatype: float64}"), REFUSED),
        "no datatype": (column("{name: psfMag_u}"), REFUSED),
        "a number for a name": (column("{name: 5, datatype: float64}"), EITHER),
        "a list for a name": (column("{name: [a], datatype: float64}"), REFUSED),
        "a unit of words": (column("{name: psfMag_u, unit: furlong, datatype: float64}"), REFUSED),
        "a unit of a list": (column("{name: psfMag_u, unit: [1], datatype: float64}"), EITHER),
        "a unit of an object": (
            column("{name: psfMag_u, unit: !astropy.units.Unit {unit: '10**999999999'}, datatype: float64}"),
            REFUSED,
        ),
        "a unit with a power": (column("{name: psfMag_u, unit: 10**999999999, datatype: float64}"), REFUSED),
        "a format": (column("{name: psfMag_u, format: '%999999999f', datatype: float64}"), REFUSED),
        "a format of Python": (column("{name: psfMag_u, format: '{0.__class__}', datatype: float64}"), EITHER),
        "a description of a list": (column("{name: psfMag_u, description: [1], datatype: float64}"), EITHER),
        "a description with escapes": (column('{name: psfMag_u, description: "\\e[31m", datatype: float64}'), EITHER),
        "a meta of a list": (column("{name: psfMag_u, meta: [1], datatype: float64}"), EITHER),
        "an ucd of a list": (column("{name: psfMag_u, meta: {ucd: [1]}, datatype: float64}"), EITHER),
        "a name twice": (column("{name: psfMag_g, datatype: float64}"), REFUSED),
        "10,000 columns more": (
            ECSV.replace(_U, "\n".join([_U, *(f"# - {{name: c{n}, datatype: float64}}" for n in range(10_000))])),
            REFUSED,
        ),
    }
    for kind in (
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "astropy.time.core.Time",
        "astropy.coordinates.sky_coordinate.SkyCoord",
        "x",
        "astropy.table.column.MaskedColumn",
    ):
        serialized = f"# meta: !!omap\n# - __serialized_columns__:\n#     psfMag_u: {{__class__: {kind}, value: !astropy.table.SerializedColumn {{name: psfMag_u}}}}\n# schema:"
        columns[f"a column of class {kind}"] = (ECSV.replace("# schema:", serialized), EITHER)
    return columns


def _rows() -> dict[str, tuple[str, str]]:
    last = ECSV.splitlines()[-1]
    return {
        "a row too short": (ECSV + last.rpartition(" ")[0] + "\n", REFUSED),
        "a row too long": (ECSV + last + " 1 2\n", REFUSED),
        "an open quote": (ECSV + '"' + last + "\n", REFUSED),
        "a word for a number": (ECSV.replace(last, last.replace(" 2.0 ", " two ", 1)), REFUSED),
        "an integer of 25 digits": (ECSV.replace(last, "9" * 25 + last[last.index(" ") :]), REFUSED),
        "other names": (ECSV.replace("objID ra", "objID RA_"), REFUSED),
        "a cell of 10 MB": (ECSV + "9" * 10_000_000 + last[last.index(" ") :] + "\n", EITHER),
    }


def _ipac() -> dict[str, str]:
    lines = IPAC.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    return {
        "no types": "".join([*lines[: first + 1], *lines[first + 4 :]]),
        "no rows": "".join(lines[: first + 4]),
        "bars alone": "|" * 1000 + "\n" + " " * 1000 + "\n",
        "two names alike": IPAC.replace("psfMag_u", "psfMag_g"),
        "types of others": IPAC.replace("double", "object"),
        "keys of backslashes": "\\" * 5000 + "\n" + IPAC,
        "a key of 5 MB": "\\a='" + "x" * 5_000_000 + "'\n" + IPAC,
        "short rows": "".join([*lines[: first + 4], "1\n", "2\n"]),
        "rows beyond the bars": "".join(
            line.rstrip("\n") + (" 9" * 100 if line[0] == " " else "") + "\n" for line in lines
        ),
        "a unit with a power": IPAC.replace("|\n", "|\n", 1).replace(
            lines[first + 2], "|10**999999999" + lines[first + 2][14:], 1
        ),
        "100,000 bars": "|a" * 100_000 + "|\n" + " 1" * 100_000 + "\n",
    }
