# SPDX-License-Identifier: Apache-2.0
"""A store for credentials that needs nothing but a folder, and the seal under which any store keeps them."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet, InvalidToken

from ...exceptions import HostFileError, TokenStoreError
from ..file_lock import lock, open_private, reason
from .manager import Entry, TokenStore

PATIENCE = 200.0
"""Seconds to wait for a lock: longer than anybody keeps it, who asks the service for a token in between."""

UNREADABLE = "?"


class Sealed:
    """A store that sees no secret: what it keeps is of use only to who knows the connection's own.

    So it may be read by those who read Variables, files, a Redis server, or the messages that Airflow logs at DEBUG.
    """

    def __init__(self, store: TokenStore, *, key: str) -> None:
        """``key`` is a secret of the connection."""
        self._store = store
        self._fernet = Fernet(urlsafe_b64encode(hashlib.sha256(f"chattransfer seal\n{key}".encode()).digest()))

    def load(self, entry: Entry) -> str | None:
        """What was saved last; text that is no credential where it was sealed with another key."""
        kept = self._store.load(entry)
        try:
            return self._fernet.decrypt(kept).decode() if kept else None
        except (InvalidToken, ValueError):  # the latter for letters that no seal has
            return UNREADABLE

    def save(self, entry: Entry, text: str) -> None:
        """Keep ``text``."""
        self._store.save(entry, self._fernet.encrypt(text.encode()).decode())

    def lock(self) -> AbstractContextManager[None]:
        """The store's lock."""
        return self._store.lock()


class FileStore:
    """One account's credential in a folder, in files that only their owner may read.

    On a folder that hosts share, its lock holds for all of them.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        """``name`` is that of the account, in letters that a file's name may have."""
        self._folder = folder
        self._name = name

    def load(self, entry: Entry) -> str | None:
        """What was saved last; raises ``TokenStoreError``."""
        path = self._path(entry)
        try:
            with self._open(path, create=False) as file:
                file.seek(0)
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(path, "read", error) from None

    def save(self, entry: Entry, text: str) -> None:
        """Put ``text`` in place of what was there at once: whoever reads finds the old or the new one, whole."""
        path = self._path(entry)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            try:
                _write(draft, text)
                draft.rename(path)
            finally:
                draft.unlink(missing_ok=True)
            _flush(self._folder)
        except OSError as error:
            raise self._failed(path, "written", error) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one thread of one process in at a time; raises ``TokenStoreError`` when it takes too long."""
        with locked(self._open(self._folder / f"{self._name}.lock")):
            yield

    def _open(self, path: Path, *, create: bool = True) -> IO[str]:
        try:
            return open_private(path, create=create)
        except HostFileError as error:
            raise TokenStoreError(f"{error.args[0]}; or put token_store_at of the connection right") from None

    def _path(self, entry: Entry) -> Path:
        return self._folder / f"{self._name}.{entry}"

    def _failed(self, path: Path, done: str, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"the file {path} cannot be {done}: {reason(error)}; put token_store_at of the connection right, "
            "or what stands there in the way, or who owns it"
        )


@contextmanager
def locked(file: IO[str]) -> Iterator[None]:
    """Lock ``file``, and close it in the end; raises ``TokenStoreError`` when another process keeps it for too long."""
    with file:
        if not lock(file, deadline=time.monotonic() + PATIENCE):
            raise TokenStoreError(f"another process has kept {file.name} locked for {PATIENCE:.0f} s; end that process")
        yield


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Have the new name of a file in ``folder`` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
