# SPDX-License-Identifier: Apache-2.0
"""SuperOffice chat as a ``ChatPlatform``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...chats.model import Chat, Reading, Target, Unread
from ...chats.run import Move, Sent, Stop
from ...chats.settling import Answer, Answered, Refused
from ...chats.spellings import is_chat_id
from ..base import ChatPlatform, SendOptions, answer_to
from ..errors import Missing, NotCarriedOut, NotUnderstood, PlatformError, RequestRefused, WrongCredentials
from ..examination import Examination
from ..rate import RateLimit
from .client import SuperOfficeClient
from .directory import TenantDirectory
from .examining import examine
from .sessions import ACTIVE, posted_at, read_associate, read_entity, read_row
from .tenant import OutOfService

RATE_LIMIT = RateLimit(per_second=10.0, burst=10)
""""No more than 10 API calls per second" (SuperOffice's checklist for custom applications)."""

READ_TIMEOUT = 60.0
"""Seconds. No limit is documented; slow calls are logged from 5 s on."""

PAGE = 500
"""Rows of a list page; the service gives up to 1,000 by default."""

ANSWERED = frozenset({"TransferedSession", "TransferRejected"})
"""The special messages of a transfer that was answered (enum ChatMessageSpecialType; the spelling is SuperOffice's)."""

PICKED_UP = frozenset({"Welcome"})
"""The special message with which a session is picked up from its queue."""

LISTS_IN_VAIN, READS_WITHOUT_A_LIST = 3, 10
"""When so many lists, and every one until then, had none of the chats that were asked for, only every tenth read asks
for the list: the next chats may be of other topics."""

CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks that were compared in whole seconds may differ."""

NO_RIGHT = "403"
"""The status of what a user may not do, to this chat perhaps. Other credentials that are not taken are not tried again
in a run: an account may be locked for it."""

OWNS_NOTHING = (
    "a system user has no chats, and SuperOffice lets only a chat's owner send it on and only its receiver accept it; "
    "put a pattern of the agents' connections into agent_conn_id, such as superoffice_agent_{agent}"
)

Identities = Callable[[str], SuperOfficeClient]
"""Finds the client that acts as an associate, by his id; raises ``ValueError`` when there is none. No request is made,
and it is asked for each chat."""


class SuperOfficePlatform(ChatPlatform):
    """Chat sessions are moved one by one, each as the associate who owns it, and read many at a time.

    The service lets only a session's owner send it on and only its receiver accept it; to anybody else it
    answers 200 and does nothing (documented for TransferChatSession and AcceptTransfer).
    """

    name = "superoffice"
    chunk = 50

    def __init__(self, client: SuperOfficeClient, *, identities: Identities | None = None) -> None:
        """``client`` reads; it also sends when no ``identities`` are given."""
        self.client = client
        self.account = client.address.account
        self.actor = client.credentials.actor
        self._identities = identities
        self._me: str | None = None
        self._locked_out: dict[str, str] = {}
        self._reads = 0
        self._list_helped = False
        self._directory = TenantDirectory(client, has_chats=lambda agent: bool(self._chats_of(agent)))

    def check_targets(self, targets: Sequence[Target]) -> None:
        for target in targets:
            if not target.is_agent and (target.id or target.name):
                raise ValueError(
                    f"to: {target} is not possible on SuperOffice, which has no transfer to a queue; "
                    "write 'agent:12', or 'queue' to put a chat back into its own"
                )

    def check_may_send(self) -> None:
        """Every account may try, but for a system user without the agents' connections."""
        if self._owns_nothing:
            raise ValueError(OWNS_NOTHING)

    def why_stuck(self, chat: Chat) -> str | None:
        """An open chat can be sent on by its owner's identity only."""
        if chat.closed or chat.owner is None:
            return None
        if self._owns_nothing:
            return OWNS_NOTHING
        try:
            self._acting_as(chat.owner)
        except ValueError as missing:
            return str(missing)
        return None

    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        return self._directory.resolve(targets, of=of)

    def resolve_chats(self, references: Sequence[str]) -> Mapping[str, str]:
        for reference in references:
            if not is_chat_id(reference):
                raise ValueError(f"{reference}: SuperOffice finds a chat by its number only; write 112 or 'chat112'")
        return {each: each for each in references}

    def find_agents_chats(self, agents: Sequence[str]) -> list[Chat]:
        """The sessions that ``agents`` own. A row of the list does not show whether one is pending elsewhere; that
        is added for the sessions that this account sees."""
        found = {chat.id: chat for agent in agents for chat in self._chats_of(agent)}
        pending = self._listed() if found else {}
        chats = [
            replace(chat, offered_to=pending[chat.id].offered_to) if chat.id in pending else chat
            for chat in found.values()
        ]
        return sorted(chats, key=lambda chat: int(chat.id))

    def find_waiting_chats(self, queue: str) -> list[Chat]:
        raise ValueError(
            f"from_queue: {queue} is not possible on SuperOffice: a chat that waits in a queue cannot be transferred, "
            "an agent has to pick it up"
        )

    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        """All sessions of the account's topics come in one request; those that are not among them one by one."""
        chats: dict[str, Reading] = {}
        if len(chat_ids) > 1:
            listed = self._listed() if self._list_may_help() else {}
            chats = {chat_id: listed[chat_id] for chat_id in chat_ids if chat_id in listed}
            self._reads += 1
            self._list_helped = self._list_helped or bool(chats)
        for chat_id in chat_ids:
            if chat_id not in chats:
                chats[chat_id] = self._read(chat_id)
        return chats

    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        answers: dict[str, Answer] = {}
        for move in moves:
            try:
                answers[move.transfer.chat_id] = self._send(move)
            except PlatformError as error:
                answers[move.transfer.chat_id] = answer_to(error)
                if isinstance(error, WrongCredentials):
                    return Sent(answers, Stop(str(error), for_good=True))
                if isinstance(error, NotCarriedOut):
                    break
        return Sent(answers)

    def were_carried_out(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> Mapping[str, bool | None]:
        """By the special messages that an acceptance, a rejection and a pick-up leave in the session.

        A transfer or a reset to which nobody has reacted is no question: it shows in the session itself.
        """
        return {
            move.transfer.chat_id: self._has_special(
                move.transfer.chat_id,
                ANSWERED if move.transfer.target.is_agent else PICKED_UP,
                since=since[move.transfer.chat_id],
            )
            for move in moves
        }

    def receiver_of(self, chat: Chat) -> Target:
        return Target.agent(chat.offered_to or self._principal())

    def accept(self, chat: Chat) -> Answer:
        receiver = self.receiver_of(chat)
        try:
            client = self._acting_as(receiver.id or "")
        except ValueError as missing:
            return Refused(str(missing))
        return Answered(read_entity(client.accept(chat.id), method="AcceptTransfer"))

    def examine(self) -> Examination:
        return examine(self.client, identities=self._identities)

    def close(self) -> None:
        self.client.close()

    @property
    def _owns_nothing(self) -> bool:
        return self._identities is None and self.client.credentials.of_system_user

    def _chats_of(self, agent: str) -> list[Chat]:
        rows = self.client.rows(
            "ChatSession",
            select="chatSessionId,status,associateId,personId,chatTopic/chatTopicId",
            where=f"status oneOf ({','.join(map(str, ACTIVE))}) and associateId associateIsOneOf ({agent})",
            page=PAGE,
        )
        return [read_row(row, owner=agent) for row in rows]

    def _listed(self) -> dict[str, Chat]:
        method = "ChatSessionsForUser"
        entities = self.client.sessions() or []
        if not isinstance(entities, list):
            raise NotUnderstood("the answer is no list of sessions", method=method)
        chats = [read_entity(entity, method=method) for entity in entities]
        return {chat.id: chat for chat in chats}

    def _list_may_help(self) -> bool:
        return self._list_helped or self._reads < LISTS_IN_VAIN or self._reads % READS_WITHOUT_A_LIST == 0

    def _read(self, chat_id: str) -> Reading:
        try:
            entity = self.client.entity(chat_id)
        except Missing as missing:
            return Unread(str(missing))
        if entity is None:
            return Unread("not there, or this account may not see it")
        return read_entity(entity, method="GetChatSessionEntity")

    def _send(self, move: Move) -> Answer:
        owner, target = move.chat.owner, move.transfer.target
        if owner is None:
            return Refused("it waits in its queue: SuperOffice lets an agent pick it up, but nobody transfer it")
        if refusal := self._locked_out.get(owner):
            return Refused(refusal)
        try:
            client = self._acting_as(owner)
        except ValueError as missing:
            return Refused(str(missing))
        method = "TransferChatSession" if target.is_agent else "ResetChatSession"
        try:
            entity = client.transfer(move.chat.id, to=str(target.id)) if target.is_agent else client.reset(move.chat.id)
        except WrongCredentials as error:
            if client is self.client or isinstance(error, OutOfService):
                raise
            refusal = f"signing in as agent {owner}: {error}"
            if error.code != NO_RIGHT:
                self._locked_out[owner] = refusal
            return Refused(refusal)
        if entity is None:
            raise RequestRefused("the service answered null: no such session, or not done", method=method)
        return Answered(read_entity(entity, method=method))

    def _has_special(self, chat_id: str, kinds: frozenset[str], *, since: float) -> bool | None:
        messages = self.client.messages(chat_id)
        if not isinstance(messages, list):
            return None
        earliest = since + self.client.clock_ahead - CLOCK_TOLERANCE
        return any(each.get("SpecialType") in kinds and posted_at(each) >= earliest for each in messages)

    def _acting_as(self, agent: str) -> SuperOfficeClient:
        return self._identities(agent) if self._identities else self.client

    def _principal(self) -> str:
        """The associate as whom the connection itself acts."""
        if self._me is None:
            self._me = read_associate(self.client.principal(), method="User/currentPrincipal")
        return self._me
