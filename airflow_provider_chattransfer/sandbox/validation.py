# SPDX-License-Identifier: Apache-2.0
"""Limits on what a scenario, a fault or the clock may hold: how many, how large, how long, how deep.

They are checked before anything is built, so that a typing error (a billion chats, a rate that is not a number) is
reported at once, by its name, and cannot stop the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_COUNTS: Mapping[str, int] = {
    "operators": 5_000,
    "queues": 200,
    "chats": 100_000,
    "webhooks": 10_000,
    "bots": 1_000,
    "apps": 1_000,
    "tokens": 10_000,
    "refresh_tokens": 10_000,
}
"""How many of each a service of a scenario may have, listed or counted."""

MAX_MESSAGES_PER_CHAT = 1_000
"""Messages of one listed chat."""

MAX_MESSAGES_PER_SERVICE = 1_000_000
"""Messages of all listed chats of a service together."""

MAX_NUMBER = 2**31 - 1
"""The largest number: SuperOffice's ids are 32 bits wide, and as seconds it is 68 years."""

MAX_TEXT_LENGTH = 10_000
"""Letters of a text."""

MAX_DEPTH = 16
"""How deep lists and objects may be nested."""

MAX_SHOWN_LENGTH = 200
"""Letters of a value that an error repeats."""


def validate(value: Any, what: str, *, depth: int = 0) -> None:
    """Raise ``ValueError``, naming the place, for a number, a text or a nesting beyond the limits.

    ``what`` is the name of ``value``. Numbers that are not finite are refused too.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not (-MAX_NUMBER <= value <= MAX_NUMBER):
            raise ValueError(f"{what} must be a number of at most {MAX_NUMBER}, got {shown(value)}")
    elif isinstance(value, str):
        if len(value) > MAX_TEXT_LENGTH:
            raise ValueError(f"{what} may have at most {MAX_TEXT_LENGTH} letters, has {len(value)}")
    elif isinstance(value, Mapping | list | tuple):
        if depth == MAX_DEPTH:
            raise ValueError(f"{what[:MAX_SHOWN_LENGTH]} is nested more than {MAX_DEPTH} deep")
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for place, item in inner:
            name = f".{place}" if isinstance(value, Mapping) else f"[{place}]"
            validate(item, f"{what}{name}" if what else str(place), depth=depth + 1)


def validate_scenario(scenario: Mapping[str, Any], *, services: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for what `validate` refuses, and for more of anything than `MAX_COUNTS` allows."""
    validate(scenario, "")
    for service in services:
        inner = scenario.get(service)
        if not isinstance(inner, Mapping):
            continue
        for name, most in MAX_COUNTS.items():
            _validate_count(inner.get(name), f"{service}.{name}", most=most, by_state=name == "chats")
        _validate_messages(inner.get("chats"), f"{service}.chats")


def number(value: Any, what: str, *, least: float = 0.0, most: float = MAX_NUMBER) -> float:
    """Return ``value`` if it is a number from ``least`` to ``most``; raise ``ValueError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (least <= value <= most):
        raise ValueError(f"{what} must be a number from {least:g} to {most:.10g}, got {shown(value)}")
    return float(value)


def whole_number(value: Any, what: str, *, least: int = 0, most: int = MAX_NUMBER) -> int:
    """Return ``value``, an integer or its decimal digits, as an integer; raise ``ValueError`` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not (least <= value <= most):
        raise ValueError(f"{what} must be a whole number from {least} to {most}, got {shown(value)}")
    return value


def boolean(value: Any, what: str) -> bool:
    """Return ``value`` if it is true or false; raise ``ValueError`` for anything else."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be true or false, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return ``value`` as an error repeats it: at most `MAX_SHOWN_LENGTH` letters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**MAX_SHOWN_LENGTH:
        return "a number of more than 200 digits"
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"


def _validate_count(value: Any, what: str, *, most: int, by_state: bool) -> None:
    if isinstance(value, bool) or (isinstance(value, int) and value < 0):
        raise ValueError(f"{what} must be a list or a number, got {shown(value)}")
    if (amount := _count_of(value, by_state=by_state)) > most:
        raise ValueError(f"{what} may be at most {most}, got {amount}")


def _count_of(value: Any, *, by_state: bool) -> int:
    """Return how many a scenario asks for: as a number, by state, or in a list or an object."""
    if isinstance(value, int):
        return value
    if by_state and isinstance(value, Mapping):
        return sum(each for each in value.values() if isinstance(each, int))
    return len(value) if isinstance(value, Mapping | list) else 0


def _validate_messages(chats: Any, what: str) -> None:
    total = 0
    for place, chat in enumerate(chats if isinstance(chats, list) else ()):
        if isinstance(chat, Mapping) and "messages" in chat:
            total += whole_number(chat["messages"], f"{what}[{place}].messages", most=MAX_MESSAGES_PER_CHAT)
    if total > MAX_MESSAGES_PER_SERVICE:
        raise ValueError(f"{what} may have at most {MAX_MESSAGES_PER_SERVICE} messages together, got {total}")
