# SPDX-License-Identifier: Apache-2.0
"""Rows of transfers as users and reports write them: ``{"chat_id": 112, "to": "agent:12", "from": "agent:7"}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from .inputs import shown
from .model import Outcome, Target
from .spellings import as_chat, rows
from .stored import read_stored

NEEDED = frozenset({"chat_id", "to"})
KNOWN = NEEDED | {
    "from", "outcome", "reason", "because", "hop", "hops", "sent_at", "accepted_at", "seconds_to_accept", "link",
}  # fmt: skip
"""What a row may hold: an entry of a plan and of a report are rows."""


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One chat that is to go to one target, as it was written: chats, people and queues may have to be looked up.

    ``source`` is who it is to be taken from; ``outcome`` and ``reason`` are what a report says became of it.
    """

    chat: str
    target: Target
    source: Target | None = None
    outcome: Outcome | None = None
    reason: str | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any], *, of: str) -> Self:
        """Read a row; raises ``ValueError`` for what is none."""
        if not set(row) >= NEEDED:
            raise ValueError(f"{of}: {shown(row)} is not a transfer; write {{'chat_id': 112, 'to': 'agent:12'}}")
        if unknown := sorted(map(str, set(row) - KNOWN)):
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
    """Read a list of rows, each chat once and in the order given; an empty one stays empty.

    The same chat twice with the same target is one row, taken from whoever one of them names. Raises ``ValueError`` for
    what is no list of rows, for a row that is none, and for one chat with two targets or two sources.
    """
    wanted: dict[str, TransferRow] = {}
    for position, entry in enumerate(rows(value, of=of)):
        row = TransferRow.read(entry, of=f"{of}[{position}]")
        earlier = wanted.setdefault(row.chat, row)
        if earlier.target != row.target:
            raise ValueError(
                f"{of}[{position}]: chat {row.chat} is to go to {row.target}, and to {earlier.target} in another entry"
            )
        if earlier.source is None:
            wanted[row.chat] = replace(earlier, source=row.source)
        elif row.source not in (None, earlier.source):
            raise ValueError(
                f"{of}[{position}]: chat {row.chat} is to be taken from {row.source}, and from {earlier.source} in "
                "another entry"
            )
    return list(wanted.values())
