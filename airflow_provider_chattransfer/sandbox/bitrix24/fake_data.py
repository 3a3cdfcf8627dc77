# SPDX-License-Identifier: Apache-2.0
"""Made-up people and what they write, so that answers hold what a real service's would and leaks can be seen."""

from __future__ import annotations

import random

OPERATORS = {
    7: "Anna Adams",
    8: "Boris Berg",
    12: "Carla Costa",
    15: "David Dahl",
    16: "Elena Evans",
}
"""The operators of the default scenario; 7 and 8 are those who go home."""

_FIRST = ["Olga", "Piet", "Rosa", "Sami", "Tara", "Ugo", "Vera", "Willem", "Xenia", "Yusuf", "Zoe", "Ivo", "Jana"]
_LAST = ["Almeida", "Brandt", "Castro", "Duval", "Eriksen", "Fischer", "Gruber", "Haas", "Ivanova", "Jansen", "Kovacs"]
_WORDS = ["My parcel has not arrived.", "I was charged twice.", "How do I cancel?", "It does not work.", "Thank you!"]
_ANSWERS = ["Let me look that up.", "Could you tell me the number?", "One moment, please.", "It is on its way."]
_COLORS = ["Green", "Azure", "Mint", "Lime", "Amber", "Coral"]


def person(rng: random.Random) -> tuple[str, str, str]:
    """A name, an e-mail address and a phone number."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return (
        f"{first} {last}",
        f"{first}.{last}{rng.randrange(10, 99)}@customer.example".lower(),
        f"+15550{rng.randrange(100000, 999999)}",
    )


def operator(index: int, rng: random.Random) -> str:
    """The name of a generated operator."""
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}-{index}"


def sentence(rng: random.Random) -> str:
    """What a customer wrote last."""
    return rng.choice(_WORDS)


def message(number: int) -> str:
    """What a customer writes as the message of that number."""
    return _WORDS[number % len(_WORDS)]


def answer(number: int) -> str:
    """What an operator writes as the message of that number."""
    return _ANSWERS[number % len(_ANSWERS)]


def title(number: int, line: str, rng: random.Random) -> str:
    """The title of a chat, as the server makes it up."""
    return f"{rng.choice(_COLORS)} Guest #{number} - {line}"
