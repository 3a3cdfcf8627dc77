# SPDX-License-Identifier: Apache-2.0
"""Rows of transfers as users and reports write them: ``{"chat_id": 112, "to": "agent:12", "from": "agent:7"}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from .inputs import shown
from .model import Outcome, Target
from .references import as_chat, rows
from .stored_json import read_stored

REQUIRED_KEYS = frozenset({"chat_id", "to"})
KNOWN_KEYS = REQUIRED_KEYS | {
    "from", "outcome", "reason", "because", "hop", "hops", "sent_at", "accepted_at", "seconds_to_accept", "link",
}  # fmt: skip
"""What a row may hold: entries of a plan and of a report are rows."""


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One chat that is to go to one target, as it was written: chats, people and queues may have to be looked up.

    ``source`` is from whom it is to be taken; ``outcome`` and ``reason`` are what a report says became of it.
    """

    chat: str
    target: Target
    source: Target | None = None
    outcome: Outcome | None = None
    reason: str | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any], *, of: str) -> Self:
        """Read a row; raises ``ValueError`` for anything else."""
        if not set(row) >= REQUIRED_KEYS:
            raise ValueError(f"{of}: {shown(row)} is not a transfer; write {{'chat_id': 112, 'to': 'agent:12'}}")
        if unknown := [key for key in row if key not in KNOWN_KEYS]:
            raise ValueError(f"{of}: unknown keys {shown(unknown)}")
        source, outcome = row.get("from"), row.get("outcome")
        return cls(
            chat=as_chat(row["chat_id"], of=f"{of}: chat_id"),
            target=Target.parse(row["to"], of=f"{of}: to"),
            source=None if source is None else Target.parse(source, of=f"{of}: from"),
            outcome=None if outcome is None else read_stored(outcome, Outcome, of=f"{of}: outcome"),
            reason=read_stored(row.get("reason"), str | None, of=f"{of}: reason"),
        )


def transfer_rows(value: object, *, of: str = "transfers") -> list[TransferRow]:
    """Read a list of rows, each chat once and in the order given; an empty list stays empty.

    The same chat twice with the same target is one row, with the source that one of them names. Raises ``ValueError``
    for anything that is not a list of rows, and for one chat with two targets or two sources.
    """
    entries = [(f"{of}[{position}]", entry) for position, entry in enumerate(rows(value, of=of))]
    return each_once((place, TransferRow.read(entry, of=place)) for place, entry in entries)


def each_once(placed: Iterable[tuple[str, TransferRow]]) -> list[TransferRow]:
    """Return the rows without repetitions, each chat at its first place.

    Each row comes with its place, for errors. Two names may turn out to be the same person, so such rows stay until
    they are looked up. Raises ``ValueError`` for one chat with two targets or two sources.
    """
    kept: dict[str, list[TransferRow]] = {}
    for place, row in placed:
        same_chat = kept.setdefault(row.chat, [])
        for number, earlier in enumerate(same_chat):
            _refuse_contradiction(place, row.chat, "go to", row.target, earlier.target)
            _refuse_contradiction(place, row.chat, "be taken from", row.source, earlier.source)
            if row.target == earlier.target and (None in (row.source, earlier.source) or row.source == earlier.source):
                same_chat[number] = replace(earlier, source=earlier.source or row.source)
                break
        else:
            same_chat.append(row)
    return [row for same_chat in kept.values() for row in same_chat]


def _refuse_contradiction(place: str, chat: str, verb: str, one: Target | None, other: Target | None) -> None:
    if one and other and one != other and one.name is None and other.name is None:
        word = verb.rpartition(" ")[2]
        raise ValueError(f"{place}: chat {chat} is to {verb} {one}, and {word} {other} in another entry")
