"""Answers of SkyServer, its cross-identification, CDS XMatch, CasJobs and CDS Sesame: tables and JSON that lie, logins."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attacks import answers, clients
from attacks.clients import honest
from attacks.harness import ACCEPTED, CANARY, EITHER, REFUSED, Case
from attacks.server import Answer, Client, Connection, Kept, Urls, answer, asking
from crossz.archive import crossid
from crossz.core.surveys import SURVEYS
from crossz.sdss.coordinates import separation_arcsec

Body = bytes | str | Callable[[], bytes]
Bodies = Mapping[str, tuple[Body, str]]
ALL = {"SQL": clients.rows, "CrossID": clients.near, "objID": clients.named, "XMatch": clients.sources, "CasJobs": clients.tables, "Sesame": clients.position}  # fmt: skip
HOSTILE = ("status: 503", "status: 404", "status: 401", "status: 204 with the right body", "redirect: 304 Not Modified", "status: 206 of the whole, unasked", "status: HTTP/0.9", "length: none, endless", f"length: {10**18}, held", "chunks: never ending", "encoding: gzip bomb", "headers: trickle", "connection: reset in the body", "redirect: loop", "redirect: file", "redirect: endless body", "status: endless 103", "headers: no colon at the end", "status: 400 with a reason of an escape", "status: 400 Bad, JSON with escapes", "chunks: endless trailers", "redirect: 307 Temporary Redirect to a good host", "redirect: 303 See Other to a good host", "redirect: other host with a login", "status: HTTP/2 preface", "headers: a fold first", "status: 103 with a length", "connection: talks first")  # fmt: skip
"""Answers that every service meets."""
COLUMNS = ",".join(crossid.COLUMNS)


def cases() -> Iterator[Case]:
    known = answers.answers()
    for service, client in ALL.items():
        for name in HOSTILE:
            yield asked(f"{service}: {name}", known[name][0], client, REFUSED)
    yield from _of("SQL", clients.rows, _counts(), lambda found: found == 42)
    yield from _of("CrossID", clients.near, _near(), _are_near)
    yield from _of("objID", clients.named, _named(), lambda found: len(found) <= 1)
    yield from _of("XMatch", clients.sources, _sources(), _are_sources)
    yield from _of("CasJobs", clients.tables, _tables(), lambda found: all(isinstance(name, str) for name in found))
    near_3c273 = lambda place: abs(place[0] - 187.28) < 0.01 and abs(place[1] - 2.05) < 0.01  # noqa: E731
    yield from _of("Sesame", clients.position, _positions(), near_3c273)
    for name, (body, wants) in _positions().items():
        two = {"mirrors": ("evil", "good"), "good": answer(POSITION), "right": near_3c273}
        knows = EITHER if name == "nobody knows it" or wants == EITHER else ACCEPTED
        yield asked(f"Sesame, and its mirror: {name}", _sent(body), clients.position, knows, **two)
    yield from _logins()


def asked(name: str, evil: Any, client: Client, wants: str, right: Callable[[Any], object] = bool, **more: Any) -> Case:
    """A case of one service."""
    return asking(name, evil, client, wants, right, **{"good": honest} | more)


def _of(service: str, client: Client, bodies: Bodies, right: Callable[[Any], object]) -> Iterator[Case]:
    for name, (body, wants) in bodies.items():
        yield asked(f"{service}: {name}", _sent(body), client, wants, right)


def _sent(body: Body) -> Answer:
    return Kept((lambda: answer(body())) if callable(body) else answer(body))


def row(**cells: object) -> str:
    """A line of an object, as SkyServer writes it."""
    values = dict.fromkeys(crossid.COLUMNS, 1) | {"ra": 10, "dec": 20} | cells
    return ",".join(map(str, values.values()))


def _counts() -> Bodies:
    size = 120 << 20
    pages = ("<html>\x1b[31m", "<!DOCTYPE html><html><body>Service unavailable</body></html>", "<?xml version='1.0'?><e/>", " <HTML>", "%PDF-1.4", "\x1f\x8b\x08\0")  # fmt: skip
    odd = ("\x1b[31m", "²", "-1", "inf", "4\0 2", "9" * 20, "4_2", "٤٢", "42.0", "0x2a", "", '"', "=42", "NULL")
    found: dict[str, tuple[Body, str]] = {f"a count of {cell!r}": (f"#Table1\nn\n{cell}\n", REFUSED) for cell in odd}
    found |= {f"a page: {page[:20]!r}": (page, REFUSED) for page in pages}
    return found | {
        "honest": ("#Table1\nn\n42\n", ACCEPTED), "no rows": ("#Table1\nn\n", REFUSED), "two rows": ("n\n4\n5\n", REFUSED), "another column": ("m\n42\n", REFUSED), "a column twice": ("n,n\n42,42\n", REFUSED), "a second table": ("#Table1\nn\n42\n\n#Table2\nm\n1\n", REFUSED),
        "an error with escapes": ("#Table1\nerror_message\n\x1b[31m bad \x07\n", REFUSED), "too many queries": ("error_message\nonly 60 queries allowed per minute\n", REFUSED), "JSON with escapes": ('{"ErrorMessage": "\x1b[31m bad"}', REFUSED), "JSON of a list": ('{"ErrorMessage": ["\x1b[31m"]}', REFUSED), "deep JSON": ("[" * 100_000, REFUSED),
        "a header of 1 MB": ("a," * (1 << 19) + "\n1\n", REFUSED), "UTF-16": ("n\n42\n".encode("utf-16"), REFUSED), "a byte order mark": (b"\xef\xbb\xbfn\n42\n", ACCEPTED), "CRLF": ("n\r\n42\r\n", EITHER), "CR": ("n\r42\r", REFUSED), "an open quote": ('n\n"42\n', REFUSED), "cut": ("n\n42", REFUSED), "Latin-1": (b"n\n\xff\n", REFUSED),
        "120 MB of lines": (lambda: b"n\n" + b"1\n" * (size // 2), REFUSED), "120 MB of empty lines": (lambda: b"n\n" + b"\n" * size, REFUSED), "120 MB in a cell": (lambda: b"n\n" + b"1" * size + b"\n", REFUSED), "120 MB in a header": (lambda: b"n" * size + b"\n1\n", REFUSED), "120 MB of quotes": (lambda: b"n\n" + b'""' * (size // 2) + b"\n", REFUSED),
        "4 MB of lines": (lambda: b"n\n" + b"1\n" * (2 << 20), REFUSED), "4 MB in a cell": (lambda: b"n\n" + b"1" * (4 << 20 - 4) + b"\n", REFUSED), "4 MB of quotes": (lambda: b"n\n" + b'""' * ((2 << 20) - 9) + b"\n", REFUSED), "4 MB of columns": (lambda: b"n" + b",n" * ((2 << 20) - 9) + b"\n1\n", REFUSED),
    }  # fmt: skip


def _are_near(found: Any) -> bool:
    """Objects of the targets, all of them near; there may be some a target."""
    ra, dec = (place[found["number"].to_numpy()] for place in clients.NEAR)
    return bool((separation_arcsec(ra, dec, found["ra"].to_numpy(), found["dec"].to_numpy()) < 2.2).all())


def _are_sources(found: Any) -> bool:
    """Sources of the position, all of them near; a table of theirs may hold some."""
    return bool((found["number"] == 0).all() and (found["ra"].between(9.99, 10.01)).all())


def _near() -> Bodies:
    second = row(objID=6, ra=11, dec=21)
    good = f"#Table1\nname,{COLUMNS}\n0,{row(objID=5)}\n1,{second}\n"
    empty = "," * len(crossid.COLUMNS)
    more = ",".join(f"x{k}" for k in range(4000))
    objects = {"elsewhere": row(objID=6, ra=12, dec=21), "of objID 0": row(objID=0, ra=11, dec=21), "of objID -5": row(objID=-5, ra=11, dec=21), "of ra 371": row(objID=6, ra=371, dec=21), "of ra NaN": row(objID=6, ra="nan", dec=21), "of dec inf": row(objID=6, ra=11, dec="inf"), "of ra alone": row(objID=6, ra=11, dec=""), "of half an objID": row(objID="1.23E18", ra=11, dec=21), "of 30 digits": row(objID="9" * 30, ra=11, dec=21), "of text": row(objID=6, ra=11, dec=21)[:-1] + "x", "of an escape": row(objID=6, ra=11, dec=21)[:-1] + "\x1b[31m"}  # fmt: skip
    found: dict[str, tuple[Body, str]] = {f"an object {name}": (good.replace(second, text), REFUSED) for name, text in objects.items()}  # fmt: skip
    return found | {
        "honest": (good, ACCEPTED), "one has none": (good.replace(f"1,{second}", f"1{empty}"), ACCEPTED), "one is not there": (good.replace(f"1,{second}\n", ""), REFUSED), "another target": (good.replace("\n1,", "\n2,"), REFUSED), "a target of an escape": (good.replace("\n1,", "\n\x1b[31m,"), REFUSED), "a target of text": (good.replace("\n1,", "\nx,"), REFUSED),
        "a target twice": (f"{good}1,{row(objID=7, ra=11, dec=21)}\n", EITHER), "100,000 rows of a target": (good + f"1,{row(objID=7, ra=11, dec=21)}\n" * 100_000, EITHER), "120 MB of empty rows": (lambda: (good + f"1{empty}\n" * 3_000_000).encode()[: 120 << 20] + b"\n", EITHER), "4,000 further columns": (good.replace("name,", f"name,{more},").replace("\n0,", "\n0" + "," * 4001).replace("\n1,", "\n1" + "," * 4001), ACCEPTED),
        "a column is not there": (good.replace(",dered_i", ",x"), REFUSED), "a column twice": (good.replace(",dered_i", ",ra"), REFUSED), "html": ("<html>\x1b[31m", REFUSED), "an error": ("#Table1\nerror_message\n\x1b[31m\n", REFUSED), "nothing": ("", REFUSED), "a header": (f"name,{COLUMNS}\n", REFUSED),
    }  # fmt: skip


def _named() -> Bodies:
    head, one = f"#Table1\n{COLUMNS}\n", row(objID=clients.OBJID) + "\n"
    empty = "," * (len(crossid.COLUMNS) - 1) + "\n"
    return {
        "honest": (head + one, ACCEPTED), "twice": (head + one * 2, EITHER), "another object": (head + row(objID=7) + "\n", REFUSED), "nothing": (head, ACCEPTED), "no header": (one, REFUSED), "columns in another order": (f"{','.join(list(crossid.COLUMNS)[::-1])}\n{','.join(one.strip().split(',')[::-1])}\n", EITHER),
        "100 MB of rows": (lambda: (head + one * 1_100_000).encode(), EITHER), "120 MB of empty rows": (lambda: (head + empty * ((120 << 20) // len(empty))).encode(), EITHER), "4 MB of empty rows": (lambda: (head + empty * ((4 << 20) // len(empty) - 99)).encode(), REFUSED), "4 MB of rows": (lambda: (head + one * ((4 << 20) // len(one) - 99)).encode(), EITHER),
    }  # fmt: skip


def _votable(cells: str = "", rows: int = 1, fields: list[str] | None = None, head: str = "", extra: str = "", status: str = "OK") -> str:  # fmt: skip
    survey = SURVEYS["gaia"]
    names = ["asked", "asked_ra", "asked_dec", *survey.position, *survey.columns.values()]
    row_ = cells or "".join(f"<TD>{x}</TD>" for x in (0, 10.0, 20.0, 10.0, 20.0, *[1] * len(survey.columns)))
    columns = "".join(f'<FIELD name="{name}" datatype="double"/>' for name in fields or names)
    return f'<?xml version="1.0"?>{head}<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><INFO name="QUERY_STATUS" value="{status}"/>{extra}<TABLE>{columns}<DATA><TABLEDATA>{f"<TR>{row_}</TR>" * rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>'  # fmt: skip


def _sources() -> Bodies:
    others = len(SURVEYS["gaia"].columns)

    def cells(number: object = 0, ra: object = 10.0, found_ra: object = 10.0, first: object = 1) -> str:
        return _votable("".join(f"<TD>{x}</TD>" for x in (number, ra, 20.0, found_ra, 20.0, first, *[1] * (others - 1))))  # fmt: skip

    def failed(text: str) -> str:
        return _votable(status="ERROR").replace('value="ERROR"/>', f'value="ERROR">{text}</INFO>')

    odd = {"another position": cells(ra=11.0), "number 1e300": cells("1e300"), "number -0.5": cells(-0.5), "number NaN": cells("nan"), "number 5": cells(5), "an infinite place": cells(found_ra="inf"), "a place elsewhere": cells(found_ra=10.1), "a place of 400": cells(found_ra=400), "text": cells(first="x"), "an escape": cells(first="&#x1b;[31m"), "a number of 5,000 digits": cells("9" * 5000)}  # fmt: skip
    found: dict[str, tuple[Body, str]] = {name: (text, EITHER if name == "a number of 5,000 digits" else REFUSED) for name, text in odd.items()}  # fmt: skip
    forms = (
        "9" * 7_000_000,
        "0x1p3",
        "1_0",
        "１",
        "1e-400",
        "1e400",
        "--1",
        "1,5",
        "<b>1</b>",
        "1<!-- -->2",
        "<![CDATA[1]]>",
        "&#49;",
        "null",
        " 1 ",
    )
    found |= {f"a cell of {form[:20]!r} x {len(form)}": (cells(first=form), EITHER) for form in forms}
    found |= {f"an error of {name}": (failed(text), REFUSED) for name, text in {"an escape": "&#x1b;[31m", "C1": "&#x9b;31m &#x202e;", "1 MB": "a" * (1 << 20), "nothing": ""}.items()}  # fmt: skip
    doctypes = {"an entity of a file": "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", "many laughs": "<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>", "a DOCTYPE": "<!doctype a>"}  # fmt: skip
    found |= {name: (_votable(head=text), REFUSED) for name, text in doctypes.items()}
    large = {"elements": lambda: "<a>" + "<b/>" * 2_000_000 + "</a>", "depth": lambda: "<a>" * 1_300_000 + "</a>" * 1_000_000, "closed depth": lambda: "<a>" * 1_100_000 + "</a>" * 1_100_000, "attributes": lambda: "<a " + " ".join(f'a{k}="1"' for k in range(700_000)) + "/>", "namespaces": lambda: "<a " + " ".join(f'xmlns:a{k}="u{k}"' for k in range(350_000)) + "/>", "names": lambda: "<a>" + "".join(f"<a{k}/>" for k in range(700_000)) + "</a>", "empty rows": lambda: _votable("<TD/>", 550_000), "cells": lambda: _votable("<TD/>" * 1_500_000), "comments": lambda: "<a>" + "<!---->" * 1_100_000 + "</a>", "fields": lambda: _votable(fields=[f"x{k}" for k in range(250_000)])}  # fmt: skip
    found |= {f"8 MB of {name}": ((lambda make=make: make().encode()), REFUSED) for name, make in large.items()}
    return found | {
        "honest": (_votable(), ACCEPTED), "no rows": (_votable(rows=0), ACCEPTED), "overflow": (_votable(status="OVERFLOW"), REFUSED), "cut": (_votable()[:-30], REFUSED), "UTF-16": (_votable().encode("utf-16"), REFUSED), "UTF-7": (_votable().replace('"1.0"?', '"1.0" encoding="utf-7"?'), EITHER), "an unknown encoding": (_votable().replace('"1.0"?', '"1.0" encoding="nope"?'), REFUSED), "EBCDIC": (_votable().replace('"1.0"?', '"1.0" encoding="cp037"?').encode("cp037"), EITHER),
        "two tables": (_votable().replace("</RESOURCE>", "<TABLE/></RESOURCE>"), REFUSED), "a table within a cell": (_votable("<TD><TABLE/></TD>"), REFUSED), "fewer rows than it says": (_votable().replace("<TABLE>", '<TABLE nrows="5">'), REFUSED), "rows of nothing": (_votable().replace("<TABLE>", '<TABLE nrows="9999999999999">'), REFUSED), "a column twice": (_votable().replace('name="asked_ra"', 'name="asked"'), REFUSED), "no columns": (_votable(fields=["x"]), REFUSED), "XML 1.1": (_votable().replace('"1.0"?', '"1.1"?'), EITHER), "another namespace": (_votable().replace("www.ivoa.net", "evil.example"), EITHER),
        "a stream of a file": (_votable().replace("<TABLEDATA>", "<BINARY><STREAM href='file:///etc/passwd'/></BINARY><TABLEDATA>"), EITHER), "XInclude": (_votable(extra='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'), EITHER), "a stylesheet": (_votable(head='<?xml-stylesheet href="file:///etc/passwd"?>'), EITHER), "html": ("<html><body>\x1b[31m</body></html>", REFUSED), "nothing": ("", REFUSED), "a source 20,000 times": (_votable(rows=20_000), EITHER),
    }  # fmt: skip


def _tables() -> Bodies:
    one = '{"Name": "a"}'
    pages = ("<html>\x1b[31m", "<!DOCTYPE html><title>Login</title>", "Object moved", "null", "{}", "[NaN]", "9" * (4 << 20), "[" * 100_000, "true", '"a"', "", "[1]", "[null]", "[[]]", '[{"Name": ["\x1b"]}]', '[{"Name": 5}]', '[{"Name": null}]', '[{"name": "a"}]', '{"Name": "a"}', '[{"Name": "a"}', '[{"Name": "a"}] []')  # fmt: skip
    found: dict[str, tuple[Body, str]] = {f"{page[:20]!r} x {len(page)}": (page, REFUSED) for page in pages}
    return found | {
        "honest": (f"[{one}]", ACCEPTED), "no tables": ("[]", ACCEPTED), "UTF-16": (f"[{one}]".encode("utf-16"), EITHER), "a byte order mark": (f"\ufeff[{one}]", EITHER), "a surrogate": ('[{"Name": "\\ud800"}]', EITHER), "an escape": ('[{"Name": "\\u001b[31m"}]', EITHER), "a name of 1 MB": (f'[{{"Name": "{"a" * (1 << 20)}"}}]', EITHER),
        "280,000 tables": (lambda: f"[{','.join([one] * 280_000)}]".encode(), EITHER), "1,300,000 lists": (lambda: b"[" + b",".join([b"[]"] * 1_300_000) + b"]", REFUSED), "a key twice": ('[{"Name": "b", "Name": "a"}]', EITHER), "5 MB": (lambda: bytes(5 << 20), REFUSED),
    }  # fmt: skip


POSITION = "%J 187.27791594 +02.05238852 = x\n#====Done\n"


def _positions() -> Bodies:
    return {
        "honest": (POSITION, ACCEPTED), "nobody knows it": ("#====Done\n", REFUSED), "an escape": ("\x1b[31m#====Done", REFUSED), "ra 400": ("%J 400 +2 x\n#====Done", REFUSED), "dec 95": ("%J 40 +95 x\n#====Done", REFUSED), "NaN": ("%J nan nan x\n#====Done", REFUSED), "html": ("<html>\x1b[31m</html>", REFUSED), "nothing": ("", REFUSED), "5 MB": (" " * (5 << 20), REFUSED), "UTF-16": (POSITION.encode("utf-16"), REFUSED), "a superscript": ("%J 1² +2 x\n#====Done", REFUSED),
        "4 MB of beginnings": ("%J " * ((1 << 20) + 9), REFUSED), "4 MB of digits": ("%J " + "1" * ((4 << 20) - 9), REFUSED), "blanks": (("%J" + " " * 4000) * 1000, REFUSED), "cut": (POSITION[:30], EITHER), "cut before the end": (POSITION[:-9], EITHER),
    }  # fmt: skip


def _with_password(urls: Urls, folder: Any) -> set[str]:
    del os.environ["SCISERVER_TOKEN"]
    os.environ.update(SCISERVER_USER="me", SCISERVER_PASSWORD=CANARY)
    return clients.tables(urls, folder)


def _login(token: bytes | str, then: bytes = answer('[{"Name": "a"}]')) -> Answer:
    """The login's answer, or one with this token, and what CasJobs says after it."""
    first = token if isinstance(token, bytes) else answer(b"{}", X_Subject_Token=token)
    return lambda c: c.send(first if c.head.startswith(b"POST /login") else then)


def _logins() -> Iterator[Case]:
    echo = CANARY.encode()
    refused = {
        "no token": answer(b"{}"), "403": answer(b"", "403 X"), "5 MB": answer(bytes(5 << 20)), "307 to another host": answer(b"", "307 X", Location="@GOOD@/"), "308 to another host": answer(b"", "308 X", Location="@GOOD@/"), "302 to another host": answer(b"", "302 X", Location="@GOOD@/"), "HTML": answer("<html>Please log in</html>"), "an echo in a redirect": answer(b"", "302 X", Location=f"http://127.0.0.1:9/{CANARY}"),
        "an echo": answer(echo, "400 Bad"), "an echo in JSON": answer(json.dumps({"ErrorMessage": CANARY}), "500 Bad"), "an echo in the length": answer(b"", Content_Length=CANARY), "an echo as status": answer(b"", f"{CANARY} X"), "an echo as reason": answer(b"", f"500 {CANARY}"), "an echo in a header without colon": answer(b"x", X=f"y\r\n{CANARY}"), "an echo as size of a chunk": answer(echo + b"\r\n", **answers.CHUNKED),
        "an echo in Content-Range": answer(b"x", "206 X", Content_Range=CANARY), "an echo after 401": answer(echo, "401 X"), "an echo as pause": answer(b"", "503 X", Retry_After=CANARY), "an echo by HTTP/0.9": echo * 10, "an echo in an encoding": answer(echo, Content_Encoding=CANARY),
    }  # fmt: skip
    yield asked("login: honest", _login("token"), _with_password, ACCEPTED, lambda found: found == {"a"})
    for name, first in refused.items():
        yield asked(f"login: {name}", _login(first), _with_password, REFUSED)
    for token in ("\xff\xfe", "a\x1b[31m", "a\r\n b", "a" * 60000, "a\r\nX-Subject-Token: b", " ", "a\0b", "a b", "\xb2"):  # fmt: skip
        yield asked(f"login: token {token[:20]!r} x {len(token)}", _login(token), _with_password, EITHER)
    for status in ("401 X", "403 X"):
        yield asked(f"login: {status[:3]} after it", _login("token", answer(b"", status)), _with_password, REFUSED)

    def echoing(c: Connection) -> None:
        token = re.search(rb"(?i)x-auth-token: (\S+)", c.head)
        c.send(answer(json.dumps({"ErrorMessage": token[1].decode() if token else ""}), "500 X"))

    yield asked("token: an echo", echoing, clients.tables, REFUSED)
    yield asked("token: a redirect to another host", answers.redirect("@GOOD@/"), clients.tables, REFUSED)
    yield asked("token: 401", answer(b"", "401 X"), clients.tables, REFUSED)
