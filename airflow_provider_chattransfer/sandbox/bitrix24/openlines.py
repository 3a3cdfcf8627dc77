# SPDX-License-Identifier: Apache-2.0
"""What can happen to a chat: transfers, offers, answers, refusals and the close. The only place that changes chats.

Follows the server source ``imopenlines/lib/chat.php`` (``transfer``, ``transferToQueue``, ``transferToOperator``,
``answer``, ``skip``, ``finish``, ``endBotSession``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..clock import Clock
from ..ledger import Ledger
from ..people import Agenda, People, Reaction
from .distribution import may_get, next_operator
from .model import Chat, Kind, Line, QueueType, Session, Status, TransferRow, User, World
from .switches import AcceptMode

SERVICE = "bitrix24"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes something happen: an API identity with its call, or a simulated person."""

    by: str
    method: str | None = None
    request: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """How a transfer is asked for. ``sender`` is the bot or the operator it comes from."""

    sender: int
    mode: str
    leave: bool
    actor: Actor


@dataclass(frozen=True, slots=True)
class ToUser:
    """To an employee."""

    user: int


@dataclass(frozen=True, slots=True)
class ToQueue:
    """To an open line."""

    line: int


@dataclass(slots=True)
class OpenLines:
    """The rules of the contact centre, on the data of ``world``."""

    world: World
    people: People
    ledger: Ledger
    clock: Clock
    agenda: Agenda = field(default_factory=Agenda)
    _due: float | None = None

    def advance(self) -> None:
        """Let the people do what they have meant to do by now, each at his time."""
        self.agenda.run(self.clock.now())

    def now(self) -> float:
        """The time of what is happening: the clock's, or that for which it was planned."""
        return self.clock.now() if self._due is None else self._due

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        def act(due: float) -> None:
            self._due = due
            try:
                action()
            finally:
                self._due = None

        self.agenda.add(self.now() + seconds, act)

    # -- transfers ---------------------------------------------------------------------------------

    def transfer(self, chat_id: int, target: ToUser | ToQueue, order: Order) -> bool:
        """Transfer a chat. False covers every reason alike, as OPERATOR_WRONG does."""
        chat = self.world.chats.get(chat_id)
        if chat is None or self._locked(chat, order.actor):
            return False
        acceptable = self._acceptable(target)
        if not acceptable and not self.world.switches.refused_transfer_reopens:
            return False
        session = self._load(chat, order.actor)
        if session is None or not acceptable:
            return False
        chat.transfers += 1
        if isinstance(target, ToQueue):
            self._transfer_to_queue(chat, session, self.world.lines[target.line], order)
        else:
            self._transfer_to_user(chat, session, self.world.users[target.user], order)
        chat.locked_until = self.now() + self.world.switches.lock_seconds
        chat.locked_by = order.actor.request
        self._note(chat, session)
        return True

    def _locked(self, chat: Chat, actor: Actor) -> bool:
        """The lock is re-entrant within one request, so also within one batch."""
        held = chat.locked_until > self.now()
        return held and (chat.locked_by is None or chat.locked_by != actor.request)

    def _acceptable(self, target: ToUser | ToQueue) -> bool:
        if isinstance(target, ToQueue):
            return self.world.line(target.line) is not None
        user = self.world.users.get(target.user)
        return user is not None and user.active and user.kind is Kind.EMPLOYEE

    def _load(self, chat: Chat, actor: Actor) -> Session | None:
        """The chat's session; a closed chat gets a NEW one, since the server loads without SKIP_CREATE."""
        session = self.world.session_of(chat)
        line = self.world.line(session.line if session else chat.line)
        if chat.broken or line is None:
            return None
        if session:
            return session
        session = Session(
            id=self.world.new_session_id(), chat_id=chat.id, line=line.id, created_at=self.now(), crm=line.crm
        )
        self.world.sessions[session.id] = session
        chat.session = chat.last_session = session.id
        chat.owner = 0
        self._record(chat, "reopened", None, f"queue:{line.id}", actor)
        self._note(chat, session)
        return session

    def _transfer_to_user(self, chat: Chat, session: Session, user: User, order: Order) -> None:
        line = self.world.lines[session.line]
        before = self.holder(chat)
        self._log(session, order, to_operator=user.id, reason="manual", kind="USER")
        self._remove_members(chat, keep={order.sender}, bots=False)
        if order.leave:
            chat.members.discard(order.sender)
        chat.owner = 0 if line.active else user.id
        session.offer += 1
        self._message(chat)
        self._record(chat, "transferred", before, f"agent:{user.id}", order.actor)
        if self.world.switches.accept_mode is AcceptMode.PENDING:
            chat.owner = 0
            session.status = min(session.status, Status.SKIP)
            self._offer(chat, session, user.id, order.actor)
            return
        chat.members.add(user.id)
        session.status = max(session.status, Status.ANSWER)
        if chat.owner == user.id:  # in an inactive line the answer fails as "already responsible"
            self._accepted(chat, session, user.id, order.actor)
        elif chat.answer_locked_until <= self.now():
            self._accept(chat, session, user.id, order.actor)

    def _transfer_to_queue(self, chat: Chat, session: Session, line: Line, order: Order) -> None:
        before = self.holder(chat)
        same = session.line == line.id
        self._log(session, order, to_line=line.id, reason="queue" if same else "line", kind="QUEUE")
        chat.owner, session.operator = 0, 0
        chat.moved_to_line = session.line = line.id
        session.queue_transfers += 1
        session.asked.clear()
        self._remove_members(chat, keep={order.sender} & self._bots(), bots=True)
        session.status = min(session.status, Status.SKIP)
        self._record(chat, "transferred", before, f"queue:{line.id}", order.actor)
        self._distribute(chat, session, order.actor)
        self._message(chat)

    # -- distribution and people -------------------------------------------------------------------

    def _distribute(self, chat: Chat, session: Session, actor: Actor) -> None:
        """Ask the next operator of the line, or all of them; with nobody left it stays undistributed."""
        line = self.world.lines[session.line]
        if line.queue_type is QueueType.ALL:
            self._ask_all(chat, session, line, actor)
            return
        user = next_operator(self.world, line, session)
        if user is None:
            session.operator = 0
            session.offer += 1
            self._record(chat, "queued", None, f"queue:{line.id}", actor)
            return
        line.last_served = user
        session.rows.append(
            TransferRow(self.now(), session.id, None, user, line.id, None, "auto", "AUTO", "USER", None)
        )
        self._offer(chat, session, user, actor)

    def _offer(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        session.offer += 1
        session.operator = user
        session.asked.add(user)
        chat.members.add(user)
        self._record(chat, "offered", f"queue:{session.line}", f"agent:{user}", actor)
        self._await_reaction(chat, session, user)
        line = self.world.lines[session.line]
        if line.queue_time:
            number = session.offer
            self._later(line.queue_time, lambda: self._pass_on(chat, session, number))

    def _ask_all(self, chat: Chat, session: Session, line: Line, actor: Actor) -> None:
        session.offer += 1
        session.operator = 0
        asked = [user for user in line.members if may_get(self.world, line, user) and user not in session.asked]
        self._record(chat, "queued", None, f"queue:{line.id}", actor)
        for user in asked:
            session.asked.add(user)
            self._await_reaction(chat, session, user)

    def _await_reaction(self, chat: Chat, session: Session, user: int) -> None:
        reaction, delay = self.people.reaction(user)
        number = session.offer
        if reaction is not Reaction.IGNORE:
            self._later(delay, lambda: self._react(chat, session, user, number, reaction))

    def _react(self, chat: Chat, session: Session, user: int, number: int, reaction: Reaction) -> None:
        if session.offer != number or chat.session != session.id or chat.owner:
            return
        person = Actor(by=f"person:{user}")
        if reaction is Reaction.ACCEPT:
            self._accept(chat, session, user, person)
        elif session.operator == user:
            self._refuse(chat, session, user, person)
        self._note(chat, session)

    def _pass_on(self, chat: Chat, session: Session, number: int) -> None:
        if session.offer == number and chat.session == session.id and not chat.owner:
            chat.members.discard(session.operator)
            self._distribute(chat, session, Actor(by=f"queue:{session.line}"))
            self._note(chat, session)

    def _refuse(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        chat.members.discard(user)
        chat.owner = 0
        session.status = min(session.status, Status.SKIP)
        self._record(chat, "rejected", f"agent:{user}", f"queue:{session.line}", actor)
        self._message(chat)
        self._distribute(chat, session, actor)

    def _accept(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        session.offer += 1
        chat.members.add(user)
        chat.owner = session.operator = user
        self._accepted(chat, session, user, actor)

    def _accepted(self, chat: Chat, session: Session, user: int, actor: Actor) -> None:
        line = self.world.lines[session.line]
        bot = self.world.users[user].kind is Kind.BOT
        session.status = max(session.status, Status.ANSWER)
        session.answered_at = session.answered_at or self.now()
        if line.crm_transfer_change or not session.responsible:
            session.responsible = user
        if not bot:
            self._remove_members(chat, keep={user}, bots=False)
        self._record(chat, "accepted", f"queue:{session.line}", f"agent:{user}", actor)

    # -- what operators and bots do -----------------------------------------------------------------

    def answer(self, chat: Chat, user: int, actor: Actor) -> bool:
        """Make ``user`` the owner; false when he is it already, or the chat is closed."""
        session = self.world.session_of(chat)
        if session is None or chat.broken or chat.owner == user or chat.answer_locked_until > self.now():
            return False
        self._accept(chat, session, user, actor)
        self._note(chat, session)
        return True

    def skip(self, chat: Chat, user: int, actor: Actor) -> bool:
        """Let ``user`` turn the chat down, so that the next operator is asked."""
        session = self.world.session_of(chat)
        if session is None or chat.broken:
            chat.members.discard(user)
            return False
        self._refuse(chat, session, user, actor)
        self._note(chat, session)
        return True

    def finish(self, chat: Chat, actor: Actor) -> bool:
        """Close the chat; false when it is closed."""
        session = self.world.session_of(chat)
        if session is None or chat.broken:
            return False
        before = self.holder(chat)
        session.status, session.closed_at, session.pinned = Status.CLOSE, self.now(), False
        session.offer += 1
        chat.session = chat.owner = 0
        chat.members &= {chat.customer}
        self._message(chat)
        self._record(chat, "closed", before, None, actor)
        self._note(chat, session)
        return True

    def end_bot_session(self, chat: Chat, actor: Actor) -> bool:
        """Hand the chat from the bot that leads it to the next free operator; false if no bot leads it."""
        session = self._load(chat, actor)
        if session is None or session.operator not in self._bots():
            return False
        before = self.holder(chat)
        chat.members.discard(session.operator)
        chat.owner = 0
        session.status = Status.SKIP
        session.queue_transfers += 1
        chat.transfers += 1
        self._record(chat, "transferred", before, f"queue:{session.line}", actor)
        self._message(chat)
        self._distribute(chat, session, actor)
        self._note(chat, session)
        return True

    def write(self, chat: Chat, text: str, actor: Actor) -> None:
        """Put an automatic message into the chat."""
        self._message(chat)
        chat.last_text = text
        self._record(chat, "wrote", None, None, actor)

    # -- bookkeeping -------------------------------------------------------------------------------

    def holder(self, chat: Chat) -> str | None:
        """Who has the chat, as the ledger names it; ``None`` while it is closed."""
        session = self.world.session_of(chat)
        if session is None:
            return None
        return f"agent:{chat.owner}" if chat.owner else f"queue:{session.line}"

    def _bots(self) -> set[int]:
        return {bot.id for bot in self.world.bots}

    def _remove_members(self, chat: Chat, *, keep: set[int], bots: bool) -> None:
        staying = {Kind.CONNECTOR} if bots else {Kind.CONNECTOR, Kind.BOT}
        chat.members = {user for user in chat.members if user in keep or self.world.users[user].kind in staying}

    def _log(
        self,
        session: Session,
        order: Order,
        *,
        reason: str,
        kind: str,
        to_operator: int | None = None,
        to_line: int | None = None,
    ) -> None:
        session.rows.append(
            TransferRow(
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

    def _message(self, chat: Chat) -> None:
        """One more message that the customer sees; most are the server's own ("transferred to …")."""
        self.world.last_message += 1
        chat.last_message = self.world.last_message
        chat.messages += 1
        chat.changed_at = self.now()

    def _note(self, chat: Chat, session: Session) -> None:
        """Remember what the reports will show of this moment."""
        session.note(self.now(), messages=chat.messages)

    def _record(self, chat: Chat, change: str, before: str | None, after: str | None, actor: Actor) -> None:
        self.ledger.record(
            at=self.now(),
            service=SERVICE,
            chat_id=chat.id,
            change=change,
            before=before,
            after=after,
            by=actor.by,
            method=actor.method,
            request=actor.request,
        )
