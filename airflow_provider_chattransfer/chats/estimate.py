# SPDX-License-Identifier: Apache-2.0
"""Estimate what a run will cost, before it begins: requests, seconds, and what it will wait for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from .model import Json

ASSUMED_SECONDS_PER_REQUEST = 0.2
"""Seconds from a request to its answer where nothing has been measured: a service in the cloud, some way off."""


class LimitedBy(StrEnum):
    """What a run waits for."""

    REQUESTS_PER_SECOND = "requests per second"
    OPERATING_TIME = "operating time"
    ONE_AT_A_TIME = "one request at a time"
    ANSWERS = "the service's answers"


@dataclass(frozen=True, slots=True)
class OperatingCost:
    """Seconds for which a service works on the transfer of one chat, where it limits them.

    It allows ``limit_seconds`` in each ``window_seconds``.
    """

    seconds_per_chat: float
    limit_seconds: float
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs to move chats on a service, when it refuses nothing and answers everything.

    ``chats_per_request`` has, for each request that a chat takes part in (read, send, read back), how many chats there
    are in one. ``once`` are the requests of a run that do not grow with its chats. ``burst`` requests may be made at
    once, then ``per_second``; ``in_flight`` are under way at a time at most.
    """

    chats_per_request: tuple[int, ...]
    per_second: float
    burst: int
    once: int = 0
    in_flight: int = 1
    seconds_per_request: float = ASSUMED_SECONDS_PER_REQUEST
    operating: OperatingCost | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What moving chats will cost: at least ``seconds``, for which it waits for what ``limited_by`` names."""

    requests: int
    seconds: float
    limited_by: LimitedBy

    def to_json(self) -> Json:
        """Return the member ``estimate`` of a plan."""
        return {"requests": self.requests, "seconds": self.seconds, "limited_by": self.limited_by.value}

    def __str__(self) -> str:
        """Part of a line for the log."""
        return f"about {self.requests} requests and {shown_seconds(self.seconds)}, limited by {self.limited_by}"


def estimate(chats: int, cost: Cost) -> Estimate:
    """Estimate a run of ``chats`` that begins with all of its limits unused, and that nobody else uses up.

    However many requests are under way at once, those that one chat takes part in come one after the other.
    """
    requests = cost.once + sum(ceil(chats / size) for size in cost.chats_per_request) if chats else 0
    in_a_row = min(requests, cost.once + len(cost.chats_per_request))
    answers = max(requests / cost.in_flight, in_a_row) * cost.seconds_per_request
    waits = {
        LimitedBy.REQUESTS_PER_SECOND: max(0, requests - cost.burst) / cost.per_second,
        LimitedBy.ONE_AT_A_TIME if cost.in_flight == 1 else LimitedBy.ANSWERS: answers,
        LimitedBy.OPERATING_TIME: 0.0 if cost.operating is None else _operating_wait(chats, cost.operating),
    }
    limited_by = max(waits, key=lambda each: waits[each])
    return Estimate(requests, round(waits[limited_by], 1), limited_by)


def _operating_wait(chats: int, cost: OperatingCost) -> float:
    """Return the seconds to wait until the service has worked on all of ``chats``; the first window's take no wait."""
    excess = max(0.0, chats * cost.seconds_per_chat - cost.limit_seconds)
    return excess / cost.limit_seconds * cost.window_seconds


def shown_seconds(seconds: float) -> str:
    """Return a time as a person reads it: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
