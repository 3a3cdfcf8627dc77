# SPDX-License-Identifier: Apache-2.0
"""Share documents among hosts in Redis."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ...exceptions import CoordinationError
from ..redis_access import cause, host_of, open_redis
from .documents import as_documents, as_texts
from .store import KEPT_SECONDS, Change

T = TypeVar("T")

TIMEOUT_SECONDS = 3.0
"""Seconds to wait for a connection, and for an answer."""

PATIENCE_SECONDS = 5.0
"""Seconds for which an update is tried anew while others change the same documents."""

MAX_PAUSE_SECONDS = 0.05
"""Seconds to wait at most before it is tried anew."""

PREFIX = "{chattransfer}:"
"""How our keys begin; what stands in braces keeps them together in a cluster."""

LEFT, DELETED = "", "-"
"""What stands in place of the text of a document that is left as it is, and of one to be deleted."""

WRITE = """
for place, key in ipairs(KEYS) do
    local text = redis.call('GET', key)
    if (text and redis.sha1hex(text) or '') ~= ARGV[2 * place] then return 0 end
end
for place, key in ipairs(KEYS) do
    local text = ARGV[2 * place + 1]
    if text == '-' then redis.call('DEL', key)
    elseif text ~= '' then redis.call('SET', key, text, 'PX', ARGV[1]) end
end
return 1
"""
"""Writes what an update has made of its documents, unless somebody has changed one of them since they were read."""


class RedisStore:
    """A ``SharedStore`` of all hosts that reach one Redis, whose clock it tells.

    Nobody holds a lock: who was stopped in the middle of an update keeps nobody waiting. Redis writes only if the
    documents are still those that were read; if not, they are read anew. A command is never sent twice, since the first
    one may have been carried out. Safe for threads and forks, as redis-py is.
    """

    def __init__(self, address: str) -> None:
        """Share at ``address``, ``redis://`` or ``rediss://``, which may hold a password.

        No connection is made. Raises ``ValueError`` for what is no address.
        """
        self._redis = open_redis(address, timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0))
        self._host = host_of(address)
        self._script = self._redis.register_script(WRITE)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """As ``SharedStore`` has it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = MAX_PAUSE_SECONDS / 32
        while True:
            now, raw = self._read(keys)
            texts = {key: text.decode(errors="replace") for key, text in raw.items()}
            written, result = change(now, as_documents(texts))
            if self._write(keys, raw, as_texts(written, of=keys)):
                return result
            if time.monotonic() > deadline:
                raise self._error(f"others kept changing the same documents for {PATIENCE_SECONDS:.0f} s")
            time.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _read(self, keys: Sequence[str]) -> tuple[float, Mapping[str, bytes]]:
        """Return the time, and the documents as they were then."""
        with self._errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.time()
            if keys:
                pipeline.mget([f"{PREFIX}{key}" for key in keys])
            (seconds, microseconds), *found = pipeline.execute()
        texts = zip(keys, found[0] if found else (), strict=True)
        return seconds + microseconds / 1e6, {key: text for key, text in texts if text is not None}

    def _write(self, keys: Sequence[str], raw: Mapping[str, bytes], texts: Mapping[str, str | None]) -> bool:
        """Write ``texts``; return false if the documents are not those in ``raw`` any more."""
        if not texts:
            return True
        arguments: list[str | int] = [round(KEPT_SECONDS * 1000)]
        for key in keys:
            text = texts.get(key, LEFT)
            arguments.append(hashlib.sha1(raw[key], usedforsecurity=False).hexdigest() if key in raw else "")
            arguments.append(DELETED if text is None else text)
        with self._errors():
            return bool(self._script([f"{PREFIX}{key}" for key in keys], arguments))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise an error of ours for one of Redis, which is not even chained."""
        try:
            yield
        except RedisError as error:
            why = cause(error)
        else:
            return
        raise self._error(why)

    def _error(self, why: str) -> CoordinationError:
        return CoordinationError(f"Redis at {self._host} cannot be used: {why}; see to it, or put coordination right")
