# SPDX-License-Identifier: Apache-2.0
"""Share documents among the processes of this user on this host, in an SQLite file."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...exceptions import CoordinationError, HostFileError
from ..file_lock import check_private, host_file, lock, open_private, reason
from .documents import as_documents, as_texts
from .store import KEPT_SECONDS, Change

log = logging.getLogger(__name__)

T = TypeVar("T")

SUFFIX = ".coordination"
"""How the names of these files end."""

PATIENCE_SECONDS = 5.0
"""Seconds to wait for other processes: each holds the file for less than a thousandth of one."""

RETRY_SECONDS = 0.001
"""Seconds after which the file is asked for again. SQLite's own pauses grow to a tenth of a second, which is unfair to
who waits while others come and go.
"""

SWEEP_SECONDS = 600.0
"""Seconds between two deletions of what is too old."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux tells by which name to know the time since it was started."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
HELD_BY_OTHERS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""What the primary codes of SQLite's errors tell."""

TABLE = "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, document TEXT NOT NULL, written_at REAL NOT NULL)"
FIND = "SELECT document FROM documents WHERE key = ? AND written_at BETWEEN ? AND ?"
WRITE = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)"
DELETE = "DELETE FROM documents WHERE key = ?"
SWEEP = "DELETE FROM documents WHERE written_at NOT BETWEEN ? AND ?"


class _DamagedError(Exception):
    """What is in the file is no database."""


class _ReplacedError(Exception):
    """Another file is at the place of ours, or none."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection, and the file that it is open on."""

    path: Path
    file: tuple[int, int]
    connection: sqlite3.Connection


class HostStore:
    """A ``SharedStore`` of the processes of this user on this host.

    Its clock is the time since the system was started, the same for all processes, which nobody sets; each start has a
    file of its own, and nothing needs to outlast it. There is no write-ahead log, which is for those who only read: its
    two files could be deleted, by a cleaner of old files, while they are in use. Safe for threads, which share a
    connection, and for forks, for which it is closed: SQLite's locks are a process's own.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE_SECONDS) -> None:
        """``patience``: seconds to wait for other processes. Nothing is opened."""
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._sweep_at = 0.0
        with _forking:
            _stores.add(self)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """As ``SharedStore`` has it; raises ``HostFileError`` where the file cannot be used."""
        if not self._lock.acquire(timeout=self._patience):
            raise _held(self._path(), self._patience)
        try:
            try:
                return self._update(keys, change)
            except _ReplacedError:
                pass
            except _DamagedError:
                self._begin_anew()
            try:
                return self._update(keys, change)
            except (_DamagedError, _ReplacedError):
                raise HostFileError(
                    f"{self._path()} is damaged or deleted again and again; see what does that, or what is wrong with "
                    "the disk"
                ) from None
        finally:
            self._lock.release()

    def before_fork(self) -> None:
        """Wait until no thread uses the connection, and close it: a forked process must not have it."""
        self._lock.acquire()
        self._close()

    def after_fork(self, *, in_child: bool) -> None:
        """Go on, each with a connection of its own."""
        if in_child:
            self._lock = threading.Lock()
        else:
            self._lock.release()

    def _update(self, keys: Sequence[str], change: Change[T]) -> T:
        opened = self._opened or self._open()
        with self._errors(opened.path, opened.file), self._transaction(opened):
            now = self._clock()
            rows = {key: opened.connection.execute(FIND, (key, now - KEPT_SECONDS, now)).fetchone() for key in keys}
            written, result = change(now, as_documents({key: row[0] for key, row in rows.items() if row}))
            self._write(opened.connection, as_texts(written, of=keys), now=now)
        return result

    def _write(self, connection: sqlite3.Connection, texts: Mapping[str, str | None], *, now: float) -> None:
        for key, text in texts.items():
            if text is None:
                connection.execute(DELETE, (key,))
            else:
                connection.execute(WRITE, (key, text, now))
        if now >= self._sweep_at:
            connection.execute(SWEEP, (now - KEPT_SECONDS, now))
            self._sweep_at = now + SWEEP_SECONDS

    @contextmanager
    def _transaction(self, opened: _Opened) -> Iterator[None]:
        """Let one process of the host in at a time, and write all that is done inside, or nothing of it."""
        self._begin(opened.connection)
        try:
            if _identity(opened.path) != opened.file:
                raise _ReplacedError
            yield
            opened.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                opened.connection.execute("ROLLBACK")
            raise

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that nobody else is in; only its end is left to SQLite's own way of waiting."""
        deadline = time.monotonic() + self._patience
        connection.execute("PRAGMA busy_timeout = 0")
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in HELD_BY_OTHERS or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS)
        connection.execute(f"PRAGMA busy_timeout = {self._patience * 1000:.0f}")

    @contextmanager
    def _errors(self, path: Path, file: tuple[int, int] | None = None) -> Iterator[None]:
        """Raise an error of ours for one of SQLite's, which may come of the ``file`` at ``path`` being gone."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._close()
            if file not in (None, _identity(path)):
                raise _ReplacedError from None
            raise _error(path, error, patience=self._patience) from None
        except _ReplacedError:
            self._close()
            raise

    def _open(self) -> _Opened:
        """Open the file, and make it if it is missing; one process at a time."""
        path = self._path()
        with self._alone():
            _delete_old(path)
            with suppress(FileNotFoundError):
                check_private(path, _status(path))
            with self._errors(path):
                connection = sqlite3.connect(
                    path, timeout=self._patience, isolation_level=None, check_same_thread=False, cached_statements=16
                )
                try:
                    path.chmod(0o600)
                    connection.execute("PRAGMA synchronous = OFF")
                    connection.execute("PRAGMA journal_mode = PERSIST")
                    connection.execute(TABLE)
                except BaseException:
                    connection.close()
                    raise
        self._opened = _Opened(path, _identity(path), connection)
        return self._opened

    def _begin_anew(self) -> None:
        """Delete the damaged file, unless another process has done so already."""
        path = self._path()
        with self._alone():
            if not _is_damaged(path, patience=self._patience):
                return
            log.warning("%s is damaged and begun anew: what runs had claimed there is forgotten", path)
            with self._errors(path):
                for each in (path, path.with_name(f"{path.name}-journal")):
                    each.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time make, check or delete the file."""
        with open_private(host_file("coordination", ".lock")) as file:
            if not lock(file, deadline=time.monotonic() + self._patience):
                raise _held(Path(file.name), self._patience)
            yield

    def _path(self) -> Path:
        return host_file(f"coordination 1 {_boot()}", SUFFIX)

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.connection.close()
            self._opened = None


def _error(path: Path, error: sqlite3.Error | OSError, *, patience: float) -> Exception:
    """Return what an error of SQLite or of the system means."""
    if isinstance(error, OSError):
        return HostFileError(f"{path} cannot be used: {reason(error)}; put its folder right")
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in DAMAGED:
        return _DamagedError()
    if code & 0xFF in HELD_BY_OTHERS:
        return _held(path, patience)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return HostFileError(f"{path} cannot be written: the disk is full; make room there")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return HostFileError(f"{path} cannot be used: {name}; make room there, or let TMPDIR name a folder to write to")


def _held(path: Path, patience: float) -> CoordinationError:
    return CoordinationError(
        f"another process of this host has kept {path} locked for {patience:.0f} s: it may have been stopped; end it"
    )


def _boot() -> str:
    """Return the name of the system's start; empty where the system has none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _identity(path: Path) -> tuple[int, int]:
    """Return by what the file at ``path`` is known; raises ``_ReplacedError`` if there is none."""
    try:
        status = _status(path)
    except FileNotFoundError:
        raise _ReplacedError from None
    return status.st_dev, status.st_ino


def _status(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HostFileError(f"{path} cannot be read: {reason(error)}; put its folder right") from None


def _is_damaged(path: Path, *, patience: float) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=patience)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",))
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED


def _delete_old(path: Path) -> None:
    """Delete the files of earlier starts of the system, which nobody has written to for long."""
    for each in path.parent.glob(f"*{SUFFIX}*"):
        with suppress(OSError):
            if not each.name.startswith(path.name) and time.time() - each.lstat().st_mtime > KEPT_SECONDS:
                each.unlink()


_stores: weakref.WeakSet[HostStore] = weakref.WeakSet()
_forking = threading.Lock()
"""Held while a thread forks, and while the set of stores changes."""


def _before_fork() -> None:
    _forking.acquire()
    for store in list(_stores):
        store.before_fork()


def _after_fork(*, in_child: bool) -> None:
    global _forking
    for store in list(_stores):
        store.after_fork(in_child=in_child)
    if in_child:
        _forking = threading.Lock()
    else:
        _forking.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(in_child=False),
    after_in_child=lambda: _after_fork(in_child=True),
)
