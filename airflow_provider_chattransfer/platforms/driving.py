# SPDX-License-Identifier: Apache-2.0
"""The loops that carry out on a service what the domain decides: a run, and a wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from ..chats.ledger import Ledger, Unkept
from ..chats.model import Chat, Reading, Result, TransferReport
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
    Send,
    Sent,
    Steps,
    Stop,
)
from ..chats.settling import Answer
from ..chats.waiting import AcceptancePoller, Verdict
from .base import ChatPlatform, SendOptions, answer_to
from .errors import PlatformError, RequestRefused, WrongCredentials

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
    interrupted: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = utc_now,
) -> list[Result]:
    """Drive a run to its end and return its results; what it puts on record goes into ``ledger``.

    ``interrupted`` is asked before each send: once it is true nothing more is sent, and the run accounts for
    what is left.
    """
    options = options or SendOptions()
    ledger = ledger or Ledger(Unkept())
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return list(end.value)
        reply = None
        match step:
            case Read(chat_ids=chat_ids):
                reply = _read(platform, chat_ids)
            case Send(moves=moves):
                reply = Sent({}, Stop("the task was stopped")) if interrupted() else _send(platform, moves, options)
            case Intend(moves=moves):
                ledger.write_intents((move.chat for move in moves), now=now().timestamp())
            case Confirm(results=results, unmoved=unmoved):
                ledger.write_results(results, unmoved=unmoved)
            case Prove(moves=moves):
                reply = _prove(platform, moves, ledger)
            case Accept(chat=chat):
                reply = _accept(platform, chat)
            case Pause(seconds=seconds):
                log.info("Some chats could not be moved; trying them again in %.0f s", seconds)
                sleep(seconds)
            case Progress():
                log.info("%d of %d chats done: %s", step.done, step.total, _counts(step))


def look(poller: AcceptancePoller, platform: ChatPlatform, *, now: Callable[[], datetime] = utc_now) -> Verdict:
    """Read the chats that are waited for once, and let ``poller`` judge.

    A look that fails is logged and counts as no news; raises a ``PlatformError`` only when no later look can
    succeed either.
    """
    if not poller.chat_ids:
        return poller.verdict(now=now())
    try:
        chats = platform.read_chats(poller.chat_ids)
    except (WrongCredentials, RequestRefused):
        raise
    except PlatformError as error:
        log.warning("Could not look whether the chats are accepted, will look again: %s", error)
        return poller.verdict(now=now())
    verdict = poller.observe(chats, now=now())
    log.info("Waiting for acceptance: %s", verdict.report)
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


def _read(platform: ChatPlatform, chat_ids: Sequence[str]) -> Mapping[str, Reading] | Stop:
    try:
        return platform.read_chats(chat_ids)
    except PlatformError as error:
        return Stop(str(error))


def _send(platform: ChatPlatform, moves: Sequence[Move], options: SendOptions) -> Sent:
    try:
        return platform.send(moves, options)
    except PlatformError as error:
        answers = {move.transfer.chat_id: answer_to(error) for move in moves}
        return Sent(answers, Stop(str(error)) if isinstance(error, WrongCredentials) else None)


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
