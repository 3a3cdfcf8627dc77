# SPDX-License-Identifier: Apache-2.0
"""Spares an Airflow that runs in the process of the tests what it does again for every request and every task.

Tasks stay real: what is left out changes no answer. All of this is private to Airflow 3.3 and FastAPI 0.1xx; where a
version has it no more, that part does nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any
from unittest.mock import patch

SCHEDULER = "airflow.sdk.definitions.dag"
"""The module of ``dag.test``, which sleeps one second whenever no task is due."""
LONGEST_PAUSE_SECONDS = 0.02
MAX_START_SECONDS = 10.0


@cache
def quicken() -> None:
    """Make the API server and the database of this process quicker, once; before the database is opened."""
    _inspect_each_dependency_once()
    _do_not_wait_for_the_disk()
    _wait_for_the_api_server()


def _inspect_each_dependency_once() -> None:
    """Have FastAPI inspect the signatures of a route's dependencies once.

    It does so at every request as long as some are overridden, as those of Airflow's in-process API server are: a third
    of what a task costs.
    """
    from fastapi.dependencies import utils

    utils.get_dependant = _remembering(utils.get_dependant)


def _remembering(get_dependant: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    @wraps(get_dependant)
    def remembered(**asked: Any) -> Any:
        key = tuple((name, tuple(each) if isinstance(each, list) else each) for name, each in sorted(asked.items()))
        if key not in known:
            known[key] = get_dependant(**asked)
        return known[key]

    return remembered


def _wait_for_the_api_server() -> None:
    """Have the in-process API server start before its first request, which Airflow 3.1 and 3.2 do not wait for."""
    submit = asyncio.run_coroutine_threadsafe

    def submitting(coroutine: Any, loop: asyncio.AbstractEventLoop) -> Any:
        future = submit(coroutine, loop)
        if getattr(coroutine, "__name__", "") == "start_lifespan":
            future.exception(timeout=MAX_START_SECONDS)
        return future

    asyncio.run_coroutine_threadsafe = submitting  # type: ignore[assignment]


def _do_not_wait_for_the_disk() -> None:
    """Do not wait for the disk: a database that ends with the tests need not outlive a power failure."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        if "sqlite" in type(connection).__module__:
            connection.execute("PRAGMA synchronous = OFF").close()


@contextmanager
def quick_schedule() -> Iterator[None]:
    """Let ``dag.test`` look for tasks that are due every few milliseconds."""
    sleep = time.sleep

    def sleeping(seconds: float) -> None:
        of_scheduler = sys._getframe(1).f_globals.get("__name__") == SCHEDULER
        sleep(min(seconds, LONGEST_PAUSE_SECONDS) if of_scheduler else seconds)

    with patch("time.sleep", sleeping):
        yield


def forget_secrets() -> None:
    """Let Airflow's maskers forget what earlier tests told them.

    At each new secret they compile one expression for all that they know.
    """
    for name in ("airflow._shared.secrets_masker", "airflow.sdk._shared.secrets_masker"):
        masker = getattr(sys.modules.get(name), "_secrets_masker", None)
        if masker is not None:
            masker().reset_masker()
