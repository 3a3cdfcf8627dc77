# SPDX-License-Identifier: Apache-2.0
"""The time inside the sandbox: the wall clock, optionally sped up or moved forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Tells the sandbox's time in seconds since the epoch.

    ``speed=60`` lets a simulated minute pass in a real second, so that limits and people's habits
    measured in hours can be watched in a test.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be positive, got {speed!r}")
        self._speed = speed
        self._started_at = time.time()
        self._started = time.monotonic()
        self._skipped = 0.0

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._started_at + (time.monotonic() - self._started) * self._speed + self._skipped

    def skip(self, seconds: float) -> None:
        """Move the time forward at once."""
        if seconds < 0:
            raise ValueError(f"the clock only goes forward, got {seconds!r}")
        self._skipped += seconds

    def utc(self) -> datetime:
        """The simulated time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)
