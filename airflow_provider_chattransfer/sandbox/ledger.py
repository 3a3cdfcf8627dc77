# SPDX-License-Identifier: Apache-2.0
"""The ledger: every change of every chat, in order. Tests compare what a client reports with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one chat.

    ``change`` is a verb in the past: ``transferred``, ``accepted``, ``rejected``, ``offered``, ``queued``, ``closed``,
    ``reopened``, ``wrote``, … ``before`` and ``after`` name the holder of the chat (``agent:7``, ``queue:3``). ``by``
    is an API identity or a simulated person. ``request`` is the number of the HTTP request, ``None`` if a person acted.
    """

    number: int
    at: str
    service: str
    chat_id: str
    change: str
    before: str | None
    after: str | None
    by: str
    method: str | None = None
    request: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return this change as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Ledger:
    """An append-only list of changes."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    def record(
        self,
        *,
        at: float,
        service: str,
        chat_id: int | str,
        change: str,
        by: str,
        before: str | None = None,
        after: str | None = None,
        method: str | None = None,
        request: int | None = None,
    ) -> None:
        """Append one change; ``at`` is in seconds since the epoch."""
        self._changes.append(
            Change(
                number=len(self._changes) + 1,
                at=datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
                service=service,
                chat_id=str(chat_id),
                change=change,
                before=before,
                after=after,
                by=by,
                method=method,
                request=request,
            )
        )

    def changes(self, *, since: int = 0) -> Iterable[Change]:
        """Return the changes numbered above ``since``; the cost grows with their number only."""
        return self._changes[since:]
