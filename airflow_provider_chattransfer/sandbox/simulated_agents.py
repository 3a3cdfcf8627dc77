# SPDX-License-Identifier: Apache-2.0
"""The simulated agents: whether and when they accept an offered chat, answer customers, take breaks and go home."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Protocol

from .distributions import Duration, RandomStreams, Uniform, parse_duration, parse_interval
from .scheduler import Scheduler
from .validation import number

DEFAULT_ACCEPT_AFTER = Uniform(1.0, 4.0)
DEFAULT_BREAK_FOR = Uniform(300.0, 900.0)


class Reaction(StrEnum):
    """What an agent does about an offered chat."""

    ACCEPT = "accept"
    REJECT = "reject"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class AgentBehavior:
    """How an agent behaves.

    ``reject`` and ``ignore`` are shares of the offers, between 0 and 1. The other fields are durations in seconds:
    until the agent reacts to an offer (``accept_after``) or answers a customer (``answer_after``), from one break to
    the next, of a break, and from the start until the agent goes home (``leave_after``). ``None`` is never.
    """

    accept_after: Duration = DEFAULT_ACCEPT_AFTER
    reject: float = 0.0
    ignore: float = 0.0
    answer_after: Duration | None = None
    break_after: Duration | None = None
    break_for: Duration = DEFAULT_BREAK_FOR
    leave_after: Duration | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: AgentBehavior | None = None) -> AgentBehavior:
        """Return the behavior that a scenario describes, with ``base`` for keys that it leaves out.

        Raises ``ValueError`` for unknown keys.
        """
        names = [field.name for field in fields(cls)]
        if unknown := set(value) - set(names):
            raise ValueError(f"unknown keys in people: {sorted(unknown)}")
        base = base or cls()
        return cls(
            **{name: _parse_setting(name, value[name]) if name in value else getattr(base, name) for name in names}
        )


def _parse_setting(name: str, value: Any) -> Any:
    match name:
        case "reject" | "ignore":
            return number(value, name, most=1.0)
        case "accept_after" | "break_for":
            return parse_duration(value, name)
        case "break_after":
            return parse_interval(value, name)
        case _:
            return None if value is None else parse_duration(value, name)


class AgentEvents(Protocol):
    """What a service does when an agent leaves or returns."""

    def agent_leaves(self, agent: int, *, for_good: bool) -> None:
        """Let ``agent`` go on a break or, ``for_good``, home."""

    def agent_returns(self, agent: int) -> None:
        """Let ``agent`` return from a break and react to the chats that are waiting."""


class SimulatedAgents:
    """All agents of one service. Their random decisions follow from one seed."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random, scheduler: Scheduler) -> None:
        """Read ``people`` of a scenario: the behavior of all agents, and under ``agents`` that of single ones by id."""
        singles = scenario.get("agents", {})
        self._default = AgentBehavior.from_json({key: value for key, value in scenario.items() if key != "agents"})
        self._by_agent = {
            str(agent): AgentBehavior.from_json(behavior, base=self._default) for agent, behavior in singles.items()
        }
        self._rng = rng
        self._streams = RandomStreams(rng)
        self._streams_by_agent: dict[int, random.Random] = {}
        self._scheduler = scheduler
        self._on_break: set[int] = set()
        self._left: set[int] = set()

    def start(self, agents: Iterable[int], *, service: AgentEvents) -> None:
        """Schedule the first break and the end of the day of ``agents``, who are present."""
        self._service = service
        self._scheduler.call_later(0, lambda: self._schedule_first_steps(list(agents)))

    def reaction(self, agent: int) -> tuple[Reaction, float]:
        """Return what ``agent`` does about a new offer, and after how many seconds."""
        behavior = self._behavior(agent)
        delay = behavior.accept_after.draw(self._rng)
        draw = self._rng.random()
        if draw < behavior.reject:
            return Reaction.REJECT, delay
        if draw < behavior.reject + behavior.ignore:
            return Reaction.IGNORE, delay
        return Reaction.ACCEPT, delay

    def answer_delay(self, agent: int) -> float | None:
        """Return after how many seconds ``agent`` answers a waiting customer; ``None`` for never."""
        answer_after = self._behavior(agent).answer_after
        return None if answer_after is None else answer_after.draw(self._stream(agent))

    def is_away(self, agent: int) -> bool:
        """Return whether ``agent`` is on a break or has gone home, and so does not react."""
        return agent in self._on_break or agent in self._left

    def is_on_break(self, agent: int) -> bool:
        """Return whether ``agent`` is on a break."""
        return agent in self._on_break

    def _schedule_first_steps(self, agents: Iterable[int]) -> None:
        for agent in agents:
            self._schedule_break(agent)
            if (leave_after := self._behavior(agent).leave_after) is not None:
                self._schedule(agent, leave_after, self._go_home)

    def _schedule_break(self, agent: int) -> None:
        if (break_after := self._behavior(agent).break_after) is not None:
            self._schedule(agent, break_after, self._start_break)

    def _start_break(self, agent: int) -> None:
        if agent in self._left:
            return
        self._on_break.add(agent)
        self._service.agent_leaves(agent, for_good=False)
        self._schedule(agent, self._behavior(agent).break_for, self._end_break)

    def _end_break(self, agent: int) -> None:
        if agent in self._left:
            return
        self._on_break.discard(agent)
        self._service.agent_returns(agent)
        self._schedule_break(agent)

    def _go_home(self, agent: int) -> None:
        self._on_break.discard(agent)
        self._left.add(agent)
        self._service.agent_leaves(agent, for_good=True)

    def _schedule(self, agent: int, after: Duration, step: Callable[[int], None]) -> None:
        self._scheduler.call_later(after.draw(self._stream(agent)), lambda: step(agent))

    def _behavior(self, agent: int) -> AgentBehavior:
        return self._by_agent.get(str(agent), self._default)

    def _stream(self, agent: int) -> random.Random:
        if agent not in self._streams_by_agent:
            self._streams_by_agent[agent] = self._streams.stream(f"agent-{agent}")
        return self._streams_by_agent[agent]
