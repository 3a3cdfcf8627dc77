# SPDX-License-Identifier: Apache-2.0
"""Who is asked to take a chat, what he does about it, and how a chat comes back to the queue.

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
        """Ask the next operator of the line, or all of them; with nobody left it stays undistributed.

        ``announced``: the ledger says already that the chat is in the queue.
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
        """Ask ``user``, and after the line's time the next one."""
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
        """``user`` turns the chat down, and is not asked again; the next operator is, however ``user`` came by it."""
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
        """What follows when ``user`` has become the owner."""
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
        """The server's own end of shift, when ``user`` ends his day or goes on a break.

        In lines that check who is available, and of which he is not the only operator, his sessions below OPERATOR
        that are not pinned go back to the queue; those that he has answered stay with him (server source
        ``imopenlines/lib/queue/event.php``, ``onAfterTMDayEnd``). It happens at once here; the server leaves it to
        an agent that runs every minute.
        """
        for chat, session in list(self.data.open_sessions()):
            line = self.data.lines[session.line]
            mine = session.operator == user and session.status < Status.OPERATOR and not session.pinned
            if mine and line.check_available and line.members != [user]:
                self.return_to_queue(chat, session, actor)

    def resume_shift(self, user: int, actor: Actor) -> None:
        """``user`` is back at work: chats that wait undistributed in his lines that check who is available are
        distributed again, to him or to whoever is next (server source ``returnUserToAllQueues``); and he sees to
        what has been waiting for himself."""
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
        """After a message of the customer: a session that is not pinned does not stay with an operator who is not
        at work, whatever its status (server source ``imopenlines/lib/queue/queue.php``, ``isRemoveSession``)."""
        line = self.data.lines[session.line]
        held = session.operator and session.status >= Status.ANSWER and not session.pinned
        if held and line.members != [session.operator] and not is_at_work(self.data, line, session.operator):
            self.return_to_queue(chat, session, Actor(by=f"queue:{line.id}"))

    def return_to_queue(self, chat: Chat, session: Session, actor: Actor) -> None:
        """Take the chat from whoever has it or is asked, and ask the next one; everybody may be asked again."""
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
