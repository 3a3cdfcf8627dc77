# SPDX-License-Identifier: Apache-2.0
"""The archive lists: which sessions a caller finds, and how a page of them looks to OData."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from . import archive_query, errors
from .columns import OPERATORS, Column, Kind, Provider, providers
from .dates import Dates
from .integers import int32
from .model import Associate, AssociateType, Centre, ChatSession
from .switches import Switches

PAGE_SIZE = 1000
"""Rows in an answer without `$top` (SuperOffice's page on performance)."""

COUNTED = ("estimate", "true", "allpages")
"""The values of `$inlineCount` that ask for a number."""


@dataclass(frozen=True, slots=True)
class Query:
    """What the caller of an OData list asks for; names of options are lower case."""

    options: Mapping[str, str]
    url: str
    base: str

    def text(self, name: str) -> str:
        """Return the option ``name``, empty when it is left out."""
        return self.options.get(name, "")

    def number(self, name: str, default: int) -> int:
        """Return the option ``name`` as a number of rows."""
        if not (text := self.text(name).strip()):
            return default
        if (rows := int32(text)) is None or rows < 0:
            raise errors.unbound(name)
        return rows


class Archive:
    """Answers lists of sessions for one caller."""

    def __init__(self, centre: Centre, *, dates: Dates, caller: Associate, switches: Switches) -> None:
        self._centre = centre
        self._dates = dates
        self._caller = caller
        self._switches = switches
        self._providers = providers(centre, dates)

    def provider(self, name: str) -> Provider:
        """Return the archive with this name in any case; 400 when there is none."""
        if (provider := self._providers.get(name.casefold())) is None:
            raise errors.invalid_argument(f"Unknown archive provider: {name}")
        return provider

    def page(self, name: str, query: Query, *, topic: int | None = None) -> dict[str, Any]:
        """Return a page of the archive ``name`` as OData has it, of one topic when given."""
        provider = self.provider(name)
        if provider.entity == "chat_session" and not archive_query.names(query.text("$select")):
            raise errors.invalid_argument("The dynamic archive needs $select.")
        _refuse_other_forms(query)
        rows = self.find(
            provider,
            restriction=query.text("$filter"),
            order=query.text("$orderby"),
            entities=archive_query.names(query.text("$entities")),
            topic=topic,
        )
        skip, top = query.number("$skip", 0), query.number("$top", 0)
        size = top or PAGE_SIZE
        more = len(rows) > skip + size and (not top or self._switches.next_link_with_top)
        count = {"odata.count": len(rows)} if query.text("$inlinecount").casefold() in COUNTED else {}
        return {
            "odata.metadata": f"{query.base}/v1/archive/$metadata",
            **count,
            "odata.nextLink": _next_link(query, skip + size) if more else None,
            "value": _rows(provider, rows[skip : skip + size], query),
        }

    def find(
        self, provider: Provider, *, restriction: str, order: str, entities: list[str], topic: int | None = None
    ) -> list[ChatSession]:
        """All sessions that ``restriction`` leaves, in their order; raises `RefusalError`."""
        if entities and provider.entity not in map(str.casefold, entities):
            return []
        try:
            keep = self._predicate(provider, restriction)
            return _sorted(provider, filter(keep, self._seen(topic)), order)
        except ValueError as problem:
            raise errors.invalid_argument(str(problem)) from problem

    def _seen(self, topic: int | None) -> Iterable[ChatSession]:
        """Return what the caller may see; "unlimited data access" has the system user only."""
        everything = self._switches.archive_rows == "all" or self._caller.type is AssociateType.SYSTEM
        own = {each.id for each in self._centre.topics_of(self._caller)}
        return (
            session
            for session in self._centre.sessions.values()
            if topic in (None, session.topic) and (everything or session.topic in own)
        )

    def _predicate(self, provider: Provider, text: str) -> archive_query.Predicate:
        if not text.strip():
            return lambda _: True
        return archive_query.predicate(
            archive_query.parse_filter(text), lambda condition: self._condition(provider, condition)
        )

    def _condition(self, provider: Provider, condition: archive_query.Condition) -> archive_query.Predicate:
        column = provider.column(condition.column)
        if condition.operator in archive_query.PERIODS:
            raise errors.not_simulated(f"the operator {condition.operator}")
        if condition.operator not in OPERATORS[column.kind]:
            raise ValueError(f"Operator {condition.operator!r} is not for column {column.name!r}")
        if condition.operator == "currentassociate":
            return lambda session: bool(column.key(session) == self._caller.id)
        values = [self._value(column.kind, value) for value in condition.values]
        return _comparison(condition.operator, column.key, values)

    def _value(self, kind: Kind, text: str) -> Any:
        """Return the value that ``text`` writes, encoded (`[I:157]`) or not."""
        if kind is Kind.STRING:
            return text.casefold()
        moniker, _, inner = text[1:-1].partition(":") if text.startswith("[") and text.endswith("]") else ("", "", text)
        if kind is Kind.DATE:
            return self._dates.parsed(_iso(inner) if moniker in ("D", "DT") else inner)
        if kind is Kind.BOOL:
            return inner.casefold() in ("1", "true")
        if (number := int32(inner)) is None:
            raise ValueError(f"Not a number: {inner!r}")
        return number


def _iso(text: str) -> str:
    """Return a date as `CultureDataFormatter` writes it for the invariant culture: the month first."""
    if "/" not in text:
        return text
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S" if ":" in text else "%m/%d/%Y").isoformat()


def _refuse_other_forms(query: Query) -> None:
    """501 for what would change the form of the answer and is not simulated."""
    for name, known in (("$mode", ("", "slim", "full")), ("$format", ("", "json")), ("$metadata", ("",))):
        if query.text(name).casefold() not in known:
            raise errors.not_simulated(f"{name}={query.text(name)}")


def _rows(provider: Provider, rows: list[ChatSession], query: Query) -> list[dict[str, Any]]:
    columns = provider.chosen(archive_query.names(query.text("$select")))
    if query.text("$jsonsafe").casefold() == "true":
        columns = [(_safe(name), column) for name, column in columns]
    row = _full if query.text("$mode").casefold() == "full" else _slim
    return [row(provider, session, columns) for session in rows]


def _slim(provider: Provider, session: ChatSession, columns: list[tuple[str, Column]]) -> dict[str, Any]:
    """Return what is shown only. The key is a string, although the sample pages print a number."""
    values = {name: column.shown(session) for name, column in columns}
    return {"PrimaryKey": str(session.id), "EntityName": provider.entity, **values}


def _full(provider: Provider, session: ChatSession, columns: list[tuple[str, Column]]) -> dict[str, Any]:
    """Values, texts and hints, as the page on filters prints them."""
    return {
        "PrimaryKey": session.id,
        "EntityName": provider.entity,
        "StyleHint": "",
        "LinkHint": "",
        "TableRight": None,
        "Column": {
            name: {
                "RawValue": column.raw(session),
                "DisplayValue": column.encoded(session),
                "LinkHint": "",
                "TooltipHint": "",
            }
            for name, column in columns
        },
    }


def _sorted(provider: Provider, rows: Iterable[ChatSession], text: str) -> list[ChatSession]:
    """In the order asked for; without one, the newest first (no order is promised)."""
    result = sorted(rows, key=lambda session: -session.id)
    for order in reversed(archive_query.parse_order(text)):
        column = provider.column(order.column)
        if not column.orderable:
            raise ValueError(f"Cannot order by column {column.name!r}")
        result.sort(key=column.key, reverse=order.descending)
    return result


def _comparison(operator: str, key: Callable[[ChatSession], Any], values: list[Any]) -> archive_query.Predicate:
    first = values[0]
    if operator in ("oneof", "associateisoneof", "in"):
        return lambda session: key(session) in values
    if operator in ("notoneof", "associateisnotoneof"):
        return lambda session: key(session) not in values
    if operator in ("between", "datebetween"):
        if len(values) != 2:
            raise ValueError(f"{operator} needs two values")
        return lambda session: bool(first <= key(session) <= values[1])
    if len(values) != 1:
        raise ValueError(f"{operator} needs one value")
    holds = _SINGLE[operator]
    return lambda session: holds(key(session), first)


_SINGLE: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda found, value: bool(found == value),
    "is": lambda found, value: bool(found == value),
    "unequals": lambda found, value: bool(found != value),
    "isnot": lambda found, value: bool(found != value),
    "less": lambda found, value: bool(found < value),
    "before": lambda found, value: bool(found < value),
    "greater": lambda found, value: bool(found > value),
    "after": lambda found, value: bool(found > value),
    "le": lambda found, value: bool(found <= value),
    "ge": lambda found, value: bool(found >= value),
    "begins": lambda found, value: bool(found.startswith(value)),
    "notbegins": lambda found, value: not found.startswith(value),
    "contains": lambda found, value: bool(value in found),
    "notcontains": lambda found, value: bool(value not in found),
    "endswith": lambda found, value: bool(found.endswith(value)),
    "set": lambda found, value: bool(found) == bool(value),
}


def _safe(name: str) -> str:
    return name.replace("/", "_").replace(".", "_")


def _next_link(query: Query, skip: int) -> str:
    options = {name: value for name, value in query.options.items() if name != "$skip"}
    return f"{query.url}?{urlencode({**options, '$skip': skip})}"
