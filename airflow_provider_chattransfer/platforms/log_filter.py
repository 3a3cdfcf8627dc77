# SPDX-License-Identifier: Apache-2.0
"""Hold back what HTTP libraries log while a request is made: a webhook's address is its secret, and so is a query.

A filter on a logger sees nothing of the loggers below it, and handlers are not ours to change. Every record of every
logger, of one made later as well, comes from the factory of records; so that is where they are emptied, and put on a
level that no handler takes. Only this thread's records (this task's of asyncio) are, and only those of the libraries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

TALKATIVE = frozenset({"urllib3", "requests", "http", "charset_normalizer", "chardet", "idna", "socks", "py"})
"""The first part of their loggers' names; ``py.warnings`` has the warnings, where Airflow takes them into its log."""

TAKEN_BY_NO_HANDLER = -1
"""A level below that of a handler that takes everything, which is 0."""

_quiet: ContextVar[bool] = ContextVar("_quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged in this context by the libraries that requests are made with."""
    made_by = logging.getLogRecordFactory()
    if not isinstance(made_by, _HoldingBack):
        logging.setLogRecordFactory(_HoldingBack(made_by))
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


class _HoldingBack:
    """A factory of records that makes empty ones of what is to be held back, and passes on the rest."""

    def __init__(self, made_by: Callable[..., logging.LogRecord]) -> None:
        self._made_by = made_by

    def __call__(self, name: str, level: int, pathname: str, lineno: int, *rest: Any, **more: Any) -> logging.LogRecord:
        if _quiet.get() and name.partition(".")[0] in TALKATIVE:
            return self._made_by(name, TAKEN_BY_NO_HANDLER, pathname, lineno, "held back", (), None)
        return self._made_by(name, level, pathname, lineno, *rest, **more)
