# SPDX-License-Identifier: Apache-2.0
"""The simulated people: when an agent is offered a chat, does he take it, and how soon."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any


class Reaction(StrEnum):
    """What an agent does about a chat that he is offered."""

    ACCEPT = "accept"
    REJECT = "reject"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Habits:
    """How an agent behaves. ``reject`` and ``ignore`` are shares of the offers, between 0 and 1;
    ``accept_after`` is the range of seconds after which he answers."""

    accept_after: tuple[float, float] = (1.0, 4.0)
    reject: float = 0.0
    ignore: float = 0.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: Habits | None = None) -> Habits:
        """Habits from a scenario, with ``base`` for what it leaves out; raises ``ValueError`` for unknown keys."""
        if unknown := set(value) - {"accept_after", "reject", "ignore"}:
            raise ValueError(f"unknown keys in people: {sorted(unknown)}")
        base = base or cls()
        low, high = value.get("accept_after", base.accept_after)
        return cls(
            accept_after=(float(low), float(high)),
            reject=float(value.get("reject", base.reject)),
            ignore=float(value.get("ignore", base.ignore)),
        )


class People:
    """Draws the reactions of all agents of one service from one seed."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random) -> None:
        """``scenario``: the habits of everybody, and under ``agents`` those of single ones by id."""
        singles = scenario.get("agents", {})
        self._everybody = Habits.from_json({key: value for key, value in scenario.items() if key != "agents"})
        self._single = {str(agent): Habits.from_json(habits, base=self._everybody) for agent, habits in singles.items()}
        self._rng = rng

    def reaction(self, agent: int | str) -> tuple[Reaction, float]:
        """What ``agent`` does about a new offer, and after how many seconds."""
        habits = self._single.get(str(agent), self._everybody)
        delay = self._rng.uniform(*habits.accept_after)
        draw = self._rng.random()
        if draw < habits.reject:
            return Reaction.REJECT, delay
        if draw < habits.reject + habits.ignore:
            return Reaction.IGNORE, delay
        return Reaction.ACCEPT, delay


class Agenda:
    """Things that will happen, carried out in the order of their time when somebody looks."""

    def __init__(self) -> None:
        self._order = count()
        self._due: list[tuple[float, int, Callable[[float], None]]] = []

    def add(self, at: float, action: Callable[[float], None]) -> None:
        """Plan ``action`` for ``at``; it will be told the time it was planned for."""
        heapq.heappush(self._due, (at, next(self._order), action))

    def run(self, now: float) -> None:
        """Carry out all that is due by ``now``, including what those actions plan themselves."""
        while self._due and self._due[0][0] <= now:
            at, _, action = heapq.heappop(self._due)
            action(at)
