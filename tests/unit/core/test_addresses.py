"""What is an address of a server, and what of it may be shown."""

import pytest

from crossz.core.addresses import is_address, without_login


@pytest.mark.parametrize(
    "url", ["https://a.example/sas", "http://127.0.0.1:8917", "http://[::1]:80/", "HTTP://A", "https://me:x@a.example/"]
)
def test_these_are_addresses(url):
    assert is_address(url)


@pytest.mark.parametrize(
    "url",
    ["", " ", "x", "http://", "http:/x", "//a/x", "file:///etc/passwd", "ftp://a/", "http://a:99999", "http://a:0/", "http://a:b", "http://a:-1", "http://[::1", "http://[x]/", "http://a b/", "http://a/\n", "http://\x1b[31m/", "http://\udcff/", "http://:80/"],
)  # fmt: skip
def test_these_are_none(url):
    assert not is_address(url)


def test_a_login_is_left_out_wherever_it_stands():
    assert without_login("at http://me:p@ss@a/x and //you@b") == "at http://a/x and //b"
    assert without_login("http://a/x@y") == "http://a/x@y"
