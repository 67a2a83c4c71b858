"""Ranges of a frame: others than were asked for, of other files, of files that change, and beginnings of bodies."""

import gzip
import time
from collections.abc import Callable, Iterator

from attacks.answers import BOMB, answers
from attacks.clients import FRAME, fetching, frame, honest, ranged
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.server import Answer, Connection, answer

Part = Callable[[int, int], bytes]
"""An answer to a request for the bytes from the first to the last."""
_SIZE = len(FRAME)
_HARMLESS = ("a Content-Range of the total", "gzip said", "Accept-Ranges: none", "an ETag with an escape", "longer, without length")  # fmt: skip
"""Answers whose bytes are right."""


def cases() -> Iterator[Case]:
    blocks = {"client": frame["blocks"]}
    yield from fetching("blocks: honest", _always(ranged), ACCEPTED, **blocks)
    for name, part in _parts().items():
        yield from fetching(f"blocks: {name}", _always(part), EITHER, **blocks)
        yield from fetching(f"blocks, the second: {name}", _after(1, part), EITHER, **blocks)
        wants = EITHER if name in _HARMLESS else REFUSED
        yield from fetching(f"blocks, and nothing whole: {name}", _alone(part), wants, pair=False, **blocks)
    for name, (evil, wants) in _changes().items():
        yield from fetching(f"blocks: {name}", evil, wants, **blocks)
    yield from fetching("prefix: honest", honest, ACCEPTED, client=frame["prefix"])
    for name, (evil, wants) in _beginnings().items():
        yield from fetching(f"prefix: {name}", evil, wants, client=frame["prefix"])


def _always(part: Part) -> Answer:
    """Ranges by `part`, and the honest file to whom asks for all of it."""
    return _after(0, part)


def _after(number: int, part: Part) -> Answer:
    """The same, after so many honest answers."""

    def act(c: Connection) -> None:
        if c.span is None:
            honest(c)
        else:
            c.send(part(c.span[0], min(c.span[1], _SIZE - 1)) if c.number > number else ranged(*c.span, ETag='"1"'))

    return act


def _alone(part: Part) -> Answer:
    """Ranges by `part`, and HTML to whom asks for all of the file."""
    return lambda c: c.send(answer(b"<html>") if c.span is None else part(c.span[0], min(c.span[1], _SIZE - 1)))


def _parts() -> dict[str, Part]:
    def bytes_of(body: Callable[[int, int], bytes], **headers: object) -> Part:
        return lambda a, b: ranged(a, b, body(a, b), **headers)

    def said(content_range: str) -> Part:
        return lambda a, b: ranged(a, b, content_range=content_range.format(a=a, b=b, size=_SIZE, twice=2 * _SIZE))

    def status(line: str, **headers: object) -> Part:
        return lambda a, b: answer(b"", line, **headers)

    odd = {"of the total": "bytes {a}-{b}/{twice}", "of a small total": "bytes {a}-{b}/{a}", "of any total": "bytes {a}-{b}/*", "of no range": "bytes */{size}", "of a huge total": "bytes {a}-{b}/99999999999999", "of rows": "rows {a}-{b}/{size}", "of less than nothing": "bytes -{a}-{b}/{size}", "backwards": "bytes {b}-{a}/{size}", "of two ranges": "bytes {a}-{b}/{size}\r\nContent-Range: bytes 0-1/5", "with an escape": "bytes \x1b[31m", "without blank": "bytes{a}-{b}/{size}", "with =": "bytes={a}-{b}/{size}", "of a superscript": "bytes \xb2-{b}/{size}", "of 5,000 digits": f"bytes {'9' * 5000}-{{b}}/{{size}}"}  # fmt: skip
    parts = {f"a Content-Range {name}": said(text) for name, text in odd.items()}
    lines = ("404 X", "503 X", "401 X", "204 X", "304 X", "206 X", "500 X", "418 X", "100 X")
    parts |= {f"status {line[:3]}": status(line) for line in lines}
    multi = b"--x\r\nContent-Range: bytes 0-1/5\r\n\r\nab\r\n--x--"
    mime = "multipart/byteranges; boundary=x"
    return parts | {
        "status 416": status("416 X", Content_Range=f"bytes */{_SIZE}"), "a pause": status("429 X", Retry_After="3600"), "a redirect to itself": status("302 X", Location="/x"), "a redirect to a file": status("302 X", Location="file:///etc/passwd"), "a redirect to another host": status("302 X", Location="@GOOD@/x"),
        "the whole": lambda a, b: answer(FRAME), "200": lambda a, b: answer(FRAME[a : b + 1]), "200 with Content-Range": lambda a, b: answer(FRAME[a : b + 1], Content_Range=f"bytes {a}-{b}/{_SIZE}"),
        "a later range": lambda a, b: ranged(a + 10, b), "an earlier range": lambda a, b: ranged(max(a - 100, 0), b), "a range that ends earlier": lambda a, b: ranged(a, b - 5), "a range that begins at 0": lambda a, b: ranged(0, b - a),
        "bytes of another place": bytes_of(lambda a, b: FRAME[a + 7 : b + 8]), "longer": bytes_of(lambda a, b: FRAME[a : b + 1] + b"x" * 1000), "longer, without length": bytes_of(lambda a, b: FRAME[a : b + 1] + b"x" * 10**7, Content_Length=None, Connection="close"),
        "shorter": bytes_of(lambda a, b: FRAME[a : b - 5]), "empty": bytes_of(lambda a, b: b""), "gzip": bytes_of(lambda a, b: gzip.compress(FRAME[a : b + 1]), Content_Encoding="gzip"), "gzip said": bytes_of(lambda a, b: FRAME[a : b + 1], Content_Encoding="gzip"), "a bomb": bytes_of(lambda a, b: BOMB, Content_Encoding="gzip"),
        "html": bytes_of(lambda a, b: b"<html>"), "zeros": bytes_of(lambda a, b: bytes(b - a + 1)), "one bit flipped": bytes_of(lambda a, b: bytes([FRAME[a] ^ 1]) + FRAME[a + 1 : b + 1]), "cut": bytes_of(lambda a, b: FRAME[a : b - 50], Content_Length=_SIZE),
        "several parts": lambda a, b: answer(multi, "206 P", Content_Type=mime), "several parts, and a Content-Range": lambda a, b: ranged(a, b, multi, Content_Type=mime),
        "without Content-Range": lambda a, b: answer(FRAME[a : b + 1], "206 P"), "a huge header": lambda a, b: ranged(a, b, X="a" * (1 << 20)), "Accept-Ranges: none": lambda a, b: ranged(a, b, Accept_Ranges="none"), "an ETag with an escape": lambda a, b: ranged(a, b, ETag="\x1b[31m"),
    }  # fmt: skip


def _changes() -> dict[str, tuple[Answer, str]]:
    """Files that change between two ranges, and servers that give up after one."""

    def changing(headers: Callable[[int], dict], size: int = 0) -> Answer:
        def act(c: Connection) -> None:
            if c.span is None:
                return honest(c)
            a, b = c.span[0], min(c.span[1], _SIZE - 1)
            said = f"bytes {a}-{b}/{_SIZE + size * c.number}"
            return c.send(ranged(a, b, content_range=said, **headers(c.number)))

        return act

    def then(act: Callable[[Connection], object]) -> Answer:
        return lambda c: c.send(ranged(*c.span, ETag='"1"')) if c.number == 1 and c.span else act(c)

    return {
        "the ETag changes": (changing(lambda number: {"ETag": f'"{number}"'}), ACCEPTED), "the date changes": (changing(lambda number: {"Last_Modified": str(number)}), ACCEPTED),
        "the ETag becomes weak": (changing(lambda number: {"ETag": f'{"W/" if number > 1 else ""}"1"'}), ACCEPTED), "the ETag goes": (changing(lambda number: {"ETag": '"1"'} if number == 1 else {}), ACCEPTED), "the size grows": (changing(lambda number: {}, 1), ACCEPTED),
        "silence at the second": (then(lambda c: time.sleep(30)), REFUSED), "closed at the second": (then(Connection.close), REFUSED), "reset at the second": (then(lambda c: c.close(reset=True)), REFUSED),
    }  # fmt: skip


def _beginnings() -> dict[str, tuple[Answer, str]]:
    of_bodies = ("status: 404", "status: 503", "length: none, endless", f"length: {_SIZE - 10!r}", "length: 0", "connection: reset in the body", "headers: silence in the body", "chunks: never ending", "redirect: endless body", "encoding: gzip bomb", "connection: answers nobody asked for", "headers: dripping body", "chunks: endless trailers", "status: endless 103")  # fmt: skip
    known = answers()
    found: dict[str, tuple[Answer, str]] = {}
    for name in of_bodies:
        evil, _ = known[name]
        assert not isinstance(evil, tuple)
        found[name] = evil, EITHER

    def flipped(place: int) -> bytes:
        return answer(FRAME[:place] + bytes([FRAME[place] ^ 1]) + FRAME[place + 1 :])

    return found | {
        "one bit flipped late": (flipped(_SIZE - 50_000), EITHER), "one bit flipped early": (flipped(50_000), REFUSED), "one bit of the first header": (flipped(100), REFUSED), "cut after half": (answer(FRAME[: _SIZE // 2]), EITHER),
        "endless after the frame": (lambda c: [c.send(answer(FRAME, Content_Length=None))] + [c.send(bytes(1 << 20)) for _ in range(10**6)], EITHER),
    }  # fmt: skip
