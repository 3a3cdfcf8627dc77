# SPDX-License-Identifier: Apache-2.0
"""A store for credentials in Redis, for workers on several hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as NoConnection

from ...exceptions import TokenStoreError
from .file_store import PATIENCE
from .manager import Entry

T = TypeVar("T")

LEASE = 180.0
"""Seconds after which a lock ends by itself, when its owner was killed: longer than a token request takes."""

ANSWER = 5.0
"""Seconds to wait for a connection, and for an answer."""


class RedisStore:
    """One account's credential in Redis.

    What was saved outlasts a crash of Redis itself only as far as Redis is told to write it to disk (``appendonly``).
    """

    def __init__(self, address: str, *, name: str) -> None:
        """``address`` as ``redis://`` or ``rediss://``; it may hold a password. Raises ``ValueError`` for no address.

        No connection is made.
        """
        self._address = address
        self._host = urlsplit(address).netloc.rpartition("@")[2]
        self._name = f"chattransfer:{name}"
        assert self._redis is not None

    def load(self, entry: Entry) -> str | None:
        """What was saved last; raises ``TokenStoreError``."""
        kept = self._told(lambda: self._redis.get(self._key(entry)))
        return kept.decode(errors="replace") if isinstance(kept, bytes) else None

    def save(self, entry: Entry, text: str) -> None:
        """Keep ``text``; raises ``TokenStoreError``."""
        self._told(lambda: self._redis.set(self._key(entry), text))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one thread of one process in at a time; raises ``TokenStoreError`` when it takes too long.

        A lock that has outlived its lease is not ours any more, and left to whom it belongs.
        """
        lock = self._redis.lock(f"{self._name}:lock", timeout=LEASE)
        if not self._told(lambda: lock.acquire(blocking_timeout=PATIENCE)):
            raise TokenStoreError(f"another process has kept the lock in Redis at {self._host} for {PATIENCE:.0f} s")
        try:
            yield
        finally:
            with suppress(RedisError):
                lock.release()

    @cached_property
    def _redis(self) -> Redis:
        return Redis.from_url(self._address, socket_timeout=ANSWER, socket_connect_timeout=ANSWER)

    def _key(self, entry: Entry) -> str:
        return f"{self._name}:{entry}"

    def _told(self, do: Callable[[], T]) -> T:
        """What ``do`` returns; an error of Redis becomes one of ours, and is not even chained."""
        try:
            return do()
        except RedisError as error:
            why = _cause(error)
        raise TokenStoreError(
            f"Redis at {self._host} cannot be used: {why}; put token_store_at of the connection right"
        )


def _cause(error: RedisError) -> str:
    """What happened, without the text of the error, which may repeat the address."""
    if isinstance(error, AuthenticationError):
        return "it does not take the user or the password"
    if isinstance(error, NoConnection):
        return "no connection can be made"
    return type(error).__name__
