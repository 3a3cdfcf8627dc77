# SPDX-License-Identifier: Apache-2.0
"""What worker threads leave to the task's own thread, and what becomes of it when that ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from airflow_provider_chattransfer.platforms.task_thread import Event, TaskThread, on_task_thread

TIMEOUT = 5.0
"""Seconds after which a test fails that would hang."""


class TimeLimit(BaseException):
    """Stands for what ends a task from outside, as Airflow's AirflowTaskTimeout."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def serve(events: SimpleQueue[Event], *futures: Future[Any]) -> None:
    """Run events as the loop of a run does, until the futures are done."""
    while not all(future.done() for future in futures):
        try:
            events.get(timeout=0.05).run()
        except Empty:
            continue


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


class TestACall:
    def test_elsewhere_it_is_just_made(self, pool: ThreadPoolExecutor) -> None:
        assert on_task_thread(threading.get_ident) == threading.get_ident()
        assert pool.submit(lambda: on_task_thread(threading.get_ident) == threading.get_ident()).result(TIMEOUT)

    def test_of_many_workers_each_is_made_on_the_tasks_thread_one_at_a_time(self, pool: ThreadPoolExecutor) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        with TaskThread(events) as task_thread:
            work = task_thread.bound(lambda number: on_task_thread(lambda: (number, threading.get_ident())))
            futures = [pool.submit(work, number) for number in range(200)]
            serve(events, *futures)
        assert [future.result() for future in futures] == [(number, threading.get_ident()) for number in range(200)]

    def test_its_error_reaches_the_worker_and_not_the_loop(self, pool: ThreadPoolExecutor) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        with TaskThread(events) as task_thread:
            future = pool.submit(task_thread.bound(on_task_thread), raising(ValueError("no such connection")))
            serve(events, future)
        with pytest.raises(ValueError, match="no such connection"):
            future.result()

    def test_that_calls_again_is_made_at_once(self, pool: ThreadPoolExecutor) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        with TaskThread(events) as task_thread:
            future = pool.submit(task_thread.bound(on_task_thread), lambda: on_task_thread(threading.get_ident))
            serve(events, future)
            assert future.result() == threading.get_ident()
            assert task_thread.bound(on_task_thread)(threading.get_ident) == threading.get_ident()

    def test_work_sees_what_the_task_has_set_and_changes_nothing_there(self, pool: ThreadPoolExecutor) -> None:
        task_id = ContextVar("task_id", default="")
        task_id.set("transfer_all")
        seen: list[str] = []

        def work() -> None:
            seen.append(task_id.get())
            task_id.set("changed")

        bound = TaskThread(SimpleQueue()).bound(work)
        wait([pool.submit(bound) for _ in range(16)], TIMEOUT)
        assert (seen, task_id.get()) == (["transfer_all"] * 16, "transfer_all")


class TestAnEnd:
    def test_a_call_that_waits_is_turned_away(self, pool: ThreadPoolExecutor) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        made: list[int] = []
        with TaskThread(events) as task_thread:
            future = pool.submit(task_thread.bound(on_task_thread), lambda: made.append(1))
            waiting = events.get(timeout=TIMEOUT)
        with pytest.raises(RuntimeError, match="ended"):
            future.result(TIMEOUT)
        waiting.run()
        assert made == []

    def test_a_call_that_comes_later_is_turned_away(self, pool: ThreadPoolExecutor) -> None:
        with TaskThread(SimpleQueue()) as task_thread:
            work = task_thread.bound(on_task_thread)
        with pytest.raises(RuntimeError, match="ended"):
            pool.submit(work, threading.get_ident).result(TIMEOUT)

    def test_a_time_limit_of_the_task_ends_the_loop_and_the_call(self, pool: ThreadPoolExecutor) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        with TaskThread(events) as task_thread:
            future = pool.submit(task_thread.bound(on_task_thread), raising(TimeLimit()))
            with pytest.raises(TimeLimit):
                events.get(timeout=TIMEOUT).run()
            with pytest.raises(RuntimeError, match="ended"):
                future.result(TIMEOUT)
