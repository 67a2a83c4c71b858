"""Where the record batches of an Arrow file lie, and whether they are compressed: read from its flatbuffers.

PyArrow does not say whether a file is compressed. It unpacks the file while it reads, whatever size the file claims: a file
of a few kB can fill the memory. The tables are those of Arrow's File.fbs and Message.fbs.
"""

import struct

import pyarrow as pa

from crossz.core.errors import Refused

_MAGIC = b"ARROW1"
_HEADER, _DATA, _COMPRESSION = 2, 1, 3  # fields of Message, DictionaryBatch and RecordBatch
_DICTIONARIES, _RECORD_BATCHES = 2, 3  # fields of Footer
_BLOCK = 24  # bytes: int64 offset, int32 metaDataLength, padding, int64 bodyLength


def refuse_compressed(source: pa.NativeFile) -> None:
    """Raise Refused if an Arrow file is compressed, before anything is unpacked. Call it in `core.foreign.refusing`."""
    if is_compressed(source):
        raise Refused("it is compressed; images are used where they lie in the file, so write it without compression")


def is_compressed(source: pa.NativeFile) -> bool:
    """Whether a batch of an Arrow file is compressed. What raises is no such file: call it in `refusing`."""
    size = source.size()
    tail = source.read_at(10, size - 10)
    length = struct.unpack_from("<i", tail)[0]
    if tail[4:] != _MAGIC or not 0 < length <= size - 10:
        raise ValueError("no end of an Arrow file")
    footer = source.read_at(length, size - 10 - length)
    root = _table(footer, 0)
    return any(
        _batch_is_compressed(source, offset, dictionary)
        for field, dictionary in ((_RECORD_BATCHES, False), (_DICTIONARIES, True))
        for offset in _offsets(footer, _field(footer, root, field))
    )


def _batch_is_compressed(source: pa.NativeFile, offset: int, dictionary: bool) -> bool:
    source.seek(offset)
    message = bytes(pa.ipc.read_message(source).metadata)
    batch = _table(message, _present(_field(message, _table(message, 0), _HEADER)))
    if dictionary:
        batch = _table(message, _present(_field(message, batch, _DATA)))
    return _field(message, batch, _COMPRESSION) is not None


def _offsets(footer: bytes, field: int | None) -> list[int]:
    """Of the messages that a vector of blocks names."""
    if field is None:
        return []
    vector = _table(footer, field)
    count = struct.unpack_from("<I", footer, vector)[0]
    return [struct.unpack_from("<q", footer, vector + 4 + _BLOCK * number)[0] for number in range(count)]


def _table(buffer: bytes, place: int) -> int:
    """The place that the offset at `place` points to."""
    return int(place + struct.unpack_from("<I", buffer, place)[0])


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Where a field of a table lies; None if the table lacks it."""
    slots = table - struct.unpack_from("<i", buffer, table)[0]
    size = struct.unpack_from("<H", buffer, slots)[0]
    offset = struct.unpack_from("<H", buffer, slots + 4 + 2 * number)[0] if 6 + 2 * number <= size else 0
    return table + offset if offset else None


def _present(field: int | None) -> int:
    if field is None:
        raise ValueError("a message without content")
    return field
