# SPDX-License-Identifier: Apache-2.0
"""What a tenant consists of: associates, topics, customers, sessions and their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from itertools import count
from typing import Any


class Status(IntEnum):
    """`ChatSessionStatus`: JSON carries the name, archives and the database the number."""

    Invalid = 0
    PreChatForm = 1
    Faq = 2
    OfflineForm = 3
    InQueue = 4
    CustomerLast = 5
    UserLast = 6
    Finished = 7
    Deleted = 8
    Closed = 9
    RequestPosted = 10
    ClosedFromQueue = 11

    @property
    def display(self) -> str:
        """The text of the list `chatsessionstatus`, which a row of an archive shows."""
        return _DISPLAY[self]

    @property
    def active(self) -> bool:
        """Whether an agent and a customer are talking. There is no status for a pending transfer."""
        return self in (Status.CustomerLast, Status.UserLast)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self >= Status.Finished


_DISPLAY = {
    Status.Invalid: "Invalid",
    Status.PreChatForm: "Pre-chat form",
    Status.Faq: "FAQ link",
    Status.OfflineForm: "Offline form",
    Status.InQueue: "Waiting",
    Status.CustomerLast: "Waiting for agent",
    Status.UserLast: "Waiting for customer",
    Status.Finished: "Finished",
    Status.Deleted: "Deleted",
    Status.Closed: "Closed",
    Status.RequestPosted: "Request posted",
    Status.ClosedFromQueue: "Closed in queue",
}


class AssociateType(StrEnum):
    """`AssociateType` as JSON names it."""

    UNKNOWN = "Unknown"
    INTERNAL = "InternalAssociate"
    RESOURCE = "ResourceAssociate"
    EXTERNAL = "ExternalAssociate"
    ANONYMOUS = "AnonymousAssociate"
    SYSTEM = "SystemAssociate"


@dataclass(frozen=True, slots=True)
class Associate:
    """A user. His associate id, ejuser id and person id are three different numbers."""

    id: int
    ejuser_id: int
    person_id: int
    login: str
    password: str
    full_name: str
    type: AssociateType = AssociateType.INTERNAL
    deleted: bool = False

    @property
    def user_name(self) -> str:
        """`Associate.UserName`: online the name by which they sign in to all of SuperOffice."""
        return f"{self.login}@example.com"

    @property
    def chats(self) -> bool:
        """Whether they can be given a chat: an internal associate with a chat licence who is not deleted."""
        return self.type is AssociateType.INTERNAL and not self.deleted


class Role(StrEnum):
    """What an associate may do in a topic, as `ChatTopicAgent` names it."""

    RESPOND = "CanRespond"
    MANAGE = "CanManage"
    LISTEN = "CanListen"
    NOTIFY = "CanNotify"


@dataclass(frozen=True, slots=True)
class Topic:
    """A chat topic, also called channel.

    ``roles`` are by associate; ``stored`` holds what was saved of the entity's members that have no effect here. A
    deleted topic is kept for the sessions that were in it.
    """

    id: int
    name: str
    roles: Mapping[int, frozenset[Role]]
    stored: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False
    changed: float = 0.0

    def having(self, role: Role) -> frozenset[int]:
        """Return the associates with ``role``."""
        return frozenset(number for number, roles in self.roles.items() if role in roles)

    @property
    def members(self) -> frozenset[int]:
        """Those who take chats: `CanRespond`."""
        return self.having(Role.RESPOND)

    @property
    def managers(self) -> frozenset[int]:
        """Those with `CanManage`."""
        return self.having(Role.MANAGE)

    @property
    def people(self) -> frozenset[int]:
        """The members in SuperOffice's sense: "at least one of Can Respond, Notifications, Listen or Manager"."""
        return frozenset(number for number, roles in self.roles.items() if roles)


@dataclass(frozen=True, slots=True)
class Customer:
    """Who writes in. ``known`` tells whether they are a person in the database."""

    id: int
    known: bool
    first_name: str
    last_name: str
    email: str
    phone: str
    company: str
    host: str

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()


class MessageType(StrEnum):
    """`ChatMessageType` as JSON names it."""

    INVALID = "Invalid"
    TO_CUSTOMER = "ToCustomer"
    TO_USER = "ToUser"
    SPECIAL = "Special"


class SpecialType(StrEnum):
    """`ChatMessageSpecialType` as JSON names it; the spelling is SuperOffice's."""

    NONE = "None"
    WELCOME = "Welcome"
    URL = "Url"
    BLOCK = "Block"
    NEW_SESSION = "NewSession"
    TRANSFERRED = "TransferedSession"
    ERROR = "Error"
    SESSION_DELETED = "SessionDeleted"
    FAQ_SUCCESS = "FaqSuccessQuestion"
    CLOSED_BY_USER = "ClosedByUser"
    CLOSED_BY_CUSTOMER = "ClosedByCustomer"
    CLOSED_BY_IDLE = "ClosedByIdle"
    REJECTED = "TransferRejected"
    REOPENED = "ReopenedByCustomer"
    CLICKED_OPTION = "ClickedOption"
    BOT_MESSAGE = "BotMessage"
    OPTIONS = "Options"
    ILLEGAL_FILE_TYPE = "IllegalFileType"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a session."""

    id: int
    type: MessageType
    text: str
    author: str
    posted: float
    special: SpecialType = SpecialType.NONE
    param: str = ""


COPY_LENGTH = 1024
"""Characters of a session's `FirstMessage` and `LastMessage` (SuperOffice's database reference)."""


@dataclass(slots=True)
class ChatSession:
    """A chat.

    Times are seconds since the epoch. ``offer`` numbers the pending transfers, so that the answer to one that was
    replaced meanwhile is not taken for the answer to the present one. ``stored`` is what was saved of the entity's
    members that mean nothing here, ``changed`` the time of its last change.
    """

    id: int
    topic: int
    customer: Customer
    status: Status
    key: str
    requested: float
    user: int | None = None
    transfer_to: int | None = None
    offer: int = 0
    transfers: int = 0
    started: float | None = None
    ended: float | None = None
    idle: float | None = None
    queue_position: int = 1
    rank: int = 0
    chatbot: bool = False
    rating: int = 0
    messages: list[Message] = field(default_factory=list)
    stored: Mapping[str, Any] = field(default_factory=dict)
    changed: float = 0.0

    @property
    def holder(self) -> str:
        """Who has it, as the ledger writes it: its user, else its topic."""
        return f"queue:{self.topic}" if self.user is None else f"agent:{self.user}"

    @property
    def first_message(self) -> str:
        """A copy of the first text that somebody wrote, as long as the database keeps it."""
        return next(self._spoken(), "")

    @property
    def last_message(self) -> str:
        """A copy of the last one."""
        return next(self._spoken(reverse=True), "")

    def _spoken(self, *, reverse: bool = False) -> Iterator[str]:
        messages = reversed(self.messages) if reverse else iter(self.messages)
        return (message.text[:COPY_LENGTH] for message in messages if message.type is not MessageType.SPECIAL)


class Centre:
    """Everything that the tenant's database holds."""

    def __init__(self, *, associates: list[Associate], topics: list[Topic], present: set[int]) -> None:
        self.associates = {associate.id: associate for associate in associates}
        self.topics = {topic.id: topic for topic in topics}
        self.present = present
        self.sessions: dict[int, ChatSession] = {}
        self._by_ejuser = {associate.ejuser_id: associate for associate in associates}
        self._by_login = {associate.login.casefold(): associate for associate in associates}
        self._by_user_name = {associate.user_name.casefold(): associate for associate in associates}
        self._message_ids = count(9001)
        self._last_session = 0
        self._last_topic = max(self.topics, default=0)

    def by_ejuser(self, ejuser_id: int) -> Associate | None:
        """Return the associate behind an ejuser id."""
        return self._by_ejuser.get(ejuser_id)

    def by_login(self, login: str) -> Associate | None:
        """Return the associate with this `Associate.Name`."""
        return self._by_login.get(login.casefold())

    def by_user_name(self, user_name: str) -> Associate | None:
        """Return the associate with this `Associate.UserName`."""
        return self._by_user_name.get(user_name.casefold())

    def chat_users(self) -> Iterator[Associate]:
        """Return the associates who can be given a chat."""
        return (associate for associate in self.associates.values() if associate.chats)

    def topics_of(self, associate: Associate) -> list[Topic]:
        """Return the topics in which ``associate`` has a role."""
        return [topic for topic in self.topics.values() if topic.roles.get(associate.id)]

    def topic(self, topic_id: int) -> Topic | None:
        """Return the topic with this id, unless it was deleted."""
        topic = self.topics.get(topic_id)
        return None if topic is None or topic.deleted else topic

    def new_session_id(self) -> int:
        """Return a number that no session has had."""
        self._last_session = max(self._last_session, *self.sessions, 0) + 1
        return self._last_session

    def new_topic_id(self) -> int:
        """Return a number that no topic has had."""
        self._last_topic += 1
        return self._last_topic

    def remove(self, session: ChatSession) -> None:
        """Take ``session`` out for good."""
        self._last_session = max(self._last_session, session.id)
        del self.sessions[session.id]

    def active_of(self, associate_id: int) -> Iterator[ChatSession]:
        """Return the active sessions whose user is ``associate_id``."""
        return (session for session in self.sessions.values() if session.user == associate_id and session.status.active)

    def write(
        self,
        session: ChatSession,
        *,
        at: float,
        type: MessageType,
        text: str = "",
        author: str = "",
        special: SpecialType = SpecialType.NONE,
        param: str = "",
    ) -> Message:
        """Append a message to ``session``."""
        message = Message(
            id=next(self._message_ids), type=type, text=text, author=author, posted=at, special=special, param=param
        )
        session.messages.append(message)
        session.idle = session.changed = at
        return message
