# SPDX-License-Identifier: Apache-2.0
"""Store tokens in a folder, and lock them by a file there."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ...exceptions import HostFileError, TokenStoreError
from ..file_lock import lock, open_private, reason
from .manager import Entry

MAX_LOCK_WAIT_SECONDS = 200.0
"""Seconds to wait for the lock of a token store: longer than one process needs to fetch a token under it."""


class FileStore:
    """Stores the token of one account in a folder, in files that only their owner may read.

    On a folder that hosts share, its lock holds for all of them.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        """Store in ``folder`` under ``name``, which names the account in letters that a file's name may have."""
        self._folder = folder
        self._name = name

    def load(self, entry: Entry) -> str | None:
        """Return what was saved last; raises ``TokenStoreError``."""
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
        """Replace what was there by ``text`` at once: whoever reads finds the old or the new one, whole."""
        path = self._path(entry)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            try:
                _write(temporary, text)
                temporary.rename(path)
            finally:
                temporary.unlink(missing_ok=True)
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
    """Lock ``file``, and close it in the end.

    Raises ``TokenStoreError`` when another process keeps it locked for ``MAX_LOCK_WAIT_SECONDS``.
    """
    with file:
        if not lock(file, deadline=time.monotonic() + MAX_LOCK_WAIT_SECONDS):
            raise TokenStoreError(
                f"another process has kept {file.name} locked for {MAX_LOCK_WAIT_SECONDS:.0f} s; end that process"
            )
        yield


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Write the names of the files in ``folder`` to disk, so that a new one outlasts a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
