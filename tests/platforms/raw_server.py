# SPDX-License-Identifier: Apache-2.0
"""A server that puts bytes on the wire as a test wants them, over TLS as well."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

Serve = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class RawServer:
    """Where it is, and how many connections and requests it has seen."""

    url: str
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def raw_server(serve: Serve, *, certificate: Path | None = None) -> Iterator[RawServer]:
    """Call ``serve`` for each connection, with TLS made when there is a ``certificate`` (its key beside it)."""
    opened: list[socket.socket] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context and certificate:
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def attend(plain: socket.socket) -> None:
        with suppress(OSError):
            connection = context.wrap_socket(plain, server_side=True) if context else plain
            opened.append(connection)
            with connection:
                serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                server.connections += 1
                opened.append(plain)
                threading.Thread(target=attend, args=[plain], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if certificate else "http"
        server = RawServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            for each in [listener, *opened]:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def hear(connection: socket.socket) -> bytes:
    """Return the next request, whole; empty when there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        if not (piece := connection.recv(65536)):
            return b""
        head += piece
    head, _, body = head.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0:
        missing -= len(connection.recv(65536))
    return head


def saying(*pieces: bytes, then: Iterable[bytes] = (), pause: float = 0.0, closing: bool = False) -> Serve:
    """Answer each request with ``pieces``, then with what is in ``then``, with a pause before each."""

    def serve(connection: socket.socket) -> None:
        while hear(connection):
            connection.sendall(b"".join(pieces))
            for piece in then:
                time.sleep(pause)
                connection.sendall(piece)
            if closing:
                return

    return serve


def dripping(*pieces: bytes, drop: bytes) -> Serve:
    """Answer with ``pieces``, then with ``drop`` fifty times a second without end."""
    return saying(*pieces, then=repeat(drop), pause=0.02)


def pouring(*pieces: bytes, drop: bytes) -> Serve:
    """Answer with ``pieces``, then with ``drop`` without end."""
    return saying(*pieces, then=repeat(drop))
