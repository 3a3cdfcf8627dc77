# SPDX-License-Identifier: Apache-2.0
"""Send a chat only while it is fresh in what state it was read: one that was closed since would be opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ..chats.run import MAX_READ_AGE_SECONDS as MAX_READ_AGE_SECONDS
from ..exceptions import ReadTooLongAgoError


@dataclass(frozen=True, slots=True)
class _Reading:
    """When the chats that are being sent were read, by which clock."""

    at: float
    clock: Callable[[], float]


_reading: ContextVar[_Reading | None] = ContextVar("_reading", default=None)


@contextmanager
def sending_what_was_read(at: float, *, clock: Callable[[], float]) -> Iterator[None]:
    """Let requests that change something pass inside the block only while a reading ``at``, by ``clock``, is fresh."""
    token = _reading.set(_Reading(at, clock))
    try:
        yield
    finally:
        _reading.reset(token)


def was_read_too_long_ago() -> bool:
    """Tell whether the chats that are being sent must be read again first."""
    reading = _reading.get()
    return reading is not None and reading.clock() - reading.at > MAX_READ_AGE_SECONDS


@contextmanager
def sending_what_was_read_again() -> Iterator[None]:
    """Count the chats that are being sent as read now, inside the block."""
    reading = _reading.get()
    token = _reading.set(None if reading is None else _Reading(reading.clock(), reading.clock))
    try:
        yield
    finally:
        _reading.reset(token)


def check_reading_age(*, method: str) -> None:
    """Raise ``ReadTooLongAgoError`` when the chats that are being sent must be read again first."""
    if was_read_too_long_ago():
        raise ReadTooLongAgoError(method=method)
