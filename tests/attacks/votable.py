"""VOTables: addresses of others, entities, announced sizes, odd types and encodings."""

import base64
import gzip
from collections.abc import Iterator

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import all_are, astropy_bytes, predicting, table

HONEST = astropy_bytes("votable", table().astype({"objID": str})).decode()
BINARY = astropy_bytes("votable", table().astype({"objID": str}), tabledata_format="binary").decode()
BINARY2 = astropy_bytes("votable", table().astype({"objID": str}), tabledata_format="binary2").decode()
_U = '<FIELD ID="psfMag_u" datatype="double" name="psfMag_u"/>'


def cases() -> Iterator[Case]:
    assert _U in HONEST
    for name, content in {"TABLEDATA": HONEST, "BINARY": BINARY, "BINARY2": BINARY2}.items():
        yield predicting(f"honest: {name}", "t.vot", content, ACCEPTED, check=all_are("ok"))
    attacks = {**_addresses(), **_documents(), **_fields(), **_data()}
    for name, (content, wants) in attacks.items():
        yield predicting(name, "t.vot", content, wants)


def _addresses() -> dict[str, tuple[str, str]]:
    found = {}
    for address in (
        "http://127.0.0.1:9/x",
        "https://example.org/x",
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://127.0.0.1/x",
        "//127.0.0.1/x",
        "t.vot",
        "",
    ):
        for form in ("href", "HREF", "xlink:href"):
            stream = f'<BINARY><STREAM encoding="base64" {form}="{address}"/></BINARY>'
            start, end = HONEST.index("<TABLEDATA>"), HONEST.index("</TABLEDATA>") + len("</TABLEDATA>")
            found[f"STREAM {form} = {address}"] = (
                HONEST[:start] + stream + HONEST[end:],
                REFUSED if form != "HREF" else EITHER,
            )
    entity = '<!ENTITY x SYSTEM "file:///etc/passwd">'
    laughs = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1 or chr(0)};" * 10}">' for n in range(1, 12)
    ).replace("\0", "")
    doctypes = {
        "an entity of a file": f"<!DOCTYPE a [{entity}]>",
        "an entity of an address": '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]>',
        "a parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>',
        "a billion laughs": f"<!DOCTYPE a [{laughs}]>",
        "a foreign DTD": '<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1:9/x.dtd">',
        "a public DTD": '<!DOCTYPE VOTABLE PUBLIC "x" "http://127.0.0.1:9/x.dtd">',
        "a short one": "<!DOCTYPE VOTABLE>",
    }
    for name, doctype in doctypes.items():
        found[f"DOCTYPE: {name}"] = (HONEST.replace("?>\n", f"?>\n{doctype}\n", 1), REFUSED)
    found["XInclude"] = (
        HONEST.replace(
            "<RESOURCE",
            '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/><RESOURCE',
            1,
        ),
        EITHER,
    )
    found["a stylesheet"] = (HONEST.replace("?>\n", '?>\n<?xml-stylesheet href="http://127.0.0.1:9/x"?>\n', 1), EITHER)
    found["a schema elsewhere"] = (
        HONEST.replace(
            "<VOTABLE ",
            '<VOTABLE xsi:schemaLocation="a http://127.0.0.1:9/x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ',
            1,
        ),
        EITHER,
    )
    found["an undefined entity"] = (HONEST.replace("<TABLEDATA>", "<TABLEDATA>&x;", 1), REFUSED)
    return found


def _documents() -> dict[str, tuple[str, str]]:
    error = HONEST.replace("<TABLE>", '<INFO name="QUERY_STATUS" value="ERROR">no such table</INFO><TABLE>', 1)
    start = HONEST.index("<RESOURCE")
    return {
        "an error of a service": (
            HONEST[:start] + '<RESOURCE><INFO name="QUERY_STATUS" value="ERROR">no</INFO></RESOURCE></VOTABLE>',
            REFUSED,
        ),
        "an error beside a table": (error, EITHER),
        "no table": (HONEST[:start] + "</VOTABLE>", REFUSED),
        "no fields": (
            HONEST[:start] + "<RESOURCE><TABLE><DATA><TABLEDATA/></DATA></TABLE></RESOURCE></VOTABLE>",
            REFUSED,
        ),
        "no data": (HONEST[: HONEST.index("<DATA>")] + "</TABLE></RESOURCE></VOTABLE>", REFUSED),
        "no rows": (HONEST[: HONEST.index("<TR>")] + "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>", REFUSED),
        "cut": (HONEST[: len(HONEST) // 2], REFUSED),
        "an end too many": (HONEST + "</VOTABLE>", REFUSED),
        "rubbish behind": (HONEST + "rubbish", REFUSED),
        "another root": (HONEST.replace("VOTABLE", "KML"), REFUSED),
        "no namespace": (HONEST.replace('xmlns="http://www.ivoa.net/xml/VOTable/v1.3"', ""), EITHER),
        "version 99": (HONEST.replace('version="1.4"', 'version="99"'), EITHER),
        "deep elements": (HONEST[:start] + "<RESOURCE>" * 50_000 + "</RESOURCE>" * 50_000 + "</VOTABLE>", REFUSED),
        "deep groups": (HONEST.replace("<TABLE>", "<TABLE>" + "<GROUP>" * 5000 + "</GROUP>" * 5000, 1), EITHER),
        "an attribute of 5 MB": (HONEST.replace("<TABLE>", f'<TABLE name="{"x" * 5_000_000}">', 1), EITHER),
        "10,000 attributes": (
            HONEST.replace("<TABLE>", f"<TABLE {' '.join(f'a{n}={chr(34)}1{chr(34)}' for n in range(10_000))}>", 1),
            EITHER,
        ),
        "a description with escapes": (
            HONEST.replace("<TABLE>", "<TABLE><DESCRIPTION>&#x9b;31m</DESCRIPTION>", 1),
            EITHER,
        ),
        "a control character": (HONEST.replace("<TABLE>", '<TABLE name="&#x1b;">', 1), REFUSED),
        "an unknown encoding": (HONEST.replace("utf-8", "x-none").replace("UTF-8", "x-none"), EITHER),
        "UTF-7": (HONEST.replace("utf-8", "utf-7").replace("UTF-8", "utf-7"), EITHER),
        "a comment of 5 MB": (HONEST.replace("<TABLE>", f"<!--{'x' * 5_000_000}--><TABLE>", 1), EITHER),
        "a section of characters": (HONEST.replace("<TD>", "<TD><![CDATA[", 1).replace("</TD>", "]]></TD>", 1), EITHER),
        "rows by the wrong names": (HONEST.replace("TD>", "td>"), EITHER),
        "a reference to itself": (HONEST.replace("<TABLE>", '<TABLE ID="a" ref="a">', 1), EITHER),
        "nrows 100,000,000": (HONEST.replace("<TABLE>", '<TABLE nrows="100000000">', 1), REFUSED),
        "nrows -1": (HONEST.replace("<TABLE>", '<TABLE nrows="-1">', 1), EITHER),
        "nrows of words": (HONEST.replace("<TABLE>", '<TABLE nrows="many">', 1), EITHER),
        "nrows of 5,000 digits": (HONEST.replace("<TABLE>", f'<TABLE nrows="{"9" * 5000}">', 1), REFUSED),
        "nrows 3": (HONEST.replace("<TABLE>", '<TABLE nrows="3">', 1), EITHER),
    }


def _fields() -> dict[str, tuple[str, str]]:
    found = {}
    kinds = (
        "float",
        "int",
        "short",
        "long",
        "boolean",
        "bit",
        "char",
        "unicodeChar",
        "unsignedByte",
        "floatComplex",
        "doubleComplex",
        "x",
        "",
        "object",
    )
    sizes = (
        "",
        "1",
        "*",
        "0",
        "-1",
        "3",
        "3*",
        "2x2",
        "2x*",
        "9999999999",
        "99999x99999",
        "*x*",
        "x",
        "1e9",
        "9" * 400,
    )
    for kind in kinds:
        found[f"datatype {kind}"] = (HONEST.replace(_U, _U.replace("double", kind)), EITHER)
    for size in sizes:
        for kind in ("double", "char", "bit"):
            field = _U.replace('"double"', f'"{kind}" arraysize="{size}"')
            found[f"{kind} of size {size[:20]}"] = (HONEST.replace(_U, field), EITHER)
    for attributes in (
        'unit="10**999999999"',
        'unit="furlong"',
        'unit="Jy"',
        'unit="&#x9b;31m"',
        f'unit="{"(" * 5000}"',
        'width="999999999"',
        'width="-1"',
        'width="a"',
        'precision="F99999"',
        'precision="E99"',
        'precision="a"',
        'ucd="&lt;script&gt;"',
        'ref="none"',
        'type="hidden"',
        'utype="x"',
        'xtype="timestamp"',
        'ID="ra"',
        'name=""',
    ):
        field = (
            _U.replace('name="psfMag_u"', attributes)
            if attributes.startswith("name")
            else _U.replace("/>", f" {attributes}/>")
        )
        field = field.replace('ID="psfMag_u" ', "", 1) if attributes.startswith("ID") else field
        found[f"a field with {attributes[:30]}"] = (HONEST.replace(_U, field), EITHER)
    for values in (
        '<VALUES null="19.6"/>',
        '<VALUES null="a"/>',
        '<VALUES><MIN value="a"/></VALUES>',
        '<VALUES ref="x"/>',
        "<VALUES>" + '<OPTION value="a"/>' * 10_000 + "</VALUES>",
        '<LINK href="file:///etc/passwd"/>',
    ):
        found[f"a field with {values[:30]}"] = (HONEST.replace(_U, _U.replace("/>", f">{values}</FIELD>")), EITHER)
    found["a field twice"] = (HONEST.replace(_U, _U + _U), REFUSED)
    found["a name of two lines"] = (HONEST.replace('name="psfMag_u"', 'name="a&#10;b"'), EITHER)
    found["2,000 fields more"] = (
        HONEST.replace(_U, _U + "".join(f'<FIELD name="c{n}" datatype="int"/>' for n in range(2000))),
        EITHER,
    )
    return found


def _data() -> dict[str, tuple[str, str]]:
    row = HONEST[HONEST.index("<TR>") : HONEST.index("</TR>") + 5]
    start, end = BINARY.index('<STREAM encoding="base64">') + 26, BINARY.index("</STREAM>")
    content = base64.b64decode(BINARY[start:end])

    def stream(text: str, encoding: str = "base64") -> str:
        return BINARY[:start].replace('"base64"', f'"{encoding}"') + text + BINARY[end:]

    def coded(data: bytes) -> str:
        return stream(base64.b64encode(data).decode())

    long = (2**31 - 1).to_bytes(4, "big")
    return {
        "a row too short": (HONEST.replace(row, row.rpartition("<TD>")[0] + "</TR>", 1), EITHER),
        "a row too long": (HONEST.replace(row, row.replace("</TR>", "<TD>1</TD></TR>"), 1), EITHER),
        "a row of a million cells": (HONEST.replace(row, "<TR>" + "<TD>1</TD>" * 10**6 + "</TR>", 1), EITHER),
        "a word for a number": (
            HONEST.replace("<TD>2</TD>", "<TD>two</TD>").replace("<TD>2.0</TD>", "<TD>two</TD>"),
            EITHER,
        ),
        "an empty number": (HONEST.replace("<TD>2</TD>", "<TD/>").replace("<TD>2.0</TD>", "<TD/>"), EITHER),
        "a cell of 5 MB": (HONEST.replace(row, row.replace("<TD>", f"<TD>{'9' * 5_000_000}", 1), 1), EITHER),
        "300,000 rows": (HONEST.replace("</TABLEDATA>", "<TR/>" * 300_000 + "</TABLEDATA>"), EITHER),
        "binary: no base64": (stream("%%%%"), REFUSED),
        "binary: nothing": (stream(""), REFUSED),
        "binary: cut": (coded(content[:-7]), EITHER),
        "binary: a text of 2 GB": (coded(long + content[4:]).replace('arraysize="19"', 'arraysize="*"'), REFUSED),
        "binary: a text of a negative length": (
            coded(b"\xff" * 4 + content[4:]).replace('arraysize="19"', 'arraysize="*"'),
            REFUSED,
        ),
        "binary: another encoding": (stream("x", "gzip"), REFUSED),
        "binary: a foreign encoding": (stream("x", "rot13"), REFUSED),
        "binary: gzip of zeros": (stream(base64.b64encode(gzip.compress(bytes(300 << 20))).decode(), "gzip"), REFUSED),
        "binary2 read as binary": (BINARY2.replace("BINARY2", "BINARY"), EITHER),
        "binary read as binary2": (BINARY.replace("BINARY>", "BINARY2>"), EITHER),
        "FITS within": (
            HONEST[: HONEST.index("<TABLEDATA>")]
            + '<FITS><STREAM href="file:///etc/passwd"/></FITS></DATA></TABLE></RESOURCE></VOTABLE>',
            REFUSED,
        ),
        "PARQUET within": (
            HONEST[: HONEST.index("<TABLEDATA>")]
            + '<PARQUET type="VOTable-remote-file"><STREAM href="file:///etc/passwd"/></PARQUET></DATA></TABLE></RESOURCE></VOTABLE>',
            REFUSED,
        ),
        "PARQUET without an address": (
            HONEST[: HONEST.index("<TABLEDATA>")] + "<PARQUET>a</PARQUET></DATA></TABLE></RESOURCE></VOTABLE>",
            REFUSED,
        ),
    }
