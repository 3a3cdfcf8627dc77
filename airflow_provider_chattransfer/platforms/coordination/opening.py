# SPDX-License-Identifier: Apache-2.0
"""Open the store that an address names; one for all in this process."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec

from .host_store import HostStore
from .store import SharedStore

REDIS, POSTGRES = ("redis", "rediss"), ("postgresql", "postgres", "postgresql+psycopg2")
"""How the addresses of the two kinds of servers begin."""

_opened: dict[str | None, SharedStore] = {}
_lock = threading.Lock()


def open_store(address: str | None) -> SharedStore:
    """Return the store at ``address``, or this host's for ``None``; nothing is asked of it yet.

    Raises ``ValueError`` for what is no address of a store, or of one whose package is not installed; it shows nothing
    of the address.
    """
    with _lock:
        if address not in _opened:
            _opened[address] = HostStore() if address is None else _at(address)
        return _opened[address]


def _at(address: str) -> SharedStore:
    scheme = address.partition("://")[0].lower()
    if scheme in REDIS:
        _need("redis", extra="redis")
        from .redis_store import RedisStore

        return RedisStore(address)
    if scheme in POSTGRES:
        _need("psycopg2", extra="postgres")
        from .postgres_store import PostgresStore

        return PostgresStore(address)
    raise ValueError(
        "must be the address of a Postgres or a Redis, postgresql://… or rediss://…; or empty, for this host's own"
    )


def _need(package: str, *, extra: str) -> None:
    if find_spec(package) is None:
        raise ValueError(
            f"{extra} needs a package: pip install 'airflow-provider-chattransfer[{extra}]' on every machine of Airflow"
        )


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
