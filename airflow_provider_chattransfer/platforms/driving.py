# SPDX-License-Identifier: Apache-2.0
"""The loops that carry out on a service what the domain decides: a run, and a wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..chats.claims import stages
from ..chats.ledger import Ledger, Unkept
from ..chats.model import Chat, Result, TransferReport
from ..chats.run import (
    Accept,
    Confirm,
    Intend,
    Move,
    Pause,
    Progress,
    Proofs,
    Prove,
    Read,
    Reply,
    Seen,
    Send,
    Sent,
    Step,
    Steps,
    Stop,
)
from ..chats.settling import Answer, NotSent
from ..chats.waiting import FAILED_LOOKS, AcceptancePoller, Verdict
from .base import ChatPlatform, SendOptions, answer_to
from .errors import PlatformError, RequestRefused, WrongCredentials, is_permanent
from .transport import LONGEST_HINT
from .turns import Turn

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def carry_out(
    steps: Steps,
    platform: ChatPlatform,
    *,
    options: SendOptions | None = None,
    ledger: Ledger | None = None,
    turn: Turn | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = utc_now,
) -> list[Result]:
    """Drive a run to its end and return its results; what it puts on record goes into ``ledger``.

    With a ``turn``, each piece of chats is read, sent and read back while no other run on this host does so.
    ``interrupted`` is asked before each send: once it is true nothing more is sent, and the run accounts for
    what is left.
    """
    driver = _Driver(
        platform=platform,
        options=options or SendOptions(),
        ledger=ledger or Ledger(Unkept()),
        turn=turn,
        interrupted=interrupted,
        sleep=sleep,
        now=now,
    )
    try:
        return driver.drive(steps)
    finally:
        driver.close()


@dataclass(frozen=True, slots=True)
class _Driver:
    """Does what a run asks for, step by step."""

    platform: ChatPlatform
    options: SendOptions
    ledger: Ledger
    turn: Turn | None
    interrupted: Callable[[], bool]
    sleep: Callable[[float], None]
    now: Callable[[], datetime]

    def drive(self, steps: Steps) -> list[Result]:
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return list(end.value)
            reply = self.do(step)
            self.note(reply)

    def do(self, step: Step) -> Reply:
        match step:
            case Read(chat_ids=chat_ids):
                return self.read(chat_ids)
            case Send(moves=moves) if self.interrupted():
                return Sent({}, Stop("the task was stopped"))
            case Send(moves=moves):
                return _stopping(_send(self.platform, moves, self.options))
            case Prove(moves=moves):
                return _prove(self.platform, moves, self.ledger)
            case Accept() if self.interrupted():
                return NotSent("the task was stopped")
            case Accept(chat=chat):
                return _accept(self.platform, chat)
            case Intend(moves=moves):
                return self.intend([move.chat for move in moves])
            case Confirm(results=results, unmoved=unmoved):
                self.ledger.write_results(results, unmoved=unmoved)
                if self.turn is not None:
                    self.turn.release(stages(results, unmoved))
            case Pause(seconds=seconds):
                log.info("Some chats could not be moved; trying them again in %.0f s", seconds)
                self.sleep(seconds)
            case Progress():
                self.give_back()
                log.info("%d of %d chats done: %s", step.done, step.total, _counts(step))
        return None

    def read(self, chat_ids: Sequence[str]) -> Seen | Stop:
        """Read when it is our turn; it is kept until the chats are sent and read back."""
        try:
            if self.turn is not None:
                self.turn.take()
            chats = self.platform.read_chats(chat_ids)
            claims = self.turn.claims_of_others(chat_ids) if self.turn is not None else {}
        except PlatformError as error:
            return Stop(str(error), for_good=is_permanent(error), retry_after=error.retry_after)
        stuck = {
            chat.id: why for chat in chats.values() if isinstance(chat, Chat) and (why := self.platform.why_stuck(chat))
        }
        return Seen(chats, claims, stuck)

    def intend(self, chats: Sequence[Chat]) -> Stop | None:
        """Claim the chats among the runs on this host, and put on record that they are about to be sent."""
        try:
            if self.turn is not None:
                self.turn.claim(chats)
        except PlatformError as error:
            return Stop(str(error))
        self.ledger.write_intents(chats, now=self.now().timestamp())
        return None

    def note(self, reply: Reply) -> None:
        """Keep what decides about a retry of the task."""
        stop = reply.stop if isinstance(reply, Sent) else reply
        if isinstance(stop, Stop) and stop.for_good:
            self.ledger.stopped_for_good = True
        if hint := _hint(reply):
            self.ledger.limited_until = max(self.ledger.limited_until, self.now().timestamp() + hint)

    def give_back(self) -> None:
        if self.turn is not None:
            self.turn.give_back()

    def close(self) -> None:
        if self.turn is not None:
            self.turn.close()


def look(
    poller: AcceptancePoller,
    platform: ChatPlatform,
    *,
    silent_fail: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> Verdict:
    """Read the chats that are waited for once, and let ``poller`` judge.

    A look that fails is logged and counts as no news; raises a ``PlatformError`` when no later look can succeed
    either, or when too many in a row have failed, unless ``silent_fail``.
    """
    if not poller.chat_ids:
        return poller.verdict(now=now())
    try:
        chats = platform.read_chats(poller.chat_ids)
    except PlatformError as error:
        tolerable = not isinstance(error, WrongCredentials | RequestRefused) and poller.look_failed()
        if not (tolerable or silent_fail):
            raise
        count = f"{poller.failed_looks} of {FAILED_LOOKS} times in a row"
        log.warning("Could not look whether the chats are accepted, %s: %s", count, error)
        return poller.verdict(now=now())
    at = now()
    verdict = poller.observe(chats, now=at)
    if news := poller.news(now=at):
        log.info("%s", news)
    return verdict


def watch(
    poller: AcceptancePoller,
    platform: ChatPlatform,
    *,
    interval: float,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> TransferReport:
    """Look every ``interval`` seconds until all transfers are settled or the poller's deadline has come."""
    while not (verdict := look(poller, platform, now=now)).done:
        sleep(poller.seconds_to_next_look(now=now(), interval=interval))
    return verdict.report


def _send(platform: ChatPlatform, moves: Sequence[Move], options: SendOptions) -> Sent:
    try:
        return platform.send(moves, options)
    except PlatformError as error:
        answers = {move.transfer.chat_id: answer_to(error) for move in moves}
        return Sent(answers, Stop(str(error), for_good=True) if isinstance(error, WrongCredentials) else None)


def _stopping(sent: Sent) -> Sent:
    """A limit that lasts longer than is ever waited for ends the run; Airflow's retry comes when it is over."""
    hint = _hint(sent)
    if sent.stop is not None or hint <= LONGEST_HINT:
        return sent
    return Sent(sent.answers, Stop(f"the service takes no more requests for {hint:.0f} s", retry_after=hint))


def _hint(reply: Reply) -> float:
    """In how many seconds the service will take requests again; 0 where it did not tell."""
    if isinstance(reply, Sent):
        return max(map(_hint, reply.answers.values()), default=0.0)
    return (reply.retry_after or 0.0) if isinstance(reply, NotSent | Stop) else 0.0


def _prove(platform: ChatPlatform, moves: Sequence[Move], ledger: Ledger) -> Proofs:
    since = {move.transfer.chat_id: ledger.sent[move.transfer.chat_id].at for move in moves}
    try:
        return Proofs(platform.were_carried_out(moves, since=since))
    except PlatformError as error:
        log.warning("The service's history cannot be asked what became of %d chats: %s", len(moves), error)
        return Proofs({})


def _accept(platform: ChatPlatform, chat: Chat) -> Answer:
    try:
        return platform.accept(chat)
    except PlatformError as error:
        return answer_to(error)


def _counts(progress: Progress) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in progress.counts.items()) or "none settled"
