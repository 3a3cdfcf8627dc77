# SPDX-License-Identifier: Apache-2.0
"""A Redis server of the tests' own, on a free port of this machine; its tests are skipped where there is none."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port

PASSWORD = "redis-pass/word"
PATIENCE = 20.0


@dataclass
class RedisServer:
    """A running server that asks for a password."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """As ``token_store_at`` has it."""
        return f"redis://:redis-pass%2Fword@127.0.0.1:{self.port}/0"

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
    port = free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "requirepass": PASSWORD, "save": "", "appendonly": "no"}
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    process = subprocess.Popen([program, *arguments], cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(port)
        yield RedisServer(port, process)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
