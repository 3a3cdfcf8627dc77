# SPDX-License-Identifier: Apache-2.0
"""What a run intended, sent and confirmed, so that a retry goes on where an earlier try was stopped.

The ledger is a list of entries that only grows; a ``RecordStore`` keeps them, this module says what they mean. An
intent stands in it before its chat is sent, and the outcome after its state was read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from ..exceptions import BrokenRecordError
from .model import Chat, Json, Outcome, Result, RetryAction, Target, Transfer, TransferReport
from .stored import read_stored

PLAN_PIECE = 500
"""Transfers in one entry of the plan: some 40 kB, below the 64 kB that Airflow's task state store takes."""

SETTLED_PIECE = 200
"""Outcomes in one entry, with their reasons."""


Planned = tuple[str, str, str | None, bool]
"""A transfer of the plan: chat, target, source, whether it only rang there."""

Sent = tuple[str, str | None, str | None, bool, str | None, str | None, int | None]
"""The state that a chat is sent on: chat, owner, who was asked, whether that shows, queue, session, last message."""

Outcomes = tuple[str, str, str | None, bool, Outcome, str | None, RetryAction]
"""A transfer, its outcome, the reason, and what a retry may do about it."""


@dataclass(frozen=True, slots=True)
class RecordOwner:
    """Whose record it is: one run of a DAG, with these inputs, on this account. The task is known by the store.

    ``inputs`` is a digest of the typed inputs and of the account; ``run_started_at``, in epoch seconds, is when the
    DAG run was started. ``run_was_cleared`` tells that something of the run has been cleared since it was made: only
    then its start may be a later one than the record's.
    """

    inputs: str
    platform: str = ""
    run_started_at: float = 0.0
    run_was_cleared: bool = False

    def owns(self, recorded: RecordOwner) -> bool:
        """Whether what is on record under ``recorded`` was done by an earlier try of this run."""
        same_run = recorded.run_started_at == self.run_started_at or (
            self.run_was_cleared and recorded.run_started_at < self.run_started_at
        )
        return recorded.inputs == self.inputs and same_run


class RecordStore(Protocol):
    """Where entries are kept, in the order in which they came."""

    def entries(self) -> Iterator[Json]:
        """All entries so far."""

    def append(self, entry: Json) -> None:
        """Keep one more. When this returns, it outlives the process."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A chat that is about to be sent, or was: the state that it is sent on, and when, in epoch seconds."""

    chat: Chat
    at: float


@dataclass(slots=True)
class RunRecord:
    """A run as its entries tell it, and the place where it goes on writing them.

    ``plan`` is empty before the run has one. ``sent`` holds the chats of which it is not known, or not yet, what
    their sending did; a chat that was seen not to have moved is in it no more. What is known stands here also if the
    store did not take it.
    """

    store: RecordStore
    owner: RecordOwner | None = None
    recorded_for: RecordOwner | None = None
    plan: list[Transfer] = field(default_factory=list)
    planned_at: float | None = None
    sent: dict[str, Intent] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    deadline: float | None = None
    failed_polls: int = 0
    finished_by: int | None = None

    @classmethod
    def read(cls, store: RecordStore, *, owner: RecordOwner | None = None) -> Self:
        """The ledger that ``store`` keeps, an empty one where it keeps none.

        With an ``owner``, one that is somebody else's is begun anew. Raises ``BrokenRecordError``.
        """
        record = cls(store, owner=owner)
        for number, entry in enumerate(store.entries(), start=1):
            try:
                record._apply(entry)
            except ValueError as problem:
                raise BrokenRecordError(f"entry {number} of the run's record cannot be read: {problem}") from None
        if owner and record.recorded_for and not owner.owns(record.recorded_for):
            record.start_anew()
        return record

    @property
    def has_plan(self) -> bool:
        """Whether the plan is complete; nothing is sent before."""
        return self.planned_at is not None

    def start_anew(self) -> None:
        """Let what stands here so far count no more."""
        self.recorded_for = None
        self._write({"anew": True})

    def write_plan(self, transfers: Sequence[Transfer], *, now: float) -> None:
        """Note what the run is to do, before it does anything; ``now`` in epoch seconds.

        Raises ``ValueError`` for whoever is still only named: compared with a chat's holder, a name is nobody.
        """
        for each in transfers:
            if named := next((target for target in (each.target, each.source) if target and target.name), None):
                raise ValueError(f"{named} was not looked up; its number is needed before anything is sent")
        if self.plan:
            self.start_anew()
        starts = range(0, len(transfers), PLAN_PIECE)
        pieces = [{"plan": [_transfer(each) for each in transfers[start : start + PLAN_PIECE]]} for start in starts]
        self._write(*pieces, {"planned_at": now})

    def write_intents(self, chats: Iterable[Chat], *, now: float) -> None:
        """Note which chats are about to be sent, and the states that they are sent on.

        They are not, unless the store takes it.
        """
        entry = self._signed({"sent": [_state(chat) for chat in chats], "at": now})
        self.store.append(entry)
        self._apply(entry)

    def write_results(self, results: Iterable[Result], *, unmoved: Iterable[str] = ()) -> None:
        """Note outcomes, and the chats of which a read showed that their sending did nothing."""
        settled, left = [_entry_of(result) for result in results], list(unmoved)
        starts = range(0, len(settled) or min(len(left), 1), SETTLED_PIECE)
        self._write(
            *({"settled": settled[start : start + SETTLED_PIECE], "unmoved": [] if start else left} for start in starts)
        )

    def write_waited_for(self, results: Iterable[Result]) -> None:
        """Note what a wait has settled, so that a retry need not see it again: a chat may be closed by then."""
        self.write_results([each for each in results if self._awaits(each) and each.outcome is not Outcome.REQUESTED])

    def write_failed_polls(self, number: int) -> None:
        """Note how many looks of a wait have failed in a row."""
        if number != self.failed_polls:
            self._write({"failed_looks": number})

    def with_retries(self, report: TransferReport) -> TransferReport:
        """A report that was plain JSON in between, with what a retry may do about each chat that failed."""
        failed = {key: each for key, each in self.results.items() if each.outcome is Outcome.FAILED}
        return report.with_results(failed, finished_at=report.finished_at)

    def _awaits(self, result: Result) -> bool:
        known = self.results.get(result.transfer.chat_id)
        return known is None or known.outcome is Outcome.REQUESTED

    def write_deadline(self, deadline: float) -> None:
        """Note until when acceptance is waited for, in epoch seconds, so that a retry does not wait anew."""
        self._write({"deadline": deadline})

    def write_finished(self, *, series: int) -> None:
        """Note that the task is done. ``series`` tells the tries between two clearings of the task apart."""
        self._write({"finished_by": series})

    def open_results(self, reason: str) -> list[Result]:
        """An outcome for each planned chat, in order; what is open is ``failed`` for ``reason``."""
        return [self.results.get(each.chat_id) or self._open_result(each, reason) for each in self.plan]

    def _open_result(self, transfer: Transfer, reason: str) -> Result:
        if transfer.chat_id in self.sent:
            return Result(
                transfer, Outcome.FAILED, f"not known: it was sent, and not read back: {reason}", RetryAction.READ_FIRST
            )
        return Result(transfer, Outcome.FAILED, f"not attempted: {reason}", RetryAction.RESEND)

    def _write(self, *entries: Json) -> None:
        signed = []
        for entry in entries:
            signed.append(self._signed(entry))
            self._apply(signed[-1])
        for entry in signed:
            self.store.append(entry)

    def _signed(self, entry: Json) -> Json:
        """The first entry of a record says whose it is."""
        if self.owner is None or self.recorded_for is not None:
            return entry
        return {**entry, "of": asdict(self.owner)}

    def _apply(self, entry: Mapping[str, Any]) -> None:
        match entry:
            case {"anew": True}:
                self.plan, self.planned_at, self.sent, self.results = [], None, {}, {}
                self.deadline, self.failed_polls, self.finished_by, self.recorded_for = None, 0, None, None
            case {"plan": transfers}:
                self.plan.extend(map(_read_transfer, read_stored(transfers, list[Planned], of="plan")))
            case {"planned_at": at}:
                self.planned_at = read_stored(at, float, of="planned_at")
            case {"sent": chats, "at": at}:
                sent_at = read_stored(at, float, of="at")
                states = map(_read_state, read_stored(chats, list[Sent], of="sent"))
                self.sent.update((chat.id, Intent(chat, sent_at)) for chat in states)
            case {"settled": settled, "unmoved": unmoved}:
                self._settle(
                    read_stored(settled, list[Outcomes], of="settled"), read_stored(unmoved, list[str], of="unmoved")
                )
            case {"deadline": deadline}:
                self.deadline = read_stored(deadline, float, of="deadline")
            case {"failed_looks": number}:
                self.failed_polls = read_stored(number, int, of="failed_looks")
            case {"finished_by": series}:
                self.finished_by = read_stored(series, int, of="finished_by")
            case _:
                raise ValueError("it is none that we write")
        if "of" in entry:
            self.recorded_for = read_stored(entry["of"], RecordOwner, of="of")

    def _settle(self, settled: Sequence[Outcomes], unmoved: Sequence[str]) -> None:
        for chat_id in unmoved:
            self.sent.pop(chat_id, None)
        for entry in settled:
            result = _read_result(entry)
            self.results[result.transfer.chat_id] = result
            if result.retry is not RetryAction.READ_FIRST:
                self.sent.pop(result.transfer.chat_id, None)


class NullRecordStore:
    """Keep nothing: the store of a run whose record does not outlive the process."""

    def entries(self) -> Iterator[Json]:
        return iter(())

    def append(self, entry: Json) -> None:
        pass


def _transfer(transfer: Transfer) -> list[Any]:
    source = None if transfer.source is None else str(transfer.source)
    return [transfer.chat_id, str(transfer.target), source, transfer.offered]


def _read_transfer(value: Planned) -> Transfer:
    chat_id, target, source, offered = value
    return Transfer(
        chat_id=chat_id,
        target=Target.parse(target),
        source=None if source is None else Target.parse(source),
        offered=offered,
    )


def _entry_of(result: Result) -> list[Any]:
    return [*_transfer(result.transfer), result.outcome.value, result.reason, result.retry.value]


def _read_result(value: Outcomes) -> Result:
    chat_id, target, source, offered, outcome, reason, retry = value
    return Result(_read_transfer((chat_id, target, source, offered)), outcome, reason, retry)


def _state(chat: Chat) -> list[Any]:
    return [chat.id, chat.owner, chat.offered_to, chat.shows_offers, chat.queue, chat.session, chat.revision]


def _read_state(value: Sent) -> Chat:
    chat_id, owner, offered_to, shows_offers, queue, session, revision = value
    return Chat(
        id=chat_id,
        owner=owner,
        offered_to=offered_to,
        shows_offers=shows_offers,
        queue=queue,
        session=session,
        revision=revision,
    )
