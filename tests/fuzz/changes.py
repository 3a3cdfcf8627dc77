# SPDX-License-Identifier: Apache-2.0
"""What an answer is changed to: any JSON value in any place, another status, other headers, or no JSON at all."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from ..support.answers import DEEP, HUGE, Exchange, Given

CANARY = "Ann Canary, +46 70 123, 'my card is 4711'"
"""Stands for what a customer has written: to be seen in no report, error or log."""

Place = tuple[str | int, ...]

TOO_LONG = "9" * 5000
NUMBERS: list[Any] = [True, False, 0, -1, 1, 1.5, math.inf, -math.inf, 10**400, 2**63, HUGE, 1e300, -1e300]
TEXTS: list[Any] = [
    "",
    "x",
    "0",
    "-1",
    "null",
    TOO_LONG,
    "1\n\x1b[31m2",
    "y" * 60_000,
    "\ud800",
    CANARY,
    " 7",
    "\u0667",
]
SHAPES: list[Any] = [None, [], {}, [[]], [{}], {"0": {}}, [None], ["x"], [[[[[[]]]]]], DEEP, {"": None}]
ERRORS: list[Any] = [
    {"error": "WRONG_CHAT", "error_description": CANARY}, {"error": CANARY}, {"error": None}, {"error": []},
    {"error": ""}, {"ErrorType": "SoNotFoundException", "Message": CANARY}, {"Error": True, "ErrorMessage": CANARY},
    {"Message": CANARY}, {"error": "error_unexpected_answer"}, {"ErrorType": CANARY},
]  # fmt: skip
LIES: list[Any] = [
    7, 8, 12, 15, 111, 112, 120, 999, 131, "7", "12", "999", "112", "0112", 112.0, "agent:12", "Closed", "closed",
    "new", "Invalid", "UserLast", "InQueue", "work", "Y|LEAD|1|N|N|0|0|0", {"AssociateId": 12}, {"AssociateId": 0},
    {"AssociateId": None}, {"ChatSessionId": 999}, "http://127.0.0.2:1/rest/", "https://evil.example/rest/",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00", 99999999999999, "BOT_ID_ERROR",
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
VALUES = st.one_of(*(st.sampled_from(each) for each in (NUMBERS, TEXTS, SHAPES, ERRORS, LIES)), ANYTHING)

RAW = (
    b"", b"null", b"{", b"[" * 100_000, b"<html>" + CANARY.encode(), b"\xff\xfe", b"nan", b"{}", b"[]", b"true",
    b'"' + b"x" * 60_000 + b'"', b"9" * 5000, b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}", b"\x00" * 100,
)  # fmt: skip
STATUSES = (200, 201, 204, 301, 302, 400, 404, 408, 409, 500, 502)
"""Given with what the sandbox has carried out."""

REFUSALS = (401, 403, 403, 421, 429, 503)
"""Given by those who have not even heard of it: the sandbox does not, either."""

REFUSING_BODIES: tuple[Any, ...] = (
    b"", b"<html>", {}, None, [], "text", {"error": "QUERY_LIMIT_EXCEEDED"}, {"error": "OPERATION_TIME_LIMIT"},
    {"error": "expired_token", "error_description": CANARY}, {"error": "ACCESS_DENIED"}, {"error": "NO_AUTH_FOUND"},
    {"Message": CANARY, "ErrorType": "SoSessionException"}, {"error": CANARY}, {"error": 7},
)  # fmt: skip
NO_END = 400
"""Requests of one errand after which it would go on for ever."""

HEADERS = (
    {"Date": "Wed, 01 Jan 99999999999 00:00:00 GMT"}, {"Date": "x"}, {"Date": ""},
    {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Date": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"Retry-After": "nan"}, {"Retry-After": "1e300"}, {"Retry-After": "-1"}, {"Retry-After": "9" * 5000},
    {"Retry-After": "99999"}, {"Retry-After": "0.01"},
    {"Location": "http://127.0.0.2:1/rest/1/secretcode/"}, {"Location": "x" * 60_000}, {"Location": "http://[::1"},
    {"Location": f"https://{'a' * 300}.bitrix24.com/"}, {"Content-Encoding": "gzip"}, {"Content-Type": "text/html"},
    {"Content-Encoding": "x"}, {"Set-Cookie": "a=secretcode"},
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A change of the answers to ``method`` from the ``nth`` on, or of that one only.

    ``how`` is what is done at ``place``; ``value`` what is put there. A ``sibling`` stands in the place of another, and
    a ``replay`` is another answer. ``refuses`` keeps the request from the sandbox.
    """

    method: str
    nth: int
    only: bool
    how: str
    place: Place = ()
    value: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def refuses(self) -> bool:
        return self.how == "refuse"

    def is_for(self, method: str, nth: int) -> bool:
        """Whether the ``nth`` answer of ``method`` is changed."""
        return method == self.method and (nth == self.nth if self.only else nth >= self.nth)

    def of(self, answer: Any) -> Any:
        """Return the answer to give in place of another."""
        if self.how in ("keep", "refuse"):
            return self.value if self.refuses else answer
        if self.how in ("raw", "replay") or isinstance(answer, bytes) or not self.place:
            return self.value if self.how in ("put", "raw", "replay", "every") else _whole(self.how, answer)
        return _changed(copy.deepcopy(answer), self)


class Tampering:
    """All changes of one example, by how often each method was asked; ``told`` holds what was given for what."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes
        self._asked: Counter[str] = Counter()
        self.told: list[tuple[Exchange, Given]] = []

    def refusing(self, exchange: Exchange) -> Given | None:
        """Answer in place of the sandbox where a change says so; refuse a client that asks for ever."""
        if self._asked.total() >= NO_END:
            return Given({"error": "NO_AUTH_FOUND"}, 401)
        nth = self._asked[exchange.method]
        self._asked[exchange.method] += 1
        for change in self._changes:
            if change.refuses and change.is_for(exchange.method, nth):
                given = Given(change.value, change.status, change.headers)
                self.told.append((exchange, given))
                return given
        return None

    def __call__(self, exchange: Exchange) -> Given:
        """Return the answer with the changes that apply to it."""
        nth, given = self._asked[exchange.method] - 1, Given(exchange.answer)
        for change in self._changes:
            if not change.refuses and change.is_for(exchange.method, nth):
                status = change.status or given.status
                given = Given(change.of(given.answer), status, {**given.headers, **change.headers})
        self.told.append((exchange, given))
        return given


@st.composite
def changes(draw: st.DrawFn, course: Sequence[Exchange], pool: Sequence[Exchange]) -> list[Change]:
    """One to three changes of a course of exchanges, as it would have gone; answers of ``pool`` may be given in it."""
    return [draw(_change(course, pool)) for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3))))]


@st.composite
def _change(draw: st.DrawFn, course: Sequence[Exchange], pool: Sequence[Exchange]) -> Change:
    method = draw(st.sampled_from(sorted({each.method for each in course})))
    alike = [each for each in course if each.method == method]
    nth = draw(st.integers(0, len(alike) - 1))
    exchange = alike[nth]
    how = draw(st.sampled_from(("put", "put", "put", "put", "drop", "drop", *_OTHERS, "raw", "keep", "refuse", "put")))
    change = Change(
        method=method,
        nth=nth,
        only=draw(st.booleans()),
        how=how,
        headers=draw(st.sampled_from(HEADERS)) if how == "keep" or draw(st.integers(0, 15)) == 7 else {},
    )
    if how == "refuse":
        return replace(change, value=draw(st.sampled_from(REFUSING_BODIES)), status=draw(st.sampled_from(REFUSALS)))
    if how == "keep" or draw(st.integers(0, 7)) == 3:
        change = replace(change, status=draw(st.sampled_from(STATUSES)))
    if how == "raw":
        return replace(change, value=draw(st.sampled_from(RAW)))
    if how == "replay":
        same = [each for each in pool if each.method == method]
        return replace(change, value=draw(st.sampled_from(same) | st.sampled_from(pool)).answer)
    value = draw(VALUES) if how in ("put", "every") else None
    return replace(change, place=draw(_place(exchange.answer, of_many=how in _OF_MANY)), value=value)


_OF_MANY = ("flip", "double", "reverse", "rotate", "empty", "wrap", "unwrap", "first")
_OTHERS = ("every", "sibling", "sibling", "replay", "replay", *_OF_MANY)
_TELLS_LITTLE = frozenset({"time", "result_time", "result_total", "result_next"})


@st.composite
def _place(draw: st.DrawFn, answer: Any, *, of_many: bool) -> Place:
    """Return a place in an answer, the whole of it at times.

    What is null or only tells of times less often than the rest.
    """
    place: list[str | int] = []
    while children := _children(answer):
        if draw(st.integers(0, 9)) >= (7 if of_many else 9):
            break
        rarely = [each for each in children if each in _TELLS_LITTLE or answer[each] is None]
        often = [each for each in children if each not in rarely]
        key = draw(st.sampled_from(often * 4 + rarely))
        place.append(key)
        answer = answer[key]
    return tuple(place)


def _children(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def _changed(answer: Any, change: Change) -> Any:
    """``answer`` with the change at its place, or where that would be in a shorter one."""
    if change.how == "every":
        for holder in _dicts(answer):
            if change.place[-1] in holder:
                holder[change.place[-1]] = copy.deepcopy(change.value)
        return answer
    holder, key = answer, None
    for number, step in enumerate(change.place):
        at = _nearest(holder, step)
        if at is None:
            return answer
        if number == len(change.place) - 1:
            key = at
        else:
            holder = holder[at]
    if key is None:
        return answer
    if change.how == "put":
        holder[key] = copy.deepcopy(change.value)
    elif change.how == "sibling":
        holder[key] = copy.deepcopy(holder[_next(holder, key)])
    elif change.how == "drop":
        del holder[key]
    else:
        holder[key] = _whole(change.how, holder[key])
    return answer


def _nearest(holder: Any, step: str | int) -> Any:
    if isinstance(holder, list) and isinstance(step, int) and holder:
        return min(step, len(holder) - 1)
    return step if isinstance(holder, dict) and step in holder else None


def _flipped(value: Any) -> Any:
    """``value`` with every flag in it turned over."""
    if isinstance(value, dict):
        return {key: _flipped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_flipped(each) for each in value]
    return not value if isinstance(value, bool) else value


def _next(holder: Any, key: Any) -> Any:
    keys = _children(holder)
    return keys[(keys.index(key) + 1) % len(keys)]


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _dicts(each)


def _whole(how: str, value: Any) -> Any:
    """Return a value after a change that needs no other one."""
    match how:
        case "drop":
            return b""
        case "wrap":
            return [value]
        case "flip":
            return _flipped(value)
        case "empty":
            return type(value)() if isinstance(value, list | dict | str) else None
    if isinstance(value, list) and value:
        turned = {"double": value * 2, "reverse": value[::-1], "rotate": value[1:] + value[:1], "first": value[:1]}
        return turned.get(how, value[0])
    if isinstance(value, dict) and value:
        keys, values = list(value), list(value.values())
        turned_values = {"reverse": values[::-1], "rotate": values[1:] + values[:1]}
        if how in turned_values:
            return dict(zip(keys, turned_values[how], strict=True))
        return {"double": [value, value], "first": {keys[0]: values[0]}}.get(how, values)
    return {"double": [value, value], "reverse": str(value)[::-1]}.get(how, {"0": value})
