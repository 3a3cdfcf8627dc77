# SPDX-License-Identifier: Apache-2.0
"""The queues: offers chats to operators, carries out their reactions, and takes chats back.

Follows the server source ``imopenlines/lib/chat.php`` (``answer``, ``skip``) and ``imopenlines/lib/queue/``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..simulated_agents import Reaction, SimulatedAgents
from .conversation import Conversation
from .ledger_writer import Actor, LedgerWriter
from .model import Chat, Line, PortalData, QueueType, Session, Status, TransferLogEntry, UserKind
from .operator_selection import can_receive, is_at_work, next_operator


@dataclass(frozen=True, slots=True)
class Queues:
    """The queues of all lines."""

    data: PortalData
    agents: SimulatedAgents
    writer: LedgerWriter
    conversation: Conversation

    # -- asking -------------------------------------------------------------------------------------

    def distribute(self, chat: Chat, session: Session, actor: Actor, *, announced: bool = False) -> None:
        """Offer the chat to the next operator of the line, or to all; if nobody is left, it stays undistributed.

        ``announced`` tells that the ledger says already that the chat is in the queue.
        """
        line = self.data.lines[session.line]
        if line.queue_type is QueueType.ALL:
            self._offer_to_all(chat, session, line, actor, announced=announced)
            return
        user = next_operator(self.data, line, session)
        if user is None:
            session.operator = 0
            session.offer += 1
            if not announced:
                self.writer.record_change(chat, "queued", None, f"queue:{line.id}", actor)
            return
        line.last_served = user
        session.transfer_log.append(
            TransferLogEntry(
                at=self.writer.scheduler.now(),
                session_id=session.id,
                from_operator=session.operator or None,
                to_operator=user,
                from_line=line.id,
                to_line=None,
                reason="auto",
                mode="AUTO",
                type="USER",
                initiator=None,
            )
        )
        self.offer(chat, session, user, actor)

    def offer(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        """Offer the chat to ``user`` and, after the line's time, to the next operator."""
        session.offer += 1
        session.operator = user
        session.asked.add(user)
        chat.members.add(user)
        self.writer.record_change(chat, "offered", f"queue:{session.line}", f"agent:{user}", actor)
        self._await_reaction(chat, session, user)
        line = self.data.lines[session.line]
        if line.queue_time:
            number = session.offer
            self.writer.scheduler.call_later(line.queue_time, lambda: self._offer_to_next(chat, session, number))

    def _offer_to_all(self, chat: Chat, session: Session, line: Line, actor: Actor, *, announced: bool) -> None:
        session.offer += 1
        session.operator = 0
        if not announced:
            self.writer.record_change(chat, "queued", None, f"queue:{line.id}", actor)
        for user in line.members:
            if user not in session.asked and can_receive(self.data, line, user):
                session.asked.add(user)
                self._await_reaction(chat, session, user)

    def _await_reaction(self, chat: Chat, session: Session, user: int) -> None:
        reaction, delay = self.agents.reaction(user)
        number = session.offer
        if reaction is not Reaction.IGNORE:
            self.writer.scheduler.call_later(delay, lambda: self._react(chat, session, user, number, reaction))

    def _react(self, chat: Chat, session: Session, user: int, number: int, reaction: Reaction) -> None:
        over = session.offer != number or chat.session != session.id or chat.owner
        if over or self.agents.is_away(user):
            return
        if reaction is Reaction.ACCEPT:
            self.accept(chat, session, user, Actor.person(user))
        elif session.operator == user:
            self.refuse(chat, session, user, Actor.person(user))
        self.writer.take_snapshot(chat, session)

    def _offer_to_next(self, chat: Chat, session: Session, number: int) -> None:
        if session.offer == number and chat.session == session.id and not chat.owner:
            chat.members.discard(session.operator)
            self.distribute(chat, session, Actor(by=f"queue:{session.line}"))
            self.writer.take_snapshot(chat, session)

    # -- answers ------------------------------------------------------------------------------------

    def refuse(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        """Let ``user`` refuse the chat, offered or owned, and ask the next operator; ``user`` is not asked again."""
        chat.members.discard(user)
        if self.data.lines[session.line].queue_type is QueueType.ALL:
            session.asked.clear()
        session.asked.add(user)
        chat.owner = 0
        session.status = min(session.status, Status.SKIP)
        self.writer.record_change(chat, "rejected", f"agent:{user}", f"queue:{session.line}", actor)
        self.writer.add_message(chat)
        self.distribute(chat, session, actor)

    def accept(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        """Make ``user`` the owner."""
        session.offer += 1
        chat.members.add(user)
        chat.owner = session.operator = user
        self.after_acceptance(chat, session, user, actor)

    def after_acceptance(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        """Update the session, the members and the ledger after ``user`` has become the owner."""
        line = self.data.lines[session.line]
        session.status = max(session.status, Status.ANSWER)
        session.answered_at = session.answered_at or self.writer.scheduler.now()
        if line.crm_transfer_change or not session.responsible:
            session.responsible = user
        if self.data.users[user].kind is not UserKind.BOT:
            self.remove_members(chat, keep={user}, bots=False)
        self.writer.record_change(chat, "accepted", f"queue:{session.line}", f"agent:{user}", actor)
        self.conversation.await_answer(chat, session)

    def remove_members(self, chat: Chat, *, keep: set[int], bots: bool) -> None:
        """Remove the members of ``chat`` except the customer and ``keep``; with ``bots`` also the bots."""
        staying = {UserKind.CONNECTOR} if bots else {UserKind.CONNECTOR, UserKind.BOT}
        chat.members = {user for user in chat.members if user in keep or self.data.users[user].kind in staying}

    # -- going and coming ---------------------------------------------------------------------------

    def end_shift(self, user: int, actor: Actor) -> None:
        """Return the open chats of ``user`` to their queues, as the server does at the end of a day or for a break.

        It takes the sessions below OPERATOR that are not pinned, in lines that check availability and have another
        operator; those that ``user`` has answered stay (server source ``imopenlines/lib/queue/event.php``,
        ``onAfterTMDayEnd``). Here it happens at once; the server leaves it to an agent that runs every minute.
        """
        for chat, session in list(self.data.open_sessions()):
            line = self.data.lines[session.line]
            mine = session.operator == user and session.status < Status.OPERATOR and not session.pinned
            if mine and line.check_available and line.members != [user]:
                self.return_to_queue(chat, session, actor)

    def resume_shift(self, user: int, actor: Actor) -> None:
        """Distribute the undistributed chats of the lines of ``user`` again, who is back at work.

        Only lines that check availability do so, and the next operator gets them, whether or not it is ``user`` (server
        source ``returnUserToAllQueues``). ``user`` also reacts to offers and to customers that have been waiting.
        """
        for chat, session in list(self.data.open_sessions()):
            line = self.data.lines[session.line]
            if chat.owner == user and session.status < Status.OPERATOR:
                self.conversation.await_answer(chat, session)
            elif chat.owner:
                continue
            elif session.operator == user or (line.queue_type is QueueType.ALL and user in session.asked):
                self._await_reaction(chat, session, user)
            elif not session.operator and line.check_available and user in line.members:
                self._distribute_again(chat, session, user, actor)

    def return_if_operator_is_away(self, chat: Chat, session: Session) -> None:
        """Return the chat to the queue after a customer's message if it is not pinned and its operator is not at work.

        The status does not matter (server source ``imopenlines/lib/queue/queue.php``, ``isRemoveSession``).
        """
        line = self.data.lines[session.line]
        held = session.operator and session.status >= Status.ANSWER and not session.pinned
        if held and line.members != [session.operator] and not is_at_work(self.data, line, session.operator):
            self.return_to_queue(chat, session, Actor(by=f"queue:{line.id}"))

    def return_to_queue(self, chat: Chat, session: Session, actor: Actor) -> None:
        """Take the chat from its owner or from the operator asked, then ask the next one, who may be any operator."""
        before = f"agent:{session.operator}"
        if session.status >= Status.ANSWER:
            self.writer.add_message(chat)
        session.status = min(session.status, Status.SKIP)
        session.asked.clear()
        chat.owner = 0
        chat.members.discard(session.operator)
        self.writer.record_change(chat, "queued", before, f"queue:{session.line}", actor)
        self.distribute(chat, session, actor, announced=True)
        self.writer.take_snapshot(chat, session)

    def _distribute_again(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        line = self.data.lines[session.line]
        if line.queue_type is QueueType.ALL:
            if can_receive(self.data, line, user):
                session.asked.add(user)
                self._await_reaction(chat, session, user)
            return
        session.asked.clear()
        self.distribute(chat, session, actor, announced=True)
        self.writer.take_snapshot(chat, session)
