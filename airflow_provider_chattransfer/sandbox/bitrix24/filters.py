# SPDX-License-Identifier: Apache-2.0
"""``filter``, ``order`` and ``select`` of the list methods, with the prefixes of field names.

Prefixes as documented at https://apidocs.bitrix24.com (``user.get``): ``= ! != @ !@ > >= < <= % !% =% %= !=% !%=``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .php import to_str, upper_keys, values

Row = Mapping[str, Any]
Condition = Callable[[Any], bool]

_PREFIX = re.compile(r"[!<>=@%]*")
_NUMBER = re.compile(r"-?\d+", re.ASCII)


def filter_rows(rows: Sequence[Row], conditions: Any) -> list[Row]:
    """Return the rows that meet every condition; as on the server, a field that a row lacks is ignored."""
    tests = [_condition(key, value) for key, value in upper_keys(conditions).items()]
    return [row for row in rows if all(field not in row or test(row[field]) for field, test in tests)]


def sort_rows(rows: Sequence[Row], order: Any) -> list[Row]:
    """Return the rows sorted by the first field in ``order`` that they have, otherwise unchanged."""
    for field, direction in upper_keys(order).items():
        if rows and field in rows[0]:
            down = to_str(direction).upper() == "DESC"
            return sorted(rows, key=lambda row, field=field: _comparable(row[field]), reverse=down)  # type: ignore[misc]
    return list(rows)


def select_fields(row: Row, select: Any) -> dict[str, Any]:
    """Return the fields of ``row`` that ``select`` names, all if it names none.

    ``*`` stands for all fields; masks such as ``UF_*`` are allowed.
    """
    masks = [re.escape(to_str(field).upper()).replace(r"\*", ".*") for field in values(select)]
    wanted = re.compile("|".join(masks) or ".*")
    return {key: value for key, value in row.items() if wanted.fullmatch(key)}


def _condition(key: str, value: Any) -> tuple[str, Condition]:
    prefix = _PREFIX.match(key)[0]  # type: ignore[index]
    field, texts = key[len(prefix) :], {_text(item) for item in values(value)}
    if prefix in (">", ">=", "<", "<="):
        return field, _compared(prefix, next(iter(texts), ""))
    test = _like(texts, anywhere=prefix.strip("!") == "%") if "%" in prefix else _equal(texts)
    return field, (lambda found: not test(found)) if prefix.startswith("!") else test


def _compared(sign: str, bound: str) -> Condition:
    limit = _comparable(bound)
    return {
        ">": lambda found: _comparable(found) > limit,
        ">=": lambda found: _comparable(found) >= limit,
        "<": lambda found: _comparable(found) < limit,
        "<=": lambda found: _comparable(found) <= limit,
    }[sign]


def _equal(texts: set[str]) -> Condition:
    """Return a test for equality, or for LIKE where a text has a percent sign, as in the documented ``NAME: Iva%``."""
    like = _like({text for text in texts if "%" in text}, anywhere=False)
    return lambda found: bool(_texts(found) & texts) or like(found)


def _like(texts: set[str], *, anywhere: bool) -> Condition:
    masks = [f"%{text}%" if anywhere else text for text in texts]
    patterns = [re.compile(re.escape(mask).replace("%", ".*"), re.IGNORECASE | re.DOTALL) for mask in masks]
    return lambda found: any(pattern.fullmatch(_text(found)) for pattern in patterns)


def _texts(found: Any) -> set[str]:
    """Return the values that a condition may equal: any item of a list, such as departments."""
    return {_text(item) for item in found} if isinstance(found, list) else {_text(found)}


def _text(value: Any) -> str:
    """Return a value as the database compares it: flags as Y and N."""
    if isinstance(value, bool):
        return "Y" if value else "N"
    return to_str(value)


def _comparable(value: Any) -> tuple[float, str]:
    text = _text(value)
    return (float(text), "") if _NUMBER.fullmatch(text) else (0.0, text)
