# SPDX-License-Identifier: Apache-2.0
"""Share a credential's operating time among all threads, processes and hosts that use it."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ...chats.model import Json
from ...exceptions import CoordinationError, HostFileError
from ..coordination.pace import RETRY_SECONDS
from ..coordination.process_store import ProcessStore
from ..coordination.store import SharedStore
from ..transport import MAX_HINT_SECONDS
from .operating_time import OperatingTime, Room

log = logging.getLogger(__name__)

T = TypeVar("T")


class SharedOperatingTime:
    """Reserves the operating time of a request before it goes, and settles it by what its answer tells.

    Safe for threads: a thread has one request under way. While the store cannot be asked, only the threads of this
    process share what they know; no method raises because of the store.
    """

    def __init__(
        self,
        credential: str,
        *,
        store: SharedStore | None,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        """``clock`` is the client's; ``pause`` waits."""
        self._key = f"operating time {credential}"
        self._alone: SharedStore = ProcessStore(clock)
        self._store = store or self._alone
        self._clock = clock
        self._pause = pause
        self._name = secrets.token_hex(4)
        self._retry_at: float | None = None

    def make_room(self, methods: Sequence[str]) -> int:
        """Wait until the portal has time for one request with these calls; return how many of them may go into it.

        No longer than a hint of the service is waited for.
        """
        waited = 0.0
        while True:
            count, room = self._update(lambda now, time: self._reserved(methods, time, now=now))
            if seconds := min(room.seconds, MAX_HINT_SECONDS - waited):
                log.info("%s has little operating time left on the portal; waiting %.0f s", methods[0], seconds)
                self._pause(seconds)
                waited += seconds
            if room.is_reserved or waited >= MAX_HINT_SECONDS:
                return count

    def fitting(self, methods: Sequence[str]) -> int:
        """Return how many of these calls the portal can do in the time of one request, one at least."""
        return self._update(lambda _, time: time.fitting(methods))

    def cost(self, method: str) -> float:
        """Return the seconds of operating time that one call costs, as far as calls have been measured."""
        return self._update(lambda _, time: time.cost(method))

    def told(self, timings: Mapping[tuple[str, bool], Sequence[Any]], *, ahead: float) -> None:
        """Settle this thread's request by the ``time`` objects of its answer.

        They are by method, and whether it was called in a batch; ``ahead`` is by how many seconds the portal's epoch
        is ahead of the client's clock.
        """
        epoch = self._clock() + ahead

        def learn(now: float, time: OperatingTime) -> None:
            time.settle(self._owner())
            for (method, in_batch), told in timings.items():
                time.note(method, told, in_batch=in_batch, ahead=epoch - now)

        self._update(learn)

    def cut_off(self, methods: Sequence[str]) -> None:
        """Settle this thread's request, which took the portal too long."""

        def learn(_: float, time: OperatingTime) -> None:
            time.settle(self._owner())
            time.note_cut_off(methods)

        self._update(learn)

    def blocked(self, method: str) -> float:
        """Settle this thread's request, since the portal blocks ``method``; return for how many seconds, if known."""

        def learn(now: float, time: OperatingTime) -> float:
            time.settle(self._owner())
            return time.note_blocked(method, now=now)

        return self._update(learn)

    def _owner(self) -> str:
        return f"{self._name} {threading.get_ident()}"

    def _reserved(self, methods: Sequence[str], time: OperatingTime, *, now: float) -> tuple[int, Room]:
        count = time.fitting(methods)
        return count, time.reserve(methods[:count], name=self._owner(), now=now)

    def _update(self, change: Callable[[float, OperatingTime], T]) -> T:
        """Change what is known, in the store, or in this process while the store cannot be asked."""

        def changed(now: float, documents: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], T]:
            time = OperatingTime.read(documents.get(self._key))
            result = change(now, time)
            return {self._key: time.to_json()}, result

        if self._retry_at is None or self._clock() >= self._retry_at:
            try:
                result = self._store.update([self._key], changed)
            except (CoordinationError, HostFileError) as error:
                log.debug("Operating time is counted in this process alone: %s", error)
                self._retry_at = self._clock() + RETRY_SECONDS
            else:
                self._retry_at = None
                return result
        return self._alone.update([self._key], changed)
