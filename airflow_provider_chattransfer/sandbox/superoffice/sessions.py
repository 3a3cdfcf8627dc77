# SPDX-License-Identifier: Apache-2.0
"""The life of a chat session: who may transfer, accept, reject, pick up and reset it, and what that changes.

The rule of SuperOffice's reference pages: what is not allowed does not fail, "nothing happens". So every method
here returns without a trace when it does not apply, and the caller gets the session as it is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from ..ledger import Ledger
from ..scheduler import Scheduler
from ..simulated_agents import Reaction, SimulatedAgents
from ..simulated_customers import SimulatedCustomers
from . import errors, fake_data
from .integers import int32
from .model import Associate, Centre, ChatSession, Customer, Message, MessageType, SpecialType, Status, Topic
from .switches import Switches

SERVICE = "superoffice"
WELCOME = "Welcome! How can I help you?"
WROTE_LAST = {MessageType.TO_CUSTOMER: Status.UserLast, MessageType.TO_USER: Status.CustomerLast}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and by which call; ``request`` is absent when a simulated person acts in the user interface."""

    associate: Associate
    method: str | None = None
    request: int | None = None

    @property
    def name(self) -> str:
        """As the ledger writes it."""
        return f"{'person' if self.request is None else 'associate'}:{self.associate.id}"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A simulated customer, who acts in their chat window."""

    customer: Customer
    method: None = None
    request: None = None

    @property
    def name(self) -> str:
        """As the ledger writes it."""
        return f"customer:{self.customer.id}"


class Sessions:
    """The state machine over all sessions of a tenant."""

    def __init__(
        self,
        centre: Centre,
        *,
        agents: SimulatedAgents,
        customers: SimulatedCustomers,
        scheduler: Scheduler,
        ledger: Ledger,
        switches: Switches,
    ) -> None:
        self._centre = centre
        self._agents = agents
        self._customers = customers
        self._scheduler = scheduler
        self._ledger = ledger
        self._switches = switches
        self._offers = count(1)

    def start(self) -> None:
        """Let the simulated people begin; raises `ValueError` if their scenario names sessions that do not exist."""
        self._agents.start(
            [each.id for each in self._centre.chat_users() if each.id in self._centre.present], service=self
        )
        self._customers.start({each.id: _is_open(each) for each in self._centre.sessions.values()}, service=self)

    def transfer(self, session: ChatSession, *, to: str | None, actor: Actor) -> None:
        """Ask ``to`` (a login name or an associate id in digits) to take ``session`` over.

        A request only: the user stays the same until it is accepted. "If the session does not belong to the
        user, nothing happens" (TransferChatSession). Raises `RefusalError` only where a switch asks for it.
        """
        if not self._may_transfer(session, actor.associate) or not self._transferable(session):
            return
        target = self._target(to)
        if target is None or not self._acceptable(session, target, actor.associate):
            return
        session.transfers += 1
        self._record("transferred", session, actor, after=f"agent:{target.id}")
        if session.transfer_to != target.id:
            session.transfer_to = target.id
            session.offer = next(self._offers)
            self._ask(session, target)

    def accept(self, session: ChatSession, *, actor: Actor) -> None:
        """Assign ``session`` to the actor. "If the session is not being transferred, nothing happens"."""
        asked = session.transfer_to == actor.associate.id
        if session.transfer_to is None or not (asked or self._switches.third_party_accept == "assign"):
            return
        self._record("accepted", session, actor, after=f"agent:{actor.associate.id}")
        self._give(session, actor.associate)
        self._centre.write(
            session,
            at=self.now(),
            type=MessageType.SPECIAL,
            special=SpecialType.TRANSFERRED,
            author=actor.associate.full_name,
            param=str(actor.associate.id),
        )
        self._await_answer(session)

    def reject(self, session: ChatSession, *, actor: Actor) -> None:
        """Decline the transfer: the sender goes on with it. Not for others than the one who was asked."""
        asked = session.transfer_to == actor.associate.id
        withdrawn = self._switches.sender_may_reject and session.user == actor.associate.id
        if session.transfer_to is None or not (asked or withdrawn):
            return
        before = f"agent:{session.transfer_to}"
        self._record("rejected", session, actor, before=before, after=session.holder)
        session.transfer_to = None
        self._centre.write(
            session,
            at=self.now(),
            type=MessageType.SPECIAL,
            special=SpecialType.REJECTED,
            author=actor.associate.full_name,
        )

    def pick_up(self, session: ChatSession, *, actor: Actor) -> bool:
        """Take ``session`` from the queue and greet the customer; whether it was there to be taken."""
        if session.status is not Status.InQueue or not actor.associate.chats:
            return False
        at = self.now()
        self._record("accepted", session, actor, after=f"agent:{actor.associate.id}")
        session.status = Status.UserLast
        session.started = at
        self._give(session, actor.associate)
        self._centre.write(
            session,
            at=at,
            type=MessageType.SPECIAL,
            special=SpecialType.WELCOME,
            text=WELCOME,
            author=actor.associate.full_name,
        )
        return True

    def pick_up_first(self, *, actor: Actor) -> ChatSession | None:
        """Take the session that has waited longest in the actor's topics; ``None`` when nobody waits."""
        topics = {topic.id for topic in self._centre.topics_of(actor.associate)}
        waiting = [
            session
            for session in self._centre.sessions.values()
            if session.status is Status.InQueue and session.topic in topics
        ]
        first = min(waiting, key=lambda session: (session.requested, session.id), default=None)
        return first if first is not None and self.pick_up(first, actor=actor) else None

    def reset(self, session: ChatSession, *, actor: Actor) -> None:
        """Put ``session`` back on the queue of its topic; its user loses it, a pending transfer is forgotten."""
        allowed = self._switches.reset_by == "anyone" or session.user == actor.associate.id
        if not session.status.active or not allowed:
            return
        self._record("reset", session, actor, after=f"queue:{session.topic}")
        session.user = None
        session.transfer_to = None
        session.status = Status.InQueue
        session.started = None
        session.rank = 0
        session.chatbot = False

    def now(self) -> float:
        """Return the time of what is happening, in seconds since the epoch."""
        return self._scheduler.now()

    def create(self, topic: Topic, *, actor: Actor | Visitor) -> ChatSession:
        """Begin a session; see `draft`."""
        session = self.draft(topic, actor=actor)
        self.begin(session, actor=actor)
        return session

    def draft(self, topic: Topic, *, actor: Actor | Visitor) -> ChatSession:
        """Return a session of the customer or of somebody unknown, which nobody sees before it has begun.

        He waits at once, as in a topic without a form before the chat; "if all agents have status Away, the customer
        will only see the offline form" (user guide).
        """
        number = self._centre.new_session_id()
        is_staffed = bool(topic.members & self._centre.present)
        status = Status.InQueue if is_staffed else Status.OfflineForm
        others = self._centre.sessions.values()
        waiting = [each for each in others if each.status is status and each.topic == topic.id]
        return ChatSession(
            id=number,
            topic=topic.id,
            customer=actor.customer if isinstance(actor, Visitor) else fake_data.stranger(number),
            status=status,
            key=fake_data.session_key(random.Random(number)),
            requested=self.now(),
            queue_position=len(waiting) + 1,
        )

    def begin(self, session: ChatSession, *, actor: Actor | Visitor) -> None:
        """Put a draft into the database."""
        self._centre.sessions[session.id] = session
        if session.status is Status.InQueue:
            self._record("queued", session, actor, after=session.holder)
        else:
            self._record("turned_away", session, actor, after=None)
        self._centre.write(session, at=self.now(), type=MessageType.SPECIAL, special=SpecialType.NEW_SESSION)

    def save(self, session: ChatSession, values: Mapping[str, Any], *, actor: Actor) -> None:
        """Store ``values`` (attributes by name) as they are: nobody is told, nothing else follows.

        No document says what saving another user or status does.
        """
        changes = {name: value for name, value in values.items() if getattr(session, name) != value}
        if not changes:
            return
        before = session.holder
        for name, value in changes.items():
            setattr(session, name, value)
        after = f"agent:{session.transfer_to}" if changes.get("transfer_to") else session.holder
        self._record("saved", session, actor, before=before, after=after)

    def delete(self, session: ChatSession, *, actor: Actor) -> None:
        """Take ``session`` out of the database."""
        self._record("deleted", session, actor, after=None)
        session.status, session.transfer_to = Status.Deleted, None
        self._centre.remove(session)

    def say(self, session: ChatSession, message: Mapping[str, Any], *, actor: Actor | Visitor) -> Message:
        """Add ``message`` (arguments of `Centre.write`); an active session's status tells who wrote last."""
        written = self._centre.write(session, at=self.now(), **message)
        if session.status.active and written.type in WROTE_LAST:
            session.status = WROTE_LAST[written.type]
        self._record("wrote", session, actor, after=session.holder)
        return written

    # -- what simulated people do -------------------------------------------------------------------

    def agent_leaves(self, agent: int, *, for_good: bool) -> None:
        """See `AgentEvents`: the agent is Away. Their sessions stay with them, and a transfer to them stays pending."""
        self._centre.present.discard(agent)

    def agent_returns(self, agent: int) -> None:
        """See `AgentEvents`: the agent is Present, and looks at what was transferred to them and who waits."""
        self._centre.present.add(agent)
        for session in self._centre.sessions.values():
            if session.status.active and session.transfer_to == agent:
                self._ask(session, self._centre.associates[agent])
            elif session.user == agent:
                self._await_answer(session)

    def customer_writes(self, chat_id: int) -> bool:
        """See `Counter`."""
        session = self._centre.sessions.get(chat_id)
        if session is None or not _is_open(session):
            return False
        text = fake_data.ANSWERS[len(session.messages) % len(fake_data.ANSWERS)]
        message = {"type": MessageType.TO_USER, "text": text, "author": session.customer.first_name}
        self.say(session, message, actor=Visitor(session.customer))
        self._await_answer(session)
        return True

    def customer_closes(self, chat_id: int) -> None:
        """See `Counter`. No document says what becomes of a pending transfer; it is left as it is."""
        session = self._centre.sessions.get(chat_id)
        if session is None or not _is_open(session):
            return
        self._record("closed", session, Visitor(session.customer), after=None)
        session.status = Status.Finished if session.status.active else Status.ClosedFromQueue
        session.ended = self.now()
        self._centre.write(session, at=self.now(), type=MessageType.SPECIAL, special=SpecialType.CLOSED_BY_CUSTOMER)
        self._customers.ended(chat_id)

    def customer_returns(self, chat_id: int) -> None:
        """See `Counter`.

        A finished session is "reactivated" with its user (user guide, post-chat form); after another end it is a new
        session that waits in the topic.
        """
        session = self._centre.sessions.get(chat_id)
        if session is None or _is_open(session):
            return
        visitor = Visitor(session.customer)
        if session.status is Status.Finished and session.user is not None:
            session.status, session.ended = Status.CustomerLast, None
            self._record("reopened", session, visitor, after=session.holder)
            self._centre.write(session, at=self.now(), type=MessageType.SPECIAL, special=SpecialType.REOPENED)
            self._customers.began(chat_id)
            self._await_answer(session)
        elif (topic := self._centre.topic(session.topic)) is not None:
            new = self.create(topic, actor=visitor)
            self._customers.move(chat_id, to=new.id)
            (self._customers.began if _is_open(new) else self._customers.ended)(new.id)

    def _await_answer(self, session: ChatSession) -> None:
        """Plan what the user of ``session`` does about a customer who waits for them."""
        owner = session.user
        if owner is None or session.status is not Status.CustomerLast:
            return
        if (delay := self._agents.answer_delay(owner)) is not None:
            self._scheduler.call_later(delay, lambda: self._answer(session, self._centre.associates[owner]))

    def _answer(self, session: ChatSession, owner: Associate) -> None:
        waiting = session.user == owner.id and session.status is Status.CustomerLast
        if waiting and not self._agents.is_away(owner.id):
            text = fake_data.REPLIES[len(session.messages) % len(fake_data.REPLIES)]
            message = {"type": MessageType.TO_CUSTOMER, "text": text, "author": owner.full_name}
            self.say(session, message, actor=Actor(owner))

    def _may_transfer(self, session: ChatSession, associate: Associate) -> bool:
        if session.user == associate.id:
            return True
        managers = self._centre.topics[session.topic].managers
        return self._switches.manager_may_transfer and associate.id in managers

    def _transferable(self, session: ChatSession) -> bool:
        if not session.status.ended or self._switches.transfer_to_ended == "noop":
            return session.status.active
        if self._switches.transfer_to_ended == "error":
            raise errors.illegal_operation(f"Chat session {session.id} has ended.", status=self._switches.error_status)
        return True

    def _target(self, to: str | None) -> Associate | None:
        target = self.named(to) if to else None
        if target is not None and target.chats:
            return target
        if self._switches.unknown_target == "error":
            raise errors.invalid_argument(f"Unknown associate: {to}", status=self._switches.error_status)
        return None

    def named(self, to: str) -> Associate | None:
        """Find the associate named by ``to``: an associate id in digits, or a name as the switch `target_name` says."""
        to = to.strip()
        if (number := int32(to)) is not None:
            return self._centre.associates.get(number)
        target = None
        if self._switches.target_name in ("name", "both"):
            target = self._centre.by_login(to)
        if target is None and self._switches.target_name in ("user_name", "both"):
            target = self._centre.by_user_name(to)
        return target

    def _acceptable(self, session: ChatSession, target: Associate, caller: Associate) -> bool:
        if target.id in (caller.id, session.user):
            return False
        if session.transfer_to is not None and not self._switches.overwrite_pending:
            return False
        if self._switches.away_target == "noop" and target.id not in self._centre.present:
            return False
        return self._switches.non_member_target == "apply" or target.id in self._centre.topics[session.topic].people

    def _ask(self, session: ChatSession, target: Associate) -> None:
        """Plan what the simulated ``target`` does about the transfer.

        One who is away does nothing, and nothing ever ends a transfer that is left pending: the user guide names no
        timeout.
        """
        reaction, delay = self._agents.reaction(target.id)
        if reaction is Reaction.IGNORE or target.id not in self._centre.present:
            return
        offer, active = session.offer, session.status.active

        def answer() -> None:
            over = session.offer != offer or session.transfer_to != target.id or session.status.active != active
            if over or self._agents.is_away(target.id):
                return
            if reaction is Reaction.ACCEPT:
                self.accept(session, actor=Actor(target))
            else:
                self.reject(session, actor=Actor(target))

        self._scheduler.call_later(delay, answer)

    def _give(self, session: ChatSession, associate: Associate) -> None:
        """Make ``associate`` the user, with "the lowest possible unique number for active sessions for user"."""
        taken = {other.rank for other in self._centre.active_of(associate.id) if other is not session}
        session.rank = next(rank for rank in count(1) if rank not in taken)
        session.user = associate.id
        session.transfer_to = None

    def _record(
        self,
        change: str,
        session: ChatSession,
        actor: Actor | Visitor,
        *,
        after: str | None,
        before: str | None = None,
    ) -> None:
        session.changed = self.now()
        self._ledger.record(
            at=session.changed,
            service=SERVICE,
            chat_id=session.id,
            change=change,
            by=actor.name,
            before=before or session.holder,
            after=after,
            method=actor.method,
            request=actor.request,
        )


def _is_open(session: ChatSession) -> bool:
    """Whether its customer can write in it."""
    return session.status.active or session.status is Status.InQueue
