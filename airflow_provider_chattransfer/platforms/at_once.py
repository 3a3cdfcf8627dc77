# SPDX-License-Identifier: Apache-2.0
"""Do several pieces of work at once on threads, each of which may make requests of an account."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from .coordination.pace import pace_waits
from .task_thread import Event, TaskThread, on_worker_thread
from .width import Width

T = TypeVar("T")
R = TypeVar("R")


class AtOnce:
    """Runs pieces of work on as many threads as helps, at most ``most``.

    The thread that calls it waits for them, and is the only one that speaks to Airflow meanwhile: work that is begun on
    one of those threads is done there, in turn. What ends the task, such as a time limit, leaves what is under way to
    itself.
    """

    def __init__(self, most: int) -> None:
        self.width = Width(most)

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
        if len(pieces) <= 1 or self.width.most == 1 or on_worker_thread():
            return _in_turn(work, pieces, is_last=is_last)

        def learn(ended: Future[tuple[R, float]]) -> bool:
            """Note how a piece went, and tell whether others may be begun."""
            if ended.exception() is not None:
                self.width.note(seconds=0.0, kind=kind, trouble=True)
                return False
            result, seconds = ended.result()
            self.width.note(seconds=seconds, kind=kind, trouble=troubled(result))
            return not is_last(result)

        return self._side_by_side(work, pieces, learn)

    def _side_by_side(
        self, work: Callable[[T], R], pieces: Sequence[T], learn: Callable[[Future[tuple[R, float]]], bool]
    ) -> list[R]:
        """Begin as many pieces as the width allows, and another one whenever one has ended."""
        events: SimpleQueue[Event] = SimpleQueue()
        begun: list[Future[tuple[R, float]]] = []
        under_way: set[Future[tuple[R, float]]] = set()
        go_on = True
        pool = ThreadPoolExecutor(max_workers=min(self.width.most, len(pieces)), thread_name_prefix="chattransfer")
        try:
            with TaskThread(events) as task_thread:
                while under_way or (go_on and len(begun) < len(pieces)):
                    while go_on and len(begun) < len(pieces) and len(under_way) < self.width.now:
                        piece = pool.submit(task_thread.bound(_timed), work, pieces[len(begun)])
                        piece.add_done_callback(lambda _: events.put(_Ended()))
                        begun.append(piece)
                        under_way.add(piece)
                    events.get().run()
                    for ended in [piece for piece in under_way if piece.done()]:
                        under_way.remove(ended)
                        go_on = learn(ended) and go_on
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [piece.result()[0] for piece in begun]


class _Ended:
    """Wakes the thread that waits, since a piece has ended; an ``Event``."""

    def run(self) -> None:
        """Do nothing: the pieces themselves tell which have ended."""


def _in_turn(work: Callable[[T], R], pieces: Sequence[T], *, is_last: Callable[[R], bool]) -> list[R]:
    results: list[R] = []
    for piece in pieces:
        results.append(work(piece))
        if is_last(results[-1]):
            break
    return results


def _timed(work: Callable[[T], R], piece: T) -> tuple[R, float]:
    """Return what ``work`` makes of ``piece``, and the seconds that it took, without its waits for the pace."""
    began = time.monotonic()
    with pace_waits() as waits:
        result = work(piece)
    return result, time.monotonic() - began - waits.seconds
