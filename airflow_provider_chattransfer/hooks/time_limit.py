# SPDX-License-Identifier: Apache-2.0
"""Wait for a call for a limited time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

THREAD_NAME = "chattransfer test of a connection"
"""The name of the thread that runs a call, and goes on alone when the call takes too long."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Run ``call`` in a thread, and return what it returns or raise what it raises.

    Raises ``TimeoutError`` when that takes longer than ``seconds``; the thread is then left to itself.
    """
    from concurrent.futures import Future

    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, daemon=True, name=THREAD_NAME).start()
    return future.result(timeout=seconds)
