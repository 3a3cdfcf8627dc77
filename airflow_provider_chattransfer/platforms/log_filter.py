# SPDX-License-Identifier: Apache-2.0
"""Silence the HTTP libraries while a request is made: a webhook's address is its secret, and so is a query.

A filter on a logger does not see the records of the loggers below it, and handlers are not ours to change. Every
record, also of a logger that is made later, comes from the record factory: so records are emptied there, and get a
level that no handler takes. This concerns only records of this thread (or asyncio task), and only of those libraries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOISY_LOGGERS = frozenset({"urllib3", "requests", "http", "charset_normalizer", "chardet", "idna", "socks", "py"})
"""The first part of their loggers' names; ``py.warnings`` carries warnings, where Airflow routes them into its log."""

UNHANDLED_LEVEL = -1
"""A level below that of a handler that takes everything, which is 0."""

_silenced: ContextVar[bool] = ContextVar("_quiet", default=False)


@contextmanager
def silence_http_logs() -> Iterator[None]:
    """Silence the libraries that make requests, in this context."""
    made_by = logging.getLogRecordFactory()
    if not isinstance(made_by, _SilencingRecordFactory):
        logging.setLogRecordFactory(_SilencingRecordFactory(made_by))
    before = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(before)


class _SilencingRecordFactory:
    """A record factory that empties the records of those libraries, and passes on all others."""

    def __init__(self, made_by: Callable[..., logging.LogRecord]) -> None:
        self._made_by = made_by

    def __call__(self, name: str, level: int, pathname: str, lineno: int, *rest: Any, **more: Any) -> logging.LogRecord:
        if _silenced.get() and name.partition(".")[0] in NOISY_LOGGERS:
            return self._made_by(name, UNHANDLED_LEVEL, pathname, lineno, "held back", (), None)
        return self._made_by(name, level, pathname, lineno, *rest, **more)
