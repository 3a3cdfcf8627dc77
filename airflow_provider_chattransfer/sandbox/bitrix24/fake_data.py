# SPDX-License-Identifier: Apache-2.0
"""Invented people and messages, so that responses look like a real service's and leaks of personal data are visible."""

from __future__ import annotations

import random

OPERATORS = {
    7: "Anna Adams",
    8: "Boris Berg",
    12: "Carla Costa",
    15: "David Dahl",
    16: "Elena Evans",
}
"""The operators of the default scenario. In the demo, 7 and 8 go home."""

_FIRST_NAMES = ["Olga", "Piet", "Rosa", "Sami", "Tara", "Ugo", "Vera", "Willem", "Xenia", "Yusuf", "Zoe", "Ivo", "Jana"]
_LAST_NAMES = [
    "Almeida",
    "Brandt",
    "Castro",
    "Duval",
    "Eriksen",
    "Fischer",
    "Gruber",
    "Haas",
    "Ivanova",
    "Jansen",
    "Kovacs",
]
_MESSAGES = [
    "My parcel has not arrived.",
    "I was charged twice.",
    "How do I cancel?",
    "It does not work.",
    "Thank you!",
]
_ANSWERS = ["Let me look that up.", "Could you tell me the number?", "One moment, please.", "It is on its way."]
_COLORS = ["Green", "Azure", "Mint", "Lime", "Amber", "Coral"]


def person(rng: random.Random) -> tuple[str, str, str]:
    """Return a name, an e-mail address and a phone number."""
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    return (
        f"{first} {last}",
        f"{first}.{last}{rng.randrange(10, 99)}@customer.example".lower(),
        f"+15550{rng.randrange(100000, 999999)}",
    )


def operator(index: int, rng: random.Random) -> str:
    """Return the name of a generated operator."""
    return f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}-{index}"


def sentence(rng: random.Random) -> str:
    """Return the last message of a customer."""
    return rng.choice(_MESSAGES)


def message(number: int) -> str:
    """Return a customer's message number ``number``."""
    return _MESSAGES[number % len(_MESSAGES)]


def answer(number: int) -> str:
    """Return an operator's message number ``number``."""
    return _ANSWERS[number % len(_ANSWERS)]


def title(number: int, line: str, rng: random.Random) -> str:
    """Return the title of a chat, as the server generates it."""
    return f"{rng.choice(_COLORS)} Guest #{number} - {line}"
