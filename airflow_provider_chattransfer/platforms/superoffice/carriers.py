# SPDX-License-Identifier: Apache-2.0
"""Declare what the WebAPI answers, as far as it is read: carriers of the Agents, and rows of the archive.

Members are named as the service names them, and any may be missing or null (superoffice.md, 13, item 20); nothing else
of a customer is kept. An id of 0 in a carrier means that nobody is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..decoding import Id, IdIfKnown, OptionalId, TextIfKnown


class SessionStatus(StrEnum):
    """The enum ChatSessionStatus; its numbers are those of the members' order."""

    INVALID = "Invalid"
    PRE_CHAT_FORM = "PreChatForm"
    FAQ = "Faq"
    OFFLINE_FORM = "OfflineForm"
    IN_QUEUE = "InQueue"
    CUSTOMER_LAST = "CustomerLast"
    USER_LAST = "UserLast"
    FINISHED = "Finished"
    DELETED = "Deleted"
    CLOSED = "Closed"
    REQUEST_POSTED = "RequestPosted"
    CLOSED_FROM_QUEUE = "ClosedFromQueue"


@dataclass(frozen=True, slots=True)
class Associate:
    """A person of SuperOffice."""

    AssociateId: OptionalId = None


@dataclass(frozen=True, slots=True)
class SessionKey:
    """The one member without which an answer is no chat session."""

    ChatSessionId: Id


@dataclass(frozen=True, slots=True)
class ChatSession:
    """A ChatSessionEntity. A pending transfer is no status of its own but a ``TransferTo``."""

    ChatSessionId: Id
    TopicId: OptionalId = None
    User: Associate | None = None
    TransferTo: Associate | None = None
    Status: SessionStatus | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an OData answer."""

    value: list[Any]


def _shown_number(value: object) -> int | None:
    """Return a number that a column shows as such; a text is a name or a login, and cannot be compared."""
    return value if type(value) is int else None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of the archive ``ChatSession``.

    ``status`` and ``associateId`` are shown as text, in the user's language and as a login (observed). Only where they
    are numbers can they be compared with what was asked for.
    """

    chatSessionId: Id
    status: Annotated[int | None, BeforeValidator(_shown_number)] = None
    associateId: Annotated[int | None, BeforeValidator(_shown_number)] = None
    personId: IdIfKnown = None
    topic: Annotated[IdIfKnown, Field(alias="chatTopic/chatTopicId")] = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A SoPrincipalCarrier: who is signed in."""

    AssociateId: Id
    UserType: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class ListItem:
    """An MDOListItem; the item with the id 0 stands for all of them."""

    Id: IdIfKnown = None
    Name: TextIfKnown = None
    FullName: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A ChatTopicEntity."""

    ChatTopicId: Id


@dataclass(frozen=True, slots=True)
class Message:
    """A ChatMessage. ``SpecialType`` is a name of the enum ChatMessageSpecialType; ``WhenPosted`` is in UTC."""

    ChatSessionId: OptionalId = None
    SpecialType: str | None = None
    WhenPosted: str | None = None
