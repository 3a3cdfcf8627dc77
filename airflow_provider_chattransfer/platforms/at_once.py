# SPDX-License-Identifier: Apache-2.0
"""Do several pieces of work at once on threads, each of which may make requests of an account."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from .coordination.pace import pace_waits
from .task_thread import Event, TaskThread
from .width import Width

T = TypeVar("T")
R = TypeVar("R")


class AtOnce:
    """Runs pieces of work on as many threads as helps, at most ``most``.

    The thread that calls it waits for them, and is the only one that speaks to Airflow meanwhile. What ends its task,
    such as a time limit, leaves what is under way to itself.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.width = Width(most)
        self._clock = clock

    def map(
        self,
        work: Callable[[T], R],
        pieces: Sequence[T],
        *,
        kind: Hashable,
        troubled: Callable[[R], bool] = lambda result: False,
        is_last: Callable[[R], bool] = lambda result: False,
    ) -> list[R]:
        """Return what ``work`` made of each of ``pieces``, in their order.

        ``kind`` names the work, for what takes how long. ``troubled`` tells of a result that fewer requests at once
        may help. After a result that ``is_last`` no other piece is begun, so that some of the results are missing.
        Raises the first error of ``work``, once all that was begun has ended.
        """
        if len(pieces) <= 1 or self.width.most == 1:
            return self._in_turn(work, pieces, is_last=is_last)
        events: SimpleQueue[Event] = SimpleQueue()
        pool = ThreadPoolExecutor(max_workers=min(self.width.most, len(pieces)), thread_name_prefix="chattransfer")
        try:
            with TaskThread(events) as task_thread:
                ended = self._all(work, pieces, kind, troubled, is_last, _Threads(pool, events, task_thread))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [each.result() for each in ended]

    def _in_turn(self, work: Callable[[T], R], pieces: Sequence[T], *, is_last: Callable[[R], bool]) -> list[R]:
        results: list[R] = []
        for piece in pieces:
            results.append(work(piece))
            if is_last(results[-1]):
                break
        return results

    def _all(
        self,
        work: Callable[[T], R],
        pieces: Sequence[T],
        kind: Hashable,
        troubled: Callable[[R], bool],
        is_last: Callable[[R], bool],
        threads: _Threads,
    ) -> list[_Ended[R]]:
        """Begin as many pieces as the width allows, and another one whenever one has ended."""
        ended: dict[int, _Ended[R]] = {}
        begun, go_on = 0, True
        while len(ended) < begun or (go_on and begun < len(pieces)):
            while go_on and begun < len(pieces) and begun - len(ended) < self.width.now:
                self._begin(work, pieces[begun], begun, ended, threads)
                begun += 1
            known = set(ended)
            threads.events.get().run()
            for number in ended.keys() - known:
                piece = ended[number]
                is_troubled = piece.error is not None or troubled(piece.result())
                self.width.note(seconds=piece.seconds, kind=kind, trouble=is_troubled)
                go_on = go_on and piece.error is None and not is_last(piece.result())
        return [ended[number] for number in sorted(ended)]

    def _begin(
        self, work: Callable[[T], R], piece: T, number: int, ended: dict[int, _Ended[R]], threads: _Threads
    ) -> None:
        def run() -> None:
            began = self._clock()
            with pace_waits() as waits:
                try:
                    result, error = work(piece), None
                except Exception as raised:
                    result, error = None, raised
            seconds = self._clock() - began - waits.seconds
            threads.events.put(_Note(number, _Ended(result, error, seconds), ended))

        threads.pool.submit(threads.task_thread.bound(run))


@dataclass(frozen=True, slots=True)
class _Threads:
    """The threads that work, and what they tell the one that waits for them."""

    pool: ThreadPoolExecutor
    events: SimpleQueue[Event]
    task_thread: TaskThread


@dataclass(frozen=True, slots=True)
class _Ended(Generic[R]):
    """What a piece of work came to."""

    value: R | None
    error: Exception | None
    seconds: float

    def result(self) -> R:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class _Note(Generic[R]):
    """The end of a piece of work, as an ``Event``."""

    number: int
    ended: _Ended[R]
    by_number: dict[int, _Ended[R]]

    def run(self) -> None:
        """Note it on the thread that waits."""
        self.by_number[self.number] = self.ended
