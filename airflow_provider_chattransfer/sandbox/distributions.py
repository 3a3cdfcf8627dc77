# SPDX-License-Identifier: Apache-2.0
"""Random durations: their distributions, how a scenario writes them, and a random stream for each simulated person."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .validation import MAX_NUMBER, shown


@dataclass(frozen=True, slots=True)
class Uniform:
    """Seconds between ``low`` and ``high``, all equally likely."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """Return one duration in seconds."""
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Seconds around ``median``, sometimes much longer, as human reactions are; ``sigma`` is that of the logarithm."""

    median: float
    sigma: float

    def draw(self, rng: random.Random) -> float:
        """Return one duration in seconds."""
        return rng.lognormvariate(math.log(self.median), self.sigma)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Seconds, on average ``mean``, until an event that is equally likely at any moment."""

    mean: float

    def draw(self, rng: random.Random) -> float:
        """Return one duration in seconds."""
        return rng.expovariate(1 / self.mean)


Duration = Uniform | LogNormal | Exponential

DISTRIBUTIONS: Mapping[str, tuple[type[LogNormal] | type[Exponential], tuple[str, ...]]] = {
    "lognormal": (LogNormal, ("median", "sigma")),
    "exponential": (Exponential, ("mean",)),
}


def parse_duration(value: Any, what: str) -> Duration:
    """Return the distribution of a scenario: a number of seconds, ``[low, high]`` or ``{"distribution": …}``.

    Raises ``ValueError``, naming ``what``, for anything else.
    """
    if isinstance(value, Mapping):
        return _distribution(value, what)
    low, high = value if isinstance(value, list | tuple) and len(value) == 2 else (value, value)
    if not (_is_number(low) and _is_number(high) and 0 <= low <= high <= MAX_NUMBER):
        raise ValueError(f"{what} must be seconds, [low, high] or a distribution, got {shown(value)}")
    return Uniform(float(low), float(high))


def parse_interval(value: Any, what: str) -> Duration | None:
    """Return the distribution of a repeated event, or ``None`` for an event that never happens.

    Raises ``ValueError`` as `parse_duration` does, and for an interval of 0 seconds.
    """
    if value is None:
        return None
    found = parse_duration(value, what)
    if found == Uniform(0.0, 0.0):
        raise ValueError(f"{what} must be above 0")
    return found


class RandomStreams:
    """Independent random generators, one per name, so that the actions of one person do not change those of another.

    They are seeded from the state of ``rng``, which stays as it is.
    """

    def __init__(self, rng: random.Random) -> None:
        twin = random.Random()
        twin.setstate(rng.getstate())
        self._root = twin.getrandbits(64)

    def stream(self, name: str) -> random.Random:
        """Return a new generator for ``name``; the same name gives the same numbers."""
        return random.Random(f"{self._root}-{name}")


def _distribution(value: Mapping[str, Any], what: str) -> Duration:
    name = str(value.get("distribution"))
    if name not in DISTRIBUTIONS:
        raise ValueError(f"{what}: the distribution must be one of {sorted(DISTRIBUTIONS)}, got {name!r}")
    kind, keys = DISTRIBUTIONS[name]
    if set(value) != {"distribution", *keys} or not all(
        _is_number(value[key]) and 0 < value[key] <= MAX_NUMBER for key in keys
    ):
        raise ValueError(f"{what}: {name} needs {' and '.join(keys)}, each above 0, got {shown(dict(value))}")
    return kind(*(float(value[key]) for key in keys))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
