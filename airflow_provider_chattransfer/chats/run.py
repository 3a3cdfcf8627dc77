# SPDX-License-Identifier: Apache-2.0
"""The bulk run: read each chat, send it, read it back, and account for it.

The run is a generator of steps. Each step says what is to be done next; the caller (``platforms.runner``) does it and
sends the reply in. So the whole protocol stands in one place and is tested without a network or a clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from .claims import Claim
from .model import Chat, Outcome, Reading, Result, RetryAction, Transfer
from .reconciliation import (
    CLAIMED_BY_OTHER_RUN,
    MAX_REQUEST_SECONDS,
    Answer,
    Answered,
    NotApplied,
    OutcomeUnknown,
    Refused,
    Resolution,
    after_accepting,
    after_sending,
    before_accepting,
    before_sending,
    moved_by_another,
    needs_history,
)
from .run_record import RunRecord

MAX_SAME_FAILURES = 100
"""Chats in a row that are refused with the same code, or get no answer for the same cause, after which a run stops: the
next chat would fail in the same way.
"""

SENT_BY_EARLIER_TRY = "an earlier try was stopped when it had sent it"

PAUSES_SECONDS = (0.0, 2.0, 10.0, 50.0, 60.0)
"""Seconds before each round. Bitrix24 locks a chat for at most 60 s while it is being transferred."""

ROUNDS_WHEN_REFUSED = 3
"""Rounds in which a chat is sent that the service refuses for a passing cause: its answer is full, and only silence has
to be waited out.
"""

MAX_READ_AGE_SECONDS = 20.0
"""Seconds for which a chat may be sent after it was read. After a chunk that took longer to its last answer, the next
one has half the size: it would be read twice.
"""

MAX_STALE_IN_A_ROW = 10
"""Times in a row that a chunk is read again at once when none of it could be sent in time; then it waits for the next
round.
"""


@dataclass(frozen=True, slots=True)
class Read:
    """Read these chats; the reply is ``Seen``, or ``Stop``."""

    chat_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """The chats as they were read, by chat id.

    ``claims`` are what other runs have noted about some of them. ``send_blocker`` says of some why no account of the
    connection may send them on.
    """

    chats: Mapping[str, Reading]
    claims: Mapping[str, Sequence[Claim]] = field(default_factory=dict)
    send_blocker: Mapping[str, str] = field(default_factory=dict)


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
class Intend:
    """Put on record that these transfers are about to be sent; no reply, or ``Stop`` where that is refused."""

    moves: Sequence[Move]


@dataclass(frozen=True, slots=True)
class Confirm:
    """Put on record what is known now: outcomes, and the chats that sending left unchanged; no reply."""

    results: Sequence[Result]
    unmoved: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CheckHistory:
    """Ask the service's history which of these transfers were carried out since; the reply is ``HistoryFindings``."""

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
    """Report to the user how far the run is; no reply."""

    done: int
    total: int
    counts: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the run cannot go on: the credentials are wrong, or the service is out of reach.

    ``for_good`` tells that a retry would be stopped by the same cause; ``retry_after`` is the number of seconds for
    which it would be.
    """

    reason: str
    for_good: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What the service answered to each transfer, by chat id, and whether the run must end here.

    A transfer without an answer was not sent. ``age`` is how many seconds before the last answer the chats were read.
    """

    answers: Mapping[str, Answer]
    stop: Stop | None = None
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class HistoryFindings:
    """Whether each transfer was carried out, by chat id; missing or ``None`` where the history does not tell."""

    carried_out: Mapping[str, bool | None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to in this try: a result for each chat, in the order asked, and what ended it early.

    ``permanent`` tells that it ended early for a cause that a retry would meet again. ``limited_until``, in seconds
    since the epoch, is the time before which the service takes no request; 0 where it has set no limit.
    """

    results: tuple[Result, ...]
    permanent: bool = False
    limited_until: float = 0.0


Step = Read | Intend | Send | CheckHistory | Confirm | Accept | Pause | Progress
Reply = Seen | HistoryFindings | Sent | Answer | Stop | None
Steps = Generator[Step, "Reply", list[Result]]


def run_transfers(
    transfers: Sequence[Transfer], *, chunk: int, max_chunk: int | None = None, record: RunRecord | None = None
) -> Steps:
    """Move every chat in ``transfers``, ``chunk`` at a time, and return a result for each, in the same order.

    Each chat is read in this run just before it is sent, and counted only after it was read again. A chat that failed
    for a passing cause, or may have been moved, is read again before it is sent again. Chunks grow up to ``max_chunk``
    as long as all of their chats are sent in time; those that are not are read again at once, in smaller ones. A chat
    that another run has claimed is read again in each round, and sent once no request of that run can take effect any
    more. What an earlier try settled, by ``record``, is not touched; what it had sent when it was stopped is read
    first.
    """
    run = _Run.after(record, total=len(transfers))
    open_transfers = [transfer for transfer in transfers if transfer.chat_id not in run.results]
    size = chunk
    for number, pause in enumerate(PAUSES_SECONDS, start=1):
        if not open_transfers or run.stopped:
            break
        if pause:
            yield Pause(pause)
        run.waited += pause
        size = yield from _round(run, open_transfers, size=size, most=max(chunk, max_chunk or 0))
        open_transfers = [transfer for transfer in open_transfers if transfer.chat_id not in run.results]
        if number == ROUNDS_WHEN_REFUSED:
            refused = [each for each in open_transfers if isinstance(run.answers.get(each.chat_id), Refused)]
            yield from _give_up(run, refused)
            open_transfers = [transfer for transfer in open_transfers if transfer.chat_id not in run.results]
    yield from _give_up(run, open_transfers)
    return [run.results[transfer.chat_id] for transfer in transfers]


def _give_up(run: _Run, transfers: Sequence[Transfer]) -> Generator[Step, Reply, None]:
    """Account for transfers that are still open, and put that on record."""
    run.give_up(transfers)
    if transfers:
        yield Confirm([run.results[transfer.chat_id] for transfer in transfers])


def _round(run: _Run, transfers: Sequence[Transfer], *, size: int, most: int) -> Generator[Step, Reply, int]:
    """Move ``transfers`` once, in chunks of ``size`` to begin with, and return the size that has proved right.

    Sizes double up to ``most`` while all goes well. They are halved where chats are sent too long after they were read,
    and grow slowly after that.
    """
    left, stale_in_a_row = deque(transfers), 0
    while left and not run.stopped:
        chunk = [left.popleft() for _ in range(min(size, len(left)))]
        stale = yield from run.move(chunk)
        stale_in_a_row = stale_in_a_row + 1 if len(stale) == len(chunk) else 0
        if stale_in_a_row < MAX_STALE_IN_A_ROW:
            left.extendleft(reversed(stale))
        if stale or run.age > MAX_READ_AGE_SECONDS:
            size, run.was_late = max(1, len(chunk) // 2), True
        else:
            size = min(size + max(1, size // 8) if run.was_late else 2 * size, most)
        yield Progress(done=len(run.results), total=run.total, counts=run.counts)
    return size


def dry_run_transfers(transfers: Sequence[Transfer], *, chunk: int) -> Steps:
    """Read what ``run_transfers`` would do and send nothing: chats that it would send are ``planned``."""
    run = _Run(total=len(transfers))
    for group in _chunks(transfers, chunk):
        for move in (yield from run.read_and_settle(group)):
            run.settle(move.transfer, Resolution(Outcome.PLANNED))
        if run.stopped:
            break
    run.give_up([transfer for transfer in transfers if transfer.chat_id not in run.results])
    return [run.results[transfer.chat_id] for transfer in transfers]


def run_acceptance(transfer: Transfer, *, record: RunRecord | None = None) -> Steps:
    """Accept one transfer that is under way; ``transfer.target`` is the agent who receives it.

    What an earlier try settled, by ``record``, is not touched; what it may have accepted when it was stopped is read
    first.
    """
    known = record.results.get(transfer.chat_id) if record is not None else None
    if known is not None and known.retry is RetryAction.NONE:
        return [known]
    tried = record is not None and transfer.chat_id in record.sent
    result = Result(transfer, *(yield from _accept(transfer, tried=tried)))
    yield Confirm([result])
    return [result]


def _accept(transfer: Transfer, *, tried: bool) -> Generator[Step, Reply, Resolution]:
    seen = yield Read([transfer.chat_id])
    if isinstance(seen, Stop):
        return Resolution(
            Outcome.FAILED, f"not attempted: {seen.reason}", RetryAction.READ_FIRST if tried else RetryAction.RESEND
        )
    assert isinstance(seen, Seen)
    chat = seen.chats[transfer.chat_id]
    if settled := before_accepting(transfer, chat, tried=tried):
        return settled
    assert isinstance(chat, Chat)
    refused = yield Intend([Move(transfer, chat)])
    if isinstance(refused, Stop):
        return Resolution(
            Outcome.FAILED, f"not attempted: {refused.reason}", RetryAction.READ_FIRST if tried else RetryAction.RESEND
        )
    answer = yield Accept(chat)
    assert isinstance(answer, Answered | Refused | NotApplied | OutcomeUnknown)
    after = yield Read([transfer.chat_id])
    if isinstance(after, Stop):
        return Resolution(Outcome.FAILED, f"not known whether it was accepted: {after.reason}", RetryAction.READ_FIRST)
    assert isinstance(after, Seen)
    return after_accepting(transfer, answer, after.chats[transfer.chat_id])


@dataclass(slots=True)
class _Run:
    """What is known so far about each chat, by its id."""

    total: int
    results: dict[str, Result] = field(default_factory=dict)
    first_seen: dict[str, Chat] = field(default_factory=dict)
    state_when_sent: dict[str, Chat] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    same_failures: tuple[str, int] = ("", 0)
    stopped: Stop | None = None
    waited: float = 0.0
    waited_when_sent: dict[str, float] = field(default_factory=dict)
    claimed_by_others: set[str] = field(default_factory=set)
    counts: Counter[Outcome] = field(default_factory=Counter)
    stale: set[str] = field(default_factory=set)
    age: float = 0.0
    was_late: bool = False

    @classmethod
    def after(cls, record: RunRecord | None, *, total: int) -> _Run:
        """Return a run that goes on where the one in ``record`` was stopped."""
        run = cls(total=total)
        if record is not None:
            run.results = {key: each for key, each in record.results.items() if each.retry is RetryAction.NONE}
            run.counts = Counter(result.outcome for result in run.results.values())
            run.state_when_sent = {chat_id: intent.chat for chat_id, intent in record.sent.items()}
            run.first_seen = dict(run.state_when_sent)
            run.answers = dict.fromkeys(run.state_when_sent, OutcomeUnknown(SENT_BY_EARLIER_TRY))
        return run

    def settle(self, transfer: Transfer, settled: Resolution) -> None:
        """Note the outcome of a transfer; one without a source takes the chat's first holder as its source."""
        seen = self.first_seen.get(transfer.chat_id)
        if transfer.source is None and seen is not None:
            transfer = replace(transfer, source=seen.holder)
        if (known := self.results.get(transfer.chat_id)) is not None:
            self.counts[known.outcome] -= 1
        self.results[transfer.chat_id] = Result(transfer, *settled)
        self.counts[settled.outcome] += 1

    def move(self, chunk: Sequence[Transfer]) -> Generator[Step, Reply, list[Transfer]]:
        """Read, send and read back one chunk: its intents go on record before it is sent, its outcomes after.

        Returns those that were not sent since they had been read too long ago.
        """
        to_send = yield from self.read_and_settle(chunk)
        unmoved: list[str] = []
        if to_send and not self.stopped:
            refused = yield Intend(to_send)
            if isinstance(refused, Stop):
                self.stopped = refused
            else:
                unmoved = yield from self.send(to_send)
        yield Confirm([self.results[each.chat_id] for each in chunk if each.chat_id in self.results], unmoved)
        return [each for each in chunk if each.chat_id in self.stale]

    def send(self, moves: Sequence[Move]) -> Generator[Step, Reply, list[str]]:
        """Send ``moves``, read them back, and return the chats that were certainly not moved."""
        sent = yield Send(moves)
        assert isinstance(sent, Sent)
        self.stopped, self.age = sent.stop, sent.age
        for move in moves:
            chat_id = move.transfer.chat_id
            answer = sent.answers.get(chat_id, NotApplied("the chats before it could not be sent"))
            if isinstance(answer, NotApplied) and answer.stale:
                self.stale.add(chat_id)
            self.answers[chat_id] = _still_unknown(self.answers.get(chat_id), answer)
        not_sent = {
            move.transfer.chat_id for move in moves if isinstance(self.answers[move.transfer.chat_id], NotApplied)
        }
        unmoved = yield from self.read_back([move for move in moves if move.transfer.chat_id not in not_sent])
        for move in moves:
            self._count_same_failures(move.transfer.chat_id)
        return [*not_sent, *unmoved]

    def read_and_settle(self, chunk: Sequence[Transfer]) -> Generator[Step, Reply, list[Move]]:
        """Read the chats of ``chunk``, settle those that need not be sent, and return the others."""
        self.stale.clear()
        self.age = 0.0
        seen = yield Read([transfer.chat_id for transfer in chunk])
        if isinstance(seen, Stop):
            self.stopped = seen
            return []
        assert isinstance(seen, Seen)
        unknown = [each for each in chunk if isinstance(self.answers.get(each.chat_id), OutcomeUnknown)]
        yield from self._resolve([Move(each, self.state_when_sent[each.chat_id]) for each in unknown], seen)
        to_send = []
        for transfer in chunk:
            chat = seen.chats[transfer.chat_id]
            if isinstance(chat, Chat):
                self.first_seen.setdefault(transfer.chat_id, chat)
            if transfer.chat_id in self.results:
                continue
            settled = self._before_sending(transfer, seen)
            if settled is CLAIMED_BY_OTHER_RUN:
                self.claimed_by_others.add(transfer.chat_id)
            elif settled:
                self.settle(transfer, settled)
            elif isinstance(chat, Chat) and not self._may_take_effect_yet(transfer):
                self.claimed_by_others.discard(transfer.chat_id)
                self.state_when_sent[transfer.chat_id] = chat
                self.waited_when_sent[transfer.chat_id] = self.waited
                to_send.append(Move(transfer, chat))
        return to_send

    @staticmethod
    def _before_sending(transfer: Transfer, seen: Seen) -> Resolution | None:
        chat_id = transfer.chat_id
        return before_sending(
            transfer,
            seen.chats[chat_id],
            claims=seen.claims.get(chat_id, ()),
            send_blocker=seen.send_blocker.get(chat_id),
            max_request_seconds=MAX_REQUEST_SECONDS,
        )

    def _may_take_effect_yet(self, transfer: Transfer) -> bool:
        """Tell whether the service may still be working on an earlier request that got no answer."""
        since = self.waited - self.waited_when_sent.get(transfer.chat_id, 0.0)
        return isinstance(self.answers.get(transfer.chat_id), OutcomeUnknown) and since < MAX_REQUEST_SECONDS

    def read_back(self, sent: Sequence[Move]) -> Generator[Step, Reply, list[str]]:
        """Read the chats again that were sent, settle what their state proves, and return those left alone."""
        if not sent:
            return []
        seen = yield Read([move.transfer.chat_id for move in sent])
        if isinstance(seen, Stop):
            self.stopped = seen
            return []
        assert isinstance(seen, Seen)
        return (yield from self._resolve(sent, seen))

    def _resolve(self, sent: Sequence[Move], seen: Seen) -> Generator[Step, Reply, list[str]]:
        """Settle what the state of each chat says about its transfer, and return those that were certainly not moved.

        Where the state alone does not tell, the service's history is asked. A request without an answer may still be
        carried out after this read, so it stays on record.
        """
        resolutions = {move.transfer.chat_id: self._resolution(move, seen) for move in sent}
        doubtful = [move for move in sent if self._needs_history(move, resolutions)]
        if doubtful:
            findings = yield CheckHistory(doubtful)
            assert isinstance(findings, HistoryFindings)
            for move in doubtful:
                chat_id = move.transfer.chat_id
                resolutions[chat_id] = self._resolution(move, seen, carried_out=findings.carried_out.get(chat_id))
        for move in sent:
            if settled := resolutions[move.transfer.chat_id]:
                self.settle(move.transfer, settled)
        return [
            chat_id
            for chat_id, settled in resolutions.items()
            if settled is None and not isinstance(self.answers[chat_id], OutcomeUnknown)
        ]

    def _resolution(self, move: Move, seen: Seen, *, carried_out: bool | None = None) -> Resolution | None:
        chat_id = move.transfer.chat_id
        after, claims = seen.chats[chat_id], seen.claims.get(chat_id, ())
        settled = after_sending(move.transfer, move.chat, self.answers[chat_id], after, carried_out=carried_out)
        if settled is None or settled.outcome is not Outcome.FAILED or not isinstance(after, Chat):
            return settled
        moved = moved_by_another(after, claims, before=move.chat, max_request_seconds=MAX_REQUEST_SECONDS)
        return moved or settled

    def _needs_history(self, move: Move, resolutions: Mapping[str, Resolution | None]) -> bool:
        chat_id = move.transfer.chat_id
        return needs_history(self.answers[chat_id], resolutions[chat_id])

    def _count_same_failures(self, chat_id: str) -> None:
        """Stop the run when chat after chat fails with the same cause; one that has moved needs no answer."""
        result = self.results.get(chat_id)
        match self.answers[chat_id]:
            case Refused(code=str(code)):
                cause = f"were refused with {code}"
            case OutcomeUnknown(reason=reason) if result is None or result.outcome is Outcome.FAILED:
                cause = f"got no answer: {reason}"
            case Answered() | OutcomeUnknown():
                self.same_failures = ("", 0)
                return
            case _:
                return
        count = self.same_failures[1] + 1 if self.same_failures[0] == cause else 1
        self.same_failures = (cause, count)
        if count >= MAX_SAME_FAILURES and self.stopped is None:
            self.stopped = Stop(f"{count} chats in a row {cause}")

    def give_up(self, transfers: Sequence[Transfer]) -> None:
        """Account for what is still open when the run ends."""
        for transfer in transfers:
            answer = self.answers.get(transfer.chat_id)
            claimed_by_others = (
                transfer.chat_id in self.claimed_by_others
                and not self.stopped
                and not isinstance(answer, OutcomeUnknown)
            )
            self.settle(transfer, CLAIMED_BY_OTHER_RUN if claimed_by_others else self._left_open(answer))

    def _left_open(self, answer: Answer | None) -> Resolution:
        match answer, self.stopped:
            case None | NotApplied(), Stop(reason=reason):
                return Resolution(Outcome.FAILED, f"not sent: {reason}", RetryAction.RESEND)
            case Answered(), Stop(reason=reason):
                why = f"not known: it was sent, and could not be read back: {reason}"
                return Resolution(Outcome.FAILED, why, RetryAction.READ_FIRST)
            case OutcomeUnknown(reason=no_answer), Stop(reason=reason):
                why = f"not known: it was sent, and no answer came: {no_answer}; then the run ended: {reason}"
                return Resolution(Outcome.FAILED, why, RetryAction.READ_FIRST)
            case OutcomeUnknown(reason=reason), None:
                why = f"not known: it was sent, nothing has changed yet, and it may still be carried out: {reason}"
                return Resolution(Outcome.FAILED, why, RetryAction.READ_FIRST)
            case NotApplied(reason=reason) | Refused(reason=reason), _:
                return Resolution(Outcome.FAILED, f"not performed: {reason}", RetryAction.RESEND)
        return Resolution(Outcome.FAILED, "not sent", RetryAction.RESEND)


def _still_unknown(earlier: Answer | None, answer: Answer) -> Answer:
    """Return the earlier answer where it leaves the outcome unknown and the later request was turned away.

    A request without an answer may be carried out late, and a later one that was turned away does not settle that. The
    first may even be why the second was turned away, since a chat is locked while it is transferred.
    """
    turned_away = isinstance(answer, NotApplied) or (isinstance(answer, Refused) and answer.passing)
    return earlier if isinstance(earlier, OutcomeUnknown) and turned_away else answer


def _chunks(transfers: Sequence[Transfer], size: int) -> Generator[list[Transfer], None, None]:
    rest = iter(transfers)
    while chunk := list(islice(rest, size)):
        yield chunk
