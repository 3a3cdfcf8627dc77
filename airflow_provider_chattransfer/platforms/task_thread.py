# SPDX-License-Identifier: Apache-2.0
"""Let the worker threads of a run speak to Airflow on the task's own thread, and on no other.

Airflow 3.1's channel to the supervisor has no lock: two threads that ask at once read each other's answers. So what
speaks to Airflow below the platforms goes through ``on_task_thread``. Nothing of Airflow is known here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar, copy_context
from queue import SimpleQueue
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Event(Protocol):
    """What the loop of a run takes from its queue."""

    def run(self) -> None:
        """Do what is to be done on the task's thread."""


class TaskThread:
    """The thread that makes it, for the worker threads of one run.

    Its loop takes events from ``events`` and runs each; one of them may be a call that a worker thread waits for. While
    workers are at work, that thread makes no request of the account itself: a worker may hold a lock that it would wait
    for. Used as a context manager, it turns all calls away in the end, also those that wait.
    """

    def __init__(self, events: SimpleQueue[Any]) -> None:
        """Put calls as ``Event`` into ``events``, beside what else the loop waits for."""
        self._events = events
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._waiting: set[_Call] | None = set()
        """The calls that wait; ``None`` once nobody serves them. Guarded by ``_lock``."""

    def call(self, function: Callable[[], T]) -> T:
        """Run ``function`` on the task's thread, and return its result or raise its exception.

        Raises ``RuntimeError`` when the loop has ended before it came to it.
        """
        if threading.get_ident() == self._thread:
            return function()
        call = _Call(function)
        with self._lock:
            if self._waiting is None:
                raise _ended()
            self._waiting.add(call)
        self._events.put(call)
        try:
            result: T = call.outcome.result()
        except CancelledError:
            raise _ended() from None
        finally:
            with self._lock:
                if self._waiting is not None:
                    self._waiting.discard(call)
        return result

    def bound(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return ``function`` for another thread, where ``on_task_thread`` then leads here.

        It runs in a copy of the context in which this is called, so that what is logged belongs to the task.
        """
        context = copy_context()
        context.run(_served_by.set, self)

        def work(*args: P.args, **options: P.kwargs) -> T:
            return context.copy().run(function, *args, **options)

        return work

    def close(self) -> None:
        """Turn away all calls that wait, and all that are still to come."""
        with self._lock:
            turned_away, self._waiting = self._waiting or set(), None
        for call in turned_away:
            call.outcome.cancel()

    def __enter__(self) -> TaskThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Call:
    """A function that another thread waits for; an ``Event``."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.outcome: Future[Any] = Future()

    def run(self) -> None:
        """Run the function; what ends a task, such as its time limit, is raised here, and the call is turned away."""
        if not self.outcome.set_running_or_notify_cancel():
            return
        try:
            result = self._function()
        except Exception as error:
            self.outcome.set_exception(error)
        except BaseException:
            self.outcome.set_exception(_ended())
            raise
        else:
            self.outcome.set_result(result)


_served_by: ContextVar[TaskThread | None] = ContextVar("_served_by", default=None)


def on_task_thread(function: Callable[[], T]) -> T:
    """Run ``function`` on the task's own thread where a worker thread of a run calls this, else at once.

    Returns its result, or raises its exception; ``RuntimeError`` when the run has ended meanwhile.
    """
    served_by = _served_by.get()
    return function() if served_by is None else served_by.call(function)


def on_worker_thread() -> bool:
    """Tell whether a worker thread of a run calls this, whose calls the task's own thread serves."""
    return _served_by.get() is not None


def _ended() -> RuntimeError:
    return RuntimeError("the run has ended: its task's thread does nothing more for other threads")
