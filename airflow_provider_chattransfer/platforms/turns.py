# SPDX-License-Identifier: Apache-2.0
"""Runs on one host take turns, and tell each other which chats they are at.

Neither service can be asked to transfer a chat only if nobody else just has. Two runs that read the same chat
before either has sent it would both send it; and where a chat stays with its owner until it is accepted, the
second would take it from the one whom the first has asked. So whoever reads, sends and reads back a piece of chats
does so alone, and claims them before they are sent: a claim outlives its process for as long as its request may
still be carried out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ..chats.claims import Claim, Stage
from ..chats.model import Chat, Json
from .errors import HostFileUnusable, NotCarriedOut
from .host_lock import host_file, lock, locked_at_once, open_own, reason

log = logging.getLogger(__name__)

LONGEST = 2400.0
"""Seconds that a run waits for its turn: longer than any piece takes, even if it waits for a limit's hint when it is
read, when it is sent and when it is read back."""

LONGEST_WRITING = 60.0
"""Seconds that a run waits for the book: it is kept for as long as it takes to read and write some lines."""

REMEMBERED = 86_400.0
"""Seconds for which it is known what was sent; no run lasts longer."""

LARGEST = 64 * 2**20
"""Bytes of a book; a day of a million transfers takes fewer."""

START = b'{"run": "'
"""How each line begins; one that does, and is no JSON, was cut off when its process was killed, before it sent."""

HOLDER = re.compile(r"[0-9a-f]{16}", re.ASCII)


class TurnNotGiven(NotCarriedOut):
    """Another run has kept the turn for longer than any piece takes."""

    a_retry = "a retry goes on when the other run is done"

    def __init__(self, message: str) -> None:
        super().__init__(message, method="turn")


class Turn:
    """The turn of an account among the processes of this user on this host; the system ends it with its process.

    Whoever has it also learns which chats other runs are at, and notes their own.
    """

    def __init__(
        self,
        account: str,
        *,
        run: str,
        since: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``account`` is where the chats are, the address of the portal or tenant. ``run`` names the run, the same
        in all its tries; ``since`` names its beginning, the same in all tries that go on with one plan: no clock is
        compared with it. ``clock`` counts the seconds since this host was started, the same in all processes."""
        self._account = account
        self._run = _digest(run)
        self._since = since
        self._clock = clock
        self._sleep = sleep
        self._book = _Book(account, clock=clock, sleep=sleep)
        self._holder: str | None = None
        self._alive: IO[str] | None = None
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Return when it is our turn, at once if it is already. Raises ``TurnNotGiven`` and ``HostFileUnusable``.

        Who waits stands in the door, so that a run that has just given its turn back does not take it again before
        them.
        """
        if self._file is not None:
            return
        self._begin()
        deadline = self._clock() + LONGEST
        with open_own(host_file(self._account, ".door")) as door:
            self._lock(door, deadline)
            file = open_own(host_file(self._account, ".turn"))
            try:
                self._lock(file, deadline)
                with self._book.open():
                    pass
            except BaseException:
                file.close()
                raise
        self._file = file

    def claim(self, chats: Iterable[Chat]) -> None:
        """Let other runs know that we are about to send these chats, in these states. It must be our turn.

        Raises ``HostFileUnusable``, and then they do not know.
        """
        assert self._file is not None
        with self._book.open() as book:
            book.write({"run": self._run, "holder": self._holder, "at": self._clock(), "chats": _places(chats)})

    def release(self, stages: Mapping[str, Stage]) -> None:
        """Let other runs know what we have come to with chats that we have claimed; others are passed over.

        What cannot be noted is claimed until our process ends.
        """
        ours = {chat_id: stage for chat_id, stage in stages.items() if self._run in self._book.notes.get(chat_id, ())}
        if not ours:
            return
        try:
            with self._book.open() as book:
                book.write({"run": self._run, "at": self._clock(), "ended": ours})
        except (HostFileUnusable, TurnNotGiven) as error:
            log.warning("Other runs cannot be told that this one is done with %d chats: %s", len(ours), error)

    def claims_of_others(self, chat_ids: Iterable[str]) -> Mapping[str, Sequence[Claim]]:
        """What other runs had noted of these chats when we took our turn, by chat id."""
        began = self._book.beginnings.get((self._run, self._since), 0)
        living: dict[str, bool] = {}
        found: dict[str, Sequence[Claim]] = {}
        for chat_id in chat_ids:
            notes = self._book.notes.get(chat_id, {})
            ours = notes.get(self._run)
            since = max(began, ours.number) if ours is not None else began
            others = [note for note in notes.values() if note.run != self._run]
            for note in others:
                if note.holder not in living:
                    living[note.holder] = self._lives(note.holder)
            if others:
                found[chat_id] = [
                    note.claim(chat_id, now=self._clock(), lives=living[note.holder], since=since) for note in others
                ]
        return found

    def give_back(self) -> None:
        """Let others go on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """End: what we have claimed and not released may only be what we have sent, and may be carried out yet."""
        self.give_back()
        self._book.close()
        if self._alive is not None:
            Path(self._alive.name).unlink(missing_ok=True)
            self._alive.close()
            self._alive = None

    def _begin(self) -> None:
        """Note that we live and since when, before we wait: what others note from here on, our plan did not know."""
        if self._alive is not None:
            return
        with self._book.open() as book:
            book.forget()
            _sweep(self._account)
            self._holder = secrets.token_hex(8)
            alive = open_own(host_file(self._account, f".{self._holder}.run"))
            if not locked_at_once(alive):
                raise HostFileUnusable(f"{alive.name} is locked by somebody else; delete it")
            self._alive = alive
            if (self._run, self._since) not in book.beginnings:
                book.write({"run": self._run, "at": self._clock(), "began": self._since})

    def _lives(self, holder: str) -> bool:
        """Whether the process that has this name has not ended."""
        try:
            with open_own(host_file(self._account, f".{holder}.run"), create=False) as file:
                return not locked_at_once(file)
        except FileNotFoundError:
            return False

    def _lock(self, file: IO[str], deadline: float) -> None:
        if not lock(file, deadline=deadline, clock=self._clock, sleep=self._sleep):
            raise TurnNotGiven(f"another run on this host has kept the account's chats busy for {LONGEST:.0f} s")


@dataclass(frozen=True, slots=True)
class _Note:
    """A claim as it stands in the book; ``number`` is that of the line which told of it last."""

    run: str
    holder: str
    at: float
    chat: Chat
    number: int
    stage: Stage = Stage.AT_IT

    def claim(self, chat_id: str, *, now: float, lives: bool, since: int) -> Claim:
        """The claim as it is now; of a process that is gone, and of one that has given up, the request may be left."""
        stage = Stage.UNKNOWN if self.stage is Stage.AT_IT and not lives else self.stage
        return Claim(chat=self.chat, stage=stage, age=max(0.0, now - self.at), recent=self.number > since)


class _NoBook(ValueError):
    """A line that no run has written."""


class _Book:
    """What the runs over an account have noted: lines of JSON that are only added, until who begins rewrites them.

    It is read on from where it was read last. Times are seconds since the host was started, so that no clock that is
    put right matters; a note from a start before, whose time may lie ahead, counts from when the book is rewritten.
    """

    def __init__(self, account: str, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._file: IO[str] | None = None
        self._start_over()

    def _start_over(self) -> None:
        self.notes: dict[str, dict[str, _Note]] = {}
        self.beginnings: dict[tuple[str, float], int] = {}
        self._began_at: dict[tuple[str, float], float] = {}
        self._read_to = 0
        self._lines = 0

    @contextmanager
    def open(self) -> Iterator[_Book]:
        """The book as it is now, for us alone. Raises ``HostFileUnusable`` and ``TurnNotGiven``."""
        with open_own(host_file(self._account, ".book.lock")) as door:
            if not lock(door, deadline=self._clock() + LONGEST_WRITING, clock=self._clock, sleep=self._sleep):
                raise TurnNotGiven(f"another run on this host has kept {door.name} locked for {LONGEST_WRITING:.0f} s")
            try:
                self._read_on()
                yield self
            except OSError as error:
                raise HostFileUnusable(f"{self._path} cannot be used: {reason(error)}; make room for it") from None

    def write(self, entry: Json) -> None:
        """Add a line. It begins with a line break: the one before may have been cut off with its process."""
        assert self._file is not None
        line = f"\n{json.dumps(entry)}\n".encode()
        if os.write(self._file.fileno(), line) < len(line):
            raise OSError(28, "No space left on device")
        self._read_on()

    def forget(self) -> None:
        """Write the book anew where there is something in it that is too old to matter, or from another start."""
        now = self._clock()
        dated = [note.at for notes in self.notes.values() for note in notes.values()] + list(self._began_at.values())
        if all(now - REMEMBERED < at <= now for at in dated):
            return
        fresh = [entry for entry in self._entries() if entry["at"] > now - REMEMBERED]
        self._rewrite({**entry, "at": min(now, entry["at"])} for entry in fresh)

    def close(self) -> None:
        """Forget what was read."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start_over()

    @property
    def _path(self) -> Path:
        return host_file(self._account, ".book")

    def _read_on(self) -> None:
        file = open_own(self._path)
        try:
            if self._file is None or not os.path.sameopenfile(self._file.fileno(), file.fileno()):
                self._start_over()
            size = os.fstat(file.fileno()).st_size
            if size < self._read_to:
                self._start_over()
            if size > LARGEST:
                raise _NoBook
            added = os.pread(file.fileno(), size - self._read_to, self._read_to)
            self._read_to += len(added)
        except _NoBook:
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
        """Begin anew where the book is none."""
        log.warning(
            "%s is not what runs write into it, and is begun anew; they may not see each other's chats", file.name
        )
        if file is not self._file:
            file.close()
        self._rewrite([])

    def _rewrite(self, entries: Iterable[Json]) -> None:
        """Put a new book in place of the old one at once, which a process that is killed leaves whole."""
        text = "".join(f"\n{json.dumps(entry)}\n" for entry in entries)
        draft = self._path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with open_own(draft) as file:
            file.write(text)
        draft.rename(self._path)
        self._start_over()
        self._read_on()

    def _entries(self) -> list[Json]:
        """What is known, as lines that say the same."""
        numbered: list[tuple[int, Json]] = []
        for (run, since), number in self.beginnings.items():
            numbered.append((number, {"run": run, "at": self._began_at[run, since], "began": since}))
        together: dict[tuple[int, str, str, float, Stage], list[Chat]] = {}
        for notes in self.notes.values():
            for note in notes.values():
                alike = (note.number, note.run, note.holder, note.at, note.stage)
                together.setdefault(alike, []).append(note.chat)
        for (number, run, holder, at, stage), chats in together.items():
            entry = {"run": run, "holder": holder, "at": at, "stage": stage, "chats": _places(chats)}
            numbered.append((number, entry))
        return [entry for _, entry in sorted(numbered, key=lambda each: each[0])]

    def _apply(self, line: bytes) -> None:
        self._lines += 1
        if not line:
            return
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            if START.startswith(line[: len(START)]):
                return
            raise
        run, at = _text(entry["run"]), _number(entry["at"])
        match entry:
            case {"began": since}:
                self.beginnings[run, _number(since)] = self._lines
                self._began_at[run, since] = at
            case {"chats": chats, "holder": str(holder)} if HOLDER.fullmatch(holder):
                stage = Stage(entry.get("stage", Stage.AT_IT))
                for chat_id, place in chats.items():
                    note = _Note(run, holder, at, _chat(chat_id, place), self._lines, stage)
                    self.notes.setdefault(chat_id, {})[run] = note
            case {"ended": ended}:
                for chat_id, stage in ended.items():
                    self._end(chat_id, run, Stage(stage))
            case _:
                raise _NoBook

    def _end(self, chat_id: str, run: str, stage: Stage) -> None:
        notes = self.notes.get(chat_id, {})
        if stage is Stage.LEFT:
            notes.pop(run, None)
        elif run in notes:
            notes[run] = replace(notes[run], stage=stage, number=self._lines)


def _sweep(account: str) -> None:
    """Delete what processes have left that were killed; nobody begins meanwhile."""
    folder, mark = host_file(account, "").parent, host_file(account, "").name
    for path in folder.glob(f"{mark}.*.run"):
        try:
            with open_own(path, create=False) as file:
                if locked_at_once(file):
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _places(chats: Iterable[Chat]) -> dict[str, list[Any]]:
    return {chat.id: [chat.owner, chat.offered_to, chat.queue] for chat in chats}


def _chat(chat_id: str, place: Any) -> Chat:
    owner, offered_to, queue = (None if each is None else _text(each) for each in place)
    return Chat(id=chat_id, owner=owner, offered_to=offered_to, queue=queue)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _NoBook
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _NoBook
    return value
