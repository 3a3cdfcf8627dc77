# SPDX-License-Identifier: Apache-2.0
"""Store tokens in Redis, for workers on several hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from redis.exceptions import RedisError

from ...exceptions import TokenStoreError
from ..redis_access import cause, host_of, open_redis
from .file_store import MAX_LOCK_WAIT_SECONDS
from .manager import Entry

T = TypeVar("T")

LEASE_SECONDS = 180.0
"""Seconds after which Redis ends a lock whose owner was killed: longer than a token request takes."""

TIMEOUT_SECONDS = 5.0
"""Seconds to wait for a connection, and for an answer."""


class RedisStore:
    """Stores the token of one account in Redis.

    What was saved outlasts a crash of Redis itself only as far as Redis is told to write it to disk (``appendonly``).
    """

    def __init__(self, address: str, *, name: str) -> None:
        """Store at ``address``, ``redis://`` or ``rediss://``, which may hold a password.

        No connection is made. Raises ``ValueError`` for what is no address.
        """
        self._redis = open_redis(address, timeout=TIMEOUT_SECONDS)
        self._host = host_of(address)
        self._name = f"chattransfer:{name}"

    def load(self, entry: Entry) -> str | None:
        """Return what was saved last; raises ``TokenStoreError``."""
        saved = self._call(lambda: self._redis.get(self._key(entry)))
        return saved.decode(errors="replace") if isinstance(saved, bytes) else None

    def save(self, entry: Entry, text: str) -> None:
        """Save ``text``; raises ``TokenStoreError``."""
        self._call(lambda: self._redis.set(self._key(entry), text))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one thread of one process in at a time; raises ``TokenStoreError`` when it takes too long.

        A lock whose lease has ended may be another process's by now, and is not released.
        """
        lock = self._redis.lock(f"{self._name}:lock", timeout=LEASE_SECONDS)
        if not self._call(lambda: lock.acquire(blocking_timeout=MAX_LOCK_WAIT_SECONDS)):
            raise TokenStoreError(
                f"another process has kept the lock in Redis at {self._host} for {MAX_LOCK_WAIT_SECONDS:.0f} s"
            )
        try:
            yield
        finally:
            with suppress(RedisError):
                lock.release()

    def _key(self, entry: Entry) -> str:
        return f"{self._name}:{entry}"

    def _call(self, do: Callable[[], T]) -> T:
        """Return what ``do`` returns.

        Raises ``TokenStoreError`` for an error of Redis, which is not even chained.
        """
        try:
            return do()
        except RedisError as error:
            why = cause(error)
        raise TokenStoreError(
            f"Redis at {self._host} cannot be used: {why}; put token_store_at of the connection right"
        )
