"""What headers say, or do not."""

import pytest

from crossz.archive.responses import PAGE, ROWS, _words, content_length, most_of, range_of
from crossz.core.errors import Refused


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, None),
        ({"Content-Length": "0"}, 0),
        ({"Content-Length": " 395026 "}, 395026),
        ({"Content-Length": "395026, 395026,395026"}, 395026),
        ({"Content-Length": "7", "Transfer-Encoding": "chunked"}, None),
    ],
)
def test_a_length_is_read_as_the_standard_says(headers, length):
    assert content_length(headers) == length


@pytest.mark.parametrize("text", ["abc", "", "5,", "5, 6", "-5", "+5", "5_0", "1e3", "0x5", "²", "٣", "9" * 16])
def test_another_length_is_refused(text):
    with pytest.raises(Refused, match="no valid Content-Length"):
        content_length({"Content-Length": text})


def test_a_range_is_read():
    assert range_of("bytes 5-9/100") == (5, 10, 100)


@pytest.mark.parametrize("text", ["", "bytes 5-9/*", "bytes ²-9/100", "bytes ٣-9/100", f"bytes 5-9/{'9' * 5000}"])
def test_another_range_is_refused(text):
    with pytest.raises(Refused, match="no valid Content-Range"):
        range_of(text)


@pytest.mark.parametrize("gap", [b"", b" Message: ", b"\n  Message:"])
def test_words_of_cds_end_before_its_trace(gap):
    body = b'<INFO name="QUERY_STATUS" value="ERROR">' + gap + b"no such table Trace: java</INFO>"
    assert _words(body) == "no such table"


def test_words_that_never_end_are_read_once():
    body = b'QUERY_STATUS"' * 500 + b">" + b" " * 9_000  # took the cube of its length
    assert _words(body) == ""


def test_an_answer_may_be_as_large_as_what_was_asked_for():
    assert most_of(None) == PAGE
    assert PAGE < most_of(1) < most_of(1000) < ROWS
    assert most_of(10**6) == ROWS
