# SPDX-License-Identifier: Apache-2.0
"""Keep shared documents in this process alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...chats.model import Json
from .store import Change

T = TypeVar("T")


class ProcessStore:
    """A ``SharedStore`` whose documents only the threads of this process share."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._documents: dict[str, Json] = {}
        self._lock = threading.Lock()

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """As ``SharedStore`` has it."""
        with self._lock:
            known = {key: self._documents[key] for key in keys if key in self._documents}
            written, result = change(self._clock(), known)
            for key, document in written.items():
                if document is None:
                    self._documents.pop(key, None)
                else:
                    self._documents[key] = document
            return result
