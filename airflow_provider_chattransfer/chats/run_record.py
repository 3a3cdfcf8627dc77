# SPDX-License-Identifier: Apache-2.0
"""What a run planned, sent and concluded, so that a retry goes on where an earlier try was stopped.

A record is a list of entries that only grows. A ``RecordStore`` keeps the entries; this module says what they mean. An
intent is written before its chat is sent, the outcome after the chat was read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from typing_extensions import override

from ..exceptions import BrokenRecordError
from .model import Chat, Json, Outcome, Result, RetryAction, Target, Transfer, TransferReport
from .stored_json import read_stored

MAX_TRANSFERS_PER_ENTRY = 500
"""Transfers in one entry of the plan: about 40 kB, below the 64 kB that Airflow's task state store takes."""

MAX_OUTCOMES_PER_ENTRY = 200
"""Outcomes in one entry, with their reasons: below the same 64 kB."""


StoredTransfer = tuple[str, str, str | None, bool]
"""A transfer of the plan: chat, target, source, and whether it was only offered to the source."""

StoredState = tuple[str, str | None, str | None, bool, str | None, str | None, int | None]
"""The state in which a chat is sent: chat, owner, to whom it is offered, whether the service shows offers, queue,
session, revision.
"""

StoredResult = tuple[str, str, str | None, bool, Outcome, str | None, RetryAction]
"""A transfer, its outcome, the reason, and what a retry may do about it."""


@dataclass(frozen=True, slots=True)
class RecordOwner:
    """Whose record it is: one run of a DAG, with these inputs, on this account. The store knows the task.

    ``inputs`` is a digest of the typed inputs and of the account; ``run_started_at``, in seconds since the epoch, is
    when the DAG run was started. ``run_was_cleared`` tells that something of the run has been cleared since it was
    made: only then may it have started later than the record says.
    """

    inputs: str
    platform: str = ""
    run_started_at: float = 0.0
    run_was_cleared: bool = False

    def owns(self, recorded: RecordOwner) -> bool:
        """Tell whether what is on record under ``recorded`` was done by an earlier try of this run."""
        same_run = recorded.run_started_at == self.run_started_at or (
            self.run_was_cleared and recorded.run_started_at < self.run_started_at
        )
        return recorded.inputs == self.inputs and same_run


class RecordStore(Protocol):
    """Where the entries of a run record are kept, in the order in which they were written."""

    def entries(self) -> Iterator[Json]:
        """Yield all entries so far."""

    def append(self, entry: Json) -> None:
        """Keep one more entry. When this returns, the entry outlives the process."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A chat that is about to be sent, or was: the state in which it is sent, and when, in seconds since the epoch."""

    chat: Chat
    at: float


@dataclass(slots=True)
class RunRecord:
    """What a run planned, intended and concluded, and the store to which it goes on writing.

    ``plan`` is empty until the run has one. ``sent`` holds the chats that were sent and whose outcome is not known, or
    not yet; a chat that was seen not to have moved is removed. Everything that is known is kept here, even if the store
    did not take it.
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
        """Read the record in ``store``; the record is empty where the store is.

        With an ``owner``, a record of another owner is discarded and begun anew. Raises ``BrokenRecordError``.
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
        """Whether the plan is complete; nothing is sent before it is."""
        return self.planned_at is not None

    def start_anew(self) -> None:
        """Discard what is on record so far."""
        self.recorded_for = None
        self._write({"anew": True})

    def write_plan(self, transfers: Sequence[Transfer], *, now: float) -> None:
        """Note what the run is to do, before it does anything; ``now`` in seconds since the epoch.

        Raises ``ValueError`` for a person or queue without a number: a name cannot be compared with a chat's holder.
        """
        for each in transfers:
            if named := next((target for target in (each.target, each.source) if target and target.name), None):
                raise ValueError(f"{named} was not looked up; its number is needed before anything is sent")
        if self.plan:
            self.start_anew()
        starts = range(0, len(transfers), MAX_TRANSFERS_PER_ENTRY)
        pieces = [
            {"plan": [_transfer(each) for each in transfers[start : start + MAX_TRANSFERS_PER_ENTRY]]}
            for start in starts
        ]
        self._write(*pieces, {"planned_at": now})

    def write_intents(self, chats: Iterable[Chat], *, now: float) -> None:
        """Note which chats are about to be sent, and in which state; ``now`` in seconds since the epoch.

        If the store does not take the entry, its error is raised and the chats are not noted as sent.
        """
        entry = self._signed({"sent": [_state(chat) for chat in chats], "at": now})
        self.store.append(entry)
        self._apply(entry)

    def write_results(self, results: Iterable[Result], *, unmoved: Iterable[str] = ()) -> None:
        """Note outcomes, and the chats that a read showed to be where they were before they were sent."""
        settled, left = [_entry_of(result) for result in results], list(unmoved)
        starts = range(0, len(settled) or min(len(left), 1), MAX_OUTCOMES_PER_ENTRY)
        self._write(
            *(
                {"settled": settled[start : start + MAX_OUTCOMES_PER_ENTRY], "unmoved": [] if start else left}
                for start in starts
            )
        )

    def write_wait_results(self, results: Iterable[Result]) -> None:
        """Note what a wait has settled, so that a retry need not see it again: a chat may be closed by then."""
        self.write_results([each for each in results if self._awaits(each) and each.outcome is not Outcome.REQUESTED])

    def write_failed_polls(self, number: int) -> None:
        """Note how many polls of a wait have failed in a row."""
        if number != self.failed_polls:
            self._write({"failed_looks": number})

    def with_retry_actions(self, report: TransferReport) -> TransferReport:
        """Return ``report``, which was plain JSON in between, with the retry action of each chat that failed."""
        failed = {key: each for key, each in self.results.items() if each.outcome is Outcome.FAILED}
        return report.with_results(failed, finished_at=report.finished_at)

    def _awaits(self, result: Result) -> bool:
        known = self.results.get(result.transfer.chat_id)
        return known is None or known.outcome is Outcome.REQUESTED

    def write_deadline(self, deadline: float) -> None:
        """Note until when acceptance is waited for, in seconds since the epoch, so that a retry does not wait anew."""
        self._write({"deadline": deadline})

    def write_finished(self, *, series: int) -> None:
        """Note that the task is done. ``series`` is the task's ``max_tries``, which grows when the task is cleared."""
        self._write({"finished_by": series})

    def open_results(self, reason: str) -> list[Result]:
        """Return an outcome for each planned chat, in order; a chat without one is ``failed`` for ``reason``."""
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
        """Return ``entry`` with the owner added if it is the first of its record."""
        if self.owner is None or self.recorded_for is not None:
            return entry
        return {**entry, "of": asdict(self.owner)}

    def _apply(self, entry: Mapping[str, Any]) -> None:
        match entry:
            case {"anew": True}:
                self.plan, self.planned_at, self.sent, self.results = [], None, {}, {}
                self.deadline, self.failed_polls, self.finished_by, self.recorded_for = None, 0, None, None
            case {"plan": transfers}:
                self.plan.extend(map(_read_transfer, read_stored(transfers, list[StoredTransfer], of="plan")))
            case {"planned_at": at}:
                self.planned_at = read_stored(at, float, of="planned_at")
            case {"sent": chats, "at": at}:
                sent_at = read_stored(at, float, of="at")
                states = map(_read_state, read_stored(chats, list[StoredState], of="sent"))
                self.sent.update((chat.id, Intent(chat, sent_at)) for chat in states)
            case {"settled": settled, "unmoved": unmoved}:
                self._settle(
                    read_stored(settled, list[StoredResult], of="settled"),
                    read_stored(unmoved, list[str], of="unmoved"),
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

    def _settle(self, settled: Sequence[StoredResult], unmoved: Sequence[str]) -> None:
        for chat_id in unmoved:
            self.sent.pop(chat_id, None)
        for entry in settled:
            result = _read_result(entry)
            self.results[result.transfer.chat_id] = result
            if result.retry is not RetryAction.READ_FIRST:
                self.sent.pop(result.transfer.chat_id, None)


class NullRecordStore(RecordStore):
    """Keep nothing: the store of a run whose record does not outlive the process."""

    @override
    def entries(self) -> Iterator[Json]:
        return iter(())

    @override
    def append(self, entry: Json) -> None:
        pass


def _chunks(entries: list[list[Any]], size: int) -> list[list[list[Any]]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]


def _transfer(transfer: Transfer) -> list[Any]:
    source = None if transfer.source is None else str(transfer.source)
    return [transfer.chat_id, str(transfer.target), source, transfer.offered]


def _read_transfer(value: StoredTransfer) -> Transfer:
    chat_id, target, source, offered = value
    return Transfer(
        chat_id=chat_id,
        target=Target.parse(target),
        source=None if source is None else Target.parse(source),
        offered=offered,
    )


def _entry_of(result: Result) -> list[Any]:
    return [*_transfer(result.transfer), result.outcome.value, result.reason, result.retry.value]


def _read_result(value: StoredResult) -> Result:
    chat_id, target, source, offered, outcome, reason, retry = value
    return Result(_read_transfer((chat_id, target, source, offered)), outcome, reason, retry)


def _state(chat: Chat) -> list[Any]:
    return [chat.id, chat.owner, chat.offered_to, chat.shows_offers, chat.queue, chat.session, chat.revision]


def _read_state(value: StoredState) -> Chat:
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
