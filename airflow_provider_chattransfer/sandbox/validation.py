# SPDX-License-Identifier: Apache-2.0
"""What a scenario, a fault or the clock may hold: how much of everything, how large, how deep.

All of it is looked at before anything is made of it, so that a slip of the pen (a thousand million chats, a rate that
is no number) is told at once, by its name, and does not stop the sandbox.
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
MAX_MESSAGES_PER_SERVICE = 1_000_000
"""Of all listed chats of a service together."""

MAX_NUMBER = 2**31 - 1
"""Of all numbers: ids are 32 bits wide in SuperOffice, and so many seconds are 68 years."""

MAX_TEXT_LENGTH = 10_000
"""Letters of a text."""

MAX_DEPTH = 16
"""How deep lists and objects may stand in one another."""

MAX_SHOWN_LENGTH = 200
"""Letters of a value that an error repeats."""


def validate(value: Any, what: str, *, depth: int = 0) -> None:
    """Raise ``ValueError``, naming the place in ``what``, for a number that is not finite or too large, a text that is
    too long, and what is nested too deeply."""
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
    """`validate`, and raise ``ValueError`` for more of anything than `MAX_COUNTS` lets a service have."""
    validate(scenario, "")
    for service in services:
        inner = scenario.get(service)
        if not isinstance(inner, Mapping):
            continue
        for name, most in MAX_COUNTS.items():
            _validate_count(inner.get(name), f"{service}.{name}", most=most, by_state=name == "chats")
        _validate_messages(inner.get("chats"), f"{service}.chats")


def number(value: Any, what: str, *, least: float = 0.0, most: float = MAX_NUMBER) -> float:
    """``value`` as a number from ``least`` to ``most``; raises ``ValueError`` for anything else, also for a text."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (least <= value <= most):
        raise ValueError(f"{what} must be a number from {least:g} to {most:.10g}, got {shown(value)}")
    return float(value)


def whole_number(value: Any, what: str, *, least: int = 0, most: int = MAX_NUMBER) -> int:
    """``value``, or the decimal digits that it is, as a whole number; raises ``ValueError`` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not (least <= value <= most):
        raise ValueError(f"{what} must be a whole number from {least} to {most}, got {shown(value)}")
    return value


def boolean(value: Any, what: str) -> bool:
    """``value``, which must be true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be true or false, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """``value`` as an error repeats it: no more than `MAX_SHOWN_LENGTH` letters."""
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
    """How many a scenario asks for: as a number, by state, or in a list or an object."""
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
