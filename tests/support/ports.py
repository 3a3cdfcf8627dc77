# SPDX-License-Identifier: Apache-2.0
"""Ports of this machine at which nobody listens."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(number: int) -> list[int]:
    """So many different ones, for servers that a test starts."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def free_port() -> int:
    """One of them."""
    (port,) = free_ports(1)
    return port
