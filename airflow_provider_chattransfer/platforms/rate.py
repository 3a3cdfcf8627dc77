# SPDX-License-Identifier: Apache-2.0
"""Keep requests below a service's rate limit, and share the limit with other clients of the account."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..exceptions import MAX_PAUSE_SECONDS

log = logging.getLogger(__name__)

HEADROOM = 0.95
"""The share of a limit that is used. Measured with other clients: at the very edge one request in a hundred is refused,
because the two clocks and the network are not even.
"""

PACED_TOGETHER = 3
"""How many paced requests pass together. When two clients share a full bucket, the one that wants three places at once
is refused before the one that wants one: so we learn of it, and the other client is not disturbed.
"""

ROUNDING_SECONDS = 1e-6
"""A wait of fewer seconds is no wait."""

MIN_SHARE = 0.1
"""The least share of a limit that we use, whatever other clients do."""

RECOVERY_PER_SECOND = 0.5 / 600
"""How much our share grows per second: from half to all of it in ten minutes."""

REPEATED_WITHIN_SECONDS = 60.0
"""Seconds. A second refusal within this time does not come from what an earlier run has left in the bucket: a full one
drains in half a minute.
"""


MIN_PER_SECOND = 0.001
"""The least that a connection may set as ``requests_per_second``."""

MAX_PER_SECOND = 1000.0
"""The most that a connection may set as ``requests_per_second``."""

MAX_BURST = 100_000
"""What a connection may set as ``burst`` at most."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A leaky bucket: ``burst`` requests at once, then ``per_second``.

    Raises ``ValueError`` for a limit that lets nothing through, or is no finite number.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if not (MIN_PER_SECOND <= self.per_second < math.inf and 1 <= self.burst < math.inf):
            raise ValueError(
                f"requests_per_second and burst must be positive and finite, got {self.per_second} and {self.burst}"
            )


class Share:
    """Our share of a limit: halved when another client shows, then slowly grown back to all of it.

    A client that stays below a limit and is refused nevertheless shares it with somebody. One refusal may come from
    what was sent before we began; several in a row, with nothing let through in between, are an outage.
    """

    def __init__(self) -> None:
        self._halved_to = 1.0
        self._halved_at = 0.0
        self._refused_at: float | None = None
        self._let_through = 0

    def at(self, now: float) -> float:
        """Return our share at ``now``, from ``MIN_SHARE`` to 1."""
        return min(1.0, self._halved_to + (now - self._halved_at) * RECOVERY_PER_SECOND)

    def count(self) -> None:
        """Note that a request was let through."""
        self._let_through += 1

    def refused(self, now: float) -> bool:
        """Note that a request was refused; return whether the share is smaller now."""
        share = self.at(now)
        known = share < 1 or (self._refused_at is not None and now - self._refused_at < REPEATED_WITHIN_SECONDS)
        halve = known and self._let_through > 1 and share > MIN_SHARE
        if halve:
            self._halved_to, self._halved_at = max(MIN_SHARE, share / 2), now
        self._refused_at, self._let_through = now, 0
        return halve


class RateGate:
    """Lets requests pass at the pace of a limit; the service's own hint closes it for a while.

    Safe for threads. Keeps one number, the time at which the bucket will have drained (generic cell rate algorithm), so
    that its cost does not grow with the number of requests.
    """

    def __init__(
        self,
        limit: RateLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = limit.per_second * HEADROOM
        self._tolerance = (max(1, int(limit.burst * HEADROOM)) - 1) / self._per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._empty_at = 0.0
        self._share = Share()
        self._yielding = False

    def wait(self) -> None:
        """Return when the next request may be sent, and count it."""
        while (seconds := self._take()) > 0:
            self._sleep(seconds)

    def close_for(self, seconds: float, *, too_fast: bool = False) -> None:
        """Let nothing pass for ``seconds``, and after that only what drains: the bucket is full.

        At most a day; a value that is no number closes it for no time. ``too_fast`` tells that a request was refused
        for coming too soon after others, which may be another client's.
        """
        with self._lock:
            now = self._clock()
            if too_fast and self._share.refused(now):
                self._yielding = True
                log.warning(
                    "Requests are refused though we keep to the limit: other tasks or programs use it too, or the "
                    "service's own is lower than requests_per_second of the connection; going on with %.2f a second",
                    self._per_second * self._share.at(now),
                )
            pause = 0.0 if math.isnan(seconds) else min(max(seconds, 0.0), MAX_PAUSE_SECONDS)
            self._empty_at = max(self._empty_at, now + pause + self._tolerance)

    def _take(self) -> float:
        """Return the seconds to wait; 0 when the request has been counted and may go."""
        with self._lock:
            now = self._clock()
            interval = 1 / (self._per_second * self._share_at(now))
            free_at = self._empty_at - self._tolerance
            if free_at - now > ROUNDING_SECONDS:
                return free_at - now + min((PACED_TOGETHER - 1) * interval, self._tolerance)
            self._share.count()
            self._empty_at = max(self._empty_at, now) + interval
            return 0.0

    def _share_at(self, now: float) -> float:
        share = self._share.at(now)
        if self._yielding and share == 1:
            self._yielding = False
            log.info("Going on with %.2f requests per second again", self._per_second)
        return share


_gates: dict[str, tuple[RateLimit, RateGate]] = {}
_gates_lock = threading.Lock()


def gate_for(account: str, limit: RateLimit) -> RateGate:
    """Return the gate of an account, one for the whole process: all its connections share the service's limit."""
    with _gates_lock:
        known = _gates.get(account)
        if known is None or known[0] != limit:
            _gates[account] = known = (limit, RateGate(limit))
        return known[1]
