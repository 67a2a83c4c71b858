"""The blocks of a bz2 stream, decoded one by one out of those bytes of its file that are known.

A bz2 stream is a row of blocks that decode by themselves. A block begins at any bit, with a 48-bit magic number, and
has a CRC of its own.
"""

import bz2
from collections.abc import Callable

from crossz.core.errors import Refused

MAGIC, END = 0x314159265359, 0x177245385090
"""What a block, and the end of a stream, begin with."""
STEP = 1 << 15
"""Bytes that are asked for at once, where a block goes on behind the bytes that are known."""
LARGEST = 16 << 20
"""Raw bytes of the largest block that is decoded: all of a frame is less. A block of zeros has up to 46 MB."""
_LONGEST = 1 << 20  # bytes of a block in its file: 900,000, hardly compressed


class File:
    """The known bytes of a `.bz2` file, and the blocks in them. Bit offsets count from the file's first bit.

    Parameters
    ----------
    get
        `get(start, stop)` gives these bytes of the file, fewer at its end. Its attribute `size`, where it has one, is
        the file's size in bytes.

    Attributes
    ----------
    ranges
        Bytes [start, stop) that are known, in order.
    size
        Bytes of the file; None as long as they are not known.
    """

    def __init__(self, get: Callable[[int, int], bytes]):
        self._get, self._buffer = get, bytearray()
        self.ranges: list[tuple[int, int]] = []
        self.size: int | None = None

    def need(self, start: int, stop: int) -> None:
        """Have the bytes [start, stop), as far as the file has them."""
        stop = stop if self.size is None else min(stop, self.size)
        for known in [*self.ranges, (stop, stop)]:
            gap = (start, min(known[0], stop))
            if gap[0] < gap[1]:
                part = self._get(*gap)
                self.size = self.size or getattr(self._get, "size", None)
                if len(self._buffer) < gap[1]:
                    self._buffer.extend(bytes(gap[1] - len(self._buffer)))
                self._buffer[gap[0] : gap[0] + len(part)] = part
                self._know(gap[0], gap[0] + len(part))
                if len(part) < gap[1] - gap[0]:
                    self.size = gap[0] + len(part)
                    del self._buffer[self.size :]
                    return
            start = max(start, known[1])
            if start >= stop:
                return

    def _know(self, start: int, stop: int) -> None:
        merged: list[tuple[int, int]] = []
        for a, b in sorted([*self.ranges, (start, stop)]):
            if merged and a <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], b))
            else:
                merged.append((a, b))
        self.ranges = [(a, b) for a, b in merged if a < b]

    def known(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop), which must have been asked for."""
        return bytes(self._buffer[start:stop])

    def magics(self, start: int, stop: int, magic: int = MAGIC) -> list[int]:
        """Bit offsets at which `magic` stands in the bytes [start, stop)."""
        return [8 * start + bit for bit in _magics(self.known(start, stop), magic)]

    def block(self, begin: int) -> tuple[bytes, int]:
        """Decode the block that begins at the bit `begin`; bytes are asked for until its end is there.

        Returns
        -------
        tuple
            Raw bytes of the block; bit offset of its end.

        Raises
        ------
        Refused
            The file ends before the block does, or the block is damaged.
        """
        stop = begin // 8 + 6
        while True:
            known = next((b for a, b in self.ranges if a <= begin // 8 < b), begin // 8)
            ends = self.magics(stop, known) + self.magics(stop, known, END)
            if ends:
                return self.decode(begin, min(ends)), min(ends)
            stop = max(stop, known - 7)
            if known - begin // 8 > _LONGEST:
                raise Refused("damaged bz2 (a block that does not end)")
            if known == self.size:
                raise Refused("damaged bz2 (it ends too early)")
            self.need(known, known + STEP)
            if self.size is not None and known >= self.size:
                raise Refused("damaged bz2 (it ends too early)")

    def decode(self, begin: int, end: int, most: int = LARGEST) -> bytes:
        """The raw bytes of the block at the bits [begin, end), checked by its CRC.

        The block is decoded as a stream that holds nothing else. Raises Refused when it is damaged, or holds more than
        `most` raw bytes.
        """
        a, b, length = begin // 8, -(-end // 8), end - begin
        bits = int.from_bytes(self._buffer[a:b], "big") >> (8 * b - end) & (1 << length) - 1
        if length < 80 or bits >> (length - 48) != MAGIC:
            raise Refused("damaged bz2 (no block where one should begin)")
        crc = bits >> (length - 80) & 0xFFFFFFFF  # of one block: the stream's as well
        padding = -(length + 80) % 8
        bits = (bits << 80 | END << 32 | crc) << padding
        stream = bz2.BZ2Decompressor()
        try:
            raw = stream.decompress(b"BZh9" + bits.to_bytes((length + 80 + padding) // 8, "big"), most + 1)
        except (OSError, ValueError) as error:
            raise Refused(f"damaged bz2 (block at byte {a}: {error})") from error
        if len(raw) > most:
            raise Refused(f"a bz2 block of more than {most:,} bytes")
        if not stream.eof:
            raise Refused(f"damaged bz2 (block at byte {a} ends too early)")
        return raw


def _magics(data: bytes, magic: int) -> list[int]:
    # At each of the eight shifts the five full bytes within the magic are sought, then all its bits are compared.
    offsets = []
    for shift in range(8):
        core = (magic << 8 - shift).to_bytes(7, "big")[1:6]
        at = data.find(core)
        while at >= 0:
            if at and at + 6 <= len(data):
                bits = int.from_bytes(data[at - 1 : at + 6], "big")
                if bits >> (8 - shift) & (1 << 48) - 1 == magic:
                    offsets.append(8 * (at - 1) + shift)
            at = data.find(core, at + 1)
    return sorted(offsets)
