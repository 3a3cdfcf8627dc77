# SPDX-License-Identifier: Apache-2.0
"""Made-up customers and what they write. Nobody here exists; the addresses are reserved for examples."""

from __future__ import annotations

import random

from .model import Customer

FIRST_NAMES = ("Aino", "Bram", "Chiara", "Dagny", "Emil", "Freya", "Goran", "Hedda", "Ivo", "Jonna", "Kasper", "Liv",
               "Mateo", "Nora", "Olav", "Petra", "Quentin", "Ragna", "Sander", "Tuva", "Ulrik", "Vilde", "Wout",
               "Ylva")  # fmt: skip
LAST_NAMES = ("Aasen", "Bakker", "Castelli", "Dahlberg", "Eskildsen", "Fjeld", "Gruber", "Haugland", "Iversen",
              "Jansen", "Kowalski", "Lindqvist", "Moen", "Nygaard", "Ostrowski", "Prestmo", "Rossi", "Solbakken",
              "Tveit", "Ulvestad", "Vermeer", "Wiklund")  # fmt: skip
COMPANIES = ("Fjordlys Elektro", "Bakker & Zonen", "Nordlicht Reisen", "Castelli Vini", "Havgard Shipping",
             "Polarbok Forlag", "")  # fmt: skip
QUESTIONS = (
    "Hello, my order has not arrived yet.",
    "I was charged twice this month, can you look into it?",
    "How do I change the delivery address?",
    "The login page says that my account is locked.",
    "Do you ship to the Lofoten islands?",
    "I would like to talk to somebody about our contract.",
)
REPLIES = (
    "Let me look that up for you.",
    "Thank you, I have found your order.",
    "Could you tell me the order number, please?",
    "One moment, please.",
)
ANSWERS = (
    "The number is 40-7781.",
    "Thanks, I will wait.",
    "Yes, that is the one. My other phone is broken.",
    "That was last Tuesday.",
)
AGENT_NAMES = ("Anna Berg", "Bo Lund", "Clara Vik", "David Holm", "Eva Strand", "Finn Dale", "Greta Sund", "Hans Eide",
               "Ida Moe", "Jon Hauge", "Kari Nes", "Lars Foss")  # fmt: skip


def customer(number: int, *, known: bool, rng: random.Random) -> Customer:
    """Somebody with the id ``number``."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    return Customer(
        id=number,
        known=known,
        first_name=first,
        last_name=last,
        email=f"{first}.{last}.{number}@customer.example".lower(),
        phone=f"+47 {rng.randrange(40_000_000, 99_999_999)}",
        company=rng.choice(COMPANIES),
        host=f"203.0.113.{rng.randrange(1, 255)}",
    )


def stranger(number: int) -> Customer:
    """Somebody of whom nothing is known."""
    return Customer(id=number, known=False, first_name="", last_name="", email="", phone="", company="", host="")


def session_key(rng: random.Random) -> str:
    """Return a secret of the right shape."""
    return f"{rng.getrandbits(128):032x}"
