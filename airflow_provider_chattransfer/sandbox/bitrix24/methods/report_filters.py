# SPDX-License-Identifier: Apache-2.0
"""Reads the parameters of ``imopenlines.v2.*`` as strictly as documented, and turns them into conditions on rows.

Texts of errors as on the pages of https://apidocs.bitrix24.com (open channels: statistics).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RestError
from ..model import parse_time
from ..php import to_int, values

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_OFFSET = 10_000
MAX_LIST_LENGTH = 1000
MAX_PERIOD_DAYS = 366
_WHOLE = re.compile(r"-?\d+", re.ASCII)

Row = dict[str, Any]
Condition = Callable[[Row], bool]
Bounds = tuple[float | None, float | None]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """``offset`` and ``limit`` of a list."""

    offset: int
    limit: int

    def of(self, key: str, rows: list[Row]) -> dict[str, Any]:
        """Return the rows in the window under ``key``, and whether there are more."""
        end = self.offset + self.limit
        return {key: rows[self.offset : end], "hasNextPage": len(rows) > end}


def invalid(text: str = "Invalid filter value") -> RestError:
    """Return the error of a filter value that is not allowed."""
    return RestError("INVALID_FILTER", text)


def window(params: Params, *, always: bool) -> Window:
    """Return the window asked for. The limit of the offset is checked only if ``always``."""
    offset = _number(params.get("offset", 0))
    limit = _number(params.get("limit", DEFAULT_LIMIT))
    if offset < 0 or not 1 <= limit <= MAX_LIMIT:
        raise invalid()
    if always and offset > MAX_OFFSET:
        raise RestError("OFFSET_TOO_LARGE", "Offset is too large")
    return Window(offset, limit)


def ids(params: Params, name: str) -> set[int] | None:
    """Return the numbers under ``name`` or ``nameList``."""
    listed = _listed(params, name)
    return None if listed is None else {_number(value) for value in listed}


def texts(params: Params, name: str) -> set[str] | None:
    """Return the strings under ``name`` or ``nameList``."""
    listed = _listed(params, name)
    return None if listed is None else {str(value) for value in listed}


def choice(params: Params, name: str, allowed: Collection[str]) -> str | None:
    """Return the value of ``name``, which must be one of ``allowed``, or ``None``."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise invalid(f"Invalid {name} filter value")
    return value


def flag(params: Params, name: str) -> bool | None:
    """Return whether ``name`` is ``true``, ``Y`` or ``1`` rather than ``false``, ``N`` or ``0``, or ``None``."""
    value = params.get(name)
    if value is None:
        return None
    if value in (True, "true", "Y", "1"):
        return True
    if value in (False, "false", "N", "0"):
        return False
    raise invalid(f"Invalid {name} filter value")


def period(params: Params, name: str, *, required: bool = False) -> Bounds:
    """Return ``nameFrom`` and ``nameTo``, at most 366 days apart; if ``required``, both must be given."""
    start, end = (_moment(params.get(f"{name}{part}")) for part in ("From", "To"))
    if required and (start is None or end is None):
        raise RestError("PERIOD_REQUIRED", f"{name}From and {name}To are required")
    if start is not None and end is not None:
        if start > end:
            raise invalid()
        if end - start > MAX_PERIOD_DAYS * 86400:
            raise RestError("PERIOD_TOO_LARGE", "The requested period exceeds the maximum of 1 year")
    return start, end


def span(params: Params, name: str) -> Bounds:
    """Return ``nameFrom`` and ``nameTo`` in seconds."""
    low, high = (params.get(f"{name}{part}") for part in ("From", "To"))
    return None if low is None else _number(low), None if high is None else _number(high)


def session_ids(params: Params, *, most: int, as_number: bool) -> list[int]:
    """Return ``sessionId``, an array of up to ``most`` different numbers.

    With ``as_number`` the code 100 of its errors is a number.
    """
    code = {"error": 100} if as_number else {}
    value = params.get("sessionId")
    if value is None:
        raise RestError("100", "Could not find value for parameter {sessionId}", extra=code)
    if not isinstance(value, list | dict):
        text = f"Invalid value {{{value}}} to match with parameter {{sessionId}}. Should be value of type array."
        raise RestError("100", text, extra=code)
    unique = list(dict.fromkeys(to_int(item) for item in values(value)))
    if len(unique) > most:
        raise RestError("BATCH_LIMIT_EXCEEDED", f"sessionId batch must not exceed {most} items")
    return unique


def one_of(field: str, wanted: set[Any] | None) -> Condition:
    """Return the condition that the field is in ``wanted``; ``None`` allows everything."""
    return lambda row: wanted is None or row[field] in wanted


def filled(field: str, wanted: bool) -> Condition:
    """Return the condition that the field is filled, or that it is null."""
    return lambda row: (row[field] is not None) is wanted


def between(field: str, bounds: Bounds) -> Condition:
    """Return the condition that the field, a number or a date, is within the bounds; a bound of ``None`` is open."""
    low, high = bounds

    def within(row: Row) -> bool:
        value = row[field]
        if low is None and high is None:
            return True
        if value is None:
            return False
        number = parse_time(value) if isinstance(value, str) else value
        return (low is None or number >= low) and (high is None or number <= high)

    return within


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _WHOLE.fullmatch(str(value)):
        raise invalid()
    return to_int(value)


def _listed(params: Params, name: str) -> list[Any] | None:
    """Return the values of a filter: the list form wins over the single one; ``None`` if neither is given.

    An empty list is taken for no filter; nothing is documented.
    """
    many = params.get(f"{name}List")
    if many is None:
        return None if params.get(name) is None else [params[name]]
    if not isinstance(many, list | dict) or len(many) > MAX_LIST_LENGTH:
        raise invalid()
    return values(many) or None


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return parse_time(str(value))
    except ValueError:
        raise invalid() from None
