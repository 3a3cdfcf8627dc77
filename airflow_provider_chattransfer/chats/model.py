# SPDX-License-Identifier: Apache-2.0
"""The values of the domain: a chat, a target, a transfer, its outcome, and the report of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from numbers import Integral
from typing import Any, Self

from ..shortening import MAX_SENTENCE_LETTERS, without_middle
from .inputs import MAX_NAME_LETTERS, as_id, as_name, refuse_template, shown
from .stored_json import read_stored

Json = dict[str, Any]

MAX_SHARED_TARGETS = 1024
"""Targets of which only one object is kept, whichever chats go there."""


class TargetKind(StrEnum):
    """To whom a chat can be given."""

    AGENT = "agent"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Target:
    """An agent or a queue: ``agent:12``, ``queue:3``, or ``queue``, which is a chat's own queue.

    ``name`` is what a user wrote in place of the number, ``agent:jane@example.com`` or ``queue:Support``. Only the
    service knows the number, so a target with a name has to be looked up before it is compared with a chat's holder.
    """

    kind: TargetKind
    id: str | None = None
    name: str | None = None

    @classmethod
    def parse(cls, text: object, *, of: str = "to") -> Target:
        """Read a target as a user writes it: a number is a person's; ``of`` names the option in the ``ValueError``.

        Thousands of chats go to a few targets: the same text gives the same object.
        """
        if type(text) is str:
            try:
                return _parsed(text)
            except ValueError:  # raised again below, with the name of the option
                pass
        return cls._parse(text, of=of)

    @classmethod
    def _parse(cls, text: object, *, of: str) -> Target:
        refuse_template(text, of=of)
        if isinstance(text, Integral) or (isinstance(text, str) and text.strip().isdigit()):
            return cls(TargetKind.AGENT, as_id(text, of=of))
        kind, colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
        kind, rest = kind.strip().lower(), rest.strip()
        if kind == TargetKind.QUEUE and not colon:
            return cls(TargetKind.QUEUE)
        if kind not in tuple(TargetKind) or not rest:
            raise ValueError(f"{of}: {shown(text)} is not a target; write 'agent:12', 'queue:3' or 'queue'")
        try:
            if any(map(str.isalpha, rest)):
                return cls(TargetKind(kind), name=as_name(rest, of=of))
            return cls(TargetKind(kind), as_id(rest, of=of))
        except ValueError:
            raise ValueError(
                f"{of}: {shown(text)} is not a target: behind the colon stands a number from 1 on, or a name of "
                f"{MAX_NAME_LETTERS} printable letters at most"
            ) from None

    @classmethod
    def agent(cls, agent: str) -> Target:
        """Return the agent (Bitrix24 user, SuperOffice associate) with this id."""
        return _target(TargetKind.AGENT, agent)

    @classmethod
    def queue(cls, queue: str) -> Target:
        """Return the queue (open line, chat topic) with this id."""
        return _target(TargetKind.QUEUE, queue)

    @property
    def is_agent(self) -> bool:
        """Whether this is a person rather than a queue."""
        return self.kind is TargetKind.AGENT

    def __str__(self) -> str:
        return _text_of(self.kind, self.id or self.name)


@lru_cache(maxsize=MAX_SHARED_TARGETS)
def _parsed(text: str) -> Target:
    return Target._parse(text, of="to")


@lru_cache(maxsize=MAX_SHARED_TARGETS)
def _text_of(kind: TargetKind, which: str | None) -> str:
    return kind.value if which is None else f"{kind}:{which}"


@lru_cache(maxsize=MAX_SHARED_TARGETS)
def _target(kind: TargetKind, id: str) -> Target:
    return Target(kind, id)


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat session as a service showed it at one moment.

    ``owner`` is the person who has accepted it, never a bot; ``offered_to`` is the agent who has been asked and has not
    answered, and ``shows_offers`` whether the service would show that. ``queue`` is the open line or chat topic that it
    belongs to. ``revision`` is a number that grows with every message, also with a transfer's own: two equal revisions
    mean that nothing has happened in between. ``customer`` is an opaque key that only tells whether two chats are the
    same person's.
    """

    id: str
    closed: bool = False
    owner: str | None = None
    offered_to: str | None = None
    shows_offers: bool = False
    queue: str | None = None
    session: str | None = None
    revision: int | None = None
    customer: str | None = field(default=None, repr=False)

    @property
    def holder(self) -> Target | None:
        """Where the chat is: with its owner, else in its queue."""
        if self.owner is not None:
            return Target.agent(self.owner)
        return Target.queue(self.queue) if self.queue is not None else None

    def is_where(self, before: Chat) -> bool:
        """Tell whether the owner, the offer and the queue are the same as in ``before``."""

        def place(chat: Chat) -> tuple[object, ...]:
            return (chat.closed, chat.owner, chat.offered_to, chat.queue)

        return place(self) == place(before)

    def moved_since(self, before: Chat) -> bool:
        """Tell whether anything that a transfer touches differs from ``before``."""

        def marks(chat: Chat) -> tuple[object, ...]:
            return (chat.closed, chat.owner, chat.offered_to, chat.queue, chat.session, chat.revision)

        return marks(self) != marks(before)


@dataclass(frozen=True, slots=True)
class UnreadableChat:
    """A chat that the service does not show, and why: it does not exist, or we may not see it.

    ``garbled``: the answer was not understood and tells nothing about the chat; a later answer may.
    """

    reason: str
    garbled: bool = False

    @classmethod
    def not_understood(cls, why: object) -> Self:
        """Return the reading of a chat whose answer is not as documented, or is about another chat."""
        return cls(f"not understood: {why}", garbled=True)


Reading = Chat | UnreadableChat


@dataclass(frozen=True, slots=True)
class Transfer:
    """One chat that is to go to one target, planned or under way.

    ``source`` is the agent or queue from whom it is taken, where the user named one; a chat that somebody else holds by
    then is left alone. ``offered`` tells that it was only offered to ``source``, and nobody owned it.
    """

    chat_id: str
    target: Target
    source: Target | None = None
    offered: bool = False


class Outcome(StrEnum):
    """What became of a chat, by the state that was read back."""

    ACCEPTED = "accepted"
    REQUESTED = "requested"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    PLANNED = "planned"


class RetryAction(StrEnum):
    """What a retry of the task may do about a chat that failed; the values stand in stored records."""

    NONE = "nothing"
    """The chat moved and did not stay: a second transfer would move it twice."""
    RESEND = "send"
    """The chat was certainly not moved: read it, then send it."""
    READ_FIRST = "look"
    """Whether the chat was moved is unknown: only its state can tell."""
    AFTER_FIX = "clear"
    """The chat was certainly not moved, and a retry would be refused as well: somebody has to remove the cause, then
    clear the task."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one transfer; ``reason`` says why it was skipped or failed, with the service's code.

    A reason that is too long loses its middle, since it ends with the code. ``retry`` is for the run record; a report
    does not show it.
    """

    transfer: Transfer
    outcome: Outcome
    reason: str | None = None
    retry: RetryAction = RetryAction.NONE

    def __post_init__(self) -> None:
        if self.reason is not None:
            object.__setattr__(self, "reason", without_middle(self.reason, most=MAX_SENTENCE_LETTERS))

    def to_json(self) -> Json:
        """Return the entry of the report."""
        source = self.transfer.source
        return {
            "chat_id": self.transfer.chat_id,
            "from": None if source is None else str(source),
            "to": str(self.transfer.target),
            "outcome": self.outcome.value,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read an entry of a report; raises ``ValueError`` for anything else."""
        source = None if value.get("from") is None else Target.parse(value["from"], of="from")
        transfer = Transfer(
            chat_id=as_id(value.get("chat_id"), of="chat_id"), target=Target.parse(value.get("to")), source=source
        )
        outcome = read_stored(value.get("outcome"), Outcome, of="outcome")
        return cls(transfer=transfer, outcome=outcome, reason=read_stored(value.get("reason"), str | None, of="reason"))

    def now(self, outcome: Outcome, reason: str | None = None, retry: RetryAction = RetryAction.NONE) -> Self:
        """Return the same transfer with another outcome."""
        return replace(self, outcome=outcome, reason=reason, retry=retry)


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What a task returns: one result for each chat, in the order asked."""

    platform: str
    conn_id: str
    results: tuple[Result, ...]
    started_at: datetime
    finished_at: datetime
    dry_run: bool = False
    report_path: str | None = None

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many chats came to each outcome; an outcome without chats is there with 0."""
        counted = Counter(result.outcome for result in self.results)
        return {outcome: counted[outcome] for outcome in Outcome}

    @property
    def failed_ratio(self) -> float:
        """The share of chats that failed, between 0 and 1; 0 for an empty report."""
        return self.counts[Outcome.FAILED] / len(self.results) if self.results else 0.0

    @property
    def waiting(self) -> tuple[Result, ...]:
        """The transfers that nobody has accepted yet."""
        return tuple(result for result in self.results if result.outcome is Outcome.REQUESTED)

    def with_results(self, settled: Mapping[str, Result], *, finished_at: datetime) -> Self:
        """Return this report with newer results for the chats in ``settled``, by chat id."""
        if not settled:
            return replace(self, finished_at=finished_at)
        results = tuple(settled.get(result.transfer.chat_id, result) for result in self.results)
        return replace(self, results=results, finished_at=finished_at)

    def to_json(self) -> Json:
        """Return the report as plain JSON."""
        return {**self._head(), "transfers": [result.to_json() for result in self.results], **self._foot()}

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report as a JSON text, one for each chat.

        At no time is there a second copy of a report of a hundred thousand chats, as JSON or as text.
        """
        yield "{\n"
        for name, value in self._head().items():
            yield f" {json.dumps(name)}: {json.dumps(value)},\n"
        yield ' "transfers": ['
        for number, result in enumerate(self.results):
            yield f"{',' if number else ''}\n  {json.dumps(result.to_json())}"
        yield "\n ]"
        for name, value in self._foot().items():
            yield f",\n {json.dumps(name)}: {json.dumps(value)}"
        yield "\n}\n"

    def _head(self) -> Json:
        return {
            "platform": self.platform,
            "conn_id": self.conn_id,
            "dry_run": self.dry_run,
            "counts": {outcome.value: count for outcome, count in self.counts.items()},
        }

    def _foot(self) -> Json:
        return {
            "report_path": self.report_path,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a report back; raises ``ValueError`` that names the wrong member."""
        try:
            return cls(
                platform=read_stored(value.get("platform"), str, of="platform"),
                conn_id=read_stored(value.get("conn_id"), str, of="conn_id"),
                dry_run=read_stored(value.get("dry_run"), bool, of="dry_run"),
                results=tuple(_read_results(value.get("transfers"))),
                report_path=read_stored(value.get("report_path"), str | None, of="report_path"),
                started_at=_read_moment(value.get("started_at"), of="started_at"),
                finished_at=_read_moment(value.get("finished_at"), of="finished_at"),
            )
        except ValueError as problem:
            raise ValueError(f"this is not a transfer report: {problem}") from None

    def __str__(self) -> str:
        """One line of counts for a log."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items() if count)
        return f"chats: {counted or 'none'}"


def _read_moment(value: object, *, of: str) -> datetime:
    """Read a moment with its time zone, UTC where it has none: moments of several reports are compared."""
    moment: datetime = read_stored(value, datetime, of=of)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_results(entries: object) -> Iterator[Result]:
    for position, entry in enumerate(read_stored(entries, list[dict[str, Any]], of="transfers")):
        try:
            yield Result.from_json(entry)
        except ValueError as problem:
            raise ValueError(f"transfers[{position}]: {problem}") from None
