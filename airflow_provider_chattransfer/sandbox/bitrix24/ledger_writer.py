# SPDX-License-Identifier: Apache-2.0
"""Records each change of a chat: in the ledger, in the chat's messages, and in what reports show."""

from __future__ import annotations

from dataclasses import dataclass

from ..ledger import Ledger
from ..scheduler import Scheduler
from .model import Chat, PortalData, Session

SERVICE = "bitrix24"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a change: an API identity with its call, or a simulated person."""

    by: str
    method: str | None = None
    request: int | None = None

    @classmethod
    def person(cls, user: int) -> Actor:
        """Return the simulated operator ``user`` as an actor."""
        return cls(by=f"person:{user}")


@dataclass(frozen=True, slots=True)
class LedgerWriter:
    """Records changes at the time of ``scheduler``."""

    data: PortalData
    ledger: Ledger
    scheduler: Scheduler

    def holder(self, chat: Chat) -> str | None:
        """Return who has the chat, as the ledger names it; ``None`` for a closed chat."""
        session = self.data.session_of(chat)
        if session is None:
            return None
        return f"agent:{chat.owner}" if chat.owner else f"queue:{session.line}"

    def add_message(self, chat: Chat, text: str | None = None) -> None:
        """Add a message to the chat: a person's ``text``, or without it a system message ("transferred to …")."""
        self.data.last_message += 1
        chat.last_message = self.data.last_message
        chat.messages += 1
        chat.changed_at = self.scheduler.now()
        if text is not None:
            chat.last_text = text

    def take_snapshot(self, chat: Chat, session: Session) -> None:
        """Store what the reports show of the session from now on."""
        session.take_snapshot(self.scheduler.now(), messages=chat.messages)

    def record_change(self, chat: Chat, change: str, before: str | None, after: str | None, actor: Actor) -> None:
        """Append a change to the ledger."""
        self.ledger.record(
            at=self.scheduler.now(),
            service=SERVICE,
            chat_id=chat.id,
            change=change,
            before=before,
            after=after,
            by=actor.by,
            method=actor.method,
            request=actor.request,
        )
