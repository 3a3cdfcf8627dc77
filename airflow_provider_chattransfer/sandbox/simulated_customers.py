# SPDX-License-Identifier: Apache-2.0
"""The simulated customers: when they write, close their chats, and come back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from .distributions import Duration, RandomStreams, parse_interval
from .scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class CustomerBehavior:
    """How a customer behaves, in seconds; ``None`` is never.

    The durations run from one message to the next, from the beginning of a conversation until the customer closes it,
    and from its end until the customer comes back.
    """

    write_after: Duration | None = None
    close_after: Duration | None = None
    return_after: Duration | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: CustomerBehavior | None = None) -> CustomerBehavior:
        """Return the behavior that a scenario describes, with ``base`` for keys that it leaves out.

        Raises ``ValueError`` for unknown keys.
        """
        names = [field.name for field in fields(cls)]
        if unknown := set(value) - set(names):
            raise ValueError(f"unknown keys in customers: {sorted(unknown)}")
        base = base or cls()
        return cls(
            **{name: parse_interval(value[name], name) if name in value else getattr(base, name) for name in names}
        )


class CustomerEvents(Protocol):
    """What a service does when a customer acts."""

    def customer_writes(self, chat_id: int) -> bool:
        """Add a message of the customer; return false if there is no open conversation."""

    def customer_closes(self, chat_id: int) -> None:
        """End the conversation."""

    def customer_returns(self, chat_id: int) -> None:
        """Continue the closed conversation or begin a new one, as the service does."""


@dataclass(slots=True)
class _CustomerState:
    """The customer of one chat.

    ``conversation`` is counted up when a conversation begins and when it ends, so that an action scheduled in one is
    not carried out in the next. ``until_close`` is the time in seconds from the next step until the customer closes the
    chat.
    """

    chat: int
    behavior: CustomerBehavior
    rng: random.Random
    conversation: int = 0
    until_close: float | None = None


class SimulatedCustomers:
    """The customers of one service. For each chat the next action is scheduled, one at a time."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random, scheduler: Scheduler) -> None:
        """Read ``customers`` of a scenario: the behavior of all, and under ``chats`` that of single ones by chat id."""
        singles = scenario.get("chats", {})
        self._default = CustomerBehavior.from_json({key: value for key, value in scenario.items() if key != "chats"})
        self._by_chat = {
            str(chat): CustomerBehavior.from_json(each, base=self._default) for chat, each in singles.items()
        }
        self._streams = RandomStreams(rng)
        self._scheduler = scheduler
        self._customers: dict[int, _CustomerState] = {}

    def start(self, chats: Mapping[int, bool], *, service: CustomerEvents) -> None:
        """Schedule the first actions in ``chats``: ids, each with whether the chat is open.

        Raises ``ValueError`` if the scenario names other chats.
        """
        if unknown := set(self._by_chat) - {str(chat) for chat in chats}:
            raise ValueError(f"customers of chats that do not exist: {sorted(unknown)}")
        self._service = service
        for chat in chats:
            behavior = self._by_chat.get(str(chat), self._default)
            if behavior != CustomerBehavior():
                self._customers[chat] = _CustomerState(chat, behavior, self._streams.stream(f"chat-{chat}"))
        self._scheduler.call_later(0, lambda: self._begin_all(chats))

    def began(self, chat: int) -> None:
        """Note that a conversation began or continues in ``chat``."""
        if (customer := self._customers.get(chat)) is None:
            return
        customer.conversation += 1
        close_after = customer.behavior.close_after
        customer.until_close = None if close_after is None else close_after.draw(customer.rng)
        self._schedule_next_step(customer)

    def ended(self, chat: int) -> None:
        """Note that the conversation in ``chat`` has ended, whoever closed it."""
        if (customer := self._customers.get(chat)) is None:
            return
        customer.conversation += 1
        if (return_after := customer.behavior.return_after) is not None:
            self._schedule(
                customer, return_after.draw(customer.rng), lambda: self._service.customer_returns(customer.chat)
            )

    def move(self, chat: int, *, to: int) -> None:
        """Move the customer of ``chat`` to the chat ``to``."""
        if (customer := self._customers.pop(chat, None)) is not None:
            customer.chat = to
            self._customers[to] = customer

    def _begin_all(self, chats: Mapping[int, bool]) -> None:
        for chat in list(self._customers):
            (self.began if chats[chat] else self.ended)(chat)

    def _schedule_next_step(self, customer: _CustomerState) -> None:
        """Schedule the next message, or the close of the chat if that comes first."""
        write_after = customer.behavior.write_after
        pause = None if write_after is None else write_after.draw(customer.rng)
        if pause is not None and (customer.until_close is None or pause < customer.until_close):
            customer.until_close = None if customer.until_close is None else customer.until_close - pause
            self._schedule(customer, pause, lambda: self._write(customer))
        elif customer.until_close is not None:
            self._schedule(customer, customer.until_close, lambda: self._service.customer_closes(customer.chat))

    def _write(self, customer: _CustomerState) -> None:
        if self._service.customer_writes(customer.chat):
            self._schedule_next_step(customer)
        else:
            self.ended(customer.chat)

    def _schedule(self, customer: _CustomerState, seconds: float, step: Callable[[], None]) -> None:
        conversation = customer.conversation

        def act() -> None:
            if customer.conversation == conversation:
                step()

        self._scheduler.call_later(seconds, act)
