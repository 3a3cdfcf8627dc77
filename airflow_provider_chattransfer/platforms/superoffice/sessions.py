# SPDX-License-Identifier: Apache-2.0
"""A SuperOffice chat session as an entity or a list row, read into a ``Chat``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...chats.model import Chat
from ..errors import NotUnderstood

ENDED = frozenset({"Finished", "Deleted", "Closed", "RequestPosted", "ClosedFromQueue"})
"""Values of ``Status`` in which a session is over (enum ChatSessionStatus, 7 to 11)."""

ACTIVE = (5, 6)
"""CustomerLast and UserLast: the two statuses of a session that an agent has. A pending transfer is no status of
its own but a ``TransferTo``."""


NO_DATE = "0001-01-01T00:00:00"


def read_entity(entity: Any, *, method: str) -> Chat:
    """The chat of a ChatSessionEntity. Everything about the customer is dropped here.

    Raises ``NotUnderstood`` for what is no session: also a 200 may hold something else.
    """
    chat_id = _id(entity.get("ChatSessionId")) if isinstance(entity, Mapping) else None
    if chat_id is None:
        raise NotUnderstood("the answer is no chat session", method=method)
    return Chat(
        id=chat_id,
        closed=entity.get("Status") in ENDED,
        owner=_associate(entity.get("User")),
        offered_to=_associate(entity.get("TransferTo")),
        shows_offers=True,
        queue=_id(entity.get("TopicId")),
    )


def read_row(row: Mapping[str, Any], *, owner: str) -> Chat:
    """The chat of a row of the archive ``ChatSession`` that was filtered by its owner.

    A row does not show a pending transfer, and names the owner by his login: hence the argument. Raises
    ``NotUnderstood`` for a row that is no session.
    """
    chat_id = _id(row.get("chatSessionId"))
    if chat_id is None:
        raise NotUnderstood("a row of the list is no session", method="GET ChatSession")
    person = _id(row.get("personId"))
    return Chat(
        id=chat_id,
        owner=owner,
        queue=_id(row.get("chatTopic/chatTopicId")),
        customer=f"person {person}" if person else None,
    )


def read_associate(carrier: Any, *, method: str) -> str:
    """The associate id in a carrier that must have one; raises ``NotUnderstood`` otherwise."""
    if (associate := _associate(carrier)) is None:
        raise NotUnderstood("the answer names no associate", method=method)
    return associate


def posted_at(message: Mapping[str, Any]) -> float:
    """When a chat message was posted, in epoch seconds; ``WhenPosted`` is in UTC, with an offset or without.

    The year 1 stands for no date. Raises ``NotUnderstood`` for what is none at all.
    """
    try:
        moment = datetime.fromisoformat(str(message.get("WhenPosted") or NO_DATE))
    except ValueError:
        raise NotUnderstood("a message's date is none", method="GetChatMessages") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() if moment.year > 1 else 0.0


def _associate(carrier: Any) -> str | None:
    return _id(carrier.get("AssociateId")) if isinstance(carrier, Mapping) else None


def _id(value: Any) -> str | None:
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return str(number) if number > 0 else None
