# SPDX-License-Identifier: Apache-2.0
"""The sandbox's clock: the wall clock, optionally sped up or moved forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .validation import shown

MAX_TIME_SECONDS = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""The latest time of the clock, in seconds since the epoch; no date of the services is later than the year 9999."""

MAX_SPEED = 1_000_000
"""Simulated seconds per real second; at this speed eleven days pass in a second."""


class _ReferencePoint(NamedTuple):
    """The clock showed ``shown`` when ``time.monotonic()`` was ``real``, and has run at ``speed`` since."""

    shown: float
    real: float
    speed: float

    def at(self, real: float) -> float:
        return self.shown + (real - self.real) * self.speed


class Clock:
    """The sandbox's time in seconds since the epoch. It never goes backwards.

    With ``speed=60`` a simulated minute passes in each real second, so that limits and delays of hours can be tested.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        self._reference = _ReferencePoint(time.time(), time.monotonic(), _speed(speed))

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._reference.speed

    def now(self) -> float:
        """Return the simulated time in seconds since the epoch."""
        return self._reference.at(time.monotonic())

    def skip(self, seconds: float) -> None:
        """Move the time forward by ``seconds`` at once; raise ``ValueError`` if that is not forward."""
        self.change(skip=seconds)

    def change(self, *, skip: float = 0.0, speed: float | None = None) -> None:
        """Move the time forward by ``skip`` seconds, then let it run at ``speed``.

        Raises ``ValueError``, and changes nothing, for a value that is not forward or not a number.
        """
        real = time.monotonic()
        then = self._reference.at(real) + _number("skip", skip)
        if not (skip >= 0 and then < MAX_TIME_SECONDS):
            raise ValueError(f"the clock only goes forward, and not beyond the year 9000; got a skip of {shown(skip)}")
        self._reference = _ReferencePoint(then, real, self.speed if speed is None else _speed(speed))

    def utc(self) -> datetime:
        """Return the simulated time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)


def _speed(value: Any) -> float:
    if not 0 < _number("speed", value) <= MAX_SPEED:
        raise ValueError(f"speed must be positive and at most {MAX_SPEED}, got {shown(value)}")
    return float(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    return value
