# SPDX-License-Identifier: Apache-2.0
"""Ends a cluster when the process that started it is gone, however that came about, and removes its files.

``python -m tests.chaos.keeper <home>`` waits for the end of its input, which is when its parent closes it or dies.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.support import postgres

HOME = "CHATTRANSFER_CLUSTER_HOME"
"""The variable by which a cluster's processes are known: some leave their process group, or outlive their parent."""


def processes_of(home: Path) -> Iterator[int]:
    """Yield the ids of all processes of the cluster in ``home``."""
    mark = f"{HOME}={home}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                yield int(process.name)


def clear_away(home: Path) -> None:
    """Kill all processes of the cluster in ``home``, and remove it."""
    while left := list(processes_of(home)):
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
    postgres.stop(home / "postgres")
    shutil.rmtree(home)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    clear_away(Path(sys.argv[1]))
