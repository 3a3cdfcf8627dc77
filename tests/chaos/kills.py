# SPDX-License-Identifier: Apache-2.0
"""The steps of the protocol at which a worker is killed, and how its process is made to reach them.

All of this happens in the child only, around the journals and the HTTP connection: the product has no switch for it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Point(StrEnum):
    """Where a process dies. A record is an entry of the run's journal; a send is a request that moves chats."""

    BEFORE_PLAN = "before the plan is on record"
    AFTER_PLAN = "after the plan is on record"
    BEFORE_READ = "before a read"
    AFTER_READ = "after a read"
    BEFORE_INTENT = "before the intent is on record"
    HALF_INTENT = "in the middle of writing the intent"
    AFTER_INTENT = "after the intent is on record"
    BEFORE_SEND = "before the send"
    SENT = "after the send, whatever the service does with it"
    CARRIED_OUT = "after the send was carried out, before its answer is read"
    ANSWERED = "after the answer"
    BEFORE_OUTCOME = "before the outcome is on record"
    HALF_OUTCOME = "in the middle of writing the outcome"
    AFTER_OUTCOME = "after the outcome is on record"
    BEFORE_END = "before the end is on record"
    AFTER_END = "after the end is on record"


HALVES = {Point.HALF_INTENT, Point.HALF_OUTCOME}
"""Only a file can be written in halves: a value of the state store is one row, or none."""

RECORDS = {
    "planned_at": (Point.BEFORE_PLAN, None, Point.AFTER_PLAN),
    "sent": (Point.BEFORE_INTENT, Point.HALF_INTENT, Point.AFTER_INTENT),
    "settled": (Point.BEFORE_OUTCOME, Point.HALF_OUTCOME, Point.AFTER_OUTCOME),
    "finished_by": (Point.BEFORE_END, None, Point.AFTER_END),
}
"""By a key of the entry: the points before, in and after its writing."""

SENDS = (b"imopenlines.bot.session.transfer", b"TransferChatSession", b"ResetChatSession")
"""What a request contains that moves chats."""


LONGEST_ANSWER = 5.0
"""Seconds for which a process waits for an answer that it dies before reading."""


ON_ITS_WAY = 0.02
"""Seconds until a request that is out is at the service, too."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL when ``point`` is reached for the ``nth`` time in this try."""

    point: Point
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.point}, time {self.nth}"


class Killer:
    """Watches one try from inside its process, and ends it."""

    def __init__(self, kill: Kill | None) -> None:
        self._kill = kill
        self._reached: Counter[Point] = Counter()

    def reach(self, point: Point | None) -> None:
        """Note that the process got to ``point``; this does not return when it is to die there."""
        if point is None or not self._dies_next(point):
            if point is not None:
                self._reached[point] += 1
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Put the points around the journals, the files and the connection of this process."""
        from airflow.sdk import ObjectStoragePath
        from urllib3.connection import HTTPConnection

        from airflow_provider_chattransfer.tasks.file_record_store import FileRecordStore
        from airflow_provider_chattransfer.tasks.task_state_record_store import TaskStateRecordStore

        for record_store in (FileRecordStore, TaskStateRecordStore):
            _replace(record_store, "append", self._appending)
        _replace(ObjectStoragePath, "write_text", self._writing)
        _replace(HTTPConnection, "request", self._requesting)
        _replace(HTTPConnection, "getresponse", self._getting)

    def _dies_next(self, point: Point) -> bool:
        return self._kill is not None and self._kill.point is point and self._reached[point] + 1 == self._kill.nth

    def _appending(self, append: Callable[..., Any]) -> Callable[..., Any]:
        def appending(record_store: Any, entry: dict[str, Any]) -> None:
            before, _, after = next((points for key, points in RECORDS.items() if key in entry), (None, None, None))
            self.reach(before)
            append(record_store, entry)
            self.reach(after)

        return appending

    def _writing(self, write_text: Callable[..., Any]) -> Callable[..., Any]:
        def writing(path: Any, text: str, *arguments: Any, **options: Any) -> Any:
            half = next((points[1] for key, points in RECORDS.items() if f'"{key}"' in text), None)
            if half is not None and path.name.endswith(".jsonl"):
                if self._dies_next(half):
                    write_text(path, text[: len(text) // 2], *arguments, **options)
                self.reach(half)
            return write_text(path, text, *arguments, **options)

        return writing

    def _requesting(self, request: Callable[..., Any]) -> Callable[..., Any]:
        def requesting(connection: Any, method: str, url: str, body: Any = None, *rest: Any, **options: Any) -> Any:
            text = url.encode() + (body if isinstance(body, bytes) else str(body or "").encode())
            connection.points = _points(text)
            self.reach(connection.points[0])
            request(connection, method, url, body, *rest, **options)
            out = connection.points[1]
            if out is not None and self._dies_next(out):
                time.sleep(ON_ITS_WAY)
            self.reach(out)

        return requesting

    def _getting(self, getresponse: Callable[..., Any]) -> Callable[..., Any]:
        def getting(connection: Any, *arguments: Any, **options: Any) -> Any:
            _, _, before, after = connection.points
            if before is not None and self._dies_next(before):
                select.select([connection.sock], [], [], LONGEST_ANSWER)
            self.reach(before)
            response = getresponse(connection, *arguments, **options)
            self.reach(after)
            return response

        return getting


def _points(request: bytes) -> tuple[Point | None, ...]:
    """Return the points before a request, when it is out, when its answer has come, and when that is read."""
    if request.startswith(b"/sandbox/"):
        return None, None, None, None
    if any(mark in request for mark in SENDS):
        return Point.BEFORE_SEND, Point.SENT, Point.CARRIED_OUT, Point.ANSWERED
    return Point.BEFORE_READ, None, None, Point.AFTER_READ


def _replace(owner: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(owner, name, around(getattr(owner, name)))
