# SPDX-License-Identifier: Apache-2.0
"""Pieces of work on real threads."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar

import pytest

from airflow_provider_chattransfer.platforms.at_once import AtOnce
from airflow_provider_chattransfer.platforms.task_thread import on_task_thread

MOST = 8
named: ContextVar[str] = ContextVar("named", default="nobody")


class CountingWork:
    """Work that counts how much of it is under way."""

    def __init__(self, *, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.now = 0
        self.most = 0
        self.begun: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, number: int) -> int:
        with self._lock:
            self.begun.append(number)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self._lock:
            self.now -= 1
        return number * 10


class TestPiecesOfWork:
    def test_pieces_come_back_in_their_order(self) -> None:
        def late_first(number: int) -> int:
            time.sleep(0.02 / (number + 1))
            return number

        assert AtOnce(MOST).map(late_first, range(20), kind="work") == list(range(20))

    def test_pieces_of_an_empty_list_are_none(self) -> None:
        assert AtOnce(MOST).map(CountingWork(), [], kind="work") == []

    def test_pieces_are_more_and_more_at_once_and_never_more_than_the_most(self) -> None:
        work = CountingWork()
        AtOnce(MOST).map(work, range(60), kind="work")
        assert MOST / 2 < work.most <= MOST

    def test_pieces_are_fewer_at_once_after_trouble(self) -> None:
        at_once, work = AtOnce(MOST), CountingWork()
        at_once.map(CountingWork(), range(30), kind="work")
        at_once.map(work, range(30), kind="work", troubled=lambda result: True)
        assert at_once.width.now == 1

    def test_pieces_are_not_begun_after_the_last(self) -> None:
        work = CountingWork()
        results = AtOnce(MOST).map(work, range(100), kind="work", is_last=lambda result: result == 50)
        assert 6 <= len(results) <= 6 + MOST
        assert results == [number * 10 for number in sorted(work.begun)]

    def test_pieces_that_were_begun_end_before_an_error_is_raised(self) -> None:
        ended: list[int] = []

        def work(number: int) -> None:
            time.sleep(0.02)
            if number == 10:
                raise LookupError("number 10")
            ended.append(number)

        with pytest.raises(LookupError, match="number 10"):
            AtOnce(MOST).map(work, range(100), kind="work")
        before = len(ended)
        time.sleep(0.1)
        assert len(ended) == before < 10 + 2 * MOST

    def test_pieces_speak_to_airflow_on_the_thread_that_waits(self) -> None:
        mine = threading.get_ident()

        def work(number: int) -> tuple[int, int]:
            time.sleep(0.01)
            return threading.get_ident(), on_task_thread(threading.get_ident)

        told = AtOnce(MOST).map(work, range(20), kind="work")
        assert {asked for _, asked in told} == {mine}
        assert mine not in {at for at, _ in told}

    def test_pieces_that_begin_others_do_them_in_turn_and_speak_to_airflow_where_they_do(self) -> None:
        mine, at_once = threading.get_ident(), AtOnce(MOST)

        def inner(number: int) -> tuple[int, int]:
            return threading.get_ident(), on_task_thread(threading.get_ident)

        def work(number: int) -> tuple[int, list[tuple[int, int]]]:
            return threading.get_ident(), at_once.map(inner, range(3), kind="inner")

        for outer, told in at_once.map(work, range(20), kind="work"):
            assert told == [(outer, mine)] * 3

    def test_pieces_know_the_context_of_the_thread_that_waits(self) -> None:
        token = named.set("task")
        try:
            told = AtOnce(MOST).map(lambda number: named.get(), range(5), kind="work")
        finally:
            named.reset(token)
        assert set(told) == {"task"}

    def test_pieces_of_one_at_a_time_take_no_thread(self) -> None:
        at = AtOnce(1).map(lambda number: threading.get_ident(), range(5), kind="work")
        assert set(at) == {threading.get_ident()}
