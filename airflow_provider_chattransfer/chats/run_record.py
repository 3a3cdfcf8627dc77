# SPDX-License-Identifier: Apache-2.0
"""What a run planned, sent and concluded, so that a retry goes on where an earlier try was stopped.

A record is a list of entries that only grows. A ``RecordStore`` keeps the entries; this module says what they mean. An
intent is written before its chat is sent, the outcome after the chat was read back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, Self

from typing_extensions import override

from ..exceptions import BrokenRecordError
from .model import Chat, Json, Outcome, Result, RetryAction, Target, Transfer, TransferReport
from .stored_json import read_stored

MAX_TRANSFERS_PER_ENTRY = 500
"""Transfers in one entry of the plan: about 40 kB, below the 64 kB that Airflow's task state store takes."""

MAX_BYTES_PER_ENTRY = 30_000
"""Bytes of outcomes, with their reasons, or of intents in one entry, about: both together stay below the same 64 kB."""

BYTES_PER_ITEM = 150
"""Bytes of one outcome without its reason, or of one intent, at most as services number chats, people and queues."""


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
        self._forget()
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
        self.plan, self.planned_at = list(transfers), now
        for start in range(0, len(transfers), MAX_TRANSFERS_PER_ENTRY):
            self._write({"plan": [_transfer(each) for each in transfers[start : start + MAX_TRANSFERS_PER_ENTRY]]})
        self._write({"planned_at": now})

    def write_intents(self, chats: Iterable[Chat], *, now: float) -> None:
        """Note which chats are about to be sent, and in which state; ``now`` in seconds since the epoch.

        If the store does not take the entry, its error is raised and the chats are not noted as sent.
        """
        self.write_results_and_intents([], chats, now=now)

    def write_results(self, results: Iterable[Result], *, unmoved: Iterable[str] = ()) -> None:
        """Note outcomes, and the chats that a read showed to be where they were before they were sent."""
        self.write_results_and_intents(results, [], unmoved=unmoved, now=0.0)

    def write_results_and_intents(
        self, results: Iterable[Result], chats: Iterable[Chat], *, unmoved: Iterable[str] = (), now: float
    ) -> None:
        """Do as ``write_results``, then as ``write_intents``, in one entry where they fit into one.

        The outcomes may be those of chats that were read back before, the intents those of the chats to be sent next:
        for the store, one entry for each piece of a run in place of two.
        """
        results, chats, unmoved = list(results), list(chats), list(unmoved)
        self._settle(results, unmoved)
        parts = _parts(map(_entry_of, results), bytes_of=_bytes_of_outcome)
        outcomes: list[Json] = [{"settled": part, "unmoved": []} for part in parts]
        if unmoved:
            outcomes = outcomes or [{"settled": [], "unmoved": []}]
            outcomes[0]["unmoved"] = unmoved
        intents: list[Json] = [
            {"sent": part, "at": now} for part in _parts(map(_state, chats), bytes_of=_bytes_of_intent)
        ]
        if outcomes and intents:
            intents[0] = {**outcomes.pop(), **intents[0]}
        self._write(*outcomes, *intents)
        self._intend(chats, now)

    def write_wait_results(self, results: Iterable[Result]) -> None:
        """Note what a wait has settled, so that a retry need not see it again: a chat may be closed by then."""
        self.write_results([each for each in results if self._awaits(each) and each.outcome is not Outcome.REQUESTED])

    def write_failed_polls(self, number: int) -> None:
        """Note how many polls of a wait have failed in a row."""
        if number != self.failed_polls:
            self.failed_polls = number
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
        self.deadline = deadline
        self._write({"deadline": deadline})

    def write_finished(self, *, series: int) -> None:
        """Note that the task is done. ``series`` is the task's ``max_tries``, which grows when the task is cleared."""
        self.finished_by = series
        self._write({"finished_by": series})

    @property
    def open_transfers(self) -> list[Transfer]:
        """The transfers of the plan that are still to be settled, or to be tried again."""
        settled = {chat_id for chat_id, result in self.results.items() if result.retry is RetryAction.NONE}
        return [each for each in self.plan if each.chat_id not in settled]

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
        """Append ``entries``; the first of a record is signed with its owner."""
        for entry in entries:
            signs = self.owner is not None and self.recorded_for is None
            self.store.append({**entry, "of": asdict(self.owner)} if self.owner is not None and signs else entry)
            if signs:
                self.recorded_for = self.owner

    def _apply(self, entry: Mapping[str, Any]) -> None:
        """Take in an entry that was read; one may hold outcomes and intents."""
        if "settled" in entry:
            settled = read_stored(entry["settled"], list[StoredResult], of="settled")
            self._settle(map(_read_result, settled), read_stored(entry.get("unmoved"), list[str], of="unmoved"))
        match entry:
            case {"anew": True}:
                self._forget()
            case {"plan": transfers}:
                self.plan.extend(map(_read_transfer, read_stored(transfers, list[StoredTransfer], of="plan")))
            case {"planned_at": at}:
                self.planned_at = read_stored(at, float, of="planned_at")
            case {"sent": chats, "at": at}:
                sent_at = read_stored(at, float, of="at")
                self._intend(map(_read_state, read_stored(chats, list[StoredState], of="sent")), sent_at)
            case {"deadline": deadline}:
                self.deadline = read_stored(deadline, float, of="deadline")
            case {"failed_looks": number}:
                self.failed_polls = read_stored(number, int, of="failed_looks")
            case {"finished_by": series}:
                self.finished_by = read_stored(series, int, of="finished_by")
            case {"settled": _} if "sent" not in entry:
                pass
            case _:
                raise ValueError("it is none that we write")
        if "of" in entry:
            self.recorded_for = read_stored(entry["of"], RecordOwner, of="of")

    def _forget(self) -> None:
        self.plan, self.planned_at, self.sent, self.results = [], None, {}, {}
        self.deadline, self.failed_polls, self.finished_by, self.recorded_for = None, 0, None, None

    def _intend(self, chats: Iterable[Chat], at: float) -> None:
        """Note the chats as sent; what the record does not keep of a chat, its customer, is not kept here either."""
        for chat in chats:
            self.sent[chat.id] = Intent(chat if chat.customer is None else replace(chat, customer=None), at)

    def _settle(self, results: Iterable[Result], unmoved: Iterable[str]) -> None:
        for chat_id in unmoved:
            self.sent.pop(chat_id, None)
        for result in results:
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


def _parts(items: Iterable[list[Any]], *, bytes_of: Callable[[list[Any]], int]) -> Iterator[list[list[Any]]]:
    """Divide outcomes, or intents, among as few entries as the store takes."""
    part: list[list[Any]] = []
    room = MAX_BYTES_PER_ENTRY
    for item in items:
        size = bytes_of(item)
        if size > room and part:
            yield part
            part, room = [], MAX_BYTES_PER_ENTRY
        part.append(item)
        room -= size
    if part:
        yield part


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


def _bytes_of_outcome(outcome: list[Any]) -> int:
    """Return how many bytes a store needs for an outcome, at most; a letter of another script takes six."""
    reason = outcome[5]
    return BYTES_PER_ITEM + (0 if reason is None else len(json.dumps(reason)))


def _bytes_of_intent(_: list[Any]) -> int:
    return BYTES_PER_ITEM


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
