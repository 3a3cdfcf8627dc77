# SPDX-License-Identifier: Apache-2.0
"""The life of a chat session: who may transfer, accept, reject, pick up and reset it, and what that changes.

The rule of SuperOffice's reference pages: what is not allowed does not fail, "nothing happens". So every method
here returns without a trace when it does not apply, and the caller gets the session as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from ..clock import Clock
from ..ledger import Ledger
from ..people import Agenda, People, Reaction
from . import errors
from .model import Associate, Centre, ChatSession, MessageType, SpecialType, Status
from .switches import Switches

SERVICE = "superoffice"
WELCOME = "Welcome! How can I help you?"


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


class Sessions:
    """The state machine over all sessions of a tenant."""

    def __init__(self, centre: Centre, *, people: People, clock: Clock, ledger: Ledger, switches: Switches) -> None:
        self._centre = centre
        self._people = people
        self._clock = clock
        self._ledger = ledger
        self._switches = switches
        self._agenda = Agenda()
        self._offers = count(1)

    def advance(self) -> None:
        """Let the people do what is due."""
        self._agenda.run(self._clock.now())

    def transfer(self, session: ChatSession, *, to: str | None, actor: Actor) -> None:
        """Ask ``to`` (a login name or an associate id in digits) to take ``session`` over.

        A request only: the user stays the same until it is accepted. "If the session does not belong to the
        user, nothing happens" (TransferChatSession). Raises `Refusal` only where a switch asks for it.
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

    def accept(self, session: ChatSession, *, actor: Actor, at: float | None = None) -> None:
        """Assign ``session`` to the actor. "If the session is not being transferred, nothing happens"."""
        asked = session.transfer_to == actor.associate.id
        if session.transfer_to is None or not (asked or self._switches.third_party_accept == "assign"):
            return
        at = self._clock.now() if at is None else at
        self._record("accepted", session, actor, after=f"agent:{actor.associate.id}", at=at)
        self._give(session, actor.associate)
        self._centre.write(
            session,
            at=at,
            type=MessageType.SPECIAL,
            special=SpecialType.TRANSFERRED,
            author=actor.associate.full_name,
            param=str(actor.associate.id),
        )

    def reject(self, session: ChatSession, *, actor: Actor, at: float | None = None) -> None:
        """Decline the transfer: the sender goes on with it. Not for others than the one who was asked."""
        asked = session.transfer_to == actor.associate.id
        withdrawn = self._switches.sender_may_reject and session.user == actor.associate.id
        if session.transfer_to is None or not (asked or withdrawn):
            return
        at = self._clock.now() if at is None else at
        before = f"agent:{session.transfer_to}"
        self._record("rejected", session, actor, before=before, after=session.holder, at=at)
        session.transfer_to = None
        self._centre.write(
            session, at=at, type=MessageType.SPECIAL, special=SpecialType.REJECTED, author=actor.associate.full_name
        )

    def pick_up(self, session: ChatSession, *, actor: Actor) -> bool:
        """Take ``session`` from the queue and greet the customer; whether it was there to be taken."""
        if session.status is not Status.InQueue or not actor.associate.chats:
            return False
        at = self._clock.now()
        self._record("accepted", session, actor, after=f"agent:{actor.associate.id}", at=at)
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
        """The associate whom ``to`` means: an associate id in digits, or a name as the switch `target_name` says."""
        to = to.strip()
        if to.isascii() and to.isdigit():
            return self._centre.associates.get(int(to))
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
        """Plan what the simulated ``target`` does about the transfer. One who is away does nothing, and nothing
        ever ends a transfer that is left pending: the user guide names no timeout."""
        reaction, delay = self._people.reaction(target.id)
        if reaction is Reaction.IGNORE or target.id not in self._centre.present:
            return
        offer = session.offer

        def answer(at: float) -> None:
            if session.offer != offer or session.transfer_to != target.id:
                return
            if reaction is Reaction.ACCEPT:
                self.accept(session, actor=Actor(target), at=at)
            else:
                self.reject(session, actor=Actor(target), at=at)

        self._agenda.add(self._clock.now() + delay, answer)

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
        actor: Actor,
        *,
        after: str,
        before: str | None = None,
        at: float | None = None,
    ) -> None:
        self._ledger.record(
            at=self._clock.now() if at is None else at,
            service=SERVICE,
            chat_id=session.id,
            change=change,
            by=actor.name,
            before=before or session.holder,
            after=after,
            method=actor.method,
            request=actor.request,
        )
