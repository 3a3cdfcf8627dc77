# SPDX-License-Identifier: Apache-2.0
"""Runs on one host take turns: whoever reads, sends and reads back a piece of chats does so alone.

Neither service can be asked to transfer a chat only if nobody else just has. Two runs that read the same chat
before either has sent it would both send it; and where a chat stays with its owner until it is accepted, the
second would take it from the one whom the first has asked.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import IO

from .host_lock import host_file, lock, open_own

LONGEST = 2400.0
"""Seconds that a run waits for its turn: longer than any piece takes, even if it waits for a limit's hint when it is
read, when it is sent and when it is read back."""

REMEMBERED = 86_400.0
"""Seconds for which it is known what was sent; no run lasts longer."""


@dataclass(frozen=True, slots=True)
class Sending:
    """That a run was about to send some chats: a line of the file that keeps the turn."""

    run: str
    at: float
    chats: list[str]

    @classmethod
    def parse(cls, line: str) -> Sending | None:
        """Read a line; ``None`` for one that was cut off when its process was killed, before it sent anything."""
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class TurnNotGiven(RuntimeError):
    """Another run has kept the turn for longer than any piece takes."""


class Turn:
    """The turn of an account among the processes of this user on this host; the system ends it with its process.

    Whoever has it also learns which chats other runs have sent, and notes his own.
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
        in all its tries; ``since`` is when it began, in epoch seconds."""
        self._path = host_file(account, ".turn")
        self._door = host_file(account, ".door")
        self._run = hashlib.sha256(run.encode()).hexdigest()[:16]
        self._since = since
        self._clock = clock
        self._sleep = sleep
        self._file: IO[str] | None = None
        self.sent_by_others: frozenset[str] = frozenset()

    def take(self) -> None:
        """Return when it is our turn, at once if it is already. Raises ``TurnNotGiven``.

        Who waits stands in the door, so that a run that has just given its turn back does not take it again before
        him. ``sent_by_others`` then holds the chats that other runs have sent since this one began.
        """
        if self._file is not None:
            return
        deadline = self._clock() + LONGEST
        with open_own(self._door) as door:
            self._lock(door, deadline)
            file = open_own(self._path)
            try:
                self._lock(file, deadline)
            except BaseException:
                file.close()
                raise
        self._file = file
        self._read(file)

    def note(self, chat_ids: Iterable[str]) -> None:
        """Let other runs know that we are about to send these chats. It must be our turn."""
        assert self._file is not None
        self._file.write(str(Sending(run=self._run, at=time.time(), chats=list(chat_ids))))
        self._file.flush()

    def give_back(self) -> None:
        """Let others go on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock(self, file: IO[str], deadline: float) -> None:
        if not lock(file, deadline=deadline, clock=self._clock, sleep=self._sleep):
            raise TurnNotGiven(f"another run on this host has kept the account's chats busy for {LONGEST:.0f} s")

    def _read(self, file: IO[str]) -> None:
        """Learn what others have sent, and forget what is too old to matter."""
        file.seek(0)
        lines = file.readlines()
        oldest = time.time() - REMEMBERED
        fresh = [sending for line in lines if (sending := Sending.parse(line)) and sending.at > oldest]
        if len(fresh) < len(lines):
            file.truncate(0)
            file.writelines(map(str, fresh))
            file.flush()
        others = (each.chats for each in fresh if each.run != self._run and each.at >= self._since)
        self.sent_by_others = frozenset(chat_id for chats in others for chat_id in chats)
