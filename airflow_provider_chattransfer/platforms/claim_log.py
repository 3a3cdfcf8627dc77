# SPDX-License-Identifier: Apache-2.0
"""The log in which the runs on this host note which chats of an account they are at."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ..chats.claims import Claim, Stage
from ..chats.model import Chat, Json
from ..exceptions import HostFileError, LockTimeoutError
from .file_lock import host_file, lock, open_private, reason

log = logging.getLogger(__name__)

MAX_LOCK_WAIT_SECONDS = 60.0
"""Seconds that a run waits for the log's lock: it is kept for as long as it takes to read and write some lines."""

KEPT_SECONDS = 86_400.0
"""How long a claim is remembered; no run lasts longer."""

MAX_BYTES = 64 * 2**20
"""The size of a log; a day of a million transfers needs less."""

LINE_START = b'{"run": "'
"""How each line begins. A line that begins so and is no JSON was cut off when its process was killed, before it sent
anything.
"""

HOLDER = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _NotedClaim:
    """A claim as the log has it; ``number`` is that of the last line about it."""

    run: str
    holder: str
    at: float
    chat: Chat
    number: int
    stage: Stage = Stage.IN_PROGRESS

    def claim(self, chat_id: str, *, now: float, lives: bool, since: int) -> Claim:
        """Return the claim as it is now; if its process is gone or gave up, its request may still take effect."""
        stage = Stage.UNKNOWN if self.stage is Stage.IN_PROGRESS and not lives else self.stage
        return Claim(chat=self.chat, stage=stage, age=max(0.0, now - self.at), recent=self.number > since)


class _NotAClaimLogError(ValueError):
    """A line that no run has written."""


class ClaimLog:
    """The claims of all runs on an account: lines of JSON that are only appended.

    A run that begins may rewrite them. A process reads on from where it read last. Times are seconds since the host was
    started, so that correcting the clock changes nothing. A claim from before the last start, whose time may lie ahead,
    counts from when the log is rewritten.
    """

    def __init__(self, account: str, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._file: IO[str] | None = None
        self._start_over()

    def _start_over(self) -> None:
        self.notes: dict[str, dict[str, _NotedClaim]] = {}
        self.beginnings: dict[tuple[str, float], int] = {}
        self._began_at: dict[tuple[str, float], float] = {}
        self._read_to = 0
        self._lines = 0

    @contextmanager
    def open(self) -> Iterator[ClaimLog]:
        """Lock the log and read what was added. Raises ``HostFileError`` and ``LockTimeoutError``."""
        with open_private(host_file(self._account, ".claims.lock")) as file:
            if not lock(file, deadline=self._clock() + MAX_LOCK_WAIT_SECONDS, clock=self._clock, sleep=self._sleep):
                raise LockTimeoutError(
                    f"another run on this host has kept {file.name} locked for {MAX_LOCK_WAIT_SECONDS:.0f} s"
                )
            try:
                self._read_on()
                yield self
            except OSError as error:
                raise HostFileError(f"{self._path} cannot be used: {reason(error)}; make room for it") from None

    def write(self, entry: Json) -> None:
        """Append a line. It begins with a line break: the line before may have been cut off with its process."""
        assert self._file is not None
        line = f"\n{json.dumps(entry)}\n".encode()
        if os.write(self._file.fileno(), line) < len(line):
            raise OSError(28, "No space left on device")
        self._read_on()

    def forget(self) -> None:
        """Rewrite the log if it has entries that are too old to matter, or from before the last start."""
        now = self._clock()
        dated = [note.at for notes in self.notes.values() for note in notes.values()] + list(self._began_at.values())
        if all(now - KEPT_SECONDS < at <= now for at in dated):
            return
        fresh = [entry for entry in self._entries() if entry["at"] > now - KEPT_SECONDS]
        self._rewrite({**entry, "at": min(now, entry["at"])} for entry in fresh)

    def close(self) -> None:
        """Forget what was read."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start_over()

    @property
    def _path(self) -> Path:
        return host_file(self._account, ".claims")

    def _read_on(self) -> None:
        file = open_private(self._path)
        try:
            if self._file is None or not os.path.sameopenfile(self._file.fileno(), file.fileno()):
                self._start_over()
            size = os.fstat(file.fileno()).st_size
            if size < self._read_to:
                self._start_over()
            if size > MAX_BYTES:
                raise _NotAClaimLogError
            added = os.pread(file.fileno(), size - self._read_to, self._read_to)
            self._read_to += len(added)
        except _NotAClaimLogError:
            self._renew(file)
            return
        if self._file is not None:
            self._file.close()
        self._file = file
        try:
            for line in added.split(b"\n"):
                self._apply(line)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self._renew(file)

    def _renew(self, file: IO[str]) -> None:
        """Begin anew where the file is no log of claims."""
        log.warning(
            "%s is not what runs write into it, and is begun anew; they may not see each other's chats", file.name
        )
        if file is not self._file:
            file.close()
        self._rewrite([])

    def _rewrite(self, entries: Iterable[Json]) -> None:
        """Replace the log in one step, so that a process that is killed leaves it whole."""
        text = "".join(f"\n{json.dumps(entry)}\n" for entry in entries)
        draft = self._path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with open_private(draft) as file:
            file.write(text)
        draft.rename(self._path)
        self._start_over()
        self._read_on()

    def _entries(self) -> list[Json]:
        """Return what is known, as lines that say the same."""
        numbered: list[tuple[int, Json]] = []
        for (run, since), number in self.beginnings.items():
            numbered.append((number, {"run": run, "at": self._began_at[run, since], "began": since}))
        together: dict[tuple[int, str, str, float, Stage], list[Chat]] = {}
        for notes in self.notes.values():
            for note in notes.values():
                alike = (note.number, note.run, note.holder, note.at, note.stage)
                together.setdefault(alike, []).append(note.chat)
        for (number, run, holder, at, stage), chats in together.items():
            entry = {"run": run, "holder": holder, "at": at, "stage": stage, "chats": places(chats)}
            numbered.append((number, entry))
        return [entry for _, entry in sorted(numbered, key=lambda each: each[0])]

    def _apply(self, line: bytes) -> None:
        self._lines += 1
        if not line:
            return
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            if LINE_START.startswith(line[: len(LINE_START)]):
                return
            raise
        run, at = _text(entry["run"]), _number(entry["at"])
        match entry:
            case {"began": since}:
                self.beginnings[run, _number(since)] = self._lines
                self._began_at[run, since] = at
            case {"chats": chats, "holder": str(holder)} if HOLDER.fullmatch(holder):
                stage = Stage(entry.get("stage", Stage.IN_PROGRESS))
                for chat_id, place in chats.items():
                    note = _NotedClaim(run, holder, at, _chat(chat_id, place), self._lines, stage)
                    self.notes.setdefault(chat_id, {})[run] = note
            case {"ended": ended}:
                for chat_id, stage in ended.items():
                    self._end(chat_id, run, Stage(stage))
            case _:
                raise _NotAClaimLogError

    def _end(self, chat_id: str, run: str, stage: Stage) -> None:
        notes = self.notes.get(chat_id, {})
        if stage is Stage.NOT_MOVED:
            notes.pop(run, None)
        elif run in notes:
            notes[run] = replace(notes[run], stage=stage, number=self._lines)


def places(chats: Iterable[Chat]) -> dict[str, list[Any]]:
    """Return by chat id where each chat is, as the log writes it: owner, to whom it is offered, queue."""
    return {chat.id: [chat.owner, chat.offered_to, chat.queue] for chat in chats}


def _chat(chat_id: str, place: Any) -> Chat:
    owner, offered_to, queue = (None if each is None else _text(each) for each in place)
    return Chat(id=chat_id, owner=owner, offered_to=offered_to, queue=queue)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _NotAClaimLogError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _NotAClaimLogError
    return value
