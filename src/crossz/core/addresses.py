"""Addresses of servers, as a user writes them."""

import re
from urllib.parse import urlsplit


def is_address(url: str) -> bool:
    """Whether a text can be the address of a web server: http or https, a host, perhaps a port, and nothing odd."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and url.isprintable()
        and " " not in url
    )


def without_login(text: str) -> str:
    """A text without the names and passwords of the addresses in it."""
    return re.sub(r"//[^/\s]*@", "//", text)
