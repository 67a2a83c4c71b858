"""Bytes of others: whatever goes wrong is one refusal."""

import os

import pytest

from crossz.core.errors import CrosszError, Refused
from crossz.core.files import read_json
from crossz.core.foreign import read_file, read_rows, refusing


class Odd(Exception):
    pass


@pytest.mark.parametrize(
    "error", [ValueError, OverflowError, RecursionError, MemoryError, KeyError, AttributeError, Odd]
)
def test_whatever_a_parser_raises_is_a_refusal_without_control_characters(error):
    with pytest.raises(Refused, match=rf"damaged FITS \({error.__name__}: .*card") as caught:
        with refusing("damaged FITS"):
            raise error("\x1b[31mcard\n")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("error", [Refused("wrong"), CrosszError("wrong")])
def test_what_says_why_stays_as_it_is(error):
    with pytest.raises(type(error)) as caught, refusing("damaged FITS"):
        raise error
    assert caught.value is error


def test_named_errors_and_interrupts_pass():
    for error in (OSError(), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)), refusing("damaged FITS", besides=(OSError,)):
            raise error


def test_a_file_is_read_within_its_bound(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(CrosszError, match="a: 5 bytes, more than the 4"):
        read_file(path, 4)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("none")
    for name in ("loop", "nowhere"):
        with pytest.raises(CrosszError, match=f"{name}: a link that leads nowhere; mend it or delete it"):
            read_file(tmp_path / name, 5)
    with pytest.raises(CrosszError, match="fifo: not a regular file"):
        read_file(tmp_path / "fifo", 5)
    for name in ("fifo", "loop", "nowhere"):
        with pytest.raises(CrosszError, match=name):
            read_rows(tmp_path / name)
        with pytest.raises(CrosszError, match=name):
            read_json(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none", 5)
