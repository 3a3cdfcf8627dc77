# SPDX-License-Identifier: Apache-2.0
"""Count the portal's operating time: how long its methods take, and how much of their limit is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator

from ..decoding import NumberIfKnown, decoded_or, read_number

REQUEST_SECONDS = 60.0
"""How long the cloud works on one request, a batch included, before it cuts it off (documented limits)."""

FILLED_SECONDS = 5.0
"""How much of that time is filled with commands, by how long they took before: several requests are in flight, and a
chat is to be read back soon after it was sent."""

LIMIT_SECONDS = 480.0
"""Seconds that the cloud lets a method work in ten minutes, for each webhook (documented limits)."""

SLOW_FROM_SECONDS = 0.8 * LIMIT_SECONDS
"""From this use on, the rest is spread over the time until the reset."""

FULL_SECONDS = 0.87 * LIMIT_SECONDS
"""Nothing is sent that would exceed this use. Self-hosted portals block at 420 s, if at all (server source,
``rest/lib/engine/access/loadlimiter.php``).
"""

WINDOW_SECONDS = 600.0
"""Seconds that a method's operating time is counted for; no reset is further ahead (documented limits)."""

UNCOUNTED_SECONDS = 0.1
"""Seconds; shorter calls cost no operating time (server source, as above)."""

MIN_BLOCK_SECONDS = 10.0
"""Seconds to wait at least after OPERATION_TIME_LIMIT, which comes without a hint (documented limits)."""

ROUNDING_SECONDS = 2.0
"""Seconds by which a reset may seem to come too early: its time is in whole seconds, and so is the portal's clock."""

BATCH = "batch"


MAX_CALL_SECONDS = 3600.0
"""Seconds; a call that claims to have taken longer is not believed."""


def _as_seconds(value: object) -> float | None:
    """Return seconds of work; ``None`` for a value that can be none."""
    try:
        seconds = read_number(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_CALL_SECONDS else None


@dataclass(frozen=True, slots=True)
class Timing:
    """A ``time`` object: the seconds that the call took, those that its method has used, and an epoch in seconds.

    Each is ``None`` where the portal does not tell, or tells something impossible.
    """

    duration: Annotated[float | None, BeforeValidator(_as_seconds)] = None
    operating: Annotated[float | None, BeforeValidator(_as_seconds)] = None
    operating_reset_at: NumberIfKnown = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a method has used of its operating time; at ``reset_at``, by our clock, the oldest minute of it drops."""

    seconds: float
    reset_at: float

    def wait(self, cost: float, *, now: float) -> float:
        """Return the seconds to wait before a request that costs ``cost`` more; after a reset nothing is known."""
        until_reset = max(0.0, self.reset_at - now)
        if self.seconds + cost <= SLOW_FROM_SECONDS or (cost == 0 and self.seconds < LIMIT_SECONDS):
            return 0.0
        room = FULL_SECONDS - self.seconds
        return until_reset * min(1.0, cost / room) if room > 0 else until_reset


class OperatingTime:
    """Decides how many commands go into one request, and when, by what the portal's answers say of its time.

    Pure: the caller tells the time, of any clock, and by how many seconds the portal's is ahead of it. Whether a call
    within a batch is counted with plain calls of its method, apart from them, or as one of ``batch``, differs between
    portals (measured), so all three are watched. A portal that tells nothing is never waited for.
    """

    def __init__(self) -> None:
        self._took: dict[str, float] = {}
        self._spent: dict[tuple[str, bool], Spent] = {}

    def note(self, method: str, timings: Sequence[Any], *, in_batch: bool = False, ahead: float) -> None:
        """Learn from the ``time`` objects of the calls of one method in one answer."""
        known = [decoded_or(Timing(), each, Timing) for each in timings]
        durations = [each.duration for each in known if each.duration is not None]
        if durations and method != BATCH:
            self._learn(method, sum(durations) / len(durations))
        if told := [spent for each in known if (spent := _spent(each, ahead=ahead))]:
            self._spent[method, in_batch] = max(told, key=lambda spent: spent.seconds)

    def note_cut_off(self, methods: Sequence[str]) -> None:
        """Assume twice the time of a request for these methods until they are measured.

        Together they took longer than a request may.
        """
        for method in set(methods):
            self._learn(method, 2 * REQUEST_SECONDS / len(methods))
        for counter, spent in self._spent.items():
            if counter[0] in (*methods, BATCH):
                self._spent[counter] = replace(spent, seconds=spent.seconds + REQUEST_SECONDS)

    def note_blocked(self, method: str, *, now: float) -> float:
        """Note that the portal blocks ``method``.

        Return the seconds until it lets the method in again, as far as that is known.
        """
        resets = [spent.reset_at for (name, _), spent in self._spent.items() if name == method]
        reset_at = max(
            [*(min(reset, now + WINDOW_SECONDS + ROUNDING_SECONDS) for reset in resets), now + MIN_BLOCK_SECONDS]
        )
        self._spent[method, True] = self._spent[method, False] = Spent(LIMIT_SECONDS, reset_at)
        return reset_at - now

    def fitting(self, methods: Sequence[str]) -> int:
        """Return how many of these calls, at least one, the portal does in ``FILLED_SECONDS``: those of one request."""
        seconds = 0.0
        for count, method in enumerate(methods):
            seconds += self._takes(method)
            if seconds > FILLED_SECONDS:
                return max(1, count)
        return len(methods)

    def wait(self, methods: Sequence[str], *, now: float) -> float:
        """Return the seconds to wait before one request with these calls."""
        costs = {name: self.cost(name) * number for name, number in Counter(methods).items()}
        if len(methods) > 1:
            costs[BATCH] = sum(costs.values())
        waits = [
            spent.wait(cost, now=now)
            for name, cost in costs.items()
            for in_batch in (False, True)
            if (spent := self._spent.get((name, in_batch)))
        ]
        return max(waits, default=0.0)

    def cost(self, method: str) -> float:
        """Return the seconds of operating time that one call costs."""
        seconds = self._takes(method)
        return seconds if seconds > UNCOUNTED_SECONDS else 0.0

    def _learn(self, method: str, seconds: float) -> None:
        """Note the seconds of a call: a slower one counts at once, a faster one gradually."""
        self._took[method] = max(seconds, (seconds + self._took.get(method, seconds)) / 2)

    def _takes(self, method: str) -> float:
        """Return the seconds of one call; a method not yet measured counts as slow as the slowest one."""
        return self._took.get(method, max(self._took.values(), default=0.0))


def _spent(timing: Timing, *, ahead: float) -> Spent | None:
    """Return the counter that a ``time`` object shows; self-hosted portals may leave it out."""
    if timing.operating is None or timing.operating_reset_at is None:
        return None
    return Spent(timing.operating, timing.operating_reset_at - ahead + ROUNDING_SECONDS)
