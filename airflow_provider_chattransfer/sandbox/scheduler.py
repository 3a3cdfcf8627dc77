# SPDX-License-Identifier: Apache-2.0
"""What will happen and when: the plans of all simulated people, carried out when somebody looks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from .clock import Clock

MAX_ACTIONS_PER_RUN = 100_000
"""Plans that one look carries out at most: some seconds' work."""


class Scheduler:
    """Plans of both services in the order of their time, so that the ledger is in that order, too.

    A plan is carried out at the time it was made for, whenever it is that somebody looks: while it runs, ``now`` is
    that time. So a sandbox that is watched every second tells the same story as one that is looked at once an hour.
    From one look to the next time stands still, so that all of one request happens at once. It is kept in seconds
    since the start: the story does not depend on the date either, not even by the rounding of large numbers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.now()
        self._present = 0.0
        self._order = count()
        self._plans: list[tuple[float, int, Callable[[], None]]] = []

    def __len__(self) -> int:
        """How many plans there are."""
        return len(self._plans)

    def now(self) -> float:
        """The time of what is happening, in seconds since the epoch: the plan's, or that of the last look."""
        return self._start + self._present

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Plan ``action`` for ``seconds`` from now; plans for the same time keep the order in which they were made."""
        heapq.heappush(self._plans, (self._present + seconds, next(self._order), action))

    def run(self) -> None:
        """Look at the clock, and carry out all that is due, including what those plans plan themselves.

        At most `MAX_ACTIONS_PER_RUN` actions run at a time and the rest wait for the next run, so that a year of busy
        customers, skipped in one step, does not keep a request waiting.
        """
        until = self._clock.now() - self._start
        for _ in range(MAX_ACTIONS_PER_RUN):
            if not self._plans or self._plans[0][0] > until:
                self._present = until
                return
            self._present, _, action = heapq.heappop(self._plans)
            action()
