# SPDX-License-Identifier: Apache-2.0
"""The columns of the archives about chat: what they are restricted and ordered by, and what a row shows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from . import errors
from .carriers import USER_GROUP
from .dates import Dates
from .model import Associate, Centre, ChatSession, Topic


class Kind(Enum):
    """The restriction type of a column."""

    INT = auto()
    SPAN = auto()
    DATE = auto()
    LIST = auto()
    ASSOCIATE = auto()
    EJUSER = auto()
    STRING = auto()
    BOOL = auto()


_COMPARISONS = frozenset({"equals", "unequals", "less", "greater", "le", "ge", "between", "in"})
_LISTED = frozenset({"equals", "oneof", "notoneof", "in"})
OPERATORS: Mapping[Kind, frozenset[str]] = {
    Kind.INT: _COMPARISONS | {"set", "oneof", "notoneof"},
    Kind.SPAN: _COMPARISONS,
    Kind.DATE: _COMPARISONS | {"before", "after", "datebetween", "set"},
    Kind.LIST: _LISTED,
    Kind.ASSOCIATE: frozenset({"associateisoneof", "associateisnotoneof", "currentassociate", "in"}),
    Kind.EJUSER: _LISTED,
    Kind.STRING: frozenset(
        {"equals", "unequals", "is", "isnot", "begins", "notbegins", "contains", "notcontains", "endswith", "in"}
    ),
    Kind.BOOL: frozenset({"equals", "is", "set"}),
}
"""Which operators a restriction type knows, aliases resolved (SuperOffice's pages on restriction types and filters)."""

ELSEWHERE = ("associate/", "chatTopic/", "person/", "contact/", "project/", "sale/", "ticket/", "icon", "date", "type",
             "text", "updatedDate", "registeredDate", "recordTypeText")  # fmt: skip
"""How the names of columns begin that SuperOffice's reference lists and the sandbox does not have."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``key`` is what filters and orders go by, ``shown`` what a row holds.

    An ``asked`` one is in an answer only when `$select` names it.
    """

    name: str
    kind: Kind
    key: Callable[[ChatSession], Any]
    shown: Callable[[ChatSession], Any]
    orderable: bool = True
    asked: bool = False

    def raw(self, session: ChatSession) -> Any:
        """Return the value behind what is shown: a list's number, an associate's id."""
        numbered = self.kind in (Kind.LIST, Kind.ASSOCIATE, Kind.EJUSER)
        return self.key(session) if numbered else self.shown(session)

    def encoded(self, session: ChatSession) -> str:
        """Write the value as `CultureDataFormatter` does: text as it is, `[I:157]`, `[DT:11/21/2026 09:05:00]`."""
        shown = self.shown(session)
        if self.kind is Kind.DATE:
            moment = datetime.fromisoformat(shown)
            return f"[DT:{moment:%m/%d}/{moment.year:04} {moment:%H:%M:%S}]"
        if self.kind is Kind.SPAN:
            return f"[TS:{shown}]"
        return f"[I:{int(shown)}]" if isinstance(shown, int) else str(shown)


@dataclass(frozen=True, slots=True)
class Provider:
    """A kind of list: the entity's name in its rows, and its columns by lower-case name."""

    entity: str
    columns: Mapping[str, Column]

    def column(self, name: str) -> Column:
        """Return the column with this name in any case; 400 when there is none, 501 when only the sandbox has none."""
        if (column := self.columns.get(name.casefold())) is not None:
            return column
        if name.casefold().startswith(tuple(map(str.casefold, ELSEWHERE))) or "(" in name:
            raise errors.not_simulated(f"the column {name}")
        raise errors.invalid_argument(f"Unknown column: {name}")

    def chosen(self, names: list[str]) -> list[tuple[str, Column]]:
        """Return the columns with these names, which an answer repeats as they were asked for.

        Without any, the usual ones.
        """
        if names:
            return [(name, self.column(name)) for name in names]
        return [(column.name, column) for column in self.columns.values() if not column.asked]


def providers(centre: Centre, dates: Dates) -> dict[str, Provider]:
    """All archives by lower-case name, for a caller who wants ``dates``."""
    sessions = _Columns(centre, dates)
    return {
        "chatsession": _provider("chat", *sessions.of_archive()),
        "simplechatsession": _provider("chatsession", *sessions.of_archive()),
        "findchatsession": _provider("chatsession", *sessions.of_archive()),
        "dynamic": _provider("chat_session", *sessions.of_table()),
    }


class _Columns:
    """The columns of a session."""

    def __init__(self, centre: Centre, dates: Dates) -> None:
        self._centre = centre
        self._dates = dates

    def of_archive(self) -> list[Column]:
        """Of `ChatSession` and its siblings: texts where the database has numbers. None shows a pending transfer."""
        return [*self._own(), *self._of_topic(), *self._of_user(), *self._of_customer()]

    def of_table(self) -> list[Column]:
        """Of the table `chat_session`: the database's names and numbers; its users are ejusers."""
        user, receiver = self._user("ejuser_id", 0), self._user("ejuser_id", 0, of="transfer_to")
        return [
            _int("chat_session.id", lambda session: session.id),
            _int("chat_session.status", lambda session: int(session.status)),
            _int("chat_session.topic_id", lambda session: session.topic),
            _int("chat_session.user_id", user),
            _int("chat_session.transfer_to", receiver),
            _int("chat_session.customer_id", _person_id),
            self._date("chat_session.when_requested", lambda session: session.requested),
            self._date("chat_session.when_started", lambda session: session.started),
            self._date("chat_session.when_ended", lambda session: session.ended),
        ]

    def _own(self) -> list[Column]:
        user_id, login = self._user("id", 0), self._user("login", "")
        return [
            Column("getAllRows", Kind.BOOL, lambda _: True, lambda _: True, orderable=False, asked=True),
            Column("getNoRows", Kind.BOOL, lambda _: False, lambda _: False, orderable=False, asked=True),
            _int("chatSessionId", lambda session: session.id),
            Column("agent", Kind.EJUSER, self._user("ejuser_id", 0), self._user("full_name", "")),
            Column("associateId", Kind.ASSOCIATE, user_id, login),
            Column("status", Kind.LIST, lambda session: int(session.status), lambda session: session.status.display),
            self._date("whenRequested", lambda session: session.requested),
            self._date("whenStarted", lambda session: session.started),
            self._date("whenEnded", lambda session: session.ended),
            _span("duration", lambda s: (s.ended or s.started or 0.0) - (s.started or 0.0), orderable=False),
            _span("timeInQueue", lambda session: (session.started or session.requested) - session.requested),
            _int("queueLength", lambda session: session.queue_position),
            _int("rating", lambda session: session.rating),
            _string("firstMessage", lambda session: session.first_message),
            _string("lastMessage", lambda session: session.last_message),
            Column("personId", Kind.LIST, _person_id, _person_id),
            Column("contactId", Kind.LIST, lambda _: 0, lambda _: 0),
        ]

    def _of_topic(self) -> list[Column]:
        def topic(session: ChatSession) -> Topic:
            return self._centre.topics[session.topic]

        return [
            _int("chatTopic/chatTopicId", lambda session: session.topic),
            _string("chatTopic/name", lambda session: topic(session).name),
        ]

    def _of_user(self) -> list[Column]:
        user_id, login = self._user("id", 0), self._user("login", "")
        active = self._user("deleted", True)
        return [
            Column("associate/assocName", Kind.ASSOCIATE, user_id, login),
            _string("associate/userName", self._user("user_name", "")),
            _int("associate/ejUserId", self._user("ejuser_id", 0), orderable=False),
            _string("associate/fullName", self._user("full_name", "")),
            _int("associate/personId", self._user("person_id", 0), orderable=False, asked=True),
            Column("associate/isActive", Kind.BOOL, lambda s: not active(s), lambda s: not active(s), asked=True),
            Column("associate/usergroup", Kind.LIST, lambda _: USER_GROUP, lambda _: "Service", asked=True),
        ]

    def _of_customer(self) -> list[Column]:
        """Personal data of somebody who is in the database."""

        def of(attribute: str) -> Callable[[ChatSession], str]:
            return lambda session: getattr(session.customer, attribute) if session.customer.known else ""

        return [
            _int("person/personId", _person_id, asked=True),
            _string("person/firstName", of("first_name"), asked=True),
            _string("person/lastName", of("last_name"), asked=True),
            _string("person/fullName", of("full_name"), asked=True),
            _string("person/email/emailAddress", of("email"), asked=True),
            _string("person/phone/formattedNumber", of("phone"), orderable=False, asked=True),
        ]

    def _user(self, attribute: str, nobody: Any, *, of: str = "user") -> Callable[[ChatSession], Any]:
        """Return an attribute of the session's user, or of whom it is being transferred to."""
        associates = self._centre.associates

        def value(session: ChatSession) -> Any:
            number: int | None = getattr(session, of)
            found: Associate | None = None if number is None else associates.get(number)
            return getattr(found, attribute, nobody)

        return value

    def _date(self, name: str, at: Callable[[ChatSession], float | None]) -> Column:
        return Column(name, Kind.DATE, lambda session: at(session) or 0.0, lambda session: self._dates.row(at(session)))


def _provider(entity: str, *columns: Column) -> Provider:
    return Provider(entity=entity, columns={column.name.casefold(): column for column in columns})


def _int(name: str, value: Callable[[ChatSession], int], *, orderable: bool = True, asked: bool = False) -> Column:
    return Column(name, Kind.INT, value, value, orderable, asked)


def _span(name: str, seconds: Callable[[ChatSession], float], *, orderable: bool = True) -> Column:
    """Return a time span, in whole seconds; no document gives the unit."""
    return Column(name, Kind.SPAN, lambda s: int(seconds(s)), lambda s: int(seconds(s)), orderable)


def _string(name: str, value: Callable[[ChatSession], str], *, orderable: bool = True, asked: bool = False) -> Column:
    """Return a text; compared without regard to case, as the database does."""
    return Column(name, Kind.STRING, lambda session: value(session).casefold(), value, orderable, asked)


def _person_id(session: ChatSession) -> int:
    return session.customer.id if session.customer.known else 0
