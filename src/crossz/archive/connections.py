"""Connections as this package wants them: they can be cut, keep no cookies, send no login of ~/.netrc, and read on after 1xx."""

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.utils import get_environ_proxies

from crossz.core.errors import CrosszError

_INTERIM = 20  # answers 1xx before the answer
_REDIRECTS = 5
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class _Response(http.client.HTTPResponse):
    # RFC 9110, 15.2: a client reads on after any 1xx answer, such as 103 Early Hints. http.client does after 100 alone.
    def begin(self) -> None:
        super().begin()
        for _ in range(_INTERIM):
            if not 100 <= self.status < 200:
                return
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first line was read
            super().begin()
        raise http.client.BadStatusLine(f"more than {_INTERIM} interim answers")


class Exchange(threading.Thread):
    """The thread of one request. Another thread can cut its connection: a server may keep it busy for ever."""

    def __init__(self, work: Callable[[], None]):
        super().__init__(target=work, daemon=True)
        self.sock: socket.socket | None = None
        self.over = False

    def cut(self) -> None:
        """End what it reads, or would read."""
        self.over = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # that of TLS is not to be used by two threads


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Response

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        thread = threading.current_thread()
        if isinstance(thread, Exchange):
            thread.sock = self.sock
            if thread.over:
                raise TimeoutError("given up before it was connected")
        return super().getresponse()


class _SecureConnection(_Connection, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class Session(requests.Session):
    """A session that takes proxies and certificates from the environment, and nothing else. It keeps no cookies.

    requests would also send a login of ~/.netrc to any host that has one there, mirrors and targets of redirects included.
    Without it (`trust_env`), it does not read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE and
    CURL_CA_BUNDLE either. They are read here.

    Parameters
    ----------
    connections
        Kept open to a host.

    Raises
    ------
    errors.CrosszError
        The environment names certificates that are not there.
    """

    def __init__(self, connections: int):
        super().__init__()
        self.trust_env = False
        self.max_redirects = _REDIRECTS
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a server may send megabytes of them
        self.headers.update({"User-Agent": "crossz", "Accept-Encoding": "identity"})
        for name in _CERTIFICATES:
            if path := os.environ.get(name):
                if not Path(path).exists():
                    raise CrosszError(f"{name}: there is no {path}; name a file of certificates, or unset {name}")
                self.verify = path
                break
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=connections))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where a redirect leads. Its body is left: requests would unpack and keep all of it."""
        if (target := super().get_redirect_target(resp)) is not None:
            resp.close()
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take login and cookies out of the request that a redirect leads to; from https to http it is not followed.

        requests takes a login out where the host is another one. But a redirect's cookies are in the request, whatever
        the policy of the session.
        """
        prepared_request.headers.pop("Cookie", None)
        if response.url.startswith("https:") and not str(prepared_request.url).startswith("https:"):
            raise requests.exceptions.InvalidSchema("it leads from https to http")
        super().rebuild_auth(prepared_request, response)

    def merge_environment_settings(self, url: Any, proxies: Any, *settings: Any) -> Any:
        """The settings of one request, with the proxy that the environment names for its address."""
        return super().merge_environment_settings(url, {**get_environ_proxies(url), **(proxies or {})}, *settings)

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> Any:
        """The same for the address of a redirect."""
        return super().rebuild_proxies(prepared_request, get_environ_proxies(prepared_request.url or ""))
