# SPDX-License-Identifier: Apache-2.0
"""What an operator is asked to do, as typed values. A run's record is compared by them, and they plan the transfers.

Each is read without a request from what a DAG author, a template or an upstream task gave. Numbers stay numbers, and
names stay names until a platform resolves them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from typing_extensions import override

from ..chats.model import Chat, Json, Target, Transfer
from ..chats.planning import Strategy, plan_transfers
from ..chats.references import as_chat, as_queue, chats, persons, targets
from ..chats.rows import TransferRow, each_once, transfer_rows

if TYPE_CHECKING:
    from ..platforms.base import ChatPlatform


class Request(ABC):
    """What an operator is asked to do."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether there is nothing to do, so that no receiver and no request is needed."""

    @abstractmethod
    def check(self, platform: ChatPlatform) -> None:
        """Raise ``ValueError`` for what ``platform`` cannot do. No request is made."""

    @abstractmethod
    def to_json(self) -> Json:
        """Return everything that decides which chat goes where, as plain JSON; the same request gives the same."""

    @abstractmethod
    def plan(self, platform: ChatPlatform) -> list[Transfer]:
        """Ask ``platform`` which chats go where.

        Raises ``ValueError`` for a chat, person or queue that does not exist, and a ``PlatformError``.
        """


@dataclass(frozen=True, slots=True)
class NamedTransfers(Request):
    """Chats that are named, each with its own target.

    Only names are looked up in rows: a number that does not exist fails its own chat and holds up no other.
    """

    rows: tuple[TransferRow, ...]
    of: str = "transfers"
    """The option, for errors."""

    @classmethod
    def one(cls, chat_id: object, to: object) -> Self:
        """Read one chat and its target."""
        return cls((TransferRow(as_chat(chat_id, of="chat_id"), Target.parse(to)),), of="to")

    @classmethod
    def read(cls, transfers: object) -> Self:
        """Read ``[{"chat_id": 112, "to": "agent:12", "from": "agent:7"}, …]``, each chat once, in the order given."""
        return cls(tuple(transfer_rows(transfers)))

    @property
    @override
    def is_empty(self) -> bool:
        return not self.rows

    @override
    def check(self, platform: ChatPlatform) -> None:
        platform.check_targets([row.target for row in self.rows])

    @override
    def to_json(self) -> Json:
        return {"transfers": [[row.chat, str(row.target), row.source and str(row.source)] for row in self.rows]}

    @override
    def plan(self, platform: ChatPlatform) -> list[Transfer]:
        found = platform.chats_by_number([row.chat for row in self.rows], of="chat_id" if self.of == "to" else self.of)
        targets = [row.target for row in self.rows if row.target.name is not None or self.of == "to"]
        sources = [row.source for row in self.rows if row.source is not None and row.source.name is not None]
        known = {**platform.resolve(targets, of=self.of), **platform.resolve(sources, of=f"{self.of}: from")}
        resolved = [
            replace(
                row,
                chat=found[row.chat],
                target=known.get(row.target, row.target),
                source=row.source and known.get(row.source, row.source),
            )
            for row in self.rows
        ]
        return [Transfer(row.chat, row.target, row.source) for row in each_once((self.of, row) for row in resolved)]


@dataclass(frozen=True, slots=True)
class Reassignment(Request):
    """All chats of some agents, or of a queue, or that are named, shared out among ``to``."""

    to: tuple[Target, ...]
    strategy: Strategy
    from_agents: tuple[Target, ...] | None = None
    from_queue: Target | None = None
    chats: tuple[str, ...] | None = None

    @classmethod
    def read(cls, *, to: object, strategy: object, from_agents: object, from_queue: object, chat_ids: object) -> Self:
        """Read the options of ``ReassignChatsOperator``; raises ``ValueError``."""
        options = {"from_agents": from_agents, "from_queue": from_queue, "chat_ids": chat_ids}
        given = [name for name, value in options.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(options)} must be given, not {' and '.join(given) or 'none'}")
        request = cls(
            to=tuple(targets(to, of="to")),
            strategy=Strategy.parse(strategy),
            from_agents=None if from_agents is None else tuple(persons(from_agents, of="from_agents")),
            from_queue=None if from_queue is None else as_queue(from_queue, of="from_queue"),
            chats=None if chat_ids is None else tuple(chats(chat_ids, of="chat_ids")),
        )
        if not request.to and not request.is_empty:
            raise ValueError("to: the list is empty, so that nobody is there to take the chats")
        _check_apart(request._sources, request.to)
        return request

    @property
    @override
    def is_empty(self) -> bool:
        return not (self.from_agents or self.from_queue or self.chats)

    @property
    def _sources(self) -> tuple[Target, ...]:
        return self.from_agents or ((self.from_queue,) if self.from_queue else ())

    @override
    def check(self, platform: ChatPlatform) -> None:
        platform.check_targets(self.to)
        if self.from_queue is not None:
            platform.check_source(self.from_queue)

    @override
    def to_json(self) -> Json:
        return {
            "to": [str(each) for each in self.to],
            "strategy": self.strategy.value,
            "from_agents": None if self.from_agents is None else [str(each) for each in self.from_agents],
            "from_queue": self.from_queue and str(self.from_queue),
            "chat_ids": None if self.chats is None else list(self.chats),
        }

    @override
    def plan(self, platform: ChatPlatform) -> list[Transfer]:
        resolved = self._resolved(platform)
        found = resolved._find(platform)
        least = resolved.strategy is Strategy.LEAST_LOADED and found
        loads = _loads(platform, resolved.to) if least else None
        holders = resolved._sources or [chat.holder for chat in found if chat.holder is not None]
        return plan_transfers(found, resolved.to, strategy=resolved.strategy, loads=loads, sources=holders)

    def _resolved(self, platform: ChatPlatform) -> Self:
        """Return the same with every person, queue and chat by its number; all of them exist."""
        of = "from_agents" if self.from_agents else "from_queue"
        sources = platform.resolve(self._sources, of=of)
        receivers = platform.resolve(self.to, of="to")
        resolved = replace(
            self,
            to=tuple(dict.fromkeys(receivers[each] for each in self.to)),
            from_agents=self.from_agents and tuple(dict.fromkeys(sources[each] for each in self.from_agents)),
            from_queue=self.from_queue and sources[self.from_queue],
        )
        _check_apart(resolved._sources, resolved.to)
        return resolved

    def _find(self, platform: ChatPlatform) -> list[Chat]:
        if self.from_agents:
            return platform.find_agents_chats([str(agent.id) for agent in self.from_agents])
        if self.from_queue:
            return platform.find_waiting_chats(str(self.from_queue.id))
        known = platform.chats_by_number(self.chats or (), of="chat_ids")
        return _named(platform, list(dict.fromkeys(known[each] for each in self.chats or ())))


def _check_apart(sources: Sequence[Target], receivers: Sequence[Target]) -> None:
    if both := [str(source) for source in sources if source in receivers]:
        raise ValueError(f"to: {', '.join(both)} is also the one whose chats are to be taken")


def _named(platform: ChatPlatform, chat_ids: Sequence[str]) -> list[Chat]:
    """Read named chats as they are now; one that cannot be read counts as closed, and fails in the run."""
    readings = platform.read_chats(chat_ids) if chat_ids else {}
    found = (readings[chat_id] for chat_id in chat_ids)
    return [
        chat if isinstance(chat, Chat) else Chat(id=chat_id, closed=True)
        for chat_id, chat in zip(chat_ids, found, strict=True)
    ]


def _loads(platform: ChatPlatform, receivers: Sequence[Target]) -> Mapping[Target, int]:
    """Count the open chats of each receiver, by the same listing that finds chats to move."""
    loads: Counter[Target] = Counter()
    agents = [target.id for target in receivers if target.is_agent and target.id is not None]
    for chat in platform.find_agents_chats(agents) if agents else []:
        loads[Target.agent(chat.owner or chat.offered_to or "")] += 1
    for target in receivers:
        if not target.is_agent and target.id is not None:
            loads[target] = len(platform.find_waiting_chats(target.id))
    return loads
