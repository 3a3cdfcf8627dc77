# SPDX-License-Identifier: Apache-2.0
"""A pace for tests that are about something else."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_chattransfer.platforms.coordination.pace import Pace
from airflow_provider_chattransfer.platforms.rate import RateLimit

from .memory_store import MemoryStore

NO_LIMIT = RateLimit(per_second=1e6, burst=10**6)


def open_pace(
    *,
    limit: RateLimit = NO_LIMIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Pace:
    """Return a pace of its own, kept in memory, that lets everything through until the service closes it."""
    return Pace(MemoryStore(clock), "test", limit, clock=clock, sleep=sleep)
