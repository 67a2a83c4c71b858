"""Changes of bytes that parsers stumble over."""

import random
import re

TOKENS = (
    b"", b"0", b"-1", b"-512", b"T", b"'abc'", b"NaN", b"inf", b"-inf", b"1e400", b"1E39", b"95.0", b"1e300", b"30000", b"2147483648",
    b"9" * 25, b"1" * 5000, "²".encode(), b"\xe9", b"\xff\xfe", b"\x00", b"\x1b[31m", b'"', b"'", b",", b"\n", b"\r\n", b"\n\n", b"#", b"[" * 2000,
    b"{", b"}", b"null", b"<script>", b"&x;", b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", b"../..", b"/etc/passwd",
    b"=cmd|' /C calc'!A0", b"vit_h_14", b"END     ", b"1000000", b"bytes 0-1/2",
)  # fmt: skip
_CARD = 80  # bytes of a line of a FITS header


def mutated(seed: bytes, others: list[bytes], random_: random.Random) -> bytes:
    """`seed` after one to four changes; `others` lend pieces."""
    data = bytearray(seed)
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        random_.choice((_flip, _cut, _doubled, _token, _number, _number, _card, _card, _truncated, _spliced))(
            data, others, random_
        )
    return bytes(data)


def _place(data: bytearray, random_: random.Random) -> int:
    # Headers stand at the beginning, and most of what can go wrong with them.
    return random_.randrange(min(len(data), random_.choice((200, 6000, len(data) or 1))) or 1)


def _flip(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    if data:
        data[_place(data, random_)] ^= 1 << random_.randrange(8)


def _cut(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    start = _place(data, random_)
    del data[start : start + random_.choice((1, 8, 80, 2880, 1 << 16))]


def _doubled(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    start, size = _place(data, random_), random_.choice((1, 8, 80, 2880))
    data[start:start] = data[start : start + size] * random_.choice((1, 1, 50))


def _token(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    start = _place(data, random_)
    data[start : start + random_.choice((0, 1, 8))] = random_.choice(TOKENS)


def _number(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    numbers = list(re.finditer(rb"-?\d[\d.]*(?:[eE][+-]?\d+)?", bytes(data[:20000])))
    if numbers:
        number = random_.choice(numbers)
        data[number.start() : number.end()] = random_.choice(TOKENS)


def _card(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    cards = [start for start in range(0, min(len(data), 10 * 2880), _CARD) if data[start + 8 : start + 10] == b"= "]
    if cards:  # the value changes, the card keeps its 80 bytes
        start = random_.choice(cards)
        data[start + 10 : start + 30] = random_.choice(TOKENS)[:20].rjust(20)


def _truncated(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    del data[_place(data, random_) :]


def _spliced(data: bytearray, others: list[bytes], random_: random.Random) -> None:
    other = random_.choice(others)
    start = _place(data, random_)
    data[start:] = other[start:]
