# SPDX-License-Identifier: Apache-2.0
"""Carry out on a service what the domain decides about a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..chats.claims import stages
from ..chats.model import Chat, Outcome, Reading
from ..chats.reconciliation import Answer, NotApplied
from ..chats.run import (
    Accept,
    CheckHistory,
    Confirm,
    HistoryFindings,
    Intend,
    Move,
    Pause,
    Progress,
    Read,
    Reply,
    RunResult,
    Seen,
    Send,
    Sent,
    Step,
    Steps,
    Stop,
)
from ..chats.run_record import NullRecordStore, RunRecord
from ..exceptions import PlatformError
from ..retry_decision import decide
from .account_lock import AccountLock
from .base import ChatPlatform, SendOptions, answer_to, stop_after
from .reading_age import sending_what_was_read
from .transport import MAX_HINT_SECONDS

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(UTC)


def run_to_end(
    steps: Steps,
    platform: ChatPlatform,
    *,
    options: SendOptions | None = None,
    record: RunRecord | None = None,
    account_lock: AccountLock | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int, Mapping[Outcome, int]], None] = lambda done, total, counts: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = utc_now,
) -> RunResult:
    """Drive a run to its end and return what it came to; what it puts on record goes into ``record``.

    With an ``account_lock``, each chunk of chats is read, sent and read back while no other run on this host does so.
    ``interrupted`` is asked before each send: once it is true nothing more is sent, and the run accounts for what is
    left. ``on_progress`` is told after each chunk how many chats have an outcome, of how many, and which.
    """
    driver = _Driver(
        platform=platform,
        options=options or SendOptions(),
        record=record or RunRecord(NullRecordStore()),
        account_lock=account_lock,
        interrupted=interrupted,
        on_progress=on_progress,
        sleep=sleep,
        clock=clock,
        now=now,
    )
    try:
        return driver.drive(steps)
    finally:
        driver.close()


@dataclass(slots=True)
class _Driver:
    """Do what a run asks for, step by step, and note why it ends early: see ``RunResult``."""

    platform: ChatPlatform
    options: SendOptions
    record: RunRecord
    account_lock: AccountLock | None
    interrupted: Callable[[], bool]
    on_progress: Callable[[int, int, Mapping[Outcome, int]], None]
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    permanent: bool = False
    limited_until: float = 0.0
    read_at: float = 0.0

    def drive(self, steps: Steps) -> RunResult:
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return RunResult(tuple(end.value), permanent=self.permanent, limited_until=self.limited_until)
            reply = self.do(step)
            self.note(reply)

    def do(self, step: Step) -> Reply:
        match step:
            case Read(chat_ids=chat_ids):
                return self.read(chat_ids)
            case Send(moves=moves) if self.interrupted():
                return Sent({}, Stop("the task was stopped"))
            case Send(moves=moves):
                return _stop_if_limited_too_long(self.send(moves))
            case CheckHistory(moves=moves):
                return _check_history(self.platform, moves, self.record)
            case Accept() if self.interrupted():
                return NotApplied("the task was stopped")
            case Accept(chat=chat):
                return self.accept(chat)
            case Intend(moves=moves):
                return self.intend([move.chat for move in moves])
            case Confirm(results=results, unmoved=unmoved):
                self.record.write_results(results, unmoved=unmoved)
                if self.account_lock is not None:
                    self.account_lock.release_claims(stages(results, unmoved))
            case Pause(seconds=seconds):
                log.info("Some chats could not be moved; trying them again in %.0f s", seconds)
                self.sleep(seconds)
            case Progress(done=done, total=total, counts=counts):
                self.release()
                self.on_progress(done, total, counts)
        return None

    def read(self, chat_ids: Sequence[str]) -> Seen | Stop:
        """Read chats under the account lock; the lock is kept until they are sent and read back."""
        try:
            if self.account_lock is not None:
                self.account_lock.acquire()
            self.read_at = self.clock()
            chats = self.platform.read_chats(chat_ids)
            claims = self.account_lock.claims_of_others(chat_ids) if self.account_lock is not None else {}
        except PlatformError as error:
            decision = decide(error, repeatable=True)
            return Stop(str(error), for_good=decision.permanent, retry_after=decision.after_seconds)
        send_blocker = {chat_id: why for chat_id, chat in chats.items() if (why := self.why_cannot_send(chat))}
        return Seen(chats, claims, send_blocker)

    def why_cannot_send(self, chat: Reading) -> str | None:
        """Tell why no account of the connection may send the chat on; ``None`` for one that is closed or in a queue."""
        if not isinstance(chat, Chat) or chat.closed or chat.owner is None:
            return None
        return self.platform.why_cannot_send(chat.owner)

    def send(self, moves: Sequence[Move]) -> Sent:
        """Send chats that were all read by the last step that reads."""
        try:
            with sending_what_was_read(self.read_at, clock=self.clock):
                return replace(self.platform.send(moves, self.options), age=self.clock() - self.read_at)
        except PlatformError as error:
            answers = {move.transfer.chat_id: answer_to(error) for move in moves}
            return Sent(answers, stop_after(error))

    def accept(self, chat: Chat) -> Answer:
        try:
            with sending_what_was_read(self.read_at, clock=self.clock):
                return self.platform.accept(chat)
        except PlatformError as error:
            return answer_to(error)

    def intend(self, chats: Sequence[Chat]) -> Stop | None:
        """Claim the chats among the runs on this host, and put on record that they are about to be sent."""
        try:
            if self.account_lock is not None:
                self.account_lock.claim(chats)
        except PlatformError as error:
            return Stop(str(error))
        self.record.write_intents(chats, now=self.now().timestamp())
        return None

    def note(self, reply: Reply) -> None:
        """Note what decides about a retry of the task."""
        stop = reply.stop if isinstance(reply, Sent) else reply
        if isinstance(stop, Stop) and stop.for_good:
            self.permanent = True
        if retry_after := _retry_after_seconds(reply):
            self.limited_until = max(self.limited_until, self.now().timestamp() + retry_after)

    def release(self) -> None:
        if self.account_lock is not None:
            self.account_lock.release()

    def close(self) -> None:
        if self.account_lock is not None:
            self.account_lock.close()


def _stop_if_limited_too_long(sent: Sent) -> Sent:
    """Stop the run where a limit lasts longer than any wait; Airflow's retry comes when it is over."""
    retry_after = _retry_after_seconds(sent)
    if sent.stop is not None or retry_after <= MAX_HINT_SECONDS:
        return sent
    stop = Stop(f"the service takes no more requests for {retry_after:.0f} s", retry_after=retry_after)
    return replace(sent, stop=stop)


def _retry_after_seconds(reply: Reply) -> float:
    """Return in how many seconds the service will take requests again; 0 where it did not say."""
    if isinstance(reply, Sent):
        return max(map(_retry_after_seconds, reply.answers.values()), default=0.0)
    return (reply.retry_after or 0.0) if isinstance(reply, NotApplied | Stop) else 0.0


def _check_history(platform: ChatPlatform, moves: Sequence[Move], record: RunRecord) -> HistoryFindings:
    since = {move.transfer.chat_id: record.sent[move.transfer.chat_id].at for move in moves}
    try:
        return HistoryFindings(platform.transfer_history(moves, since=since))
    except PlatformError as error:
        log.warning("The service's history cannot be asked what became of %d chats: %s", len(moves), error)
        return HistoryFindings({})
