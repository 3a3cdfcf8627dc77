# SPDX-License-Identifier: Apache-2.0
"""Map a SuperOffice chat session, an entity or a list row, to a ``Chat`` of the session that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any

from ...chats.inputs import MAX_ID
from ...chats.model import Chat, Reading, UnreadableChat
from ...exceptions import UnexpectedResponseError
from ..decoding import decode, decoded_or, read_moment
from .carriers import Associate, ChatSession, Message, SessionKey, SessionRow, SessionStatus

log = logging.getLogger(__name__)

ENDED = frozenset(
    {
        SessionStatus.FINISHED,
        SessionStatus.DELETED,
        SessionStatus.CLOSED,
        SessionStatus.REQUEST_POSTED,
        SessionStatus.CLOSED_FROM_QUEUE,
    }
)
"""Values of ``Status`` in which a session is over."""

ACTIVE = (5, 6)
"""CustomerLast and UserLast: the two statuses of a session that an agent has, as numbers."""


def read_session(entity: Any, *, chat_id: str, method: str) -> Chat:
    """Return the chat of a ChatSessionEntity. Everything about the customer is dropped here.

    Raises ``UnexpectedResponseError`` for an answer that is no session, or another session than ``chat_id``.
    """
    session = decode(entity, ChatSession, method=method)
    if session.ChatSessionId != chat_id:
        raise UnexpectedResponseError("the answer is about another session than was asked for", method=method)
    return _chat(session)


def read_sessions(entities: Iterable[Any], *, wanted: Collection[str], method: str) -> dict[str, Reading]:
    """Return those sessions of a list that are ``wanted``, by id.

    One that cannot be read, or occurs twice and differs, is an ``UnreadableChat``. A session without a readable id is
    left out. Of the others only the id is looked at: a list holds all sessions of an account.
    """
    sessions: dict[str, Reading] = {}
    numbers = {int(chat_id) for chat_id in wanted}
    for entity in entities:
        number = entity.get("ChatSessionId") if type(entity) is dict else None
        if type(number) is int and number not in numbers and 0 < number <= MAX_ID:
            continue
        try:
            reading: Reading = _chat(session := decode(entity, ChatSession, method=method))
            chat_id = session.ChatSessionId
        except UnexpectedResponseError as error:
            key = decoded_or(None, entity, SessionKey)
            if key is None:
                log.warning("One chat of a list is left out: %s", error)
                continue
            reading, chat_id = UnreadableChat.not_understood(error), key.ChatSessionId
        if int(chat_id) in numbers and sessions.setdefault(chat_id, reading) != reading:
            sessions[chat_id] = UnreadableChat.not_understood(
                f"{method}: the answer shows the session twice, and not alike"
            )
    return sessions


def read_row(row: SessionRow, *, owner: str) -> Chat:
    """Return the chat of a row of the archive ``ChatSession`` that was filtered by its owner.

    A row does not show a pending transfer, and names the owner by their login: hence the argument.
    """
    return Chat(
        id=row.chatSessionId,
        owner=owner,
        queue=row.topic,
        customer=f"person {row.personId}" if row.personId else None,
    )


def is_of(row: SessionRow, *, owner: str) -> bool:
    """Tell whether a row is an active session of ``owner``, as was asked for, as far as it shows that."""
    return row.status in (None, *ACTIVE) and row.associateId in (None, int(owner))


def posted_at(message: Message) -> float | None:
    """Return when a chat message was posted, in epoch seconds; ``None`` without a date, for which the year 1 stands.

    Raises ``UnexpectedResponseError`` for a value that is no date.
    """
    if not message.WhenPosted:
        return None
    try:
        moment = read_moment(message.WhenPosted)
    except ValueError:
        raise UnexpectedResponseError("a message's date is none", method="GetChatMessages") from None
    return moment.timestamp() if moment.year > 1 else None


def _chat(session: ChatSession) -> Chat:
    return Chat(
        id=session.ChatSessionId,
        closed=session.Status in ENDED,
        owner=_id(session.User),
        offered_to=_id(session.TransferTo),
        shows_offers=True,
        queue=session.TopicId,
    )


def _id(associate: Associate | None) -> str | None:
    return associate.AssociateId if associate is not None else None
