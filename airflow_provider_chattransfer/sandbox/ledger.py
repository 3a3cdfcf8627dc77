# SPDX-License-Identifier: Apache-2.0
"""What really happened: every change of every chat, in order. The judge of every client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one chat.

    ``change`` is a verb in the past: ``transferred``, ``accepted``, ``rejected``, ``offered``, ``queued``,
    ``closed``, ``reopened``, ``wrote``, … ``before`` and ``after`` hold the holder of the chat (``agent:7``,
    ``queue:3``). ``by`` is who asked: an API identity or a simulated person; ``request`` the number of the
    HTTP request that asked, absent when a person did it.
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
        """This change as plain JSON."""
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
        """Append one change; ``at`` in seconds since the epoch."""
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
        """The changes numbered above ``since``, at a cost that grows with their number only."""
        return self._changes[since:]
