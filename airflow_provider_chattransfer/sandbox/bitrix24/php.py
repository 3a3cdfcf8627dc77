# SPDX-License-Identifier: Apache-2.0
"""The behavior of PHP that shows in the REST API: its casts, comparisons, arrays and query strings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

MAX_INT = 2**63 - 1
MAX_NUMBER_DIGITS = 4000
"""Digits beyond these do not change that a number is too large for an int."""
MAX_JSON_DEPTH = 512
"""How deep arrays and objects may be nested for ``json_decode``; deeper nesting is no JSON to it."""
MAX_NAME_NESTING = 64
"""How many brackets the name of a variable may have (``max_input_nesting_level``)."""
_INTEGER = re.compile(r"\s*([+-]?\d+)(?![\d.eE])", re.ASCII)
_INDEX = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)


def depth(value: Any) -> int:
    """Return how deep lists and objects are nested in ``value``; 0 for a scalar."""
    level, inner = 0, [value]
    while inner := [item for each in inner if isinstance(each, list | dict) for item in (*values(each), None)]:
        level += 1
    return level


def to_int(value: Any) -> int:
    """Return ``(int)$value``: ``"112abc"`` is 112, ``"abc"`` is 0, a non-empty array is 1."""
    if isinstance(value, str):
        if integer := _INTEGER.match(value):
            return max(-MAX_INT - 1, min(MAX_INT, int(integer[1][:MAX_NUMBER_DIGITS])))
        number = _NUMBER.match(value)
        return to_int(float(number[1])) if number else 0
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else 0
    return value if isinstance(value, int) and not isinstance(value, bool) else int(bool(value))


def to_str(value: Any) -> str:
    """Return ``(string)$value``."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, list | dict):
        return "Array"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def is_numeric(value: Any) -> bool:
    """Return ``is_numeric($value)``: true for a number, or a string that is nothing but one."""
    if isinstance(value, str):
        return bool(re.fullmatch(rf"{_NUMBER.pattern}\s*", value, re.ASCII))
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_yes(value: Any) -> bool:
    """Return ``$value == 'Y'``: true for the string ``Y`` and the boolean true only."""
    return value is True or value == "Y"


def is_empty(value: Any) -> bool:
    """Return ``empty($value)``."""
    return not value or value == "0"


def is_list(value: Mapping[str, Any]) -> bool:
    """Return whether PHP encodes an array with these keys as a JSON list: they are 0..n-1, in this order."""
    return all(key == str(index) for index, key in enumerate(value))


def array(value: Mapping[str, Any]) -> Any:
    """Return an associative array as ``json_encode`` writes it: a list for the keys 0..n-1, ``[]`` when empty."""
    return list(value.values()) if is_list(value) else dict(value)


def values(value: Any) -> list[Any]:
    """Return the elements of an array, or a single value as a list of one; null has none."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def upper_keys(params: Any) -> dict[str, Any]:
    """Return ``array_change_key_case($params, CASE_UPPER)``, for one level; a value that is no array has no keys."""
    return {str(key).upper(): value for key, value in params.items()} if isinstance(params, Mapping) else {}


def parse_str(text: str) -> dict[str, Any]:
    """Return a query string as ``parse_str`` reads it: ``a[b][]=1`` is nested; ``+`` and ``%20`` are both a space."""
    parsed: dict[str, Any] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        put_variable(parsed, unquote_plus(name), unquote_plus(value))
    return {key: _lists(value) for key, value in parsed.items()}


def put_variable(target: dict[str, Any], name: str, value: str) -> None:
    """Add one variable of a form to ``target`` by its name and brackets; a name with too many brackets is dropped."""
    base, bracket, rest = name.lstrip(" ").partition("[")
    brackets = _bracketed(bracket + rest)
    if not base or len(brackets) > MAX_NAME_NESTING:
        return
    keys = [base.replace(".", "_").replace(" ", "_"), *brackets]
    for key in keys[:-1]:
        key = key or _next_index(target)
        if not isinstance(target.get(key), dict):
            target[key] = _Array()
        target = target[key]
    target[keys[-1] or _next_index(target)] = value


class _Array(dict[str, Any]):
    """An array that a form fills; it tracks its next index, so that appending does not search all keys."""

    next_index = 0

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if _INDEX.fullmatch(key):
            self.next_index = max(self.next_index, int(key) + 1)


def _bracketed(text: str) -> list[str]:
    """Return the text within each pair of brackets, in linear time even where none closes."""
    found, start = [], text.find("[")
    while start >= 0 and (end := text.find("]", start)) >= 0:
        found.append(text[start + 1 : end])
        start = text.find("[", end)
    return found


def _next_index(target: Mapping[str, Any]) -> str:
    return str(target.next_index) if isinstance(target, _Array) else "0"


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    return array(inner)
