# SPDX-License-Identifier: Apache-2.0
"""What a scenario leaves to chance: lengths of time, and who draws them from which generator."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .validation import MAX_NUMBER, shown


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any number of seconds between two, each as likely as the others."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """One of them."""
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Mostly near the median, now and then much longer: how long people take. ``sigma`` is that of the logarithm."""

    median: float
    sigma: float

    def draw(self, rng: random.Random) -> float:
        """Some seconds."""
        return rng.lognormvariate(math.log(self.median), self.sigma)


@dataclass(frozen=True, slots=True)
class Exponential:
    """As likely in the next minute as in any other: when somebody gets in touch."""

    mean: float

    def draw(self, rng: random.Random) -> float:
        """Some seconds."""
        return rng.expovariate(1 / self.mean)


Duration = Uniform | LogNormal | Exponential

DISTRIBUTIONS: Mapping[str, tuple[type[LogNormal] | type[Exponential], tuple[str, ...]]] = {
    "lognormal": (LogNormal, ("median", "sigma")),
    "exponential": (Exponential, ("mean",)),
}


def parse_duration(value: Any, what: str) -> Duration:
    """The seconds that ``value`` stands for: a number, ``[low, high]``, or ``{"distribution": …}`` with the
    distribution's own keys. Raises ``ValueError``, naming ``what``, for anything else."""
    if isinstance(value, Mapping):
        return _distribution(value, what)
    low, high = value if isinstance(value, list | tuple) and len(value) == 2 else (value, value)
    if not (_is_number(low) and _is_number(high) and 0 <= low <= high <= MAX_NUMBER):
        raise ValueError(f"{what} must be seconds, [low, high] or a distribution, got {shown(value)}")
    return Uniform(float(low), float(high))


def parse_interval(value: Any, what: str) -> Duration | None:
    """Like ``parse_duration``, for what happens again and again, so never 0 only; ``None`` for never."""
    if value is None:
        return None
    found = parse_duration(value, what)
    if found == Uniform(0.0, 0.0):
        raise ValueError(f"{what} must be above 0")
    return found


class RandomStreams:
    """Generators for everybody who needs one of his own, so that what he does depends on nobody else.

    They stem from the state of ``rng`` and leave its draws as they are.
    """

    def __init__(self, rng: random.Random) -> None:
        twin = random.Random()
        twin.setstate(rng.getstate())
        self._root = twin.getrandbits(64)

    def of(self, who: str) -> random.Random:
        """The generator of ``who``, at its beginning."""
        return random.Random(f"{self._root}-{who}")


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
