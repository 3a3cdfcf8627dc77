# SPDX-License-Identifier: Apache-2.0
"""The simulated customers: when one writes, closes his chat, and comes back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from .agenda import Agenda
from .chance import Duration, Seeds, interval


@dataclass(frozen=True, slots=True)
class Manners:
    """How a customer behaves, in seconds: between two messages, from the beginning of a conversation until he
    closes it, and from its end until he comes back. ``None`` is never."""

    write_after: Duration | None = None
    close_after: Duration | None = None
    return_after: Duration | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, base: Manners | None = None) -> Manners:
        """Manners from a scenario, with ``base`` for what it leaves out; raises ``ValueError`` for unknown keys."""
        names = [field.name for field in fields(cls)]
        if unknown := set(value) - set(names):
            raise ValueError(f"unknown keys in customers: {sorted(unknown)}")
        base = base or cls()
        return cls(**{name: interval(value[name], name) if name in value else getattr(base, name) for name in names})


class Counter(Protocol):
    """What the customers need of the service that they turn to."""

    def customer_writes(self, chat_id: int) -> bool:
        """A message; false if there is no open conversation in which to write it."""

    def customer_closes(self, chat_id: int) -> None:
        """The end of the conversation."""

    def customer_returns(self, chat_id: int) -> None:
        """A conversation that was closed goes on, or a new one begins."""


@dataclass(slots=True)
class _Story:
    """One customer in one chat. ``turn`` counts the conversations and their ends, so that what was planned in one
    is not done in the next; ``left`` are the seconds from his next step until he closes the chat."""

    chat: int
    manners: Manners
    rng: random.Random
    turn: int = 0
    left: float | None = None


class Customers:
    """Plans one step ahead for each chat whose customer does anything."""

    def __init__(self, scenario: Mapping[str, Any], *, rng: random.Random, agenda: Agenda) -> None:
        """``scenario``: the manners of everybody, and under ``chats`` those of single ones by their chat's id."""
        singles = scenario.get("chats", {})
        self._everybody = Manners.from_json({key: value for key, value in scenario.items() if key != "chats"})
        self._single = {str(chat): Manners.from_json(each, base=self._everybody) for chat, each in singles.items()}
        self._seeds = Seeds(rng)
        self._agenda = agenda
        self._stories: dict[int, _Story] = {}

    def start(self, chats: Mapping[int, bool], *, at: Counter) -> None:
        """Let the customers of ``chats`` (by id, with whether each is open) begin; raises ``ValueError`` for a
        scenario that names others."""
        if unknown := set(self._single) - {str(chat) for chat in chats}:
            raise ValueError(f"customers of chats that do not exist: {sorted(unknown)}")
        self._at = at
        for chat in chats:
            manners = self._single.get(str(chat), self._everybody)
            if manners != Manners():
                self._stories[chat] = _Story(chat, manners, self._seeds.of(f"chat-{chat}"))
        self._agenda.later(0, lambda: self._begin(chats))

    def began(self, chat: int) -> None:
        """A conversation began in ``chat``, or goes on."""
        if (story := self._stories.get(chat)) is None:
            return
        story.turn += 1
        close_after = story.manners.close_after
        story.left = None if close_after is None else close_after.draw(story.rng)
        self._plan(story)

    def ended(self, chat: int) -> None:
        """The conversation in ``chat`` is over, whoever closed it."""
        if (story := self._stories.get(chat)) is None:
            return
        story.turn += 1
        if (return_after := story.manners.return_after) is not None:
            self._later(story, return_after.draw(story.rng), lambda: self._at.customer_returns(story.chat))

    def move(self, chat: int, *, to: int) -> None:
        """The customer of ``chat`` is now in another one."""
        if (story := self._stories.pop(chat, None)) is not None:
            story.chat = to
            self._stories[to] = story

    def _begin(self, chats: Mapping[int, bool]) -> None:
        for chat in list(self._stories):
            (self.began if chats[chat] else self.ended)(chat)

    def _plan(self, story: _Story) -> None:
        """His next message, unless he closes the chat before."""
        write_after = story.manners.write_after
        pause = None if write_after is None else write_after.draw(story.rng)
        if pause is not None and (story.left is None or pause < story.left):
            story.left = None if story.left is None else story.left - pause
            self._later(story, pause, lambda: self._write(story))
        elif story.left is not None:
            self._later(story, story.left, lambda: self._at.customer_closes(story.chat))

    def _write(self, story: _Story) -> None:
        if self._at.customer_writes(story.chat):
            self._plan(story)
        else:
            self.ended(story.chat)

    def _later(self, story: _Story, seconds: float, step: Callable[[], None]) -> None:
        turn = story.turn

        def act() -> None:
            if story.turn == turn:
                step()

        self._agenda.later(seconds, act)
