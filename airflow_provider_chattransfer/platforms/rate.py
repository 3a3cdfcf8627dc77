# SPDX-License-Identifier: Apache-2.0
"""The rate gate: a service's limit is met ahead, not bumped into."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

HEADROOM = 0.95
"""How much of a limit is used. Measured with other clients: at the very edge one request in a hundred is
refused, because the two clocks and the way there are not even."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A leaky bucket: ``burst`` requests at once, then ``per_second``."""

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError(f"requests_per_second and burst must be positive, got {self.per_second} and {self.burst}")


class RateGate:
    """Lets requests pass at the pace of a limit; a hint from the service closes it for a while.

    Safe for threads. Keeps one number, the time at which the bucket will have run empty (generic cell rate
    algorithm), so that it costs the same after a million requests.
    """

    def __init__(
        self,
        limit: RateLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / (limit.per_second * HEADROOM)
        self._tolerance = self._interval * (max(1, int(limit.burst * HEADROOM)) - 1)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._empty_at = 0.0

    def wait(self) -> None:
        """Return when the next request may be sent, and count it."""
        while (seconds := self._take()) > 0:
            self._sleep(seconds)

    def close_for(self, seconds: float) -> None:
        """Let nothing pass for ``seconds``, and after that only what drains: the bucket is full."""
        with self._lock:
            self._empty_at = max(self._empty_at, self._clock() + seconds + self._tolerance)

    def _take(self) -> float:
        """Seconds to wait; 0 when the request has been counted and may go."""
        with self._lock:
            now = self._clock()
            free_at = self._empty_at - self._tolerance
            if free_at > now:
                return free_at - now
            self._empty_at = max(self._empty_at, now) + self._interval
            return 0.0


_gates: dict[str, tuple[RateLimit, RateGate]] = {}
_gates_lock = threading.Lock()


def gate_for(account: str, limit: RateLimit) -> RateGate:
    """The gate of an account, one for the whole process: all its connections share the service's limit."""
    with _gates_lock:
        known = _gates.get(account)
        if known is None or known[0] != limit:
            _gates[account] = known = (limit, RateGate(limit))
        return known[1]
