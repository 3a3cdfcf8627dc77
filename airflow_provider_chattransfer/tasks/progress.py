# SPDX-License-Identifier: Apache-2.0
"""Tell how far a run is: in the log, and in the task state store, where somebody can look at a running task."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ..chats.estimate import shown_seconds
from ..chats.model import Outcome

log = logging.getLogger(__name__)

PROGRESS_KEY = "progress"
"""Key of the progress in the task state store."""

INTERVAL_SECONDS = 5.0
"""Seconds between two lines of the log, and between two writes to the store, at least."""

LINES_OF_SPEED = 12
"""How many of the last lines the speed is measured by: a minute, so that the first burst of requests does not count for
long.
"""


class RunProgress:
    """Takes what a run says after each piece of its work, and tells of it every few seconds.

    A run calls it from the task's own thread. ``store`` is the task state store, ``None`` where Airflow has none;
    ``requests`` tells how many requests have been made so far.
    """

    def __init__(
        self,
        *,
        done: int,
        requests: Callable[[], int],
        store: Any | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with ``done`` chats that earlier tries have settled."""
        self._requests = requests
        self._requests_before = requests()
        self._store = store
        self._clock = clock
        self._told = deque([(clock(), done)], maxlen=LINES_OF_SPEED)

    def __call__(self, done: int, total: int, counts: Mapping[Outcome, int]) -> None:
        """Take that ``done`` of ``total`` chats have an outcome, and how many have which."""
        now, (told_at, told) = self._clock(), self._told[-1]
        is_end = done == total and told < total
        if now - told_at < INTERVAL_SECONDS and not is_end:
            return
        seconds_left = self._seconds_left(done, total, now)
        self._told.append((now, done))
        named = {outcome.value: counts[outcome] for outcome in Outcome if counts.get(outcome)}
        self._log(done, total, named, seconds_left)
        self._write(done=done, total=total, counts=named, seconds_left=seconds_left)

    def _seconds_left(self, done: int, total: int, now: float) -> float | None:
        """Return how long the rest takes at the speed of the last minute; ``None`` while nothing gets done."""
        since, before = self._told[0]
        if done == total:
            return 0.0
        return round((total - done) * (now - since) / (done - before), 1) if done > before else None

    def _log(self, done: int, total: int, counts: Mapping[str, int], seconds_left: float | None) -> None:
        named = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none settled"
        left = f"; about {shown_seconds(seconds_left)} left" if seconds_left else ""
        log.info("%d of %d chats done: %s%s", done, total, named, left)

    def _write(self, **progress: Any) -> None:
        """Keep the progress; a store that does not take it is not asked again, and the run goes on."""
        if self._store is None:
            return
        try:
            self._store.set(PROGRESS_KEY, {**progress, "requests": self._requests() - self._requests_before})
        except Exception as error:
            log.warning("The progress cannot be kept in the task state store: %s", type(error).__name__)
            self._store = None
