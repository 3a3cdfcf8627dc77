# SPDX-License-Identifier: Apache-2.0
"""The query language of SuperOffice's archive lists: `$filter`, `$orderBy`, `$select`.

`status oneOf (5,6) and (associateId associateIsOneOf (21) or chatSessionId gt 150)`: `and` binds tighter than `or`.
Everything here raises `ValueError` for text that is not in that language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[(),])|(?P<quoted>'(?:[^']|'')*'|\"[^\"]*\")|(?P<word>\[[A-Z]+:[^\]]*\]|[^\s(),'\"]+))"
)

ALIASES = {
    "=": "equals", "eq": "equals", "equal": "equals", "!=": "unequals", "<>": "unequals", "ne": "unequals",
    "<": "less", "lt": "less", ">": "greater", "gt": "greater", "<=": "le", ">=": "ge",
}  # fmt: skip
"""Short forms of an operator, and the word for it."""

PERIODS = frozenset({
    "beforetoday", "today", "aftertoday", "lastweek", "thisweek", "nextweek", "lastmonth", "thismonth", "nextmonth",
    "lastquarter", "thisquarter", "nextquarter", "thishalf", "thisyear",
})  # fmt: skip
"""Operators of dates that stand without a value."""

VALUELESS = PERIODS | {"currentassociate"}
"""Operators that stand without a value."""

FUNCTIONS = {"startswith": ("begins", 0), "endswith": ("endswith", 0), "substringof": ("contains", 1)}
"""Conditions written as a function: the operator, and at which place the column is."""

Predicate = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One restriction: a column, an operator (lower case, aliases resolved) and its values as text."""

    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all must hold (``every``) or one."""

    parts: tuple[Node, ...]
    every: bool


Node = Condition | Joined


@dataclass(frozen=True, slots=True)
class Order:
    """One column to sort by."""

    column: str
    descending: bool


def parse_filter(text: str) -> Node:
    """Return the restriction that ``text`` writes."""
    return _Parser(text).whole()


def predicate(node: Node, compiled: Callable[[Condition], Predicate]) -> Predicate:
    """``node`` as a function of a row, with ``compiled`` for a single condition."""
    if isinstance(node, Condition):
        return compiled(node)
    parts = [predicate(part, compiled) for part in node.parts]
    if node.every:
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def parse_order(text: str) -> list[Order]:
    """Return the columns of `$orderBy`: `chatSessionId asc,status desc`."""
    orders = []
    for part in names(text):
        column, *direction = part.split()
        if len(direction) > 1 or (direction and direction[0].casefold() not in ("asc", "desc")):
            raise ValueError(f"not an order: {part!r}")
        orders.append(Order(column=column, descending=bool(direction) and direction[0].casefold() == "desc"))
    return orders


def names(text: str) -> list[str]:
    """Return the items of a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


class _Parser:
    """Recursive descent over the tokens; a token is its kind and its text."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def whole(self) -> Node:
        node = self._any()
        if self._next != len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._next][1]!r} in the filter")
        return node

    def _any(self) -> Node:
        return self._joined("or", self._all, every=False)

    def _all(self) -> Node:
        return self._joined("and", self._term, every=True)

    def _joined(self, word: str, part: Callable[[], Node], *, every: bool) -> Node:
        parts = [part()]
        while self._peek("word").casefold() == word:
            self._next += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(parts=tuple(parts), every=every)

    def _term(self) -> Node:
        if self._peek("mark") == "(":
            self._next += 1
            node = self._any()
            self._expect(")")
            return node
        column = self._take("word")
        if self._peek("mark") == "(":
            return self._function(column)
        operator = self._take("word").casefold()
        operator = ALIASES.get(operator, operator)
        values = () if operator in VALUELESS else self._values()
        return Condition(column=column, operator=operator, values=values)

    def _function(self, name: str) -> Condition:
        """`startswith(chatTopic/name, 'Sup')`."""
        operator, place = FUNCTIONS.get(name.casefold(), ("", 0))
        arguments = self._values()
        if not operator or len(arguments) != 2:
            raise ValueError(f"no function {name!r} of {len(arguments)} arguments")
        return Condition(column=arguments[place], operator=operator, values=(arguments[1 - place],))

    def _values(self) -> tuple[str, ...]:
        if self._peek("mark") != "(":
            return (self._value(),)
        self._next += 1
        values = [self._value()]
        while self._peek("mark") == ",":
            self._next += 1
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> str:
        if quoted := self._peek("quoted"):
            self._next += 1
            return quoted[1:-1].replace("''", "'")
        return self._take("word")

    def _peek(self, kind: str) -> str:
        if self._next < len(self._tokens) and self._tokens[self._next][0] == kind:
            return self._tokens[self._next][1]
        return ""

    def _take(self, kind: str) -> str:
        if not (text := self._peek(kind)):
            raise ValueError("the filter ends early or has a bracket out of place")
        self._next += 1
        return text

    def _expect(self, mark: str) -> None:
        if self._take("mark") != mark:
            raise ValueError(f"expected {mark!r} in the filter")


def _tokens(text: str) -> Sequence[tuple[str, str]]:
    tokens, position, text = [], 0, text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise ValueError(f"cannot read the filter at {text[position : position + 20]!r}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens
