# SPDX-License-Identifier: Apache-2.0
"""The simulated customers: when one writes, closes his chat, and comes back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from .distributions import Duration, RandomStreams, parse_interval
from .scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class CustomerBehavior:
    """How a customer behaves, in seconds: between two messages, from the beginning of a conversation until he
    closes it, and from its end until he comes back. ``None`` is never."""

    write_after: Duration | None = None
    close_after: Duration | None = None
    return_after: Duration | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: CustomerBehavior | None = None) -> CustomerBehavior:
        """Manners from a scenario, with ``base`` for what it leaves out; raises ``ValueError`` for unknown keys."""
        names = [field.name for field in fields(cls)]
        if unknown := set(value) - set(names):
            raise ValueError(f"unknown keys in customers: {sorted(unknown)}")
        base = base or cls()
        return cls(
            **{name: parse_interval(value[name], name) if name in value else getattr(base, name) for name in names}
        )


class CustomerEvents(Protocol):
    """What the customers need of the service that they turn to."""

    def customer_writes(self, chat_id: int) -> bool:
        """A message; false if there is no open conversation in which to write it."""

    def customer_closes(self, chat_id: int) -> None:
        """The end of the conversation."""

    def customer_returns(self, chat_id: int) -> None:
        """A conversation that was closed goes on, or a new one begins."""


@dataclass(slots=True)
class _CustomerState:
    """The customer of one chat.

    ``conversation`` is counted up when a conversation begins and when it ends, so that an action scheduled in one is
    not carried out in the next. ``left`` is the time in seconds from the next step until the customer closes the chat.
    """

    chat: int
    behavior: CustomerBehavior
    rng: random.Random
    conversation: int = 0
    left: float | None = None


class SimulatedCustomers:
    """Plans one step ahead for each chat whose customer does anything."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random, scheduler: Scheduler) -> None:
        """``scenario``: the manners of everybody, and under ``chats`` those of single ones by their chat's id."""
        singles = scenario.get("chats", {})
        self._everybody = CustomerBehavior.from_json({key: value for key, value in scenario.items() if key != "chats"})
        self._single = {
            str(chat): CustomerBehavior.from_json(each, base=self._everybody) for chat, each in singles.items()
        }
        self._streams = RandomStreams(rng)
        self._scheduler = scheduler
        self._customers: dict[int, _CustomerState] = {}

    def start(self, chats: Mapping[int, bool], *, at: CustomerEvents) -> None:
        """Let the customers of ``chats`` (by id, with whether each is open) begin; raises ``ValueError`` for a
        scenario that names others."""
        if unknown := set(self._single) - {str(chat) for chat in chats}:
            raise ValueError(f"customers of chats that do not exist: {sorted(unknown)}")
        self._at = at
        for chat in chats:
            behavior = self._single.get(str(chat), self._everybody)
            if behavior != CustomerBehavior():
                self._customers[chat] = _CustomerState(chat, behavior, self._streams.of(f"chat-{chat}"))
        self._scheduler.call_later(0, lambda: self._begin(chats))

    def began(self, chat: int) -> None:
        """A conversation began in ``chat``, or goes on."""
        if (customer := self._customers.get(chat)) is None:
            return
        customer.conversation += 1
        close_after = customer.behavior.close_after
        customer.left = None if close_after is None else close_after.draw(customer.rng)
        self._plan(customer)

    def ended(self, chat: int) -> None:
        """The conversation in ``chat`` is over, whoever closed it."""
        if (customer := self._customers.get(chat)) is None:
            return
        customer.conversation += 1
        if (return_after := customer.behavior.return_after) is not None:
            self._later(customer, return_after.draw(customer.rng), lambda: self._at.customer_returns(customer.chat))

    def move(self, chat: int, *, to: int) -> None:
        """The customer of ``chat`` is now in another one."""
        if (customer := self._customers.pop(chat, None)) is not None:
            customer.chat = to
            self._customers[to] = customer

    def _begin(self, chats: Mapping[int, bool]) -> None:
        for chat in list(self._customers):
            (self.began if chats[chat] else self.ended)(chat)

    def _plan(self, customer: _CustomerState) -> None:
        """His next message, unless he closes the chat before."""
        write_after = customer.behavior.write_after
        pause = None if write_after is None else write_after.draw(customer.rng)
        if pause is not None and (customer.left is None or pause < customer.left):
            customer.left = None if customer.left is None else customer.left - pause
            self._later(customer, pause, lambda: self._write(customer))
        elif customer.left is not None:
            self._later(customer, customer.left, lambda: self._at.customer_closes(customer.chat))

    def _write(self, customer: _CustomerState) -> None:
        if self._at.customer_writes(customer.chat):
            self._plan(customer)
        else:
            self.ended(customer.chat)

    def _later(self, customer: _CustomerState, seconds: float, step: Callable[[], None]) -> None:
        conversation = customer.conversation

        def act() -> None:
            if customer.conversation == conversation:
                step()

        self._scheduler.call_later(seconds, act)
