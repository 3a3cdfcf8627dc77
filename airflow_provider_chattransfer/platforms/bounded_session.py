# SPDX-License-Identifier: Apache-2.0
"""Bound each HTTP exchange, a request and its answer, in time and in bytes.

A timeout of ``requests`` applies to each read, so an answer of one byte per second never ends. Here every operation on
the socket waits no longer than what is left of the exchange: a proxy's tunnel, the TLS handshake, the request, the
answer's head and body. Only the look-up of a host name is not bounded, since the system's resolver takes no deadline.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, NameResolutionError

MAX_OVERHEAD_BYTES = 2**20
"""Bytes on the wire besides the body: headers, and the lengths of chunks."""


KEPT_CONNECTIONS = 64
"""Connections to a host that are kept alive at most: more than any service is sent requests at once."""


class AnswerTooLargeError(Exception):
    """More came in than the exchange may take."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    ``over_at`` is its deadline, by ``time.monotonic``; ``most_bytes`` is how long a body may be, decoded. ``begun``
    tells that some of the request may have left: before that, the service has certainly carried out nothing.
    """

    over_at: float
    most_bytes: int
    begun: bool = False
    received: int = 0

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self.over_at

    def left(self) -> float:
        """Return the seconds that are left, more than 0; raises ``TimeoutError``."""
        left = self.over_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time of the exchange is over")
        return left

    def take(self, count: int) -> int:
        """Count what came in; raises ``AnswerTooLargeError``."""
        self.received += count
        if self.received > self.most_bytes + MAX_OVERHEAD_BYTES:
            raise AnswerTooLargeError
        return count


_under_way: ContextVar[Exchange] = ContextVar("_under_way")


@contextmanager
def exchange(seconds: float, *, most_bytes: int) -> Iterator[Exchange]:
    """Bound the sockets of ``BoundedSession`` in this context by time and bytes."""
    bounds = Exchange(time.monotonic() + seconds, most_bytes)
    before = _under_way.set(bounds)
    try:
        yield bounds
    finally:
        _under_way.reset(before)


class BoundedSession(requests.Session):
    """A session whose exchanges end. It does not even parse redirects, since that reads their body to its end.

    Safe for threads as it is used here: its cookies, headers and adapters are not changed after it was made.
    """

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _BoundedAdapter(pool_maxsize=KEPT_CONNECTIONS))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return ``None``: the caller decides about redirects."""


class _BoundedAdapter(HTTPAdapter):
    _making = threading.Lock()
    """Guards the manager of a proxy until it is bounded: another thread would find it unbounded."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        with self._making:
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            if not known:
                _bound(manager)
        return manager


def _bound(manager: PoolManager) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _bounded(pool) for scheme, pool in pools.items()}


@cache
def _bounded(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return ``pool`` with bounded connections; those of SOCKS leave the look-up of names to the proxy."""
    plain: Any = pool.ConnectionCls
    looks_up = plain._new_conn is HTTPConnection._new_conn
    mixins = (_BoundedConnection, _EachAddress) if looks_up else (_BoundedConnection,)
    connection = type(f"Bounded{plain.__name__}", (*mixins, plain), {})
    return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _BoundedConnection:
    """Mixed into a connection of urllib3, so that its sockets are bounded from the first one on."""

    debuglevel = 0
    """Setting ``http.client``'s debug level shows every request but ours, whose address may be a secret."""

    sock: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if not isinstance(self.sock, BoundedSocket):
            self.sock = BoundedSocket(self.sock)
        self.sock.carries_requests = True

    def _new_conn(self) -> BoundedSocket:
        return BoundedSocket(super()._new_conn())  # type: ignore[misc]

    def _connect_tls_proxy(self, *args: Any) -> BoundedSocket:
        return BoundedSocket(super()._connect_tls_proxy(*args))  # type: ignore[misc]


class _EachAddress:
    """Connects to the addresses of a host one by one; urllib3 alone would wait for each of them in full."""

    _dns_host: str
    host: str
    port: int
    timeout: float

    def _new_conn(self) -> socket.socket:
        name, patience, failure = self._dns_host, self.timeout, None
        for address in self._addresses():
            self._dns_host, self.timeout = address, min(patience, _under_way.get().left())
            try:
                connected: socket.socket = super()._new_conn()  # type: ignore[misc]
                return connected
            except HTTPError as error:
                failure = error
            finally:
                self._dns_host, self.timeout = name, patience
        raise failure or OSError("the host has no address")

    def _addresses(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from None  # type: ignore[arg-type]
        return [str(address[0]) for *_, address in found]


class BoundedSocket:
    """A connected socket, plain or TLS, bounded in time and bytes by the exchange under way.

    ``carries_requests`` is set once a request is sent over it, and no longer a proxy's greeting.
    """

    def __init__(self, connected: Any) -> None:
        self._socket = connected
        self._patience: float | None = connected.gettimeout()
        self.carries_requests = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        """Wait no longer than this for one operation, even where the exchange has more time."""
        self._patience = seconds

    def gettimeout(self) -> float:
        """Return the seconds that the next operation may take; a TLS handshake is one operation."""
        left = _under_way.get().left()
        return left if self._patience is None else min(left, self._patience)

    def sendall(self, data: Any) -> None:
        """Send all of ``data``; a peer that reads slowly gets no more time for it."""
        _under_way.get().begun |= self.carries_requests
        self._bounded().sendall(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what is there, at most ``size`` bytes."""
        data: bytes = self._bounded().recv(size, flags)
        _under_way.get().take(len(data))
        return data

    def recv_into(self, buffer: Any) -> int:
        """Put what is there into ``buffer``."""
        return _under_way.get().take(self._bounded().recv_into(buffer))

    def makefile(self, mode: str, buffering: int | None = None) -> io.BufferedReader | _BoundedFile:
        """Return a file that reads from the socket: all that ``http.client`` asks for."""
        file = _BoundedFile(self, self._socket.makefile("rb", buffering=0))
        return file if buffering == 0 else io.BufferedReader(file)

    def _bounded(self) -> Any:
        self._socket.settimeout(self.gettimeout())
        return self._socket


class _BoundedFile(io.RawIOBase):
    """The bytes that come in on a bounded socket. ``held`` keeps the socket open until this is closed."""

    def __init__(self, source: BoundedSocket, held: io.RawIOBase) -> None:
        self._source = source
        self._held = held

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.recv_into(buffer)

    def close(self) -> None:
        self._held.close()
        super().close()
