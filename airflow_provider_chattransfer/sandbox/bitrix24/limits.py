# SPDX-License-Identifier: Apache-2.0
"""The two rate limits of the cloud: intensity of requests per address, and operating time per method.

Documented at https://apidocs.bitrix24.com/limits.html; buckets of operating time as in the server source
(``rest/lib/engine/access/loadlimiter.php``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..validation import number

BUCKET_SECONDS = 60
BUCKET_COUNT = 10
MAX_UNCOUNTED_SECONDS = 0.1


@dataclass(slots=True)
class LeakyBucket:
    """A leaky bucket per address: a request adds 1, ``per_second`` leak out, above ``burst`` all are refused."""

    per_second: float = 2.0
    burst: float = 50.0
    refused_count: bool = False
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None, *, refused_count: bool) -> Self | None:
        """Return the ``rate`` of a scenario; ``None`` for no limit, as on self-hosted portals."""
        if value is None:
            return None
        if unknown := set(value) - {"per_second", "burst"}:
            raise ValueError(f"unknown keys in rate: {sorted(unknown)}")
        return cls(
            per_second=number(value.get("per_second", 2.0), "rate.per_second"),
            burst=number(value.get("burst", 50.0), "rate.burst"),
            refused_count=refused_count,
        )

    def admits(self, peer: str, *, now: float) -> bool:
        """Return whether a request from ``peer`` passes, and count it."""
        level, at = self._levels.get(peer, (0.0, now))
        level = max(0.0, level - (now - at) * self.per_second) + 1
        admitted = level <= self.burst
        if not admitted and not self.refused_count:
            level -= 1
        self._levels[peer] = (level, now)
        return admitted


@dataclass(slots=True)
class OperatingTime:
    """Operating time in seconds per counter, in ten one-minute buckets; ``seconds`` is the time that a method takes."""

    limit: float | None = 480.0
    seconds: dict[str, float] = field(default_factory=dict)
    default_seconds: float = 0.05
    _spent: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """Return the ``operating`` of a scenario; ``None`` is no limit."""
        if value is None:
            return cls(limit=None)
        if unknown := set(value) - {"limit", "seconds", "default_seconds"}:
            raise ValueError(f"unknown keys in operating: {sorted(unknown)}")
        return cls(
            limit=number(value.get("limit", 480.0), "operating.limit"),
            seconds={
                name.lower(): number(cost, f"operating.seconds.{name}")
                for name, cost in value.get("seconds", {}).items()
            },
            default_seconds=number(value.get("default_seconds", 0.05), "operating.default_seconds"),
        )

    def seconds_of(self, method: str) -> float:
        """Return how long a call of ``method`` takes, in seconds."""
        return self.seconds.get(method.lower(), self.default_seconds)

    def blocks(self, counter: tuple[str, str], *, now: float) -> bool:
        """Return whether ``counter`` is over its limit; checked before a call runs."""
        return self.limit is not None and self.operating(counter, now=now) > self.limit

    def spend(self, counter: tuple[str, str], seconds: float, *, now: float) -> None:
        """Add the time of a call, unless it was too short to count."""
        if seconds > MAX_UNCOUNTED_SECONDS:
            buckets = self._spent.setdefault(counter, {})
            minute = int(now // BUCKET_SECONDS)
            buckets[minute] = buckets.get(minute, 0.0) + seconds

    def operating(self, counter: tuple[str, str], *, now: float) -> float:
        """Return the seconds spent within the last ten minutes."""
        return sum(self._recent(counter, now).values())

    def reset_at(self, counter: tuple[str, str], *, now: float) -> int:
        """Return when the oldest bucket expires, in seconds since the epoch."""
        fresh = self._recent(counter, now)
        return (min(fresh) + BUCKET_COUNT) * BUCKET_SECONDS if fresh else int(now) + BUCKET_COUNT * BUCKET_SECONDS

    def _recent(self, counter: tuple[str, str], now: float) -> dict[int, float]:
        oldest = int(now // BUCKET_SECONDS) - BUCKET_COUNT
        buckets = {minute: spent for minute, spent in self._spent.get(counter, {}).items() if minute > oldest}
        if counter in self._spent:
            self._spent[counter] = buckets
        return buckets
