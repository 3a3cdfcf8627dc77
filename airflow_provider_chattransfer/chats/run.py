# SPDX-License-Identifier: Apache-2.0
"""The bulk run: read, send, read back, account for every chat.

The run is a generator of steps. It says what is to be done next, and whoever drives it (see
``platforms.driving``) does it and sends in what came of it. So the whole protocol can be read in one place and
tested without a network or a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from .model import Chat, Outcome, Reading, Result, Transfer
from .settling import (
    Answer,
    Answered,
    NotSent,
    Refused,
    Settled,
    Unclear,
    after_accepting,
    after_sending,
    before_accepting,
    before_sending,
)

PAUSES = (0.0, 2.0, 10.0, 30.0)
"""Seconds before each round. Bitrix24 locks a chat while it is being transferred, for 60 s at the most."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read these chats; the reply is a mapping by chat id, or ``Stop``."""

    chat_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Move:
    """A transfer to be sent, and the state in which its chat was read for it."""

    transfer: Transfer
    chat: Chat


@dataclass(frozen=True, slots=True)
class Send:
    """Send these transfers; the reply is ``Sent``."""

    moves: Sequence[Move]


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept this chat as its receiver; the reply is an ``Answer``."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds; no reply."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell the user how far the run is; no reply."""

    done: int
    total: int
    counts: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more can be done: the credentials are wrong, or the service is out of reach."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What the service said to each transfer by chat id, and whether the run must end here.

    A transfer without an answer was not sent.
    """

    answers: Mapping[str, Answer]
    stop: Stop | None = None


Step = Read | Send | Accept | Pause | Progress
Reply = Mapping[str, Reading] | Sent | Answer | Stop | None
Steps = Generator[Step, "Reply", list[Result]]


def hand_over(transfers: Sequence[Transfer], *, chunk: int) -> Steps:
    """Move every chat in ``transfers``, ``chunk`` at a time; returns a result for each, in the same order.

    No chat is sent that was not read in this run just before, and none is counted that was not read after.
    What failed for a passing cause, or may have been carried out, is read again and only then repeated.
    """
    run = _Run(total=len(transfers))
    open_transfers = list(transfers)
    for pause in PAUSES:
        if not open_transfers or run.stopped:
            break
        if pause:
            yield Pause(pause)
        for piece in _pieces(open_transfers, chunk):
            yield from run.move(piece)
            yield Progress(done=len(run.results), total=run.total, counts=run.counts())
            if run.stopped:
                break
        open_transfers = [transfer for transfer in open_transfers if transfer.chat_id not in run.results]
    run.give_up(open_transfers)
    return [run.results[transfer.chat_id] for transfer in transfers]


def preview(transfers: Sequence[Transfer], *, chunk: int) -> Steps:
    """What ``hand_over`` would do: chats that it would send are ``planned``. Nothing is sent."""
    run = _Run(total=len(transfers))
    for piece in _pieces(transfers, chunk):
        for move in (yield from run.look(piece)):
            run.settle(move.transfer, Settled(Outcome.PLANNED))
        if run.stopped:
            break
    run.give_up([transfer for transfer in transfers if transfer.chat_id not in run.results])
    return [run.results[transfer.chat_id] for transfer in transfers]


def take_over(transfer: Transfer) -> Steps:
    """Accept one transfer that is under way; ``transfer.target`` is the agent who receives it."""
    chats = yield Read([transfer.chat_id])
    if isinstance(chats, Stop):
        return [Result(transfer, Outcome.FAILED, f"not attempted: {chats.reason}")]
    assert isinstance(chats, Mapping)
    chat = chats[transfer.chat_id]
    if settled := before_accepting(transfer, chat):
        return [Result(transfer, *settled)]
    assert isinstance(chat, Chat)
    answer = yield Accept(chat)
    assert isinstance(answer, Answered | Refused | NotSent | Unclear)
    after = yield Read([transfer.chat_id])
    if isinstance(after, Stop):
        return [Result(transfer, Outcome.FAILED, f"not known whether it was accepted: {after.reason}")]
    assert isinstance(after, Mapping)
    return [Result(transfer, *after_accepting(transfer, answer, after[transfer.chat_id]))]


@dataclass(slots=True)
class _Run:
    """What is known so far about each chat, by its id."""

    total: int
    results: dict[str, Result] = field(default_factory=dict)
    first_seen: dict[str, Chat] = field(default_factory=dict)
    sent_on: dict[str, Chat] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    stopped: Stop | None = None

    def settle(self, transfer: Transfer, settled: Settled) -> None:
        """Note the outcome; a transfer that was not told whom it takes from now says who had the chat at first."""
        seen = self.first_seen.get(transfer.chat_id)
        if transfer.source is None and seen is not None:
            transfer = replace(transfer, source=seen.holder)
        self.results[transfer.chat_id] = Result(transfer, *settled)

    def counts(self) -> Mapping[Outcome, int]:
        return Counter(result.outcome for result in self.results.values())

    def move(self, piece: Sequence[Transfer]) -> Generator[Step, Reply, None]:
        to_send = yield from self.look(piece)
        if not to_send or self.stopped:
            return
        sent = yield Send(to_send)
        assert isinstance(sent, Sent)
        self.stopped = sent.stop
        for move in to_send:
            chat_id = move.transfer.chat_id
            self.answers[chat_id] = sent.answers.get(chat_id, NotSent("the chats before it could not be sent"))
        yield from self.look_back([move for move in to_send if not self._was_not_sent(move)])

    def _was_not_sent(self, move: Move) -> bool:
        return isinstance(self.answers[move.transfer.chat_id], NotSent)

    def look(self, piece: Sequence[Transfer]) -> Generator[Step, Reply, list[Move]]:
        """Read the chats of ``piece``, settle what need not be sent, and return the rest."""
        chats = yield Read([transfer.chat_id for transfer in piece])
        if isinstance(chats, Stop):
            self.stopped = chats
            return []
        assert isinstance(chats, Mapping)
        to_send = []
        for transfer in piece:
            chat = chats[transfer.chat_id]
            if isinstance(chat, Chat):
                self.first_seen.setdefault(transfer.chat_id, chat)
            settled = self._settled_by_earlier_send(transfer, chat) or before_sending(transfer, chat)
            if settled:
                self.settle(transfer, settled)
            elif isinstance(chat, Chat):
                self.sent_on[transfer.chat_id] = chat
                to_send.append(Move(transfer, chat))
        return to_send

    def _settled_by_earlier_send(self, transfer: Transfer, chat: Reading) -> Settled | None:
        """A transfer that may have been carried out in an earlier round is judged by what it was sent on."""
        answer = self.answers.get(transfer.chat_id)
        if not isinstance(answer, Unclear):
            return None
        return after_sending(transfer, self.sent_on[transfer.chat_id], answer, chat)

    def look_back(self, sent: Sequence[Move]) -> Generator[Step, Reply, None]:
        """Read the chats again that were sent, and settle what their state proves."""
        if not sent:
            return
        chats = yield Read([move.transfer.chat_id for move in sent])
        if isinstance(chats, Stop):
            self.stopped = chats
            return
        assert isinstance(chats, Mapping)
        for move in sent:
            chat_id = move.transfer.chat_id
            if settled := after_sending(move.transfer, move.chat, self.answers[chat_id], chats[chat_id]):
                self.settle(move.transfer, settled)

    def give_up(self, transfers: Sequence[Transfer]) -> None:
        """Account for what is still open when the run ends."""
        for transfer in transfers:
            self.settle(transfer, Settled(Outcome.FAILED, self._why_open(self.answers.get(transfer.chat_id))))

    def _why_open(self, answer: Answer | None) -> str:
        match answer, self.stopped:
            case None | NotSent(), Stop(reason=reason):
                return f"not sent: {reason}"
            case Answered() | Unclear(), Stop(reason=reason):
                return f"not known: it was sent, and could not be read back: {reason}"
            case NotSent(reason=reason) | Unclear(reason=reason) | Refused(reason=reason), _:
                return f"not performed, tried {len(PAUSES)} times: {reason}"
        return "not sent"


def _pieces(transfers: Sequence[Transfer], size: int) -> Generator[list[Transfer], None, None]:
    rest = iter(transfers)
    while piece := list(islice(rest, size)):
        yield piece
