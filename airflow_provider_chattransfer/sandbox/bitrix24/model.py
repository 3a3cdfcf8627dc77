# SPDX-License-Identifier: Apache-2.0
"""The data of a portal: users, lines, chats, sessions, and the credentials of its API. No rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

from .switches import Switches

GENERAL_CHAT_ID = 2
"""The id of an internal chat that is no open line."""


class UserKind(StrEnum):
    """What a user is. Only an employee can be given a chat."""

    EMPLOYEE = "employee"
    EXTRANET = "extranet"
    BOT = "bot"
    CONNECTOR = "connector"


class Status(IntEnum):
    """The numbers of a session's status (server source ``imopenlines/lib/session.php``)."""

    NEW = 0
    SKIP = 5
    ANSWER = 10
    CLIENT = 20
    CLIENT_AFTER_OPERATOR = 25
    OPERATOR = 40
    WAIT_CLIENT = 50
    CLOSE = 60
    SPAM = 65
    DUPLICATE = 69
    SILENTLY_CLOSE = 75


class CloseReason(StrEnum):
    """Who ended a session, as the reports say."""

    OPERATOR = "operator"
    CLIENT = "client"
    SPAM = "spam"


class QueueType(StrEnum):
    """How a line selects its next operator."""

    EVENLY = "evenly"
    STRICTLY = "strictly"
    ALL = "all"


@dataclass(slots=True)
class User:
    """Anyone with a user id: operators, customers, bots."""

    id: int
    name: str
    kind: UserKind = UserKind.EMPLOYEE
    active: bool = True
    present: bool = True
    paused: bool = False
    left_at: float | None = None
    admin: bool = False
    email: str = ""
    phone: str = ""

    @property
    def first_name(self) -> str:
        """All but the last word of the name."""
        return self.name.rpartition(" ")[0] or self.name

    @property
    def last_name(self) -> str:
        """The last word of the name."""
        return self.name.rpartition(" ")[2] if " " in self.name else ""

    @property
    def available(self) -> bool:
        """Whether a line that checks availability would offer this user a chat."""
        return self.active and self.present and not self.paused


@dataclass(slots=True)
class Line:
    """An open line, called queue in the transfer methods."""

    id: int
    name: str
    members: list[int]
    active: bool = True
    crm: bool = True
    crm_transfer_change: bool = True
    check_available: bool = True
    max_chat: int = 0
    queue_time: float = 0.0
    queue_type: QueueType = QueueType.EVENLY
    deleted: bool = False
    last_served: int = 0


@dataclass(frozen=True, slots=True)
class TransferLogEntry:
    """A row of the transfer log, as ``imopenlines.v2.Session.Transfer.list`` shows it."""

    at: float
    session_id: int
    from_operator: int | None
    to_operator: int | None
    from_line: int
    to_line: int | None
    reason: str
    mode: str
    type: str
    initiator: int | None


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """What the reports show of a session as of one moment."""

    at: float
    status: Status
    operator: int
    line: int
    pinned: bool
    closed_at: float | None
    queue_transfers: int
    messages: int


@dataclass(slots=True)
class Session:
    """One conversation in a chat, from the customer's first message to the close."""

    id: int
    chat_id: int
    line: int
    created_at: float
    status: Status = Status.NEW
    operator: int = 0
    responsible: int = 0
    crm: bool = True
    pinned: bool = False
    answered_at: float | None = None
    closed_at: float | None = None
    close_reason: CloseReason = CloseReason.OPERATOR
    asked: set[int] = field(default_factory=set)
    offer: int = 0
    queue_transfers: int = 0
    transfer_log: list[TransferLogEntry] = field(default_factory=list)
    snapshots: list[SessionSnapshot] = field(default_factory=list)
    vote: str = ""
    vote_head: int = 0
    comment_head: str = ""

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self.status >= Status.CLOSE

    def take_snapshot(self, at: float, *, messages: int) -> None:
        """Store what the reports show of the session from ``at`` on."""
        self.snapshots.append(
            SessionSnapshot(
                at=at,
                status=self.status,
                operator=self.operator,
                line=self.line,
                pinned=self.pinned,
                closed_at=self.closed_at,
                queue_transfers=self.queue_transfers,
                messages=messages,
            )
        )

    def snapshot_at(self, at: float) -> SessionSnapshot | None:
        """Return what the reports show at ``at``; ``None`` if the session had not begun."""
        return next((snapshot for snapshot in reversed(self.snapshots) if snapshot.at <= at), None)


@dataclass(slots=True)
class Chat:
    """A customer's chat. It outlives its sessions; ``session`` is 0 while it is closed."""

    id: int
    customer: int
    connector: str
    line: int
    external: str
    title: str
    created_at: float
    owner: int = 0
    session: int = 0
    last_session: int = 0
    moved_to_line: int = 0
    lead: int = 0
    members: set[int] = field(default_factory=set)
    messages: int = 0
    last_message: int = 0
    last_text: str = ""
    changed_at: float = 0.0
    transfers: int = 0
    locked_until: float = 0.0
    locked_by: int | None = None
    answer_locked_until: float = 0.0
    broken: bool = False
    silent: bool = False

    @property
    def user_code(self) -> str:
        """``entity_id``: connector, line, external chat, connector user. Its line never changes."""
        return f"{self.connector}|{self.line}|{self.external}|{self.customer}"


@dataclass(frozen=True, slots=True)
class Bot:
    """A chat bot: a user, and the app id that owns it (``custom<CLIENT_ID>`` for a webhook's).

    ``kind`` is named as in ``imbot.v2``; the older methods say ``O`` for ``openline``.
    """

    id: int
    app_id: str
    code: str = ""
    kind: str = "openline"
    open_lines: bool = True


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook: it acts as its user, within its scopes, until it expires."""

    user: int
    code: str
    scopes: frozenset[str]
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class App:
    """An OAuth application and its initial tokens."""

    client_id: str
    client_secret: str
    user: int
    scopes: frozenset[str]
    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The beginning or the end of an operator's soft pause."""

    at: float
    user: int
    begun: bool


@dataclass(slots=True)
class PortalData:
    """All data of the portal, by id."""

    switches: Switches
    started_at: float = 0.0
    users: dict[int, User] = field(default_factory=dict)
    lines: dict[int, Line] = field(default_factory=dict)
    chats: dict[int, Chat] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)
    bots: list[Bot] = field(default_factory=list)
    webhooks: dict[tuple[int, str], Webhook] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    last_message: int = 86000
    last_session: int = 331

    def line(self, line_id: int) -> Line | None:
        """Return the line of that id, unless it was deleted."""
        line = self.lines.get(line_id)
        return None if line is None or line.deleted else line

    def session_of(self, chat: Chat) -> Session | None:
        """Return the chat's open session."""
        return self.sessions[chat.session] if chat.session else None

    def new_session_id(self) -> int:
        """Return the next session id; 332 is the first."""
        self.last_session += 1
        return self.last_session

    def open_sessions(self) -> Iterator[tuple[Chat, Session]]:
        """Yield every chat that is not closed, with its session."""
        for chat in self.chats.values():
            if chat.session:
                yield chat, self.sessions[chat.session]

    def load_of(self, user: int, *, line: int | None = None) -> int:
        """Return how many open sessions ``user`` has, in all lines or in one."""
        return sum(
            1 for _, session in self.open_sessions() if session.operator == user and line in (None, session.line)
        )

    def bot_of_app(self, app_id: str) -> Bot | None:
        """Return the first bot of an app (server source ``im/lib/bot.php``: LIMIT 1)."""
        return next((bot for bot in self.bots if bot.app_id == app_id), None)

    def may_see(self, user_id: int, chat: Chat) -> bool:
        """Return whether a user may open a chat: as its member, as a member of its line, or as an administrator."""
        user = self.users.get(user_id)
        if user is None:
            return False
        session = self.sessions.get(chat.session or chat.last_session)
        line = self.lines.get(session.line if session else chat.line)
        return user.admin or user_id in chat.members or (line is not None and user_id in line.members)


def format_time(at: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(int(at), UTC).isoformat()


def parse_time(text: str) -> float:
    """Return the inverse of `format_time`: seconds since the epoch; a text without an offset is in UTC.

    Raises ``ValueError`` for a text that is no time.
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
