# SPDX-License-Identifier: Apache-2.0
"""Count the portal's operating time: how long its methods take, and how much of their limit is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator

from ...chats.model import Json
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

SETTLE_SECONDS = 2.0
"""Seconds after which those who wait for the first answers after a reset look again."""

RESERVED_SECONDS = 2 * REQUEST_SECONDS
"""Seconds for which a reservation holds that is never settled: its process has died, or its answer was lost."""

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

    def room(self, cost: float, *, reserved: float, now: float) -> Room:
        """Return when a request may go that costs ``cost`` more, beside what others have ``reserved``.

        After a reset less is used than before, and how much less is not known until an answer tells it: so no more than
        one usual request goes before, or what keeps clear of the limit in any case.
        """
        until_reset, cost_of_all = max(0.0, self.reset_at - now), reserved + cost
        if cost == 0 and (self.seconds < LIMIT_SECONDS or not until_reset):
            return Room(0.0)
        if self.seconds + cost_of_all <= SLOW_FROM_SECONDS:
            return Room(0.0)
        if not until_reset:
            few = not reserved or cost_of_all <= FILLED_SECONDS
            return Room(0.0) if few else Room(SETTLE_SECONDS, is_reserved=False)
        room = FULL_SECONDS - self.seconds
        if cost_of_all > room:
            return Room(until_reset, is_reserved=False)
        return Room(until_reset * cost_of_all / room)


@dataclass(frozen=True, slots=True)
class Room:
    """The seconds to wait before a request; ``is_reserved`` unless one has to ask again then."""

    seconds: float
    is_reserved: bool = True


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a request is expected to cost each method; it holds until ``until`` at the latest."""

    costs: Mapping[str, float]
    until: float


class OperatingTime:
    """Decides how many commands go into one request, and when, by what the portal's answers say of its time.

    Requests that are under way together are reserved one by one, and settled when they are answered.

    Pure: the caller tells the time, of any clock, and by how many seconds the portal's is ahead of it. Whether a call
    within a batch is counted with plain calls of its method, apart from them, or as one of ``batch``, differs between
    portals (measured), so all three are watched. A portal that tells nothing is never waited for.
    """

    def __init__(self) -> None:
        self._took: dict[str, float] = {}
        self._spent: dict[tuple[str, bool], Spent] = {}
        self._reserved: dict[str, Reservation] = {}

    @classmethod
    def read(cls, document: Json | None) -> OperatingTime:
        """Return what ``to_json`` has made a document of; one that is none of ours counts as missing."""
        time = cls()
        try:
            for name, seconds in (document or {}).get("took", {}).items():
                time._took[name] = float(seconds)
            for name, in_batch, seconds, reset_at in (document or {}).get("spent", []):
                time._spent[str(name), bool(in_batch)] = Spent(float(seconds), float(reset_at))
            for name, (costs, until) in (document or {}).get("reserved", {}).items():
                costs = {method: float(cost) for method, cost in costs.items()}
                time._reserved[name] = Reservation(costs, float(until))
        except (TypeError, ValueError, AttributeError):
            return cls()
        return time

    def to_json(self) -> Json:
        """Return the document that ``read`` reads."""
        return {
            "took": self._took,
            "spent": [[*counter, spent.seconds, spent.reset_at] for counter, spent in self._spent.items()],
            "reserved": {name: [dict(each.costs), each.until] for name, each in self._reserved.items()},
        }

    def reserve(self, methods: Sequence[str], *, name: str, now: float) -> Room:
        """Return when one request with these calls may go; where that is reserved, others count it from now on.

        ``name`` is whose it is; an earlier reservation of the same name is over.
        """
        self.settle(name)
        self._reserved = {other: each for other, each in self._reserved.items() if each.until > now}
        costs = self._costs(methods)
        rooms = [
            spent.room(cost, reserved=self._reserved_for(method), now=now)
            for method, cost in costs.items()
            for in_batch in (False, True)
            if (spent := self._spent.get((method, in_batch)))
        ]
        worst = max(rooms, key=lambda room: (not room.is_reserved, room.seconds), default=Room(0.0))
        if worst.is_reserved:
            self._reserved[name] = Reservation(costs, now + worst.seconds + RESERVED_SECONDS)
        return worst

    def settle(self, name: str) -> None:
        """Note that the request of this name is over."""
        self._reserved.pop(name, None)

    def note(self, method: str, timings: Sequence[Any], *, in_batch: bool = False, ahead: float) -> None:
        """Learn from the ``time`` objects of the calls of one method in one answer."""
        known = [decoded_or(Timing(), each, Timing) for each in timings]
        durations = [each.duration for each in known if each.duration is not None]
        if durations and method != BATCH:
            self._learn(method, sum(durations) / len(durations))
        if told := [spent for each in known if (spent := _spent(each, ahead=ahead))]:
            most = max(told, key=lambda spent: spent.seconds)
            before = self._spent.get((method, in_batch))
            self._spent[method, in_batch] = most if before is None else _later(before, most)

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

    def _costs(self, methods: Sequence[str]) -> dict[str, float]:
        """Return what one request with these calls is expected to cost each counter."""
        costs = {name: self.cost(name) * number for name, number in Counter(methods).items()}
        if len(methods) > 1:
            costs[BATCH] = sum(costs.values())
        return costs

    def _reserved_for(self, method: str) -> float:
        return sum(each.costs.get(method, 0.0) for each in self._reserved.values())

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


def _later(before: Spent, told: Spent) -> Spent:
    """Return which of two states of a counter is the later one; answers may come in another order than their calls."""
    if abs(before.reset_at - told.reset_at) <= ROUNDING_SECONDS:
        return max(before, told, key=lambda spent: spent.seconds)
    return max(before, told, key=lambda spent: spent.reset_at)
