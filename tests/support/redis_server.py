# SPDX-License-Identifier: Apache-2.0
"""A Redis server of the tests' own, on a free port of this machine; its tests are skipped where there is none."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.ports import free_port

PASSWORD = "redis-pass/word"
PATIENCE = 20.0


@dataclass
class RedisServer:
    """A running server that asks for a password."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def address(self) -> str:
        """As ``token_store_at`` and ``coordination`` have it."""
        return f"redis://:redis-pass%2Fword@127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Delete everything in it."""
        from redis import Redis

        with Redis.from_url(self.address) as redis:
            redis.flushall()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it, and all that it holds."""
        self.process.terminate()
        self.process.wait(10)

    def start(self) -> None:
        """Start it, empty."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "requirepass": PASSWORD, "save": "", "appendonly": "no"}
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        self.process = subprocess.Popen([self.program, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL)  # noqa: S603
        _wait_for(self.port)

    def everything(self) -> str:
        """All keys and values that it holds."""
        from redis import Redis

        with Redis.from_url(self.address) as redis:
            return " ".join(f"{key!r} {redis.get(key)!r}" for key in redis.scan_iter("*"))


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Yield a server that keeps nothing on disk; skips the test where there is none."""
    pytest.importorskip("redis", reason="the package redis is not installed: pip install redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no Redis server: apt-get install redis-server")
    server = RedisServer(program, folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
