# SPDX-License-Identifier: Apache-2.0
"""Lock files among this user's processes on this host; the operating system releases a lock with its process.

The files lie in a folder that only this user can enter. Anything else at its place, or at theirs, is an error: what
another user has put there would decide about our chats, or block us for ever.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..exceptions import HostFileError

RETRY_SECONDS = 0.1

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def host_file(name: str, suffix: str) -> Path:
    """Return the path of the file for ``name``, the same for all processes of this user on this host.

    Raises ``HostFileError``.
    """
    return lock_folder() / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}{suffix}"


def lock_folder() -> Path:
    """Return the folder of these files, below the one for temporary files: created if it is missing, and checked.

    Raises ``HostFileError`` unless it is a folder that this user owns and nobody else can enter.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"chattransfer-{os.geteuid()}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise HostFileError(
            f"the folder for locks below {tempfile.tempdir or 'TMPDIR'} cannot be made: {reason(error)}; "
            "let TMPDIR of all processes name one folder that can be written to"
        ) from None
    _check(
        folder, status, stat.S_ISDIR(status.st_mode), forbidden=0o077, remedy="delete it, or chmod 700 if it is ours"
    )
    return folder


def open_private(path: Path, *, create: bool = True) -> IO[str]:
    """Open the file for this user alone; create it if it is missing and ``create`` is set.

    Raises ``FileNotFoundError`` if it is missing otherwise, and ``HostFileError`` for anything that is no regular file,
    belongs to another user, or can be written by others. Follows no links and waits for nothing.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    try:
        file = open(path, "a+", opener=lambda name, _: os.open(name, flags, 0o600), errors="replace")  # noqa: SIM115
    except OSError as error:
        if not create and isinstance(error, FileNotFoundError):
            raise
        raise _unusable(path, error) from None
    try:
        check_private(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def check_private(path: Path, status: os.stat_result) -> None:
    """Raise ``HostFileError`` unless ``status`` is of a regular file that this user owns and no other can write."""
    _check(path, status, stat.S_ISREG(status.st_mode), forbidden=0o022, remedy="delete it")


def lock(
    file: IO[str],
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Lock ``file`` until it is closed, also against other threads; return false when ``deadline`` comes first."""
    while not locked_at_once(file):
        if clock() >= deadline:
            return False
        sleep(RETRY_SECONDS)
    return True


def locked_at_once(file: IO[str]) -> bool:
    """Lock ``file`` until it is closed; return false if somebody else has locked it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise HostFileError(
            f"{file.name} cannot be locked: {reason(error)}; keep it on a file system that has locks"
        ) from None
    return True


def _check(path: Path, status: os.stat_result, is_its_kind: bool, *, forbidden: int, remedy: str) -> None:
    wrong = None
    if not is_its_kind:
        wrong = f"is {KINDS.get(stat.S_IFMT(status.st_mode), 'a file')}"
    elif status.st_uid != os.geteuid():
        wrong = f"belongs to user {status.st_uid}, and we are user {os.geteuid()}"
    elif status.st_mode & forbidden:
        wrong = f"is open to other users, mode {stat.S_IMODE(status.st_mode):o}"
    if wrong:
        raise HostFileError(f"{path} {wrong}; {remedy}")


def _unusable(path: Path, error: OSError) -> HostFileError:
    """Return the error for a file that cannot be opened; it says what is there, as far as that can be seen."""
    try:
        status = path.lstat()
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "a file")
        there = f" ({kind} of user {status.st_uid})"
    except OSError:
        there = ""
    return HostFileError(f"{path}{there} cannot be opened: {reason(error)}; delete it, or make room where it is to be")


def reason(error: OSError) -> str:
    """Return what the system says of an error, or Python's own words for errors without such a text."""
    return error.strerror or str(error) or type(error).__name__
