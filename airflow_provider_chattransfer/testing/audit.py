# SPDX-License-Identifier: Apache-2.0
"""Compares the report of a run with the sandbox's ledger, chat by chat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

MOVES = frozenset({"transferred", "reset", "saved"})
"""Changes in the ledger by which a request moves a chat."""

POSSIBLE_MOVES: Mapping[str, frozenset[int]] = {
    "accepted": frozenset({1}),
    "requested": frozenset({0, 1}),
    "failed": frozenset({0, 1}),
    "unchanged": frozenset({0}),
    "skipped": frozenset({0}),
    "planned": frozenset({0}),
}
"""How often a chat may have been moved, by outcome. A requested one may have been on its way before the run."""


def audit(report: Json, *, changes: Sequence[Json]) -> list[str]:
    """Return the contradictions between a report and the ledger, one sentence for each; empty when they agree.

    ``report`` is what a task returned, ``changes`` is the ledger since the reset (``GET /sandbox/ledger``). The checks:
    every chat was moved once or not at all, as its outcome says; accepted chats were accepted by the agent that the
    report names; the counts are right; and no other chat was touched.
    """
    service = report["platform"]
    ours = [change for change in changes if change["service"] == service and change["request"] is not None]
    moves = Counter(change["chat_id"] for change in ours if change["change"] in MOVES)
    return [
        *_counts(report),
        *(problem for entry in report["transfers"] for problem in _entry(entry, moves, changes)),
        *_strangers(report, ours),
    ]


def _counts(report: Json) -> Iterator[str]:
    counted = Counter(entry["outcome"] for entry in report["transfers"])
    for outcome, count in report["counts"].items():
        if counted[outcome] != count:
            yield f"the report counts {count} {outcome}, and lists {counted[outcome]}"


def _entry(entry: Json, moves: Mapping[str, int], changes: Sequence[Json]) -> Iterator[str]:
    chat_id, outcome, target = entry["chat_id"], entry["outcome"], entry["to"]
    moved = moves.get(chat_id, 0)
    if moved not in POSSIBLE_MOVES[outcome]:
        yield f"chat {chat_id} is {outcome}, and was moved {moved} times"
    if outcome == "accepted" and not _was_accepted(chat_id, target, changes):
        yield f"chat {chat_id} is accepted by {target}, and the ledger has no such acceptance"


def _was_accepted(chat_id: str, target: str, changes: Sequence[Json]) -> bool:
    by = [change["after"] for change in changes if change["chat_id"] == chat_id and change["change"] == "accepted"]
    return target in by if target.startswith("agent:") else bool(by)


def _strangers(report: Json, ours: Sequence[Json]) -> Iterator[str]:
    asked = {entry["chat_id"] for entry in report["transfers"]}
    for chat_id in dict.fromkeys(change["chat_id"] for change in ours):
        if chat_id not in asked:
            yield f"chat {chat_id} is not in the report, and was touched"
