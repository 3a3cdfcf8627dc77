# SPDX-License-Identifier: Apache-2.0
"""The parameters of ``imopenlines.v2.*``, checked as strictly as documented, and conditions on rows made of them.

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
        """The rows in the window under ``key``, and whether there are more."""
        end = self.offset + self.limit
        return {key: rows[self.offset : end], "hasNextPage": len(rows) > end}


def invalid(text: str = "Invalid filter value") -> RestError:
    """A filter that cannot be."""
    return RestError("INVALID_FILTER", text)


def window(params: Params, *, always: bool) -> Window:
    """The window asked for; unless ``always``, its offset may be as large as one likes."""
    offset = _number(params.get("offset", 0))
    limit = _number(params.get("limit", DEFAULT_LIMIT))
    if offset < 0 or not 1 <= limit <= MAX_LIMIT:
        raise invalid()
    if always and offset > MAX_OFFSET:
        raise RestError("OFFSET_TOO_LARGE", "Offset is too large")
    return Window(offset, limit)


def ids(params: Params, name: str) -> set[int] | None:
    """The numbers under ``name`` or ``nameList``."""
    listed = _listed(params, name)
    return None if listed is None else {_number(value) for value in listed}


def texts(params: Params, name: str) -> set[str] | None:
    """The strings under ``name`` or ``nameList``."""
    listed = _listed(params, name)
    return None if listed is None else {str(value) for value in listed}


def choice(params: Params, name: str, allowed: Collection[str]) -> str | None:
    """One of a few words."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise invalid(f"Invalid {name} filter value")
    return value


def flag(params: Params, name: str) -> bool | None:
    """``true``, ``Y``, ``1`` or ``false``, ``N``, ``0``."""
    value = params.get(name)
    if value is None:
        return None
    if value in (True, "true", "Y", "1"):
        return True
    if value in (False, "false", "N", "0"):
        return False
    raise invalid(f"Invalid {name} filter value")


def period(params: Params, name: str, *, required: bool = False) -> Bounds:
    """``nameFrom`` and ``nameTo``, at most 366 days apart. ``required``: both must be there."""
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
    """``nameFrom`` and ``nameTo`` in seconds."""
    low, high = (params.get(f"{name}{part}") for part in ("From", "To"))
    return None if low is None else _number(low), None if high is None else _number(high)


def session_ids(params: Params, *, most: int, as_number: bool) -> list[int]:
    """``sessionId``, an array of up to ``most`` different numbers; ``as_number``: the code 100 is one."""
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
    """The field is among ``wanted``, if anything is."""
    return lambda row: wanted is None or row[field] in wanted


def filled(field: str, wanted: bool) -> Condition:
    """The field is there, or is not."""
    return lambda row: (row[field] is not None) is wanted


def between(field: str, bounds: Bounds) -> Condition:
    """The field, a number or a date, is within the bounds, if there are any."""
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
    """The values of a filter: the list form wins over the single one; ``None`` when neither is there.

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
