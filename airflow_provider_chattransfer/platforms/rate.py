# SPDX-License-Identifier: Apache-2.0
"""What a service, or a connection, says about how many requests an account may make."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
