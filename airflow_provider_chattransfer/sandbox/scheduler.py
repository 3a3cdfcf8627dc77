# SPDX-License-Identifier: Apache-2.0
"""The scheduled actions of all simulated people, run when a request comes in."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from .clock import Clock

MAX_ACTIONS_PER_RUN = 100_000
"""Actions per run: some seconds' work."""


class Scheduler:
    """The future actions of both services, in the order of their times, so that the ledger is in that order too.

    An action runs at its own time, however late ``run`` is called: meanwhile ``now`` returns that time. So a sandbox
    that is read every second has the same history as one that is read once an hour. Between two runs the time stands
    still, so that all effects of one request have the same time. Times are kept in seconds since the start, so that the
    history does not depend on the date, not even by the rounding of large numbers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.now()
        self._now = 0.0
        self._order = count()
        self._pending: list[tuple[float, int, Callable[[], None]]] = []

    def __len__(self) -> int:
        """Return the number of scheduled actions."""
        return len(self._pending)

    def now(self) -> float:
        """Return the time of the running action, or of the last run, in seconds since the epoch."""
        return self._start + self._now

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule ``action`` for ``seconds`` from now; actions for the same time run in the order of these calls."""
        heapq.heappush(self._pending, (self._now + seconds, next(self._order), action))

    def run(self) -> None:
        """Run all actions that are due by the clock, including those that they schedule themselves.

        At most `MAX_ACTIONS_PER_RUN` actions run at a time and the rest wait for the next run, so that a year of busy
        customers, skipped in one step, does not keep a request waiting.
        """
        until = self._clock.now() - self._start
        for _ in range(MAX_ACTIONS_PER_RUN):
            if not self._pending or self._pending[0][0] > until:
                self._now = until
                return
            self._now, _, action = heapq.heappop(self._pending)
            action()
