# SPDX-License-Identifier: Apache-2.0
"""What a scenario, a fault or the clock may hold: how much of everything, how large, how deep.

All of it is looked at before anything is made of it, so that a slip of the pen (a thousand million chats, a rate that
is no number) is told at once, by its name, and does not stop the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTS: Mapping[str, int] = {
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

MESSAGES_PER_CHAT = 1_000
MESSAGES = 1_000_000
"""Of all listed chats of a service together."""

LARGEST = 2**31 - 1
"""Of all numbers: ids are 32 bits wide in SuperOffice, and so many seconds are 68 years."""

LONGEST = 10_000
"""Letters of a text."""

DEEPEST = 16
"""How deep lists and objects may stand in one another."""

SHOWN = 200
"""Letters of a value that an error repeats."""


def check(value: Any, what: str, *, depth: int = 0) -> None:
    """Raise ``ValueError``, naming the place in ``what``, for a number that is not finite or too large, a text that is
    too long, and what is nested too deeply."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not (-LARGEST <= value <= LARGEST):
            raise ValueError(f"{what} must be a number of at most {LARGEST}, got {shown(value)}")
    elif isinstance(value, str):
        if len(value) > LONGEST:
            raise ValueError(f"{what} may have at most {LONGEST} letters, has {len(value)}")
    elif isinstance(value, Mapping | list | tuple):
        if depth == DEEPEST:
            raise ValueError(f"{what[:SHOWN]} is nested more than {DEEPEST} deep")
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for place, item in inner:
            name = f".{place}" if isinstance(value, Mapping) else f"[{place}]"
            check(item, f"{what}{name}" if what else str(place), depth=depth + 1)


def check_scenario(scenario: Mapping[str, Any], *, services: tuple[str, ...]) -> None:
    """`check`, and raise ``ValueError`` for more of anything than `COUNTS` lets a service have."""
    check(scenario, "")
    for service in services:
        inner = scenario.get(service)
        if not isinstance(inner, Mapping):
            continue
        for name, most in COUNTS.items():
            _check_count(inner.get(name), f"{service}.{name}", most=most, by_state=name == "chats")
        _check_messages(inner.get("chats"), f"{service}.chats")


def number(value: Any, what: str, *, least: float = 0.0, most: float = LARGEST) -> float:
    """``value`` as a number from ``least`` to ``most``; raises ``ValueError`` for anything else, also for a text."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (least <= value <= most):
        raise ValueError(f"{what} must be a number from {least:g} to {most:.10g}, got {shown(value)}")
    return float(value)


def whole(value: Any, what: str, *, least: int = 0, most: int = LARGEST) -> int:
    """``value``, or the decimal digits that it is, as a whole number; raises ``ValueError`` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not (least <= value <= most):
        raise ValueError(f"{what} must be a whole number from {least} to {most}, got {shown(value)}")
    return value


def flag(value: Any, what: str) -> bool:
    """``value``, which must be true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be true or false, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """``value`` as an error repeats it: no more than `SHOWN` letters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**SHOWN:
        return "a number of more than 200 digits"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _check_count(value: Any, what: str, *, most: int, by_state: bool) -> None:
    if isinstance(value, bool) or (isinstance(value, int) and value < 0):
        raise ValueError(f"{what} must be a list or a number, got {shown(value)}")
    if (amount := _amount(value, by_state=by_state)) > most:
        raise ValueError(f"{what} may be at most {most}, got {amount}")


def _amount(value: Any, *, by_state: bool) -> int:
    """How many a scenario asks for: as a number, by state, or in a list or an object."""
    if isinstance(value, int):
        return value
    if by_state and isinstance(value, Mapping):
        return sum(each for each in value.values() if isinstance(each, int))
    return len(value) if isinstance(value, Mapping | list) else 0


def _check_messages(chats: Any, what: str) -> None:
    total = 0
    for place, chat in enumerate(chats if isinstance(chats, list) else ()):
        if isinstance(chat, Mapping) and "messages" in chat:
            total += whole(chat["messages"], f"{what}[{place}].messages", most=MESSAGES_PER_CHAT)
    if total > MESSAGES:
        raise ValueError(f"{what} may have at most {MESSAGES} messages together, got {total}")
