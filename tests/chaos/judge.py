# SPDX-License-Identifier: Apache-2.0
"""Three witnesses of a task, chat by chat: the sandbox's ledger, the run's record, the report.

Each rule yields a sentence for each chat on which they disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_chattransfer.chats.run_record import RunRecord
from airflow_provider_chattransfer.testing.audit import MOVES, audit

NOT_MOVED = ("not sent", "not attempted", "not performed")
"""How the reasons begin that say that a chat was not moved, for sure."""

FRESH = 5.0
"""Seconds. Who reads a chat, and sends it at once, cannot know that it was closed in between."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task was to do.

    ``named``: its chats were told by id, so none may be missing in the report; otherwise ``chats`` are those that were
    there to be found. ``waits``: outcomes may change after the run itself.
    """

    chats: Collection[str]
    named: bool
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What the witnesses say.

    ``changes`` is the sandbox's ledger since the reset, ``record`` the journal's entries, ``ended`` whether the task
    has succeeded.
    """

    wanted: Wanted
    report: Mapping[str, Any] | None
    changes: Sequence[Mapping[str, Any]]
    record: Sequence[dict[str, Any]]
    ended: bool

    @property
    def ours(self) -> list[Mapping[str, Any]]:
        """The changes that requests made."""
        return [change for change in self.changes if change["request"] is not None]


def judge(case: Case) -> list[str]:
    """Every violation; empty when all agree."""
    found = [*_moved_twice(case), *_reopened(case)]
    if case.report is not None:
        found += [*_audit(case, case.report), *_lost(case, case.report), *_truth(case, case.report)]
        found += _record(case, case.report)
    return list(dict.fromkeys(found))


def _audit(case: Case, report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a user's own audit finds, but for chats that came back to their target by themselves.

    Their customers closed them, came back, and the service's distribution gave them to the very agent to whom they were
    to go: the state is true, and nobody moved them.
    """
    came_back = {each["chat_id"] for each in case.changes if each["change"] == "reopened" and each["request"] is None}
    theirs = {f"chat {chat_id} is accepted, and was moved 0 times" for chat_id in came_back}
    yield from (each for each in audit(report, changes=case.changes) if each not in theirs)


def _moved_twice(case: Case) -> Iterator[str]:
    moves = [change["chat_id"] for change in case.ours if change["change"] in MOVES]
    for chat_id in dict.fromkeys(moves):
        if moves.count(chat_id) > 1:
            yield f"chat {chat_id} was moved {moves.count(chat_id)} times"
        if chat_id not in case.wanted.chats:
            yield f"chat {chat_id} was moved, and nobody wanted that"


def _reopened(case: Case) -> Iterator[str]:
    closed_at: dict[str, float] = {}
    for change in case.changes:
        chat_id, at = change["chat_id"], datetime.fromisoformat(change["at"]).timestamp()
        if change["change"] == "closed":
            closed_at[chat_id] = at
        elif change["change"] == "reopened":
            closed = closed_at.pop(chat_id, None)
            if change["request"] is not None and (closed is None or at - closed > FRESH):
                yield f"chat {chat_id} was closed, and a request opened it again"


def _lost(case: Case, report: Mapping[str, Any]) -> Iterator[str]:
    told = [entry["chat_id"] for entry in report["transfers"]]
    for chat_id in dict.fromkeys(told):
        if told.count(chat_id) > 1:
            yield f"chat {chat_id} has {told.count(chat_id)} outcomes"
        if chat_id not in case.wanted.chats:
            yield f"chat {chat_id} is in the report, and nobody asked for it"
    if sum(report["counts"].values()) != len(told):
        yield f"the counts sum to {sum(report['counts'].values())} of {len(told)} chats"
    if case.wanted.named and told != list(case.wanted.chats):
        yield f"asked for {list(case.wanted.chats)}, reported {told}"
    touched = {change["chat_id"] for change in case.changes}
    for chat_id in case.wanted.chats:
        if chat_id not in told and chat_id not in touched:
            yield f"chat {chat_id} was there to be moved, and is not in the report"


def _truth(case: Case, report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the report claims beyond the outcome: that a chat did not move, or that it was on its way."""
    moved = {change["chat_id"] for change in case.ours if change["change"] in MOVES}
    for entry in report["transfers"]:
        chat_id, outcome, reason = entry["chat_id"], entry["outcome"], entry["reason"] or ""
        if outcome == "failed" and reason.startswith(NOT_MOVED) and chat_id in moved:
            yield f"chat {chat_id} was moved, and the report says {reason!r}"
        if outcome == "failed" and not reason:
            yield f"chat {chat_id} has failed, and the report does not say why"
        if outcome == "requested" and chat_id not in moved:
            yield f"chat {chat_id} is requested, and nobody has asked for it"


def _record(case: Case, report: Mapping[str, Any]) -> Iterator[str]:
    ledger = RunRecord.read(_Kept(case.record))
    told = {entry["chat_id"]: entry["outcome"] for entry in report["transfers"]}
    if [transfer.chat_id for transfer in ledger.plan] != list(told):
        yield f"the record plans {[each.chat_id for each in ledger.plan]}, the report has {list(told)}"
    for chat_id, outcome in told.items():
        result = ledger.results.get(chat_id)
        noted = "nothing" if result is None else result.outcome.value
        later = case.wanted.waits and noted == "requested"
        if case.ended and noted != outcome and not later:
            yield f"chat {chat_id}: the record says {noted}, the report {outcome}"
    if case.ended and ledger.finished_by is None:
        yield "the task has succeeded, and its record does not say so"


class _Kept:
    """Entries as a journal."""

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self._entries = entries

    def entries(self) -> Iterator[dict[str, Any]]:
        return iter(self._entries)

    def append(self, entry: dict[str, Any]) -> None:
        raise AssertionError("a judge writes nothing")
