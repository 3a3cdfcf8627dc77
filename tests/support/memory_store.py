# SPDX-License-Identifier: Apache-2.0
"""A store of shared documents in memory, on a clock of the test's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from airflow_provider_chattransfer.exceptions import CoordinationError
from airflow_provider_chattransfer.platforms.coordination.store import KEPT_SECONDS, Change

T = TypeVar("T")


@dataclass
class VirtualTime:
    """A clock that moves when somebody sleeps, or when a test sets ``now``."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let that much time pass at once, and remember it."""
        self.slept.append(seconds)
        self.now += seconds


@dataclass(eq=False)
class MemoryStore:
    """Keeps documents as text, as the real stores do; ``lost`` makes it one that cannot be asked."""

    clock: Callable[[], float] = time.monotonic
    lost: bool = False
    asked: int = 0
    documents: dict[str, tuple[float, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """As ``SharedStore`` has it. ``asked`` counts the calls."""
        with self._lock:
            self.asked += 1
            if self.lost:
                raise CoordinationError("the store of this test is lost")
            now = self.clock()
            found = {key: self.documents[key] for key in keys if key in self.documents}
            kept = {key: json.loads(text) for key, (at, text) in found.items() if now - at <= KEPT_SECONDS}
            written, result = change(now, kept)
            for key, document in written.items():
                if document is None:
                    self.documents.pop(key, None)
                else:
                    self.documents[key] = (now, json.dumps(document, allow_nan=False))
            return result
