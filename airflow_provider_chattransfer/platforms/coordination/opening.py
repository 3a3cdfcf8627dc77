# SPDX-License-Identifier: Apache-2.0
"""Open the store that an address names; one for all in this process."""

from __future__ import annotations

import os
import threading

from .host_store import HostStore
from .store import SharedStore

_opened: dict[str | None, SharedStore] = {}
_lock = threading.Lock()


def open_store(address: str | None) -> SharedStore:
    """Return the store at ``address``, or this host's for ``None``; nothing is asked of it yet.

    Raises ``ValueError`` for what is no such address; it shows nothing of it.
    """
    with _lock:
        if address not in _opened:
            _opened[address] = _new(address)
        return _opened[address]


def _new(address: str | None) -> SharedStore:
    if address is None:
        return HostStore()
    raise ValueError("must be empty: there is no store but this host's")


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
