# SPDX-License-Identifier: Apache-2.0
"""Requests as bytes on a socket, for what no HTTP client would send, and waiting for their effects."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_chattransfer.sandbox.server import SandboxServer


def request_for(method: str, **params: Any) -> bytes:
    """Return a whole request to Bitrix24, its body last."""
    body = json.dumps({"CLIENT_ID": "chattransfer", **params}).encode()
    head = f"POST /rest/1/secretcode/{method} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def connection(server: SandboxServer) -> socket.socket:
    """Open a connection to the sandbox; it is closed at the end of its ``with``."""
    host, _, port = server.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def status(connection: socket.socket) -> int:
    """Read the next response and return its status."""
    return int(connection.recv(65536).split()[1])


def wait_for(what: Callable[[], bool]) -> None:
    """Return as soon as ``condition`` holds; fail if it does not within ten seconds."""
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
