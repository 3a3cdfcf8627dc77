# SPDX-License-Identifier: Apache-2.0
"""Wait for an account's pace, which all threads, processes and hosts share that act on it."""

from __future__ import annotations

import logging
import math
import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from ...chats.model import Json
from ...exceptions import CoordinationError, HostFileError, PlatformError
from ..rate import RateLimit
from .account_pace import Slot, User, close, keep, meet, reserve
from .store import SharedStore

log = logging.getLogger(__name__)

ROUNDING_SECONDS = 1e-4
"""A wait of fewer seconds is no wait."""

RETRY_SECONDS = 5.0
"""Seconds after which a store that could not be asked is asked again."""

MAX_ALONE_SECONDS = 30.0
"""Seconds that a process which is alone is given at most for its next request, before it is expected to have asked."""

UNKNOWN_USERS = 8
"""Among how many a limit is divided while the store cannot be asked, where it has not told how many use the account."""

Decision: TypeAlias = Callable[[float, Json | None, User], tuple[Json | None, Slot]]
"""Turns the time, the account's document and who asks into the document, ``None`` if it has not changed, and a slot."""


@dataclass(slots=True)
class PaceWaits:
    """How many seconds the requests of a piece of work have waited for the pace."""

    seconds: float = 0.0


_waits: ContextVar[PaceWaits | None] = ContextVar("pace_waits", default=None)


@contextmanager
def pace_waits() -> Iterator[PaceWaits]:
    """Count how long requests wait for the pace inside the block, in this thread."""
    waits = PaceWaits()
    token = _waits.set(waits)
    try:
        yield waits
    finally:
        _waits.reset(token)


@dataclass(frozen=True, order=True, slots=True)
class Went:
    """When a request went: the number of the document that gave out its slot, and the time of the slot."""

    number: int
    at: float


class Pace:
    """Lets requests of an account pass at the pace of a limit; the service's own hint closes it for all.

    Safe for threads and forks. A process has one slot reserved at a time, so that processes get the same share however
    many threads they have; its threads take turns. While the store cannot be asked, the process keeps a part of the
    limit by itself: no method raises because of the store.
    """

    def __init__(
        self,
        store: SharedStore,
        account: str,
        limit: RateLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self._store = store
        self._key = f"pace {account}"
        self._user = User(secrets.token_hex(4), limit)
        self._clock = clock
        self._sleep = sleep
        self._turns = Turns()
        self._lock = threading.Lock()
        self._number = 0
        self._own: Json | None = None
        self._retry_at: float | None = None
        self._has_met = False
        self._users = UNKNOWN_USERS
        self._halved_at: float | None = None
        self._served: Went | None = None
        self._thread = threading.local()
        _paces.add(self)

    def wait(self) -> float:
        """Return when the next request may be sent, and count it; the result is the seconds that this took."""
        began = self._clock()
        with self._turns.turn():
            decided = self._decide(reserve)
            while decided and decided[0].wait > ROUNDING_SECONDS:
                slot, number = decided
                self._sleep(slot.wait)
                decided = self._decide(partial(keep, slot=slot), by=number)
        self._thread.went = decided and Went(decided[1], decided[0].at)
        waited = self._clock() - began
        if (waits := _waits.get()) is not None:
            waits.seconds += waited
        return waited

    def served(self) -> None:
        """Note that the service took the request for which this thread has waited last."""
        went = self._went()
        if went and (self._served is None or went > self._served):
            self._served = went

    def close_for(self, seconds: float, *, too_fast: bool = False) -> None:
        """Let nothing of the account pass for ``seconds``, and after that only what drains: the bucket is full.

        ``too_fast`` tells that the request for which this thread has waited last was refused for coming too soon after
        others, which may be another client's.
        """
        went = self._went()
        refused_at = None if not too_fast else went.at if went and went.number == self._number else math.inf
        self._decide(partial(close, seconds=seconds, refused_at=refused_at))

    def after_fork(self) -> None:
        """Forget who held the locks in the process that this one was forked from."""
        self._lock, self._turns = threading.Lock(), Turns()

    def _went(self) -> Went | None:
        went: Went | None = getattr(self._thread, "went", None)
        return went

    def _decide(self, decision: Decision, *, by: int | None = None) -> tuple[Slot, int] | None:
        """Return what is decided, and the number of the document by which it was: the shared one, or our own.

        ``None`` where document ``by`` is not in use any more.
        """
        with self._lock:
            number, lost = self._number, self._retry_at is not None
            due = self._retry_at is None or self._clock() >= self._retry_at
        if by not in (None, number):
            return None
        if due:
            try:
                if lost and not self._has_met:
                    self._meet()
                    return self._decide(decision, by=by)
                asked = reserve if lost and by is not None else decision
                slot = self._store.update([self._key], partial(self._shared, asked, self._asking(number, lost)))
            except (CoordinationError, HostFileError) as error:
                self._lose(error)
                if by is not None:
                    return None
            else:
                number = self._find(slot)
                self._tell(slot)
                return slot, number
        with self._lock:
            number, user = self._number, replace(self._asking(self._number, False), users=self._users)
            document, slot = decision(self._clock(), self._own, user)
            self._own = self._own if document is None else document
        self._tell(slot)
        return slot, number

    def _shared(
        self, decision: Decision, user: User, now: float, documents: Mapping[str, Json]
    ) -> tuple[Mapping[str, Json | None], Slot]:
        document, slot = decision(now, documents.get(self._key), user)
        return {} if document is None else {self._key: document}, slot

    def _asking(self, number: int, bucket_full: bool) -> User:
        """Return us, with what document ``number`` is to learn of us."""
        served_at = self._served.at if self._served and self._served.number == number else None
        return replace(self._user, served_at=served_at, bucket_full=bucket_full)

    def _meet(self) -> None:
        """Learn when we go on together with others who were alone."""
        within = RETRY_SECONDS + min(self._users / self.limit.per_second, MAX_ALONE_SECONDS)

        def change(now: float, documents: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], float]:
            document, seconds = meet(now, documents.get(self._key), within=within)
            return {} if document is None else {self._key: document}, seconds

        seconds = self._store.update([self._key], change)
        with self._lock:
            self._retry_at, self._has_met = self._clock() + seconds, True

    def _lose(self, error: PlatformError) -> None:
        """Go on by a document of our own until the store can be asked again; the bucket is full, and one goes now."""
        with self._lock:
            known, self._retry_at, self._has_met = self._retry_at, self._clock() + RETRY_SECONDS, False
            if known is not None:
                return
            self._number += 1
            user = replace(self._user, users=self._users)
            full, _ = close(self._clock(), None, user, seconds=0)
            self._own, slot = reserve(self._clock(), full, user)
        log.warning("%s; this process goes on alone, with %.2f requests a second", error, slot.per_second)

    def _find(self, slot: Slot) -> int:
        """Note that the store has answered; return the number of its document."""
        with self._lock:
            lost, self._retry_at, self._users = self._retry_at is not None, None, max(1, slot.users)
            self._has_met = False
            self._number += lost
            number = self._number
        if lost:
            log.info("The coordination answers again: going on with the pace that all share")
        return number

    def _tell(self, slot: Slot) -> None:
        """Log once that our share of the limit has become smaller, and once that it is whole again."""
        with self._lock:
            known, self._halved_at = self._halved_at, slot.halved_at
        if slot.halved_at is not None and slot.halved_at != known:
            log.warning(
                "Requests are refused though we keep to the limit: other tasks or programs use it too, or the "
                "service's own is lower than requests_per_second of the connection; going on with %.2f a second",
                slot.per_second,
            )
        elif slot.halved_at is None and known is not None:
            log.info("Going on with %.2f requests per second again", slot.per_second)


class Turns:
    """Lets the threads of a process pass one after the other, in the order in which they come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn inside the block."""
        mine = threading.Lock()
        mine.acquire()
        with self._lock:
            if self._taken:
                self._waiting.append(mine)
            else:
                self._taken = True
                mine.release()
        try:
            mine.acquire()
            yield
        finally:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                elif self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._taken = False


_paces: weakref.WeakSet[Pace] = weakref.WeakSet()
_by_account: dict[tuple[SharedStore, str, RateLimit], Pace] = {}
_by_account_lock = threading.Lock()


def pace_for(account: str, limit: RateLimit, *, store: SharedStore) -> Pace:
    """Return the pace of an account that ``store`` keeps; the same one for all in this process."""
    with _by_account_lock:
        key = (store, account, limit)
        if key not in _by_account:
            _by_account[key] = Pace(store, account, limit)
        return _by_account[key]


def _after_fork() -> None:
    """Give a forked process locks that nobody holds."""
    global _by_account_lock
    _by_account_lock = threading.Lock()
    for pace in list(_paces):
        pace.after_fork()


os.register_at_fork(after_in_child=_after_fork)
