# SPDX-License-Identifier: Apache-2.0
"""``filter``, ``order`` and ``select`` of the list methods, with the prefixes ``! > < >= <= = @ %`` of field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .php import to_str, upper_keys, values

Row = Mapping[str, Any]


def matching(rows: Sequence[Row], conditions: Any) -> list[Row]:
    """The rows that meet every condition; a field that no row has is ignored, as the server ignores it."""
    tests = [(field, test) for key, value in upper_keys(conditions).items() for field, test in [_test(key, value)]]
    return [row for row in rows if all(field not in row or test(row[field]) for field, test in tests)]


def ordered(rows: Sequence[Row], order: Any) -> list[Row]:
    """The rows in the order asked for; by the first field that they have, otherwise unchanged."""
    for field, direction in upper_keys(order).items():
        if rows and field in rows[0]:
            down = to_str(direction).upper() == "DESC"
            return sorted(rows, key=lambda row, field=field: _comparable(row[field]), reverse=down)  # type: ignore[misc]
    return list(rows)


def selected(row: Row, select: Any) -> dict[str, Any]:
    """The fields of ``row`` that ``select`` names; all, when it names none or ``*``."""
    wanted = {to_str(field).upper() for field in values(select)}
    return dict(row) if not wanted or "*" in wanted else {key: row[key] for key in row if key in wanted}


def _test(key: str, value: Any) -> tuple[str, Callable[[Any], bool]]:
    field = key.lstrip("!<>=@%")
    prefix = key[: len(key) - len(field)]
    texts = {_text(item) for item in values(value)}
    if prefix in (">", ">=", "<", "<="):
        bound = _comparable(next(iter(texts), ""))
        return field, {
            ">": lambda found: _comparable(found) > bound,
            ">=": lambda found: _comparable(found) >= bound,
            "<": lambda found: _comparable(found) < bound,
            "<=": lambda found: _comparable(found) <= bound,
        }[prefix]
    if prefix.startswith("!"):
        return field, lambda found: _text(found) not in texts
    if prefix == "%":
        return field, lambda found: any(text.lower() in _text(found).lower() for text in texts)
    return field, lambda found: _text(found) in texts


def _text(value: Any) -> str:
    """A value as the database compares it: flags as Y and N."""
    if isinstance(value, bool):
        return "Y" if value else "N"
    return to_str(value)


def _comparable(value: Any) -> tuple[float, str]:
    text = _text(value)
    return (float(text), "") if text.lstrip("-").isdecimal() else (0.0, text)
