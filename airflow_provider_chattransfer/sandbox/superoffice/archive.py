# SPDX-License-Identifier: Apache-2.0
"""The archive lists: provider `ChatSession` with its own ids and texts, provider `dynamic` with the database's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from . import errors, odata
from .dates import Dates
from .model import Associate, Centre, ChatSession

PAGE_SIZE = 1000
"""Rows in an answer without `$top` (SuperOffice's page on performance)."""

_COMPARISONS = frozenset({"equals", "unequals", "less", "greater", "le", "ge", "between", "in"})


class Kind(Enum):
    """The restriction type of a column."""

    INT = auto()
    DATE = auto()
    LIST = auto()
    ASSOCIATE = auto()
    EJUSER = auto()
    STRING = auto()
    NONE = auto()


OPERATORS: Mapping[Kind, frozenset[str]] = {
    Kind.INT: _COMPARISONS | {"set", "oneof", "notoneof"},
    Kind.DATE: _COMPARISONS | {"before", "after", "set"},
    Kind.LIST: frozenset({"equals", "oneof", "notoneof", "in"}),
    Kind.ASSOCIATE: frozenset({"associateisoneof", "associateisnotoneof", "currentassociate", "in"}),
    Kind.EJUSER: frozenset({"equals", "oneof", "notoneof", "in"}),
    Kind.STRING: frozenset({"equals", "unequals", "is", "isnot", "begins", "contains", "in"}),
    Kind.NONE: frozenset(),
}
"""Which operators a restriction type knows, aliases resolved."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``key`` is what filters and orders go by, ``shown`` what a row holds."""

    name: str
    kind: Kind
    key: Callable[[ChatSession], Any]
    shown: Callable[[ChatSession], Any]
    orderable: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """A kind of list: the entity's name in its rows, and its columns by lower-case name."""

    entity: str
    columns: Mapping[str, Column]

    def column(self, name: str) -> Column:
        """The column with this name in any case; 400 when there is none."""
        if (column := self.columns.get(name.casefold())) is None:
            raise errors.invalid_argument(f"Unknown column: {name}")
        return column


@dataclass(frozen=True, slots=True)
class Query:
    """What the caller of a list asks for; names of options are lower case."""

    options: Mapping[str, str]
    url: str
    base: str

    def number(self, name: str, default: int) -> int:
        """The option ``name`` as a number of rows."""
        text = self.options.get(name, "").strip()
        if text and not (text.isascii() and text.isdigit()):
            raise errors.unbound(name)
        return int(text) if text else default


class Archive:
    """Answers lists of sessions for one caller."""

    def __init__(self, centre: Centre, *, dates: Dates, caller: Associate, next_link_with_top: bool) -> None:
        self._centre = centre
        self._dates = dates
        self._caller = caller
        self._next_link_with_top = next_link_with_top

    def sessions(self, query: Query, *, topic: int | None = None) -> dict[str, Any]:
        """The list `ChatSession`, of one topic when given."""
        return self._page(self._chat_sessions(), query, topic=topic)

    def dynamic(self, query: Query) -> dict[str, Any]:
        """The list `dynamic` over the table `chat_session`: names and numbers of the database."""
        if not odata.names(query.options.get("$select", "")):
            raise errors.invalid_argument("The dynamic archive needs $select.")
        return self._page(self._chat_session_table(), query)

    def _page(self, provider: Provider, query: Query, *, topic: int | None = None) -> dict[str, Any]:
        if query.options.get("$mode", "slim").casefold() != "slim":
            raise errors.not_simulated("$mode other than Slim")
        rows = [session for session in self._centre.sessions.values() if topic in (None, session.topic)]
        try:
            keep = self._restriction(provider, query.options.get("$filter", ""))
            rows = _sorted(provider, filter(keep, rows), query.options.get("$orderby", ""))
        except ValueError as problem:
            raise errors.invalid_argument(str(problem)) from problem
        skip, top = query.number("$skip", 0), query.number("$top", 0)
        size = top or PAGE_SIZE
        more = len(rows) > skip + size and (not top or self._next_link_with_top)
        return {
            "odata.metadata": f"{query.base}/v1/archive/$metadata",
            "odata.nextLink": _next_link(query, skip + size) if more else None,
            "value": self._rows(provider, rows[skip : skip + size], query),
        }

    def _rows(self, provider: Provider, rows: list[ChatSession], query: Query) -> list[dict[str, Any]]:
        names = odata.names(query.options.get("$select", "")) or [column.name for column in provider.columns.values()]
        safe = query.options.get("$jsonsafe", "").casefold() == "true"
        shown = [(_safe(name) if safe else name, provider.column(name).shown) for name in names]
        return [
            {
                "PrimaryKey": str(session.id),
                "EntityName": provider.entity,
                **{name: value(session) for name, value in shown},
            }
            for session in rows
        ]

    def _restriction(self, provider: Provider, text: str) -> odata.Predicate:
        if not text.strip():
            return lambda _: True
        return odata.predicate(odata.parse_filter(text), lambda condition: self._condition(provider, condition))

    def _condition(self, provider: Provider, condition: odata.Condition) -> odata.Predicate:
        column = provider.column(condition.column)
        if condition.operator not in OPERATORS[column.kind]:
            raise ValueError(f"Operator {condition.operator!r} is not for column {column.name!r}")
        if condition.operator == "currentassociate":
            return lambda session: column.key(session) == self._caller.id
        values = [self._value(column.kind, value) for value in condition.values]
        return _comparison(condition.operator, column.key, values)

    def _value(self, kind: Kind, text: str) -> Any:
        if kind is Kind.STRING:
            return text.casefold()
        if kind is Kind.DATE:
            return self._dates.parsed(text)
        return int(text[3:-1] if text.startswith("[I:") and text.endswith("]") else text)

    def _chat_sessions(self) -> Provider:
        associates, topics, date = self._centre.associates, self._centre.topics, self._dates.row

        def user(session: ChatSession) -> Associate | None:
            return None if session.user is None else associates[session.user]

        def of_user(attribute: str, nobody: Any) -> Callable[[ChatSession], Any]:
            return lambda session: getattr(user(session), attribute, nobody)

        number, login, ejuser = of_user("id", 0), of_user("login", ""), of_user("ejuser_id", 0)
        return _provider(
            "chat",
            _int("chatSessionId", lambda session: session.id),
            Column("agent", Kind.EJUSER, ejuser, of_user("full_name", "")),
            Column("associateId", Kind.ASSOCIATE, number, login),
            Column("status", Kind.LIST, lambda session: int(session.status), lambda session: session.status.display),
            Column("whenRequested", Kind.DATE, lambda s: s.requested, lambda s: date(s.requested)),
            Column("whenStarted", Kind.DATE, lambda s: s.started or 0.0, lambda s: date(s.started)),
            Column("whenEnded", Kind.DATE, lambda s: s.ended or 0.0, lambda s: date(s.ended)),
            _int("queueLength", lambda session: session.queue_position),
            _int("rating", lambda session: session.rating),
            Column("firstMessage", Kind.STRING, _text(lambda s: s.first_message), lambda s: s.first_message),
            Column("lastMessage", Kind.STRING, _text(lambda s: s.last_message), lambda s: s.last_message),
            _int("personId", lambda session: session.customer.id if session.customer.known else 0),
            _int("contactId", lambda session: 0),
            _int("chatTopic/chatTopicId", lambda session: session.topic),
            Column(
                "chatTopic/name",
                Kind.STRING,
                _text(lambda session: topics[session.topic].name),
                lambda session: topics[session.topic].name,
            ),
            Column("associate/assocName", Kind.ASSOCIATE, number, login),
            Column("associate/userName", Kind.STRING, _text(of_user("user_name", "")), of_user("user_name", "")),
            Column("associate/ejUserId", Kind.INT, ejuser, ejuser, orderable=False),
            Column("associate/fullName", Kind.NONE, of_user("full_name", ""), of_user("full_name", "")),
        )

    def _chat_session_table(self) -> Provider:
        associates, date = self._centre.associates, self._dates.row

        def ejuser(associate_id: int | None) -> int:
            return 0 if associate_id is None else associates[associate_id].ejuser_id

        return _provider(
            "chat_session",
            _int("chat_session.id", lambda session: session.id),
            _int("chat_session.status", lambda session: int(session.status)),
            _int("chat_session.topic_id", lambda session: session.topic),
            _int("chat_session.user_id", lambda session: ejuser(session.user)),
            _int("chat_session.transfer_to", lambda session: ejuser(session.transfer_to)),
            _int("chat_session.customer_id", lambda session: session.customer.id if session.customer.known else 0),
            Column("chat_session.when_requested", Kind.DATE, lambda s: s.requested, lambda s: date(s.requested)),
            Column("chat_session.when_started", Kind.DATE, lambda s: s.started or 0.0, lambda s: date(s.started)),
            Column("chat_session.when_ended", Kind.DATE, lambda s: s.ended or 0.0, lambda s: date(s.ended)),
        )


def _provider(entity: str, *columns: Column) -> Provider:
    return Provider(entity=entity, columns={column.name.casefold(): column for column in columns})


def _int(name: str, value: Callable[[ChatSession], int]) -> Column:
    return Column(name, Kind.INT, value, value)


def _text(value: Callable[[ChatSession], str]) -> Callable[[ChatSession], str]:
    """Text for comparing: the database does not distinguish case."""
    return lambda session: value(session).casefold()


def _sorted(provider: Provider, rows: Any, text: str) -> list[ChatSession]:
    """In the order asked for; without one, the newest first (no order is promised)."""
    result = sorted(rows, key=lambda session: -session.id)
    for order in reversed(odata.parse_order(text)):
        column = provider.column(order.column)
        if not column.orderable:
            raise ValueError(f"Cannot order by column {column.name!r}")
        result.sort(key=column.key, reverse=order.descending)
    return result


def _comparison(operator: str, key: Callable[[ChatSession], Any], values: list[Any]) -> odata.Predicate:
    first = values[0]
    if operator in ("oneof", "associateisoneof", "in"):
        return lambda session: key(session) in values
    if operator in ("notoneof", "associateisnotoneof"):
        return lambda session: key(session) not in values
    if operator == "between":
        if len(values) != 2:
            raise ValueError("between needs two values")
        return lambda session: bool(first <= key(session) <= values[1])
    if len(values) != 1:
        raise ValueError(f"{operator} needs one value")
    return _SINGLE[operator](key, first)


_SINGLE: dict[str, Callable[[Callable[[ChatSession], Any], Any], odata.Predicate]] = {
    "equals": lambda key, value: lambda session: bool(key(session) == value),
    "is": lambda key, value: lambda session: bool(key(session) == value),
    "unequals": lambda key, value: lambda session: bool(key(session) != value),
    "isnot": lambda key, value: lambda session: bool(key(session) != value),
    "less": lambda key, value: lambda session: bool(key(session) < value),
    "before": lambda key, value: lambda session: bool(key(session) < value),
    "greater": lambda key, value: lambda session: bool(key(session) > value),
    "after": lambda key, value: lambda session: bool(key(session) > value),
    "le": lambda key, value: lambda session: bool(key(session) <= value),
    "ge": lambda key, value: lambda session: bool(key(session) >= value),
    "begins": lambda key, value: lambda session: str(key(session)).startswith(value),
    "contains": lambda key, value: lambda session: value in key(session),
    "set": lambda key, value: lambda session: bool(key(session)) == bool(value),
}


def _safe(name: str) -> str:
    return name.replace("/", "_").replace(".", "_")


def _next_link(query: Query, skip: int) -> str:
    options = {name: value for name, value in query.options.items() if name != "$skip"}
    return f"{query.url}?{urlencode({**options, '$skip': skip})}"
