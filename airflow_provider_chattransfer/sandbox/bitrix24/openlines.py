# SPDX-License-Identifier: Apache-2.0
"""The rules of open lines: transfers, answers, refusals, the close, and what customers do.

Chats change here and in the parts of this module: ``queues``, ``conversation`` (messages) and ``ledger_writer``.
Follows the server source ``imopenlines/lib/chat.php`` (``transfer``, ``transferToQueue``, ``transferToOperator``,
``answer``, ``skip``, ``finish``, ``endBotSession``).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ledger import Ledger
from ..scheduler import Scheduler
from ..simulated_agents import SimulatedAgents
from ..simulated_customers import SimulatedCustomers
from .conversation import Conversation
from .ledger_writer import SERVICE, Actor, LedgerWriter
from .model import Chat, CloseReason, Line, Pause, PortalData, Session, Status, TransferLogEntry, User, UserKind
from .queues import Queues
from .switches import AcceptMode

__all__ = ["SERVICE", "Actor", "OpenLines", "ToQueue", "ToUser", "TransferOrder"]


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """The options of a transfer. ``sender`` is the bot or the operator it comes from."""

    sender: int
    mode: str
    leave: bool
    actor: Actor


@dataclass(frozen=True, slots=True)
class ToUser:
    """A transfer to an employee."""

    user: int


@dataclass(frozen=True, slots=True)
class ToQueue:
    """A transfer to an open line."""

    line: int


class OpenLines:
    """The rules of open lines, applied to the portal's ``data``."""

    def __init__(
        self,
        data: PortalData,
        *,
        agents: SimulatedAgents,
        customers: SimulatedCustomers,
        ledger: Ledger,
        scheduler: Scheduler,
    ) -> None:
        self.data = data
        self._scheduler = scheduler
        self._agents = agents
        self._customers = customers
        self._writer = LedgerWriter(data, ledger, scheduler)
        self._conversation = Conversation(self._writer, agents)
        self._queues = Queues(data, agents, self._writer, self._conversation)

    def start(self) -> None:
        """Start the simulated people; raise ``ValueError`` if their scenario names chats that do not exist."""
        at_work = [user.id for user in self.data.users.values() if user.kind is UserKind.EMPLOYEE and user.available]
        self._agents.start(at_work, service=self)
        self._customers.start({chat.id: bool(chat.session) for chat in self.data.chats.values()}, service=self)

    def now(self) -> float:
        """Return the current time of the scheduler, in seconds since the epoch."""
        return self._scheduler.now()

    # -- transfers ---------------------------------------------------------------------------------

    def transfer(self, chat_id: int, target: ToUser | ToQueue, order: TransferOrder) -> bool:
        """Transfer a chat. Return false if that is not possible, for whatever reason, as OPERATOR_WRONG does."""
        chat = self.data.chats.get(chat_id)
        if chat is None or self._locked(chat, order.actor):
            return False
        acceptable = self._acceptable(target)
        if not acceptable and not self.data.switches.refused_transfer_reopens:
            return False
        session = self._load(chat, order.actor)
        if session is None or not acceptable:
            return False
        chat.transfers += 1
        if isinstance(target, ToQueue):
            self._transfer_to_queue(chat, session, self.data.lines[target.line], order)
        else:
            self._transfer_to_user(chat, session, self.data.users[target.user], order)
        chat.locked_until = self.now() + self.data.switches.lock_seconds
        chat.locked_by = order.actor.request
        self._writer.take_snapshot(chat, session)
        return True

    def _locked(self, chat: Chat, actor: Actor) -> bool:
        """Return whether another request has locked the chat; the lock does not hold within one request or batch."""
        held = chat.locked_until > self.now()
        return held and (chat.locked_by is None or chat.locked_by != actor.request)

    def _acceptable(self, target: ToUser | ToQueue) -> bool:
        if isinstance(target, ToQueue):
            return self.data.line(target.line) is not None
        user = self.data.users.get(target.user)
        return user is not None and user.active and user.kind is UserKind.EMPLOYEE

    def _load(self, chat: Chat, actor: Actor) -> Session | None:
        """Return the chat's session; a closed chat gets a NEW one, since the server loads without SKIP_CREATE."""
        session = self.data.session_of(chat)
        line = self.data.line(session.line if session else chat.line)
        if chat.broken or line is None:
            return None
        if session:
            return session
        session = Session(
            id=self.data.new_session_id(), chat_id=chat.id, line=line.id, created_at=self.now(), crm=line.crm
        )
        self.data.sessions[session.id] = session
        chat.session = chat.last_session = session.id
        chat.owner = 0
        self._writer.record_change(chat, "reopened", None, f"queue:{line.id}", actor)
        self._writer.take_snapshot(chat, session)
        self._customers.began(chat.id)
        return session

    def _transfer_to_user(self, chat: Chat, session: Session, user: User, order: TransferOrder) -> None:
        line = self.data.lines[session.line]
        before = self.holder(chat)
        self._log(session, order, to_operator=user.id, reason="manual", kind="USER")
        self._queues.remove_members(chat, keep={order.sender}, bots=False)
        if order.leave:
            chat.members.discard(order.sender)
        chat.owner = 0 if line.active else user.id
        session.offer += 1
        self._writer.add_message(chat)
        self._writer.record_change(chat, "transferred", before, f"agent:{user.id}", order.actor)
        if self.data.switches.accept_mode is AcceptMode.PENDING:
            chat.owner = 0
            session.status = min(session.status, Status.SKIP)
            self._queues.offer(chat, session, user.id, order.actor)
            return
        chat.members.add(user.id)
        session.status = max(session.status, Status.ANSWER)
        if chat.owner == user.id:  # in an inactive line the answer fails as "already responsible"
            self._queues.after_acceptance(chat, session, user.id, order.actor)
        elif chat.answer_locked_until <= self.now():
            self._queues.accept(chat, session, user.id, order.actor)

    def _transfer_to_queue(self, chat: Chat, session: Session, line: Line, order: TransferOrder) -> None:
        before = self.holder(chat)
        same = session.line == line.id
        self._log(session, order, to_line=line.id, reason="queue" if same else "line", kind="QUEUE")
        chat.owner, session.operator = 0, 0
        chat.moved_to_line = session.line = line.id
        session.queue_transfers += 1
        session.asked.clear()
        self._queues.remove_members(chat, keep={order.sender} & self._bots(), bots=True)
        session.status = min(session.status, Status.SKIP)
        self._writer.record_change(chat, "transferred", before, f"queue:{line.id}", order.actor)
        self._queues.distribute(chat, session, order.actor)
        self._writer.add_message(chat)

    # -- what operators and bots do -----------------------------------------------------------------

    def answer(self, chat: Chat, user: int, actor: Actor) -> bool:
        """Make ``user`` the owner; return false if they own it already, or the chat is closed."""
        session = self.data.session_of(chat)
        if session is None or chat.broken or chat.owner == user or chat.answer_locked_until > self.now():
            return False
        self._queues.accept(chat, session, user, actor)
        self._writer.take_snapshot(chat, session)
        return True

    def skip(self, chat: Chat, user: int, actor: Actor) -> bool:
        """Let ``user`` refuse the chat, so that the next operator is asked."""
        session = self.data.session_of(chat)
        if session is None or chat.broken:
            chat.members.discard(user)
            return False
        self._queues.refuse(chat, session, user, actor)
        self._writer.take_snapshot(chat, session)
        return True

    def finish(self, chat: Chat, actor: Actor, *, reason: CloseReason = CloseReason.OPERATOR) -> bool:
        """Close the chat; return false if it is closed."""
        session = self.data.session_of(chat)
        if session is None or chat.broken:
            return False
        before = self.holder(chat)
        session.status = Status.SPAM if reason is CloseReason.SPAM else Status.CLOSE
        session.closed_at, session.pinned = self.now(), False
        session.close_reason = reason
        session.offer += 1
        chat.session = chat.owner = 0
        chat.silent = False
        chat.members &= {chat.customer}
        self._writer.add_message(chat)
        self._writer.record_change(chat, "closed", before, None, actor)
        self._writer.take_snapshot(chat, session)
        self._customers.ended(chat.id)
        return True

    def end_bot_session(self, chat: Chat, actor: Actor) -> bool:
        """Hand the chat from its bot to the next free operator; return false if no bot leads it."""
        session = self._load(chat, actor)
        if session is None or session.operator not in self._bots():
            return False
        before = self.holder(chat)
        chat.members.discard(session.operator)
        chat.owner = 0
        session.status = Status.SKIP
        session.queue_transfers += 1
        chat.transfers += 1
        self._writer.record_change(chat, "transferred", before, f"queue:{session.line}", actor)
        self._writer.add_message(chat)
        self._queues.distribute(chat, session, actor)
        self._writer.take_snapshot(chat, session)
        return True

    def write(self, chat: Chat, text: str, actor: Actor) -> None:
        """Add an automatic message to the chat."""
        self._conversation.automatic(chat, text, actor)
        self._count_message(chat)

    # -- what operators do with a session -----------------------------------------------------------

    def pin(self, chat: Chat, user: int, actor: Actor, *, active: bool) -> bool:
        """Pin the session to its operator ``user``, or unpin it; return false if ``user`` is not its operator.

        Server source ``setPauseFlag``: nothing happens if that is its state already, a closed chat gets a new session,
        and an unpinned session that its operator would have lost in the meantime goes back to the queue.
        """
        open_session = self.data.session_of(chat)
        if active is (open_session is not None and open_session.pinned):
            return True
        session = self._load(chat, actor)
        if session is None or session.operator != user:
            return False
        session.pinned = active
        self._writer.add_message(chat)
        self._writer.take_snapshot(chat, session)
        checked = self.data.lines[session.line].check_available and session.status < Status.OPERATOR
        if not active and checked and not self.data.users[user].available:
            self._queues.return_to_queue(chat, session, actor)
        return True

    def set_silent(self, chat: Chat, *, active: bool) -> None:
        """Hide the operators' messages from the customer, or stop hiding them; a change adds a message to the chat."""
        if chat.silent is not active:
            chat.silent = active
            self._announce(chat)

    def intercept(self, chat: Chat, user: int, actor: Actor) -> bool:
        """Let ``user`` take the chat from its owner; return false, and change nothing, if it has no other owner."""
        if chat.owner in (0, user) or not self.answer(chat, user, actor):
            return False
        self._announce(chat)
        return True

    def join(self, chat: Chat, user: int) -> None:
        """Add ``user`` to the chat's members."""
        if user not in chat.members:
            chat.members.add(user)
            self._announce(chat)

    def start_session(self, chat: Chat, user: int, actor: Actor) -> None:
        """Start a session in a closed chat with ``user`` as its owner; in an open chat ``user`` joins."""
        if chat.session:
            self.join(chat, user)
        elif session := self._load(chat, actor):
            self._queues.accept(chat, session, user, actor)
            self._writer.take_snapshot(chat, session)

    def restart_session(self, chat: Chat, user: int, actor: Actor) -> None:
        """Close any open session and start a new one with ``user``; the last message is repeated in it."""
        text = chat.last_text
        self.finish(chat, actor)
        self.start_session(chat, user, actor)
        self._writer.add_message(chat, text)
        self._count_message(chat)

    # -- what operators do with their day -----------------------------------------------------------

    def pause(self, user: int, actor: Actor) -> bool:
        """Let ``user`` begin a break; return false if they are on one."""
        if self.data.users[user].paused:
            return False
        self.data.users[user].paused = True
        self.data.pauses.append(Pause(self.now(), user, begun=True))
        self._queues.end_shift(user, actor)
        return True

    def resume(self, user: int, actor: Actor) -> bool:
        """Let ``user`` return from a break; return false if they were not on one."""
        if not self.data.users[user].paused:
            return False
        self.data.users[user].paused = False
        self.data.pauses.append(Pause(self.now(), user, begun=False))
        self._queues.resume_shift(user, actor)
        return True

    def end_day(self, user: int, actor: Actor) -> None:
        """Close the working day of ``user``."""
        self.data.users[user].present = False
        self.data.users[user].left_at = self.now()
        self.data.users[user].paused = False
        self._queues.end_shift(user, actor)

    def agent_leaves(self, agent: int, *, for_good: bool) -> None:
        """See ``AgentEvents``."""
        if for_good:
            self.end_day(agent, Actor.person(agent))
        else:
            self.pause(agent, Actor.person(agent))

    def agent_returns(self, agent: int) -> None:
        """See ``AgentEvents``. The pause may have been ended through the API before."""
        if not self.resume(agent, Actor.person(agent)):
            self._queues.resume_shift(agent, Actor.person(agent))

    # -- what customers do --------------------------------------------------------------------------

    def customer_writes(self, chat_id: int) -> bool:
        """See ``CustomerEvents``. An operator who is not at work loses the chat by it."""
        chat = self.data.chats[chat_id]
        session = self.data.session_of(chat)
        if session is None or chat.broken:
            return False
        self._conversation.from_customer(chat, session)
        self._queues.return_if_operator_is_away(chat, session)
        self._writer.take_snapshot(chat, session)
        return True

    def customer_closes(self, chat_id: int) -> None:
        """See ``CustomerEvents``."""
        chat = self.data.chats[chat_id]
        self.finish(chat, Actor(by=f"customer:{chat.customer}"), reason=CloseReason.CLIENT)

    def customer_returns(self, chat_id: int) -> None:
        """See ``CustomerEvents``. The message starts a NEW session, distributed in the line of the chat's address."""
        chat = self.data.chats[chat_id]
        customer = Actor(by=f"customer:{chat.customer}")
        session = None if chat.session else self._load(chat, customer)
        if session is not None:
            self._queues.distribute(chat, session, customer)
            self._conversation.from_customer(chat, session)
            self._writer.take_snapshot(chat, session)

    # -- bookkeeping -------------------------------------------------------------------------------

    def holder(self, chat: Chat) -> str | None:
        """Return who has the chat, as the ledger names it; ``None`` for a closed chat."""
        return self._writer.holder(chat)

    def _announce(self, chat: Chat) -> None:
        """Add a system message about something that changes nothing else."""
        self._writer.add_message(chat)
        self._count_message(chat)

    def _count_message(self, chat: Chat) -> None:
        """Show the new message in the reports; those of a closed session are final."""
        if session := self.data.session_of(chat):
            self._writer.take_snapshot(chat, session)

    def _bots(self) -> set[int]:
        return {bot.id for bot in self.data.bots}

    def _log(
        self,
        session: Session,
        order: TransferOrder,
        *,
        reason: str,
        kind: str,
        to_operator: int | None = None,
        to_line: int | None = None,
    ) -> None:
        session.transfer_log.append(
            TransferLogEntry(
                at=self.now(),
                session_id=session.id,
                from_operator=session.operator or None,
                to_operator=to_operator,
                from_line=session.line,
                to_line=to_line if to_line != session.line else None,
                reason=reason,
                mode=order.mode,
                type=kind,
                initiator=order.sender,
            )
        )
