# SPDX-License-Identifier: Apache-2.0
"""Files with which this user's processes on this host take turns; the system ends a lock with its process."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

PAUSE = 0.1


def host_file(name: str, suffix: str) -> Path:
    """Where the processes of this user on this host find the file for ``name``."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"chattransfer-{os.getuid()}-{digest}{suffix}")


def open_own(path: Path) -> IO[str]:
    """The file, for this user alone; a link that somebody else has put there is not followed."""
    return open(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_APPEND, 0o600), "a+")


def lock(
    file: IO[str],
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Lock ``file`` until it is closed, also against other threads; false when ``deadline`` comes first."""
    while not _locked(file):
        if clock() >= deadline:
            return False
        sleep(PAUSE)
    return True


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
