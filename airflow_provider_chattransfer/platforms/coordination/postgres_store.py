# SPDX-License-Identifier: Apache-2.0
"""Share documents among hosts in Postgres."""

from __future__ import annotations

import hashlib
import os
import select
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import POLL_OK, POLL_READ, connection, parse_dsn

from ...exceptions import CoordinationError
from .documents import as_documents, as_texts
from .store import KEPT_SECONDS, Change

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""Seconds that an update may take."""

LOCK_SECONDS = 4.0
"""Seconds after which the server gives up waiting for a lock, so that we learn why."""

STOPPED_SECONDS = 2.0
"""Seconds after which the server undoes what a process has begun and not ended: it may have been stopped."""

SWEEP_SECONDS = 600.0
"""Seconds between two deletions of what is too old."""

LOCKS = 256
"""Among how many locks the keys are divided, since a server has room for some thousands only."""

LOCK_SPACE = int.from_bytes(hashlib.sha256(b"chattransfer coordination").digest()[:4], "big", signed=True)
"""The first of the two numbers of our advisory locks, so that they are not those of other programs."""

ADDRESS_RULE = "must be an address such as postgresql://user:password@postgres.example:5432/airflow?sslmode=verify-full"
"""What an error says of an address that is none; it shows nothing of it."""

READ = """
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL statement_timeout = %(statement)s;
SET LOCAL idle_in_transaction_session_timeout = %(idle)s;
SELECT pg_advisory_xact_lock(%(space)s, number) FROM unnest(%(locks)s::int[]) AS number;
SELECT extract(epoch FROM clock_timestamp())::float8, kept.key, kept.document
FROM (SELECT 1) AS always LEFT JOIN chattransfer_coordination AS kept
ON kept.key = ANY(%(keys)s::text[]) AND kept.written_at > clock_timestamp() - make_interval(secs => %(kept)s)
"""
WRITE = """
INSERT INTO chattransfer_coordination (key, document, written_at)
SELECT key, document, clock_timestamp() FROM unnest(%(keys)s::text[], %(documents)s::text[]) AS written (key, document)
ON CONFLICT (key) DO UPDATE SET document = excluded.document, written_at = excluded.written_at;
"""
DELETE = "DELETE FROM chattransfer_coordination WHERE key = ANY(%(deleted)s::text[]);"
COMMIT = "COMMIT"
SWEEP = """
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
DELETE FROM chattransfer_coordination WHERE key IN (
    SELECT key FROM chattransfer_coordination
    WHERE written_at < clock_timestamp() - make_interval(secs => %(kept)s) FOR UPDATE SKIP LOCKED
);
COMMIT
"""
CREATE = """
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL statement_timeout = %(statement)s;
SELECT pg_advisory_xact_lock(%(space)s, -1);
CREATE TABLE IF NOT EXISTS chattransfer_coordination (
    key text PRIMARY KEY, document text NOT NULL, written_at timestamptz NOT NULL
);
COMMIT
"""

CAUSES = {
    errorcodes.INSUFFICIENT_PRIVILEGE: "its user may not use or create the table chattransfer_coordination",
    errorcodes.QUERY_CANCELED: "another host has kept the documents locked",
    errorcodes.LOCK_NOT_AVAILABLE: "another host has kept the documents locked",
    errorcodes.READ_ONLY_SQL_TRANSACTION: "it is read-only",
    errorcodes.DISK_FULL: "its disk is full",
}
"""What the codes of Postgres's errors tell."""

CONNECTION_LOST = frozenset({None, errorcodes.ADMIN_SHUTDOWN, errorcodes.CRASH_SHUTDOWN})
"""The codes with which a connection ends that the server has closed."""

NO_CONNECTION = "no connection can be made, or not by this user and password"


class PostgresStore:
    """A ``SharedStore`` of all hosts that reach one Postgres, whose clock it tells.

    An update is one transaction in two exchanges: the first locks the keys and reads, the second writes. The driver is
    used without blocking, since it would wait without end for a server that hangs. Safe for threads, which share a
    connection, and for forks, after which the child makes its own.
    """

    def __init__(self, address: str) -> None:
        """Share at ``address``, ``postgresql://``, which may hold a password.

        No connection is made. Raises ``ValueError`` for what is no address.
        """
        self._address, self._host = _checked(address)
        self._lock = threading.Lock()
        self._connection: connection | None = None
        self._sweep_at = 0.0
        with _forking:
            _stores.add(self)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """As ``SharedStore`` has it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            raise self._error("other threads wait for it")
        try:
            return self._update(keys, change, deadline)
        except psycopg2.Error as error:
            why = CAUSES.get(error.pgcode or "", f"SQLSTATE {error.pgcode}" if error.pgcode else NO_CONNECTION)
        except TimeoutError:
            why = f"no answer within {PATIENCE_SECONDS:.0f} s"
        finally:
            self._lock.release()
        raise self._error(why)

    def after_fork(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        self._lock, self._connection = threading.Lock(), None

    def _update(self, keys: Sequence[str], change: Change[T], deadline: float) -> T:
        try:
            rows = self._begin(keys, deadline)
            documents = as_documents({key: text for _, key, text in rows if key is not None})
            written, result = change(rows[0][0], documents)
            self._commit(as_texts(written, of=keys), deadline)
        except BaseException:
            self._close()
            raise
        self._sweep(deadline)
        return result

    def _begin(self, keys: Sequence[str], deadline: float) -> list[Any]:
        """Lock the keys and read; a connection that has been closed since it was used is made anew."""
        arguments = {
            "statement": round(LOCK_SECONDS * 1000),
            "idle": round(STOPPED_SECONDS * 1000),
            "space": LOCK_SPACE,
            "locks": sorted({_lock_of(key) for key in keys}),
            "keys": list(keys),
            "kept": KEPT_SECONDS,
        }
        known = self._connection
        try:
            return self._ask(READ, arguments, deadline)
        except psycopg2.Error as error:
            self._close()
            if error.pgcode == errorcodes.UNDEFINED_TABLE:
                self._ask(CREATE, arguments, deadline)
            elif known is None or error.pgcode not in CONNECTION_LOST:
                raise
        return self._ask(READ, arguments, deadline)

    def _commit(self, texts: Mapping[str, str | None], deadline: float) -> None:
        kept = {key: text for key, text in texts.items() if text is not None}
        deleted = [key for key, text in texts.items() if text is None]
        statements = (WRITE if kept else "") + (DELETE if deleted else "") + COMMIT
        self._ask(statements, {"keys": list(kept), "documents": list(kept.values()), "deleted": deleted}, deadline)

    def _sweep(self, deadline: float) -> None:
        """Delete now and then what is too old; where that fails, another process will."""
        if time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        try:
            self._ask(SWEEP, {"kept": KEPT_SECONDS}, deadline)
        except (psycopg2.Error, TimeoutError):
            self._close()

    def _ask(self, statements: str, arguments: Mapping[str, Any], deadline: float) -> list[Any]:
        """Run ``statements`` in one exchange, and return the rows of the last one."""
        if self._connection is None:
            self._connection = psycopg2.connect(self._address, async_=True, application_name="chattransfer")
            _wait_for(self._connection, deadline)
        with self._connection.cursor() as cursor:
            cursor.execute(statements, arguments)
            _wait_for(self._connection, deadline)
            return list(cursor.fetchall()) if cursor.description else []

    def _close(self) -> None:
        """Close the connection, by which the server undoes what was not committed."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _error(self, why: str) -> CoordinationError:
        return CoordinationError(
            f"Postgres at {self._host} cannot be used: {why}; see to it, or put coordination right"
        )


def _checked(address: str) -> tuple[str, str]:
    """Return ``address`` as the driver takes it, and the host in it; raises ``ValueError``.

    SQLAlchemy's name of the driver is taken off, as it stands in Airflow's own address of its database.
    """
    try:
        scheme, colon, rest = address.partition(":")
        parts = urlsplit(address)
        is_ours = scheme in ("postgresql", "postgres", "postgresql+psycopg2") and rest.startswith("//")
        if is_ours and " " not in address and not {"password", "sslpassword"} & parse_qs(parts.query).keys():
            plain = f"postgresql{colon}{rest}"
            parse_dsn(plain)
            return plain, parts.netloc.rpartition("@")[2] or "this host's socket"
    except (ValueError, psycopg2.Error):
        pass
    raise ValueError(ADDRESS_RULE)


def _lock_of(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % LOCKS


def _wait_for(opened: connection, deadline: float) -> None:
    """Wait until what was begun on a connection is done; raises ``TimeoutError``, and an error of psycopg2."""
    while (state := opened.poll()) != POLL_OK:
        poll = select.poll()
        poll.register(opened.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError


_stores: weakref.WeakSet[PostgresStore] = weakref.WeakSet()
_forking = threading.Lock()
"""Held while the set of stores changes."""


def _after_fork() -> None:
    global _forking
    _forking = threading.Lock()
    for store in list(_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)
