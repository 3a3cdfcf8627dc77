# SPDX-License-Identifier: Apache-2.0
"""What a chat's state says about its transfer: before it is sent, after it, and while it waits to be accepted.

An answer is not an outcome; the state that is read back is. Each rule is a function of what was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .claims import Claim
from .model import Chat, Outcome, Reading, RetryAction, Target, Transfer, UnreadableChat

CLOSED_UNACCEPTED = "closed, and nobody was seen to accept it before"


class Resolution(NamedTuple):
    """An outcome, its reason where it needs one, and what a retry may do about it."""

    outcome: Outcome
    reason: str | None = None
    retry: RetryAction = RetryAction.NONE


@dataclass(frozen=True, slots=True)
class Answered:
    """The service took the request. ``chat`` is the state in its answer, where it gives one."""

    chat: Chat | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service refused the request for this chat. ``passing`` when the cause may be gone in a moment.

    ``code`` is the service's own; ``None`` where we refuse a chat ourselves, without a request. ``lasting`` when a
    retry would be refused too until somebody removes the cause.
    """

    reason: str
    passing: bool = False
    code: str | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class NotApplied:
    """The service certainly did not carry out the request: it may be sent again.

    ``retry_after``: after how many seconds, where the service said. ``stale`` when it was not even sent, since the chat
    had been read too long ago.
    """

    reason: str
    retry_after: float | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The service may have carried out the request: read the chat before anything else."""

    reason: str


Answer = Answered | Refused | NotApplied | OutcomeUnknown


CLAIMED_BY_OTHER_RUN = Resolution(
    Outcome.FAILED, "not sent: another run is at it; a retry sends it", RetryAction.RESEND
)
"""The resolution of a chat that another run is still sending when this run has nothing else left to do."""

MAX_REQUEST_SECONDS = 60.0
"""Seconds for which a service works on a request, documented for Bitrix24. A request without an answer may take effect
until then, and is not sent again before.
"""


def before_sending(
    transfer: Transfer,
    chat: Reading,
    *,
    claims: Sequence[Claim] = (),
    send_blocker: str | None = None,
    max_request_seconds: float = MAX_REQUEST_SECONDS,
) -> Resolution | None:
    """Return the outcome of a transfer that need not, or must not, be sent; ``None`` when it is to be sent.

    ``claims`` are what other runs have noted about the chat. They never settle that it has moved, which only its state
    tells: while one of those runs is sending it, the answer is ``CLAIMED_BY_OTHER_RUN``, and the chat is to be read
    again. ``send_blocker`` says why no account of the connection may send it on, and who could.
    """
    target = transfer.target
    if isinstance(chat, UnreadableChat):
        return Resolution(Outcome.FAILED, chat.reason, RetryAction.RESEND)
    if chat.closed:
        return Resolution(Outcome.SKIPPED, "closed")
    if target.is_agent and chat.owner == target.id:
        return Resolution(Outcome.UNCHANGED)
    if target.is_agent and chat.offered_to == target.id:
        return Resolution(Outcome.REQUESTED)
    waits = chat.owner is None and not _offered_to_source(transfer, chat)
    if waits and not target.is_agent and _in_queue(chat, target):
        return Resolution(Outcome.UNCHANGED)
    if not _still_with_source(transfer, chat):
        return Resolution(Outcome.SKIPPED, f"no longer with {transfer.source}, now with {chat.holder or 'nobody'}")
    if moved := moved_by_another(chat, claims, max_request_seconds=max_request_seconds):
        return moved
    if any(claim.may_still_act(max_request_seconds) for claim in claims):
        return CLAIMED_BY_OTHER_RUN
    if send_blocker:
        return Resolution(Outcome.FAILED, f"not sent: {send_blocker}", RetryAction.RESEND)
    return None


def moved_by_another(
    chat: Chat, claims: Sequence[Claim], *, before: Chat | None = None, max_request_seconds: float = MAX_REQUEST_SECONDS
) -> Resolution | None:
    """Return ``skipped`` where the state shows that another run has moved the chat; ``None`` otherwise.

    With ``before``, the state in which this run sent it, a claim counts only if its run found the chat in that state
    too: then our request had done nothing yet.
    """
    for claim in claims:
        counts = claim.recent or claim.may_still_act(max_request_seconds)
        if counts and (before is None or claim.chat.is_where(before)) and claim.shows_moved(chat):
            offer = f", offered to agent:{chat.offered_to}" if chat.offered_to else ""
            now = "closed" if chat.closed else f"with {chat.holder or 'nobody'}{offer}"
            return Resolution(Outcome.SKIPPED, f"another run has moved it, now {now}")
    return None


def after_sending(
    transfer: Transfer, before: Chat, answer: Answer, after: Reading, *, carried_out: bool | None = None
) -> Resolution | None:
    """Return the outcome of a transfer that was sent; ``None`` when it did nothing and may be sent again.

    ``before`` is the state in which it was sent, ``after`` the state read since. ``carried_out`` is what the service's
    history says, for a state that ``needs_history``.
    """
    if isinstance(after, UnreadableChat):
        return Resolution(
            Outcome.FAILED,
            f"not known: after the transfer was sent the chat could not be read: {after.reason}",
            RetryAction.READ_FIRST,
        )
    if arrived := _arrived(transfer.target, before, answer, after):
        return arrived
    if after.closed:
        return Resolution(Outcome.FAILED, CLOSED_UNACCEPTED)
    match answer:
        case Answered(chat=Chat(offered_to=asked)) if asked is not None and asked == transfer.target.id:
            return Resolution(Outcome.FAILED, _why_not_accepted(transfer, after, sender=before.owner))
        case Refused(reason=reason, passing=False, lasting=lasting):
            return Resolution(Outcome.FAILED, reason, RetryAction.AFTER_FIX if lasting else RetryAction.RESEND)
    if after.owner is not None and after.owner != before.owner:
        return Resolution(Outcome.FAILED, f"taken by agent:{after.owner}")
    if isinstance(answer, Answered):
        return Resolution(
            Outcome.FAILED,
            "not performed: the service answered that all is well, and did nothing; check that "
            f"{transfer.target} can be given chats, and that the connection may move this one",
            RetryAction.RESEND,
        )
    if not isinstance(answer, OutcomeUnknown):
        return None
    return _after_no_answer(transfer, before, answer, after, carried_out)


def needs_history(answer: Answer, settled: Resolution | None) -> bool:
    """Tell whether the state alone leaves the outcome open, so that the service's history should be asked."""
    return isinstance(answer, OutcomeUnknown) and settled is not None and settled.retry is RetryAction.READ_FIRST


def _after_no_answer(
    transfer: Transfer, before: Chat, answer: OutcomeUnknown, after: Chat, carried_out: bool | None
) -> Resolution | None:
    """Return the outcome of a transfer to which no answer came, and which has not arrived.

    An empty history proves nothing where the chat has lost its owner: it may lag.
    """
    unexplained = after.owner != before.owner or (
        carried_out is None and (after.revision is None or after.moved_since(before))
    )
    if unexplained and not carried_out:
        nobody = "; nobody owns the chat now" if after.owner is None else ""
        return Resolution(Outcome.FAILED, f"not known: {answer.reason}{nobody}", RetryAction.READ_FIRST)
    if not carried_out:
        return None
    if after.owner is None and not after.shows_offers:
        return Resolution(Outcome.REQUESTED)
    if transfer.target.is_agent:
        return Resolution(Outcome.FAILED, _why_not_accepted(transfer, after, sender=before.owner))
    return Resolution(Outcome.ACCEPTED)


def while_waiting(transfer: Transfer, chat: Reading) -> Resolution | None:
    """Return the outcome of a transfer that was under way; ``None`` while nobody has answered."""
    target = transfer.target
    if isinstance(chat, UnreadableChat):
        return None if chat.garbled else Resolution(Outcome.FAILED, chat.reason)
    if chat.closed:
        return Resolution(Outcome.FAILED, CLOSED_UNACCEPTED)
    if target.is_agent:
        if chat.owner == target.id:
            return Resolution(Outcome.ACCEPTED)
        asked = chat.offered_to == target.id if chat.shows_offers else chat.owner is None
        sender = transfer.source.id if transfer.source is not None else None
        return None if asked else Resolution(Outcome.FAILED, _why_not_accepted(transfer, chat, sender=sender))
    if not _in_queue(chat, target):
        return Resolution(Outcome.FAILED, f"no longer in {target}, now with {chat.holder}")
    return None if chat.owner is None else Resolution(Outcome.ACCEPTED)


def before_accepting(transfer: Transfer, chat: Reading, *, tried: bool = False) -> Resolution | None:
    """Return the outcome of an acceptance that need not, or must not, be sent; ``None`` when it is to be sent.

    ``tried``: an earlier try was stopped when it had sent it, or was about to.
    """
    if isinstance(chat, UnreadableChat):
        return Resolution(Outcome.FAILED, chat.reason, RetryAction.READ_FIRST if tried else RetryAction.RESEND)
    if chat.closed:
        return Resolution(Outcome.FAILED, CLOSED_UNACCEPTED) if tried else Resolution(Outcome.SKIPPED, "closed")
    if chat.owner == transfer.target.id:
        return Resolution(Outcome.ACCEPTED if tried else Outcome.UNCHANGED)
    if chat.shows_offers and chat.offered_to != transfer.target.id:
        gone = f"not being transferred to {transfer.target}, now with {chat.holder}"
    elif not chat.shows_offers and chat.owner is not None:
        gone = f"nothing to accept: {chat.holder} has it"
    else:
        return None
    if tried:
        return Resolution(Outcome.FAILED, f"not known whether it was accepted: {gone}")
    return Resolution(Outcome.SKIPPED, gone)


def after_accepting(transfer: Transfer, answer: Answer, after: Reading) -> Resolution:
    """Return the outcome of an acceptance that was sent."""
    if isinstance(after, UnreadableChat):
        return Resolution(Outcome.FAILED, f"not known whether it was accepted: {after.reason}", RetryAction.READ_FIRST)
    if after.owner == transfer.target.id:
        return Resolution(Outcome.ACCEPTED)
    if isinstance(answer, OutcomeUnknown):
        return Resolution(Outcome.FAILED, f"not known whether it was accepted: {answer.reason}", RetryAction.READ_FIRST)
    if isinstance(answer, Refused | NotApplied):
        return Resolution(Outcome.FAILED, f"not accepted: {answer.reason}", RetryAction.RESEND)
    why = f"not accepted: the service answered that all is well; {after.holder} has the chat"
    return Resolution(Outcome.FAILED, why, RetryAction.RESEND)


def _arrived(target: Target, before: Chat, answer: Answer, after: Chat) -> Resolution | None:
    """Return ``accepted`` or ``requested`` where the state proves it."""
    if after.closed:
        return None
    answered = isinstance(answer, Answered)
    if target.is_agent:
        if after.owner == target.id:
            return Resolution(Outcome.ACCEPTED)
        on_its_way = answered and not after.shows_offers and after.owner is None and after.moved_since(before)
        return Resolution(Outcome.REQUESTED) if after.offered_to == target.id or on_its_way else None
    if not _in_queue(after, target):
        return None
    moved = after.owner != before.owner or after.queue != before.queue
    if not moved and not (answered and after.moved_since(before)):
        return None
    return Resolution(Outcome.REQUESTED if after.owner is None else Outcome.ACCEPTED)


def _in_queue(chat: Chat, queue: Target) -> bool:
    return queue.id is None or chat.queue is None or chat.queue == queue.id


def _still_with_source(transfer: Transfer, chat: Chat) -> bool:
    source = transfer.source
    if source is None:
        return True
    if transfer.offered:
        return chat.owner in (None, source.id)
    if not source.is_agent:
        return chat.owner is None and _in_queue(chat, source)
    return chat.owner == source.id or _offered_to_source(transfer, chat)


def _offered_to_source(transfer: Transfer, chat: Chat) -> bool:
    """Tell whether nobody owns the chat and it is, or was when it was planned, offered to the transfer's source."""
    source = transfer.source
    if chat.owner is not None or source is None or not source.is_agent:
        return False
    return transfer.offered or chat.offered_to == source.id


def _why_not_accepted(transfer: Transfer, chat: Chat, *, sender: str | None) -> str:
    if chat.owner is None:
        return f"not accepted by {transfer.target}: back in its queue"
    if chat.owner == sender:
        return f"rejected: {transfer.target} did not take it, agent:{sender} has it still"
    return f"not accepted by {transfer.target}: agent:{chat.owner} has it"
