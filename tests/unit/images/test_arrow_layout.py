"""Whether an Arrow file is compressed is known without unpacking it, wherever its batches lie."""

import contextlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossz.core.errors import Refused
from crossz.core.foreign import refusing
from crossz.images import arrow_layout
from crossz.images.arrow_layout import is_compressed


def written(table, compression=None, rows=None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue().to_pybytes()


PLAIN = pa.table({"objID": list(range(100)), "status": ["ok"] * 100})
WORDS = pa.table({"status": pa.array(["ok", "edge"] * 5000).dictionary_encode()})


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("table", [PLAIN, WORDS, PLAIN.slice(0, 0)], ids=["plain", "dictionary", "no rows"])
@pytest.mark.parametrize("rows", [None, 30])
def test_compression_is_seen(table, compression, rows):
    data = written(table, compression, rows)
    batches = pa.ipc.open_file(pa.BufferReader(data)).num_record_batches
    assert is_compressed(pa.BufferReader(data)) == (compression is not None and batches > 0)


def test_it_is_enough_that_the_dictionary_is_compressed(monkeypatch):
    monkeypatch.setattr(arrow_layout, "_RECORD_BATCHES", 99)  # no such field: only dictionaries are looked at
    assert is_compressed(pa.BufferReader(written(WORDS, "zstd")))
    assert not is_compressed(pa.BufferReader(written(WORDS)))
    assert not is_compressed(pa.BufferReader(written(PLAIN, "zstd")))


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_answered_or_refused(place, byte, cut):
    data = bytearray(written(WORDS, "zstd"))
    data[place % len(data)] = byte
    data = data[: len(data) - cut]
    with contextlib.suppress(Refused), refusing("not an Arrow file"):
        assert is_compressed(pa.BufferReader(bytes(data))) in (True, False)
