# SPDX-License-Identifier: Apache-2.0
"""Let one run at a time act on an account, and tell the runs on this host which chats the others are sending.

Neither service can be asked to transfer a chat only if nobody else just has. Two runs that read the same chat before
either has sent it would both send it; and where a chat stays with its owner until it is accepted, the second would take
it from the one whom the first has asked. So a run reads, sends and reads back each chunk of chats under this lock, and
claims the chats before it sends them. A claim outlives its process for as long as the request may still be carried out.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ..chats.claims import Claim, Stage
from ..chats.model import Chat
from ..exceptions import HostFileError, LockTimeoutError
from .claim_log import ClaimLog, places
from .file_lock import host_file, lock, locked_at_once, open_private

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 2400.0
"""How long a run waits for the lock: longer than any chunk takes, even if it waits for a limit when it is read, when it
is sent and when it is read back.
"""


class AccountLock:
    """The lock of an account among the processes of this user on this host.

    The operating system releases it with its process.

    Its holder also reads which chats other runs have claimed, and claims its own.
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
        """Prepare the lock; nothing is opened yet.

        ``account`` is the address of the portal or tenant. ``run`` names the run, the same in all its tries. ``since``
        names its beginning, the same in all tries that go on with one plan; no clock is compared with it. ``clock``
        counts the seconds since this host was started, the same in all processes.
        """
        self._account = account
        self._run = _digest(run)
        self._since = since
        self._clock = clock
        self._sleep = sleep
        self._claims = ClaimLog(account, clock=clock, sleep=sleep)
        self._holder: str | None = None
        self._alive: IO[str] | None = None
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Return when this run holds the lock, at once if it does already.

        Raises ``LockTimeoutError`` and ``HostFileError``.

        Waiting runs hold a second lock first, so that a run that has just released the lock cannot acquire it again
        ahead of them.
        """
        if self._file is not None:
            return
        self._begin()
        deadline = self._clock() + MAX_WAIT_SECONDS
        with open_private(host_file(self._account, ".waiting.lock")) as waiting:
            self._lock(waiting, deadline)
            file = open_private(host_file(self._account, ".account.lock"))
            try:
                self._lock(file, deadline)
                with self._claims.open():
                    pass
            except BaseException:
                file.close()
                raise
        self._file = file

    def claim(self, chats: Iterable[Chat]) -> None:
        """Tell other runs that this one is about to send these chats, in these states. Needs the lock.

        Raises ``HostFileError`` when they cannot be told.
        """
        assert self._file is not None
        with self._claims.open() as claims:
            claims.write({"run": self._run, "holder": self._holder, "at": self._clock(), "chats": places(chats)})

    def release_claims(self, stages: Mapping[str, Stage]) -> None:
        """Tell other runs the state of our claims; chats that this run has not claimed are ignored.

        If that cannot be written, the claims last until our process ends.
        """
        ours = {chat_id: stage for chat_id, stage in stages.items() if self._run in self._claims.notes.get(chat_id, ())}
        if not ours:
            return
        try:
            with self._claims.open() as claims:
                claims.write({"run": self._run, "at": self._clock(), "ended": ours})
        except (HostFileError, LockTimeoutError) as error:
            log.warning("Other runs cannot be told that this one is done with %d chats: %s", len(ours), error)

    def claims_of_others(self, chat_ids: Iterable[str]) -> Mapping[str, Sequence[Claim]]:
        """Return the claims of other runs on these chats, by chat id, as they were when the lock was acquired."""
        began = self._claims.beginnings.get((self._run, self._since), 0)
        living: dict[str, bool] = {}
        found: dict[str, Sequence[Claim]] = {}
        for chat_id in chat_ids:
            notes = self._claims.notes.get(chat_id, {})
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

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Release everything. What was claimed and not released may have been sent, and may still be carried out."""
        self.release()
        self._claims.close()
        if self._alive is not None:
            Path(self._alive.name).unlink(missing_ok=True)
            self._alive.close()
            self._alive = None

    def _begin(self) -> None:
        """Note before the first wait that this run exists: later claims of others were unknown to its plan."""
        if self._alive is not None:
            return
        with self._claims.open() as claims:
            claims.forget()
            _sweep(self._account)
            self._holder = secrets.token_hex(8)
            alive = open_private(host_file(self._account, f".{self._holder}.run"))
            if not locked_at_once(alive):
                raise HostFileError(f"{alive.name} is locked by somebody else; delete it")
            self._alive = alive
            if (self._run, self._since) not in claims.beginnings:
                claims.write({"run": self._run, "at": self._clock(), "began": self._since})

    def _lives(self, holder: str) -> bool:
        """Tell whether the process of this name still runs."""
        try:
            with open_private(host_file(self._account, f".{holder}.run"), create=False) as file:
                return not locked_at_once(file)
        except FileNotFoundError:
            return False

    def _lock(self, file: IO[str], deadline: float) -> None:
        if not lock(file, deadline=deadline, clock=self._clock, sleep=self._sleep):
            raise LockTimeoutError(
                f"another run on this host has kept the account's chats busy for {MAX_WAIT_SECONDS:.0f} s"
            )


def _sweep(account: str) -> None:
    """Delete the files of processes that were killed; no run can begin meanwhile."""
    folder, mark = host_file(account, "").parent, host_file(account, "").name
    for path in folder.glob(f"{mark}.*.run"):
        try:
            with open_private(path, create=False) as file:
                if locked_at_once(file):
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
