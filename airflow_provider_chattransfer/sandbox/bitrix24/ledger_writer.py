# SPDX-License-Identifier: Apache-2.0
"""What every change of a chat leaves behind: a line of the ledger, messages in the chat, and what reports show."""

from __future__ import annotations

from dataclasses import dataclass

from ..ledger import Ledger
from ..scheduler import Scheduler
from .model import Chat, PortalData, Session

SERVICE = "bitrix24"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes something happen: an API identity with its call, or a simulated person."""

    by: str
    method: str | None = None
    request: int | None = None

    @classmethod
    def person(cls, user: int) -> Actor:
        """The simulated operator ``user``."""
        return cls(by=f"person:{user}")


@dataclass(frozen=True, slots=True)
class LedgerWriter:
    """Writes down what happened, at the time of ``scheduler``."""

    data: PortalData
    ledger: Ledger
    scheduler: Scheduler

    def holder(self, chat: Chat) -> str | None:
        """Who has the chat, as the ledger names it; ``None`` while it is closed."""
        session = self.data.session_of(chat)
        if session is None:
            return None
        return f"agent:{chat.owner}" if chat.owner else f"queue:{session.line}"

    def add_message(self, chat: Chat, text: str | None = None) -> None:
        """One more message in the chat: the ``text`` of somebody, or one of the server's own ("transferred to …")."""
        self.data.last_message += 1
        chat.last_message = self.data.last_message
        chat.messages += 1
        chat.changed_at = self.scheduler.now()
        if text is not None:
            chat.last_text = text

    def take_snapshot(self, chat: Chat, session: Session) -> None:
        """Remember what the reports will show of this moment."""
        session.take_snapshot(self.scheduler.now(), messages=chat.messages)

    def record_change(self, chat: Chat, change: str, before: str | None, after: str | None, actor: Actor) -> None:
        """A line of the ledger."""
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
