# SPDX-License-Identifier: Apache-2.0
"""The simulated agents: whether one takes a chat that he is offered and how soon, and when he is at his desk."""

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
    """What an agent does about a chat that he is offered."""

    ACCEPT = "accept"
    REJECT = "reject"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class AgentBehavior:
    """How an agent behaves. ``reject`` and ``ignore`` are shares of the offers, between 0 and 1; the rest are
    seconds: until he answers an offer, until he answers a customer, of work until a break, of the break, and from
    the start until he goes home. ``None`` is never."""

    accept_after: Duration = DEFAULT_ACCEPT_AFTER
    reject: float = 0.0
    ignore: float = 0.0
    answer_after: Duration | None = None
    break_after: Duration | None = None
    break_for: Duration = DEFAULT_BREAK_FOR
    leave_after: Duration | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: AgentBehavior | None = None) -> AgentBehavior:
        """Habits from a scenario, with ``base`` for what it leaves out; raises ``ValueError`` for unknown keys."""
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
    """What the people need of the service that they work in."""

    def agent_leaves(self, agent: int, *, for_good: bool) -> None:
        """``agent`` goes on a break, or home."""

    def agent_returns(self, agent: int) -> None:
        """``agent`` is back from his break, and sees to what has been waiting for him."""


class SimulatedAgents:
    """Draws what all agents of one service do from one seed."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random, scheduler: Scheduler) -> None:
        """``scenario``: the habits of everybody, and under ``agents`` those of single ones by id."""
        singles = scenario.get("agents", {})
        self._everybody = AgentBehavior.from_json({key: value for key, value in scenario.items() if key != "agents"})
        self._single = {
            str(agent): AgentBehavior.from_json(behavior, base=self._everybody) for agent, behavior in singles.items()
        }
        self._rng = rng
        self._streams = RandomStreams(rng)
        self._streams_by_agent: dict[int, random.Random] = {}
        self._scheduler = scheduler
        self._on_break: set[int] = set()
        self._left: set[int] = set()

    def start(self, agents: Iterable[int], *, at: AgentEvents) -> None:
        """Let ``agents``, who are at their desks, begin: plan their first breaks, and when they go home."""
        self._at = at
        self._scheduler.call_later(0, lambda: self._begin(list(agents)))

    def reaction(self, agent: int) -> tuple[Reaction, float]:
        """What ``agent`` does about a new offer, and after how many seconds."""
        behavior = self._behavior(agent)
        delay = behavior.accept_after.draw(self._rng)
        draw = self._rng.random()
        if draw < behavior.reject:
            return Reaction.REJECT, delay
        if draw < behavior.reject + behavior.ignore:
            return Reaction.IGNORE, delay
        return Reaction.ACCEPT, delay

    def answer_delay(self, agent: int) -> float | None:
        """After how many seconds ``agent`` answers a customer who waits for him; ``None`` if he never does."""
        answer_after = self._behavior(agent).answer_after
        return None if answer_after is None else answer_after.draw(self._stream(agent))

    def is_away(self, agent: int) -> bool:
        """Whether ``agent`` has stepped away, so that he answers nobody."""
        return agent in self._on_break or agent in self._left

    def is_on_break(self, agent: int) -> bool:
        """Whether ``agent`` has stepped away and will come back."""
        return agent in self._on_break

    def _begin(self, agents: Iterable[int]) -> None:
        for agent in agents:
            self._plan_break(agent)
            if (leave_after := self._behavior(agent).leave_after) is not None:
                self._later(agent, leave_after, self._leave)

    def _plan_break(self, agent: int) -> None:
        if (break_after := self._behavior(agent).break_after) is not None:
            self._later(agent, break_after, self._rest)

    def _rest(self, agent: int) -> None:
        if agent in self._left:
            return
        self._on_break.add(agent)
        self._at.agent_leaves(agent, for_good=False)
        self._later(agent, self._behavior(agent).break_for, self._return)

    def _return(self, agent: int) -> None:
        if agent in self._left:
            return
        self._on_break.discard(agent)
        self._at.agent_returns(agent)
        self._plan_break(agent)

    def _leave(self, agent: int) -> None:
        self._on_break.discard(agent)
        self._left.add(agent)
        self._at.agent_leaves(agent, for_good=True)

    def _later(self, agent: int, after: Duration, step: Callable[[int], None]) -> None:
        self._scheduler.call_later(after.draw(self._stream(agent)), lambda: step(agent))

    def _behavior(self, agent: int) -> AgentBehavior:
        return self._single.get(str(agent), self._everybody)

    def _stream(self, agent: int) -> random.Random:
        if agent not in self._streams_by_agent:
            self._streams_by_agent[agent] = self._streams.of(f"agent-{agent}")
        return self._streams_by_agent[agent]
