# SPDX-License-Identifier: Apache-2.0
"""Processes that pass the pace of one account as fast as it lets them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_chattransfer.platforms.coordination import pace as pace_module
from airflow_provider_chattransfer.platforms.coordination.opening import open_store
from airflow_provider_chattransfer.platforms.coordination.pace import pace_for
from airflow_provider_chattransfer.platforms.rate import RateLimit

RETRY_SECONDS = 1.0
"""Seconds after which a process asks a store again that is lost, in place of some more."""


@dataclass
class Passed:
    """When one process passed, by the clock that all of this host have, and what it logged."""

    times: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def pass_in_processes(
    address: str | None,
    limit: RateLimit,
    *,
    processes: int,
    seconds: float,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Passed]:
    """Pass the pace in so many processes for so long, all at once; ``meanwhile`` is called when they begin."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        began = manager.Barrier(processes + 1)
        found = [pool.submit(_pass, address, limit, seconds, began) for _ in range(processes)]
        began.wait(60)
        meanwhile()
        return [each.result(120) for each in found]


def jain(counts: Sequence[int]) -> float:
    """Return how equal shares are: 1 if they all are, 1/n if one has everything."""
    return sum(counts) ** 2 / (len(counts) * sum(each**2 for each in counts))


def _pass(address: str | None, limit: RateLimit, seconds: float, began: Any) -> Passed:
    pace_module.RETRY_SECONDS = RETRY_SECONDS
    passed = Passed()
    handler = logging.Handler()
    handler.emit = lambda record: passed.told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(pace_module.__name__)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    pace = pace_for("account", limit, store=open_store(address))
    began.wait(60)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pace.wait()
        passed.times.append(time.monotonic())
    return passed
