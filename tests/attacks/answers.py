"""HTTP answers to a request for a frame: redirects, encodings, statuses, pauses, lengths, chunks, headers, broken connections."""

import bz2
import functools
import gzip
import json
import time
import zlib
from collections.abc import Iterator

from attacks.clients import FRAME, FRAME_PATH, fetching, frame
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.server import (
    Answer,
    AtOnce,
    Connection,
    Kept,
    answer,
    dripping,
    forever,
    holding,
    resetting,
)

MB = bytes(1 << 20)
BOMB = gzip.compress(MB * 64) * 16
"""A gigabyte of zeros, by gzip."""
CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked"}
BUSY = json.dumps({"ErrorMessage": "\x1b[31m\u202ebad"}).encode()
Answers = dict[str, tuple[Answer | AtOnce, str]]
"""By name: what a server does, and what crossz makes of it where no other server has the file."""


def cases() -> Iterator[Case]:
    for name, (evil, wants) in answers().items():
        yield from fetching(name, evil, wants)
    plain = lambda urls, folder: frame["whole"](urls._replace(mirrors=[urls.mirrors[0].replace("http:", "https:"), *urls.mirrors[1:]]), folder)  # noqa: E731  # fmt: skip
    yield from fetching("connection: https asked of plain http", answer(FRAME), REFUSED, client=plain)


@functools.cache
def answers() -> Answers:
    """All of them, by name."""
    kinds = {"redirect": {**_targets(), **_redirects()}, "encoding": _encodings(), "status": {**_statuses(), **_lines(), **_errors()}, "retry-after": _pauses(), "length": _lengths(), "chunks": {**_chunks(), **_sizes()}, "headers": {**_headers(), **_slow()}, "connection": _connections()}  # fmt: skip
    return {f"{kind}: {name}": case for kind, some in kinds.items() for name, case in some.items()}


def redirect(location: str, status: str = "302 Found", body: bytes = b"", **headers: object) -> bytes:
    """An answer that leads elsewhere."""
    return answer(body, status, Location=location, Connection="close", **headers)


def said(status: object, reason: str = "X", body: bytes = b"", **headers: object) -> bytes:
    """An answer with this status."""
    return answer(body, f"{status} {reason}", Connection="close", **headers)


def chunk(body: bytes, size: bytes | None = None) -> bytes:
    """One chunk, which may claim another size."""
    return (b"%x" % len(body) if size is None else size) + b"\r\n" + body + b"\r\n"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """An answer in chunks."""
    return answer(b"".join(chunks) + end, **CHUNKED)


def _targets() -> Answers:
    refused = {
        "loop": "/again", "file": "file:///etc/passwd", "file of a host": "file://localhost/etc/passwd", "ftp": "ftp://127.0.0.1/x",
        "data": "data:text/plain,hello", "gopher": "gopher://127.0.0.1:70/_x", "javascript": "javascript:alert(1)", "ldap": "ldap://127.0.0.1/x",
        "credentials": "http://user:secret@127.0.0.1:9/x", "half an IPv6 address": "http://[::1", "empty": "", "blank": "   ", "no host": "http:///x",
        "port of letters": "http://a:b/", "port 0": "http://127.0.0.1:0/", "port 99999": "http://127.0.0.1:99999/", "port of a superscript": "http://127.0.0.1:\xb2/", "zero byte": "http://127.0.0.1\0.example/",
        "escape": "http://127.0.0.1:9/\x1b[31mred\x07", "Latin-1": "http://127.0.0.1:9/\xff\xfe", "host of Latin-1": "http://\xff\xfe.example/",
        "label of 64 letters": f"http://{'a' * 64}.example/", "60 kB": f"/{'a' * 60000}", "metadata of a cloud": "http://169.254.169.254/latest/meta-data/",
        "0.0.0.0": "http://0.0.0.0:9/", "fragment": "#top", "backslashes": "http:\\\\127.0.0.1:9\\x", "long chain": f"@EVIL@/{'b' * 3000}",
        "scheme with an escape": "\x1b]0;title\x07://x/", "unix socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "line feed": "/x\n\tSet-Cookie: a=b",
    }  # fmt: skip
    found: Answers = {name: (redirect(target), REFUSED) for name, target in refused.items()}
    found["other host that is good"] = redirect(f"@GOOD@/{FRAME_PATH}"), ACCEPTED
    found["other host with a login"] = (lambda c: c.send(redirect(c.urls.good.replace("//", "//user:secret@") + f"/{FRAME_PATH}"))), ACCEPTED  # fmt: skip
    for status in ("300 Multiple Choices", "304 Not Modified", "306 Unused", "399 X"):
        found[status] = redirect("/x", status), REFUSED
    found["305 Use Proxy"] = redirect("http://127.0.0.1:9/", "305 Use Proxy"), REFUSED
    for status in ("301 Moved", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"):
        found[f"{status} to a good host"] = redirect(f"@GOOD@/{FRAME_PATH}", status), ACCEPTED
    return found


def _redirects() -> Answers:
    def hops(most: int) -> Answer:
        def act(c: Connection) -> None:
            number = int(c.path[1:]) if c.path[1:].isdigit() else 0
            c.send(redirect(f"/{number + 1}") if number < most else answer(FRAME))
            c.close()

        return act

    def relative(c: Connection) -> None:
        c.send(answer(FRAME) if "x=1" in c.path else answer(b"", "307 X", Location="?x=1"))

    endless = answer(b"", "302 Found", Content_Length=None, Location="/x")
    in_chunks = answer(b"", "302 Found", Location="/x", **CHUNKED)
    return {
        "20 hops": (hops(20), REFUSED), "3 hops": (hops(3), ACCEPTED), "relative": (relative, ACCEPTED),
        "no location": (answer(b"", "302 Found", Connection="close"), REFUSED),
        "two locations": (answer(b"", "302 Found", Location="/a\r\nLocation: /b", Connection="close"), REFUSED),
        "endless body": (forever(endless, MB), REFUSED), "endless body in chunks": (forever(in_chunks, chunk(MB)), REFUSED),
        "slow body": (forever(answer(b"", "302 Found", Content_Length=10**9, Location="/x"), b"a", 0.2), REFUSED),
        "bomb as body": (Kept(redirect("/x", body=BOMB, Content_Encoding="gzip")), REFUSED),
        "body of 128 MB": (Kept(lambda: answer(bytes(128 << 20), "302 Found", Location="/x")), REFUSED),
        "Refresh": (answer(b"x", Refresh="0; url=file:///etc/passwd"), REFUSED),
    }  # fmt: skip


def _encodings() -> Answers:
    zipped = gzip.compress(FRAME)

    def coded(body: bytes, encoding: str, status: str = "200 OK") -> Answer:
        return Kept(answer(body, status, Content_Encoding=encoding))

    return {
        "gzip bomb": (coded(BOMB, "gzip"), REFUSED), "gzip bomb after 503": (coded(BOMB, "gzip", "503 Busy"), REFUSED), "gzip bomb after 400": (coded(BOMB, "gzip", "400 Bad"), REFUSED),
        "deflate bomb": (Kept(lambda: answer(zlib.compress(bytes(256 << 20), 9), Content_Encoding="deflate")), REFUSED),
        "br": (coded(b"\x8b\x02\x80abc\x03", "br"), REFUSED), "zstd": (coded(b"\x28\xb5\x2f\xfd", "zstd"), REFUSED),
        "br said, plain sent": (coded(FRAME, "br"), ACCEPTED), "zstd said, plain sent": (coded(FRAME, "zstd"), ACCEPTED),
        "gzip twice": (coded(gzip.compress(zipped), "gzip, gzip"), REFUSED), "gzip 500 times": (coded(FRAME, ", ".join(["gzip"] * 500)), EITHER),
        "gzip in two headers": (coded(zipped, "gzip\r\nContent-Encoding: br"), REFUSED), "cut gzip": (coded(zipped[:1000], "gzip"), REFUSED),
        "gzip that is right": (coded(zipped, "gzip"), REFUSED), "gzip said, plain sent": (coded(FRAME, "gzip"), ACCEPTED), "identity": (coded(FRAME, "identity"), ACCEPTED),
        "x-bzip2": (coded(FRAME, "x-bzip2"), ACCEPTED), "unpacked by the server": (Kept(answer(bz2.decompress(FRAME))), REFUSED), "an escape": (coded(b"x", "\x1b[31m"), REFUSED),
        "gzip, chunked": (answer(FRAME, Content_Length=None, Transfer_Encoding="gzip, chunked"), ACCEPTED),
    }  # fmt: skip


def _statuses() -> Answers:
    found: Answers = {}
    for status in (100, 102, 103, 199):
        found[f"{status} alone"] = holding(f"HTTP/1.1 {status} X\r\n\r\n".encode(), 3), REFUSED
    for status in (100, 103):
        interim = f"HTTP/1.1 {status} X\r\n\r\n".encode()
        found[f"{status} and then 200"] = interim + answer(FRAME, Connection="close"), ACCEPTED
    for status in (100, 101, 102, 103):
        interim = f"HTTP/1.1 {status} X\r\nA: b\r\n\r\n".encode()
        found[f"endless {status}"] = forever(b"", interim * 500), REFUSED
    for status in (202, 203, 204, 205, 206, 207, 208, 226, 299, 400, 402, 405, 406, 409, 412, 413, 414, 415, 418, 421, 422, 426, 431, 451):  # fmt: skip
        found[f"{status} with the right body"] = said(status, body=FRAME), REFUSED
    found["201 with the right body"] = said(201, body=FRAME), ACCEPTED
    for status in (401, 403, 404, 407, 408, 410, 416, 425, 429, 500, 501, 502, 503, 504, 505, 508, 511, 520, 599, 600, 999):  # fmt: skip
        found[f"{status}"] = said(status, body=b"<html>\x1b[31m</html>"), REFUSED
    whole = f"bytes 0-{len(FRAME) - 1}/{len(FRAME)}"
    parts = b"--x\r\nContent-Range: bytes 0-1/5\r\n\r\nab\r\n--x--"
    return found | {
        "slow endless 100": (forever(b"", b"HTTP/1.1 100 X\r\n\r\n", 0.1), REFUSED), "100 with 1,000 headers": (b"HTTP/1.1 100 X\r\n" + b"X: y\r\n" * 1000 + b"\r\n", REFUSED),
        "19 times 103, and then 200": (b"HTTP/1.1 103 X\r\n\r\n" * 19 + answer(FRAME), ACCEPTED), "103 with a length": (b"HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\nhello" + answer(FRAME), REFUSED),
        "101 upgrade": (holding(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI", 3), REFUSED),
        "206 of the whole, unasked": (said(206, body=FRAME, Content_Range=whole), REFUSED), "206 of parts": (said(206, body=parts, Content_Type="multipart/byteranges; boundary=x"), REFUSED),
        "401 with WWW-Authenticate": (said(401, WWW_Authenticate='Basic realm="\x1b[31m"'), REFUSED), "407 with Proxy-Authenticate": (said(407, Proxy_Authenticate="Basic"), REFUSED),
    }  # fmt: skip


def _lines() -> Answers:
    """Status lines."""
    odd = {"2000": REFUSED, "-200": REFUSED, "2e2": REFUSED, "2\xb20": REFUSED, "20": REFUSED, "200\0": REFUSED, "2 00": REFUSED, "0200": EITHER, "+200": EITHER, " 200": EITHER}  # fmt: skip
    found: Answers = {f"line {status!r}": (said(status, body=FRAME), wants) for status, wants in odd.items()}
    whole = answer(FRAME)
    reasons = {"an escape": "\x1b[31mred\x07\x1b]0;title\x07", "60 kB": "a" * 60000, "200 kB": "a" * 200000, "a zero byte": "a\0b", "Latin-1": "\xff\x9b31m", "C1": "\x9b31m\x85"}  # fmt: skip
    found |= {f"400 with a reason of {name}": (said(400, reason), REFUSED) for name, reason in reasons.items()}
    return found | {
        "none": (whole.replace(b" 200 OK", b"", 1), REFUSED), "no reason": (whole.replace(b" OK", b"", 1), ACCEPTED), "tabs": (whole.replace(b" 200 OK", b"\t200\tOK", 1), EITHER),
        "HTTP/0.9": (FRAME, REFUSED), "HTTP/1.0": (answer(FRAME, Content_Length=None).replace(b"HTTP/1.1", b"HTTP/1.0", 1), ACCEPTED), "HTTP/9.9": (whole.replace(b"HTTP/1.1", b"HTTP/9.9", 1), REFUSED),
        "HTTP/1.10000": (whole.replace(b"HTTP/1.1", b"HTTP/1.10000", 1), EITHER), "http/1.1": (whole.replace(b"HTTP", b"http", 1), REFUSED), "empty lines first": (b"\r\n\r\n" + whole, REFUSED),
        "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50), REFUSED), "HTTP/2 frame": (b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), REFUSED),
        "ICY": (b"ICY 200 OK\r\n\r\n" + FRAME, REFUSED), "ssh": (b"SSH-2.0-OpenSSH_9\r\n", REFUSED), "smtp": (b"220 mail ESMTP\r\n", REFUSED), "zeros": (bytes(5000), REFUSED),
    }  # fmt: skip


def _errors() -> Answers:
    """Bodies of errors."""
    found: Answers = {}
    for status in ("400 Bad", "404 No", "500 Bad"):
        found[f"{status}, endless"] = forever(answer(b"", status, Content_Length=None), MB), REFUSED
        found[f"{status}, slow"] = forever(answer(b"", status, Content_Length=10**6), b"a", 0.1), REFUSED
        found[f"{status}, cut"] = answer(b"abc", status, Content_Length=100), REFUSED
        found[f"{status}, no chunks"] = answer(b"zz\r\n", status, **CHUNKED), REFUSED
        found[f"{status}, JSON with escapes"] = answer(BUSY, status), REFUSED
        found[f"{status}, JSON of a list"] = answer(b'{"ErrorMessage": ["\x1b[31m"]}', status), REFUSED
        found[f"{status}, deep JSON"] = answer(b'{"ErrorMessage":' * 900, status), REFUSED
        found[f"{status}, half an XML error"] = answer(b'QUERY_STATUS" ' + b"a" * 9000 + b">", status), REFUSED
    return found


def _pauses() -> Answers:
    """Retry-After."""
    values = ("Fri, 31 Dec 99999 23:59:59 GMT", "-5", "\xb2", "1000000000", "Thu, 01 Jan 1970 00:00:00 GMT", "0", "1e3", "0x5", "inf", "nan", "", "5, 10", "Fri, 31 Feb 2027 25:61:61 GMT", "Mon, 01 Jan 2029 00:00:00 -99999999", "9" * 300, "\xd9\xa1", "1.5", "Thu, 01 Jan 0000 00:00:00 GMT", "3600", "5\r\nRetry-After: 7", "\x1b[31m", "9" * 60000)  # fmt: skip
    found: Answers = {f"{value[:40]!r}": (said(429, Retry_After=value), REFUSED) for value in values}
    found["503 with 3600"] = said(503, Retry_After="3600"), REFUSED
    found["200 with 1000"] = said(200, body=FRAME, Retry_After="1000"), ACCEPTED
    return found


def _lengths() -> Answers:
    size = len(FRAME)
    taken = (f"\r\n {size}", f"{size}\r\nContent-Length: {size}", f"{size}, {size}", f"\t{size}", f"000{size}")
    refused = (-1, f"{size}\r\nContent-Length: 5", f"+{size}", hex(size), f"{size}.0", f"{size:_}", " ", 0, f"{size}\0", size - 10, size + 10, f"{size}, ", f"{size};", f"{size} {size}", "\x1b[31m", f'"{size}"', f"{size}".translate({48 + k: 0xB2 for k in range(4)}))  # fmt: skip
    found: Answers = {f"{value!r}": (answer(FRAME, Content_Length=value), REFUSED) for value in refused}
    found |= {f"{value!r}": (answer(FRAME, Content_Length=value), ACCEPTED) for value in taken}
    long = {10**18: REFUSED, 10**14: REFUSED, "9" * 5000: REFUSED, size + 10: REFUSED}
    found |= {f"{str(value)[:20]}, held": (holding(answer(FRAME, Content_Length=value)), REFUSED) for value in long}
    none = answer(FRAME, Content_Length=None)
    return found | {
        "too short, kept": (Kept(answer(FRAME, Content_Length=size - 10)), REFUSED), "none": (none, ACCEPTED), "none, held": (holding(none), EITHER),
        "none, cut": (answer(FRAME[: size // 2], Content_Length=None), REFUSED), "none, endless": (forever(none, MB), REFUSED), "none, one byte more": (none + b"x", REFUSED),
        "and identity": (answer(FRAME, Transfer_Encoding="identity"), ACCEPTED), "and identity, cut": (answer(FRAME[:-100], Content_Length=size, Transfer_Encoding="identity"), REFUSED),
        "and chunks": (answer(chunk(FRAME) + b"0\r\n\r\n", Content_Length=5, Transfer_Encoding="chunked"), ACCEPTED),
    }  # fmt: skip


def _chunks() -> Answers:
    whole, begin = chunk(FRAME), answer(b"", **CHUNKED)
    by_one = [chunk(FRAME[k : k + 1]) for k in range(3000)]
    to_end = answer(whole + b"0\r\n", **CHUNKED)
    return {
        "honest": (chunked(whole), ACCEPTED), "by 1 byte": (chunked(*by_one, chunk(FRAME[3000:])), ACCEPTED), "an extension": (chunked(chunk(FRAME, b"%x;name=\x1b[31m" % len(FRAME))), ACCEPTED),
        "no last one": (answer(whole, **CHUNKED), REFUSED), "no last one, held": (holding(answer(whole, **CHUNKED)), EITHER), "cut": (answer(whole[:5000], **CHUNKED), REFUSED),
        "no CRLF after data": (answer(b"%x\r\n" % len(FRAME) + FRAME + b"0\r\n\r\n", **CHUNKED), REFUSED), "LF only": (answer(b"%x\n" % len(FRAME) + FRAME + b"\n0\n\n", **CHUNKED), EITHER),
        "trailers": (chunked(whole, end=b"0\r\nX: y\r\n\r\n"), ACCEPTED), "trailers that replace the length": (chunked(whole, end=b"0\r\nContent-Length: 5\r\n\r\n"), ACCEPTED),
        "a trailer of 1 MB": (chunked(whole, end=b"0\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n"), REFUSED),
        "endless trailers": (forever(to_end, b"X: y\r\n" * 2000), EITHER), "slow endless trailers": (forever(to_end, b"X: y\r\n", 0.2), EITHER),
        "never ending": (forever(begin, chunk(MB)), REFUSED), "never ending, of 1 byte": (forever(begin, chunk(b"a") * 1000), REFUSED), "an endless extension": (forever(begin + b"5;", b"a" * 5000), REFUSED),
        "in capitals": (answer(whole + b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="CHUNKED"), ACCEPTED), "of identity, too": (answer(whole + b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked, identity"), EITHER), "by HTTP/1.0": (answer(whole + b"0\r\n\r\n", **CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0", 1), EITHER),
        "said twice": (answer(whole + b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked\r\nTransfer-Encoding: chunked"), EITHER),
        "of another name": (answer(whole + b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="xchunked"), REFUSED), "after the last one": (chunked(whole, end=b"0\r\n\r\n" + chunk(b"more")), ACCEPTED),
    }  # fmt: skip


def _sizes() -> Answers:
    """Sizes of chunks."""
    refused = {"zz": b"zz", "-5": b"-5", "empty": b"", "10,000 digits": b"f" * 10_000, "100,000 digits": b"f" * 100_000, "an underscore": b"1_0", "too small": b"5", "a zero byte": b"%x\0" % len(FRAME), "an escape": b"\x1b[31m", "Latin-1": b"\xb2"}  # fmt: skip
    found: Answers = {f"size {name}": (chunked(chunk(FRAME, size)), REFUSED) for name, size in refused.items()}
    found |= {f"size {begin}": (chunked(chunk(FRAME, begin.encode() + b"%x" % len(FRAME))), EITHER) for begin in ("0x", "+")}  # fmt: skip
    found["size too large, held"] = holding(answer(chunk(FRAME, b"f" * 16), **CHUNKED), 5), REFUSED
    found["size of leading zeros"] = chunked(chunk(FRAME, b"000%x" % len(FRAME))), ACCEPTED
    return found


def _headers() -> Answers:
    first = b"HTTP/1.1 200 OK\r\n"

    def begun(line: bytes) -> bytes:
        return answer(FRAME).replace(first, first + line, 1)

    taken = {"99 of 60 kB": {f"X{k}": "a" * 60000 for k in range(95)}, "a zero byte in a value": {"X": "a\0b"}, "a fold": {"X": "a\r\n  b"}, "an escape in a value": {"ETag": '"\x1b[31m"', "Last_Modified": "\x07"}, "Latin-1": {"Server": "\xff\xfe\x85\x9b31m"}, "ETag twice": {"ETag": '"a"\r\nETag: "b"'}, "ETag of 60 kB": {"ETag": f'"{"a" * 60000}"'}, "Alt-Svc": {"Alt_Svc": 'h2="127.0.0.1:9"', "Strict_Transport_Security": "max-age=1"}, "Content-Disposition": {"Content_Disposition": 'attachment; filename="../../x"'}, "Content-Location": {"Content_Location": "file:///etc/passwd"}, "Clear-Site-Data": {"Clear_Site_Data": '"*"'}, "Link": {"Link": "<file:///etc/passwd>; rel=preload"}, "Content-Type of html": {"Content_Type": "text/html; charset=\x1b"}}  # fmt: skip
    either = {"a zero byte in a name": {"X\0": "b"}, "no name": {"": "x"}, "a blank in a name": {"Content Length": "x"}, "CR alone": {"X": "a\rContent-Length: 5"}, "a blank before the colon": {"Content-Length ": "5"}, "no colon at the end": {"X": "y\r\nnonsense \x1b[31mred"}, "a folded length": {"X": f"y\r\nContent-Length:\r\n {len(FRAME)}"}}  # fmt: skip
    refused = {"1 MB": {"X": "a" * (1 << 20)}, "100,000": {f"X{k}": "" for k in range(100_000)}}
    found: Answers = {}
    for wants, headers in ((ACCEPTED, taken), (EITHER, either), (REFUSED, refused)):
        found |= {name: (answer(FRAME, **some), wants) for name, some in headers.items()}
    return found | {
        "endless": (forever(first, b"X: y\r\n" * 1000), REFUSED), "endless line": (forever(first + b"X: ", b"a" * 5000), REFUSED), "endless fold": (forever(first + b"X: a\r\n", b" fold\r\n" * 1000), REFUSED),
        "a second status line": (begun(b"HTTP/1.1 404 Not Found\r\n"), EITHER), "a second answer within": (begun(b"X: y\r\n\r\n" + answer(b"poison")), REFUSED), "Keep-Alive of -1": (begun(b"Keep-Alive: timeout=-1, max=-1\r\n"), ACCEPTED), "Connection of all": (begun(b"Connection: content-length, upgrade, close\r\n"), ACCEPTED),
        "no colon first": (begun(b"nonsense \x1b[31m\r\n"), EITHER), "a fold first": (begun(b" folded\r\n"), EITHER), "none": (first + b"\r\n" + FRAME, ACCEPTED), "LF only": (answer(FRAME).replace(b"\r\n", b"\n", 3), ACCEPTED),
        "1,000 cookies": (lambda c: c.send(answer(b"", "503 Busy", Set_Cookie="; ".join(["a" * 50] * 1000))), REFUSED),
    }  # fmt: skip


def _slow() -> Answers:
    """Headers and bodies that come byte by byte, or not."""
    whole, first = answer(FRAME), b"HTTP/1.1 200 OK\r\n"
    return {
        "trickle": (forever(first + b"X: ", b"a", 0.2), REFUSED), "trickle of lines": (forever(first, b"X: y\r\n", 0.2), REFUSED), "dripping": (dripping(whole[:40], 0.3), REFUSED),
        "dripping body": (dripping(FRAME[:50], 1, whole[:200]), REFUSED), "body slower than the least rate": (dripping(FRAME[200:], 0.0005, whole[:200]), REFUSED),
        "silence": (holding(b""), REFUSED), "silence after the status": (holding(first), REFUSED), "silence after the headers": (holding(whole[:60]), REFUSED), "silence in the body": (holding(whole[:5000]), REFUSED), "silence before the last byte": (holding(whole[:-1]), REFUSED),
    }  # fmt: skip


def _connections() -> Answers:
    whole = answer(FRAME)
    head = whole[: len(whole) - len(FRAME)]
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)

    def late(c: Connection) -> None:
        c.send(whole)
        time.sleep(0.05)
        c.send(answer(b"poison"))

    return {
        "reset at once": (AtOnce(lambda c: c.close(reset=True)), REFUSED), "reset after the request": (resetting(b""), REFUSED), "reset in the status": (resetting(b"HTTP/1"), REFUSED), "reset in the headers": (resetting(b"HTTP/1.1 200 OK\r\nX:"), REFUSED),
        "reset after the headers": (resetting(head), REFUSED), "reset in the body": (resetting(whole[:9000]), REFUSED), "reset after the body": (resetting(whole), ACCEPTED), "closed after the request": (b"", REFUSED),
        "talks first": (AtOnce(lambda c: (c.send(answer(b"hello")), time.sleep(2))), REFUSED), "never reads": (AtOnce(lambda c: time.sleep(30)), REFUSED), "TLS from a plain port": (AtOnce(lambda c: (c.send(hello), time.sleep(2))), REFUSED),
        "answers nobody asked for": (lambda c: c.send(whole + answer(b"poison") * 3), ACCEPTED), "answers nobody asked for, later": (late, ACCEPTED), "closed between": (lambda c: (c.send(whole), c.close()), ACCEPTED),
    }  # fmt: skip
