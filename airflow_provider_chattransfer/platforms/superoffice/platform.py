# SPDX-License-Identifier: Apache-2.0
"""Move SuperOffice chat sessions: SuperOffice chat as a ``ChatPlatform``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from typing_extensions import override

from ...chats.estimate import Cost
from ...chats.model import Chat, Reading, Target, TargetKind, UnreadableChat
from ...chats.reconciliation import Answer, Answered, NotApplied, Refused
from ...chats.references import is_chat_id
from ...chats.run import Move, Sent, Stop
from ...exceptions import (
    CredentialsError,
    NotAllowedError,
    NotFoundError,
    PlatformError,
    RequestRefusedError,
    TenantOutOfServiceError,
    UnexpectedResponseError,
)
from ..at_once import AtOnce
from ..base import ChatPlatform, SendOptions, answer_to, is_overload, stop_after
from ..connection_check import ConnectionCheck
from ..rate import RateLimit
from .carriers import SessionRow
from .client import SuperOfficeClient
from .connection_check import check_connection
from .directory import TenantDirectory
from .mapping import ACTIVE, is_of, posted_at, read_row

log = logging.getLogger(__name__)

RATE_LIMIT = RateLimit(per_second=10.0, burst=10)
""""No more than 10 API calls per second" (SuperOffice's checklist for custom applications)."""

READ_TIMEOUT_SECONDS = 60.0
"""Seconds. No limit is documented; slow calls are logged from 5 s on."""

MAX_AT_ONCE = 16
"""Requests that are under way at once at most."""

MAX_CHUNK = 200
"""Sessions of a chunk at most."""

SENT_WITHIN_SECONDS = 8.0
"""Seconds in which the sessions of one chunk are sent at the pace of the limit."""

PAGE_ROWS = 500
"""Rows of a list page; the service gives up to 1,000 by default."""

ANSWERED = frozenset({"TransferedSession", "TransferRejected"})
"""The special messages of a transfer that was answered (enum ChatMessageSpecialType; the spelling is SuperOffice's)."""

ORDINARY = (None, "None")
"""The ``SpecialType`` of what people write."""

PICKED_UP = frozenset({"Welcome"})
"""The special message with which a session is picked up from its queue."""

MAX_EMPTY_LISTS = 3
"""Lists without one chat that was asked for, every one until then, after which most reads do without a list."""

READS_PER_LIST = 10
"""Of so many reads one then asks for the list again: the next chats may belong to other topics."""

CLOCK_TOLERANCE_SECONDS = 2.0
"""Seconds by which two clocks that were compared in whole seconds may differ."""

MAX_SAME_REFUSALS = 5
"""Chats in a row that the connection's own user may not move, with none in between that they may, after which a run
stops. A single refusal may concern one chat only.
"""

OWNS_NOTHING = (
    "a system user has no chats, and SuperOffice lets only a chat's owner send it on and only its receiver accept it; "
    "put a pattern of the agents' connections into agent_conn_id, such as superoffice_agent_{agent}"
)

Identities = Callable[[str], SuperOfficeClient]
"""Find the client that acts as an associate, by the associate's id.

Raises ``ValueError`` when there is none. Makes no request; called once per chat.
"""


class SuperOfficePlatform(ChatPlatform):
    """Moves chat sessions one by one, each as the associate who owns it, and reads many at a time.

    Only a session's owner can send it on, and only its receiver can accept it. To anybody else the service answers 200
    and does nothing (documented for TransferChatSession and AcceptTransfer).

    Safe for threads: a lock guards what is counted, and until an identity was let in for the first time, one thread at
    a time signs in as it: an account may be locked for trying again.
    """

    name = "superoffice"
    chunk = 50
    send_options = frozenset({"bot_leaves"})
    """Accepted without effect: no bot is in a session of SuperOffice chat."""

    def __init__(self, client: SuperOfficeClient, *, identities: Identities | None = None) -> None:
        """Read with ``client``, which also sends when no ``identities`` are given."""
        self.client = client
        self.account = client.address.account
        self.actor = client.auth.actor
        self._identities = identities
        self._me: str | None = None
        self._locked_out: dict[str, str] = {}
        self._first_sign_ins: dict[str, AbstractContextManager[object]] = {}
        self._counting = threading.Lock()
        self._at_once = AtOnce(MAX_AT_ONCE)
        self._not_allowed = 0
        self._reads = 0
        self._empty_lists = 0
        self._list_helped = False
        self._directory = TenantDirectory(client, has_chats=lambda agent: bool(self._chats_of(agent)))

    @property
    @override
    def cost(self) -> Cost:
        limit = self.client.rate_limit
        return Cost(
            chats_per_request=(self.max_chunk, 1, self.max_chunk),
            per_second=limit.per_second,
            burst=limit.burst,
            in_flight=MAX_AT_ONCE,
        )

    @property
    @override
    def max_chunk(self) -> int:
        in_time = int(self.client.rate_limit.per_second * SENT_WITHIN_SECONDS)
        return min(MAX_CHUNK, max(self.chunk, in_time))

    @property
    @override
    def requests(self) -> int:
        return self.client.requests

    @override
    def check_targets(self, targets: Sequence[Target]) -> None:
        for target in targets:
            if not target.is_agent and (target.id or target.name):
                raise ValueError(
                    f"to: {target} is not possible on SuperOffice, which has no transfer to a queue; "
                    "write 'agent:12', or 'queue' to put a chat back into its own"
                )

    def check_may_send(self) -> None:
        """Refuse a system user without the agents' connections; every other account may try."""
        if self._owns_nothing:
            raise ValueError(OWNS_NOTHING)

    def why_cannot_send(self, owner: str) -> str | None:
        """Tell whether there is a connection for ``owner``: only the owner's identity can send a chat on."""
        if self._owns_nothing:
            return OWNS_NOTHING
        try:
            self._acting_as(owner)
        except ValueError as missing:
            return str(missing)
        return None

    @override
    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        return self._directory.resolve(targets, of=of)

    @override
    def resolve_chats(self, references: Sequence[str]) -> Mapping[str, str]:
        for reference in references:
            if not is_chat_id(reference):
                raise ValueError(f"{reference}: SuperOffice finds a chat by its number only; write 112 or 'chat112'")
        return {each: each for each in references}

    def find_agents_chats(self, agents: Sequence[str]) -> list[Chat]:
        """Return the sessions that ``agents`` own.

        A row of the list does not show whether a session is pending elsewhere; that is added for the sessions that this
        account sees.
        """
        found = {chat.id: chat for agent in agents for chat in self._chats_of(agent)}
        listed = self.client.sessions(found) if found else {}
        chats = [_with_offer(chat, listed.get(chat.id)) for chat in found.values()]
        return sorted(chats, key=lambda chat: int(chat.id))

    @override
    def check_source(self, source: Target) -> None:
        if not source.is_agent:
            raise ValueError(
                f"from_queue: {source} is not possible on SuperOffice: a chat that waits in a queue cannot be "
                "transferred, an agent has to pick it up"
            )

    @override
    def find_waiting_chats(self, queue: str) -> list[Chat]:
        self.check_source(Target(TargetKind.QUEUE, queue))
        return []

    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        """Read all sessions of the account's topics in one request, and those that are not among them one by one."""
        chats: dict[str, Reading] = {}
        if len(chat_ids) > 1 and self._list_may_help():
            chats = dict(self.client.sessions(chat_ids))
            with self._counting:
                self._list_helped = self._list_helped or bool(chats)
                self._empty_lists += not chats
        unlisted = [chat_id for chat_id in chat_ids if chat_id not in chats]
        chats.update(zip(unlisted, self._at_once.map(self._read, unlisted, kind="read"), strict=True))
        return chats

    @override
    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        sent = self._at_once.map(
            self._send_one, moves, kind="send", troubled=lambda one: one.is_trouble, is_last=lambda one: one.is_last
        )
        answers = {move.transfer.chat_id: one.answer for move, one in zip(moves, sent, strict=False)}
        if any(isinstance(one.answer, NotApplied) and one.answer.stale for one in sent):
            left = NotApplied("the chats before it had been read too long ago", stale=True)
            answers.update((move.transfer.chat_id, left) for move in moves[len(sent) :])
        return Sent(answers, next((one.stop for one in sent if one.stop is not None), None))

    def transfer_history(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> Mapping[str, bool | None]:
        """Judge by the special messages that an acceptance, a rejection and a pick-up leave in the session.

        A transfer or a reset to which nobody has reacted needs no history: it shows in the session itself.
        """
        return {
            move.transfer.chat_id: self._has_special(
                move.transfer.chat_id,
                ANSWERED if move.transfer.target.is_agent else PICKED_UP,
                since=since[move.transfer.chat_id],
            )
            for move in moves
        }

    @override
    def receiver_of(self, chat: Reading) -> Target:
        offered_to = chat.offered_to if isinstance(chat, Chat) else None
        return Target.agent(offered_to or self._principal())

    @override
    def accept(self, chat: Chat) -> Answer:
        receiver = self.receiver_of(chat)
        try:
            client = self._acting_as(receiver.id or "")
        except ValueError as missing:
            return Refused(str(missing))
        try:
            return Answered(client.accept(chat.id))
        except NotAllowedError as error:
            return Refused(str(error), code=error.code)

    @override
    def check_connection(self) -> ConnectionCheck:
        return check_connection(self.client, identities=self._identities)

    @override
    def close(self) -> None:
        self.client.close()

    @property
    def _owns_nothing(self) -> bool:
        return self._identities is None and self.client.auth.of_system_user

    def _chats_of(self, agent: str) -> list[Chat]:
        rows = self.client.rows(
            "ChatSession",
            select="chatSessionId,status,associateId,personId,chatTopic/chatTopicId",
            where=f"status oneOf ({','.join(map(str, ACTIVE))}) and associateId associateIsOneOf ({agent})",
            page=PAGE_ROWS,
        )
        return [read_row(row, owner=agent) for row in rows if _is_asked_for(row, agent=agent)]

    def _list_may_help(self) -> bool:
        """Tell whether to ask for the list in this read, and count it."""
        with self._counting:
            number, self._reads = self._reads, self._reads + 1
            return self._list_helped or self._empty_lists < MAX_EMPTY_LISTS or number % READS_PER_LIST == 0

    def _count_not_allowed(self) -> int:
        with self._counting:
            self._not_allowed += 1
            return self._not_allowed

    def _read(self, chat_id: str) -> Reading:
        try:
            return self.client.entity(chat_id)
        except (NotFoundError, NotAllowedError) as error:
            return UnreadableChat(str(error))

    def _send_one(self, move: Move) -> _SentOne:
        """Send one chat, and tell whether others may be sent after it."""
        try:
            answer = self._send(move)
        except NotAllowedError as error:
            in_a_row = self._count_not_allowed()
            stop = Stop(f"{in_a_row} chats in a row: {error}", for_good=True) if in_a_row >= MAX_SAME_REFUSALS else None
            return _SentOne(Refused(str(error), code=error.code), stop, is_trouble=True)
        except PlatformError as error:
            return _SentOne(answer_to(error), stop_after(error), is_trouble=is_overload(error))
        if isinstance(answer, Answered):
            with self._counting:
                self._not_allowed = 0
        return _SentOne(answer)

    def _send(self, move: Move) -> Answer:
        """Send the chat that the move names, as the owner who had it when it was read."""
        owner, target, chat_id = move.chat.owner, move.transfer.target, move.transfer.chat_id
        if owner is None:
            return Refused("it waits in its queue: SuperOffice lets an agent pick it up, but nobody transfer it")
        try:
            client = self._acting_as(owner)
        except ValueError as missing:
            return Refused(str(missing))
        with self._first_sign_in(owner):
            if refusal := self._locked_out.get(owner):
                return Refused(refusal)
            try:
                chat = client.transfer(chat_id, to=str(target.id)) if target.is_agent else client.reset(chat_id)
            except CredentialsError as error:
                if client is self.client or isinstance(error, TenantOutOfServiceError):
                    raise
                refusal = f"signing in as agent {owner}: {error}"
                if not isinstance(error, NotAllowedError):  # an account may be locked for trying again
                    self._locked_out[owner] = refusal
                return Refused(refusal)
            self._first_sign_ins[owner] = nullcontext()
        return Answered(chat)

    def _first_sign_in(self, owner: str) -> AbstractContextManager[object]:
        """Return what lets in one thread at a time until ``owner`` was let in by the service, then all."""
        return self._first_sign_ins.setdefault(owner, threading.Lock())

    def _has_special(self, chat_id: str, kinds: frozenset[str], *, since: float) -> bool | None:
        """Tell whether the session shows a message of ``kinds`` posted since; ``None`` where that cannot be told.

        That special messages are left at all is inferred from their names. In a session that has none of any kind, a
        missing one proves nothing.
        """
        try:
            special = [each for each in self.client.messages(chat_id) if each.SpecialType not in ORDINARY]
            dates = [posted_at(each) for each in special if each.SpecialType in kinds]
        except (RequestRefusedError, UnexpectedResponseError, NotAllowedError) as error:
            log.warning("Chat %s: what became of it cannot be seen in its messages: %s", chat_id, error)
            return None
        earliest = since + self.client.clock_ahead - CLOCK_TOLERANCE_SECONDS
        if any(posted is not None and posted >= earliest for posted in dates):
            return True
        return False if special and None not in dates else None

    def _acting_as(self, agent: str) -> SuperOfficeClient:
        return self._identities(agent) if self._identities else self.client

    def _principal(self) -> str:
        """Return the associate as whom the connection itself acts."""
        if self._me is None:
            self._me = self.client.principal().AssociateId
        return self._me


@dataclass(frozen=True, slots=True)
class _SentOne:
    """What the service said to one chat; ``is_trouble`` where fewer requests at once may help."""

    answer: Answer
    stop: Stop | None = None
    is_trouble: bool = False

    @property
    def is_last(self) -> bool:
        """Whether others would meet the same, so that none is begun after it."""
        return self.stop is not None or isinstance(self.answer, NotApplied)


def _with_offer(chat: Chat, listed: Reading | None) -> Chat:
    """Add to a chat the agent to whom it is offered, where the account sees that."""
    return replace(chat, offered_to=listed.offered_to) if isinstance(listed, Chat) else chat


def _is_asked_for(row: SessionRow, *, agent: str) -> bool:
    asked_for = is_of(row, owner=agent)
    if not asked_for:
        log.warning(
            "Chat %s is left out: it was listed as an open one of agent %s, and is not", row.chatSessionId, agent
        )
    return asked_for
