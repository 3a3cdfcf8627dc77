# SPDX-License-Identifier: Apache-2.0
"""The contact centre at 22:00: who goes home, who stays, and how they behave."""

from __future__ import annotations

from typing import Any

BITRIX24_CHATS = 300
SUPEROFFICE_CHATS = 80
LEAVING = (7, 8)

PEOPLE = {"accept_after": [1, 8], "ignore": 0.04, "reject": 0.06}
"""They take a chat within eight seconds; four offers in a hundred nobody sees, and six are declined."""


def scenario() -> dict[str, Any]:
    """Both services full of chats of the two agents who go home; a few belong to others and must be left alone."""
    return {"seed": 2200, "bitrix24": _bitrix24(), "superoffice": _superoffice()}


def _bitrix24() -> dict[str, Any]:
    staying = (12, 15, 16, 17)
    agents: list[dict[str, Any]] = [{"id": agent, "present": agent not in LEAVING} for agent in (*LEAVING, *staying)]
    agents[-1]["name"] = "Willem Wouters"
    lines = [
        {"id": 3, "name": "Support", "members": [*LEAVING, *staying]},
        {"id": 4, "name": "Sales", "members": [12, 16]},
    ]
    return {
        "operators": agents,
        "queues": lines,
        "chats": _chats(101, BITRIX24_CHATS, others=staying),
        "people": PEOPLE,
    }


def _superoffice() -> dict[str, Any]:
    return {"chats": _chats(150, SUPEROFFICE_CHATS, others=(12, 15, 21)), "people": PEOPLE, "rate": 10}


def _chats(first: int, number: int, *, others: tuple[int, ...]) -> list[dict[str, Any]]:
    """Of ten chats eight belong to those who go home, one to somebody else, and one is closed."""
    chats: list[dict[str, Any]] = []
    for place in range(number):
        owner = others[place // 10 % len(others)] if place % 10 == 8 else LEAVING[place % 2]
        chat = {"id": first + place, "owner": owner, "queue": 3, "customer": 5001 + place * 2 // 3}
        chats.append(chat | {"state": "closed"} if place % 10 == 9 else chat)
    return chats
