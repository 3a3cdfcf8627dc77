# SPDX-License-Identifier: Apache-2.0
"""Chats generated from a number per state, for a scenario that does not list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from .validation import shown

STATES = ("open", "waiting", "closed")


def generate_chats(counts: Mapping[str, Any], *, agents: Sequence[int], queues: Sequence[int]) -> list[dict[str, Any]]:
    """Return as many chats in each state as ``counts`` says, ``{"open": 200}``, as a scenario lists them.

    Open and closed chats are spread evenly over the ``agents``, waiting ones over the ``queues``. Raises
    ``ValueError``.
    """
    if unknown := set(counts) - set(STATES):
        raise ValueError(f"chats are {', '.join(STATES)}, not {sorted(map(str, unknown))}")
    for state, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"the number of {state} chats must be a whole number, got {shown(count)}")
    if any(counts.values()) and not (agents and queues):
        raise ValueError("chats cannot be generated without an agent in a queue")
    states = chain.from_iterable(repeat(state, counts.get(state, 0)) for state in STATES)
    return [
        {"state": state, "queue": queues[place % len(queues)]}
        if state == "waiting"
        else {"state": state, "owner": agents[place % len(agents)]}
        for place, state in enumerate(states)
    ]
