# SPDX-License-Identifier: Apache-2.0
"""The messages of customers and operators, and how they change the status of a session.

Follows the server source ``imopenlines/lib/session/update.php``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..simulated_agents import SimulatedAgents
from . import fake_data
from .ledger_writer import Actor, LedgerWriter
from .model import Chat, Session, Status


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of all chats."""

    writer: LedgerWriter
    agents: SimulatedAgents

    def automatic(self, chat: Chat, text: str, actor: Actor) -> None:
        """Add an automatic message, such as a bot's; it changes no status."""
        self.writer.add_message(chat, text)
        self.writer.record_change(chat, "wrote", None, None, actor)

    def from_customer(self, chat: Chat, session: Session) -> None:
        """Add a message of the customer.

        A customer in the queue goes on waiting. Otherwise the status becomes CLIENT_AFTER_OPERATOR if the operator had
        answered, else CLIENT (which also follows CLIENT_AFTER_OPERATOR).
        """
        self.writer.add_message(chat, fake_data.message(chat.messages))
        if session.status >= Status.ANSWER:
            answered = session.status >= Status.OPERATOR
            session.status = Status.CLIENT_AFTER_OPERATOR if answered else Status.CLIENT
        self.writer.record_change(chat, "wrote", None, None, Actor(by=f"customer:{chat.customer}"))
        self.await_answer(chat, session)

    def await_answer(self, chat: Chat, session: Session) -> None:
        """Schedule the owner's answer to a waiting customer."""
        owner = chat.owner
        delay = self.agents.answer_delay(owner) if owner else None
        if delay is not None:
            self.writer.scheduler.call_later(delay, lambda: self._answer(chat, session, owner))

    def _answer(self, chat: Chat, session: Session, owner: int) -> None:
        """Add the owner's answer, unless the chat has ended, changed hands or been answered, or the owner is away."""
        waiting = chat.session == session.id and chat.owner == owner and session.status < Status.OPERATOR
        if not waiting or self.agents.is_away(owner):
            return
        self.writer.add_message(chat, fake_data.answer(chat.messages))
        session.status = Status.OPERATOR
        self.writer.record_change(chat, "wrote", None, None, Actor.person(owner))
        self.writer.take_snapshot(chat, session)
