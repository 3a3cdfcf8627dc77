# SPDX-License-Identifier: Apache-2.0
"""Define the contract that every service keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ..chats.estimate import Cost
from ..chats.model import Chat, Reading, Target
from ..chats.reconciliation import Answer, NotApplied, OutcomeUnknown, Refused
from ..chats.run import Move, Sent, Stop
from ..exceptions import PlatformError, RateLimitError, ReadTooLongAgoError, ResponseLostError
from ..retry_decision import NextStep, decide
from .connection_check import ConnectionCheck
from .coordination.store import SharedStore


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How transfers are sent: ``on`` holds the names of the operators' switches that are on, such as ``bot_leaves``."""

    on: frozenset[str] = frozenset()


class ChatPlatform(ABC):
    """A service on which chats can be found, read and moved, seen by one account.

    Every method may raise a ``PlatformError``; reads have then been repeated as far as that made sense. ``read_chats``,
    ``send`` and ``transfer_history`` may be called by several threads at once, for different chats.
    """

    name: str
    """The connection type, as reports name the platform."""

    account: str
    """Where the chats are: the address of the portal or tenant. Runs on the same host share a lock and a pace by it."""

    actor: str
    """Who acts on that account, by the words of the connection, without a request: ``user 1 by webhook``.

    Holds no secret, and stays the same when a password, code, token or ticket is renewed; another user, application or
    way of signing in is another actor.
    """

    store: SharedStore
    """What is shared with all that act on the account: other threads, processes and, where it is told, hosts."""

    chunk: int
    """How many chats are read, sent and read back at a time at first."""

    @property
    def max_chunk(self) -> int:
        """How many chats are read, sent and read back at a time at most, once that has gone well."""
        return self.chunk

    send_options: frozenset[str] = frozenset()
    """The switches of ``SendOptions`` that may be on here, by name."""

    def check_send_options(self, options: SendOptions) -> None:
        """Raise ``ValueError`` for a switch that is on and that this service does not have. No request is made."""
        if unknown := sorted(options.on - self.send_options):
            raise ValueError(f"{unknown[0]}: a connection of type {self.name} has no such option; leave it out")

    @property
    @abstractmethod
    def cost(self) -> Cost:
        """What moving chats costs here, for an estimate before a run. No request is made."""

    @property
    @abstractmethod
    def requests(self) -> int:
        """How many requests have been made so far."""

    @abstractmethod
    def check_targets(self, targets: Sequence[Target]) -> None:
        """Raise ``ValueError`` for a kind of target that this service does not have. No request is made."""

    @abstractmethod
    def resolve(self, targets: Sequence[Target], *, of: str) -> Mapping[Target, Target]:
        """Find the number of each of ``targets``, sources and receivers; those given by name are looked up.

        Raises ``ValueError`` with ``of``, the name of the option, for what does not exist, and with the candidates for
        a name that is unknown or several people's. Where the service does not let this account ask, a number passes
        and a name is an error. The service is asked once, then the answer is remembered.
        """

    @abstractmethod
    def resolve_chats(self, references: Sequence[str]) -> Mapping[str, str]:
        """Find the number of each chat in ``references``, which are as ``chats.references.as_chat`` writes them.

        Numbers cost no request. Raises ``ValueError`` for a reference that leads to no chat, or to several.
        """

    def chats_by_number(self, references: Sequence[str], *, of: str) -> Mapping[str, str]:
        """Find the numbers as ``resolve_chats`` does, with ``of``, the name of the option, in a ``ValueError``."""
        try:
            return self.resolve_chats(references)
        except ValueError as problem:
            raise ValueError(f"{of}: {problem}") from None

    @abstractmethod
    def check_source(self, source: Target) -> None:
        """Raise ``ValueError`` for a source from which this service cannot take chats. No request is made."""

    @abstractmethod
    def find_agents_chats(self, agents: Sequence[str]) -> list[Chat]:
        """Find the open chats that ``agents`` have, or that ring at them, sorted by id."""

    @abstractmethod
    def find_waiting_chats(self, queue: str) -> list[Chat]:
        """Find the chats that wait in ``queue`` and that nobody has accepted, sorted by id."""

    @abstractmethod
    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        """Read the state of each of ``chat_ids``, in as few requests as the service allows.

        Each chat is in what is returned: as a ``Chat``, or as an ``UnreadableChat`` where the service does not show it.
        """

    @abstractmethod
    def check_may_send(self) -> None:
        """Raise ``ValueError`` when this account can move or accept no chat at all. No request is made."""

    def why_cannot_send(self, owner: str) -> str | None:
        """Tell why this account cannot send on the chats of ``owner``, and who could; ``None`` when it can.

        No request is made.
        """
        return None

    @abstractmethod
    def send(self, moves: Sequence[Move], options: SendOptions) -> Sent:
        """Ask for ``moves``, each once, and return what the service said to each by chat id.

        A chat without an answer was not sent. Raises only what concerns all of them alike.
        """

    @abstractmethod
    def transfer_history(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> Mapping[str, bool | None]:
        """Ask the service's own history for ``moves``, each sent at ``since`` (epoch seconds of our clock) or later.

        Returns by chat id whether a transfer like that was carried out since; ``None`` where the history does not tell.
        """

    @abstractmethod
    def receiver_of(self, chat: Reading) -> Target:
        """Return the agent as whom ``accept`` accepts ``chat``, also one that could not be read."""

    @abstractmethod
    def accept(self, chat: Chat) -> Answer:
        """Accept the transfer of ``chat`` as its receiver, and return what the service said."""

    @abstractmethod
    def check_connection(self) -> ConnectionCheck:
        """Ask who we are to the service, and what it lets us do; for the button Test of a connection.

        Changes nothing there. Raises a ``PlatformError`` when it does not let us in.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the pooled network connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stop_after(error: PlatformError) -> Stop | None:
    """Return why a run must end after ``error``; ``None`` where it may go on with other chats."""
    decision = decide(error)
    return Stop(str(error), for_good=decision.permanent) if decision.next_step is NextStep.STOP else None


def is_overload(error: object) -> bool:
    """Tell whether fewer requests at once may help: the service was asked too fast, or gave no answer."""
    return isinstance(error, RateLimitError | ResponseLostError)


def answer_to(error: PlatformError) -> Answer:
    """Turn the error that a request met into the answer that it stands for."""
    decision = decide(error)
    if decision.not_applied:
        stale = isinstance(error, ReadTooLongAgoError)
        return NotApplied(str(error), retry_after=decision.after_seconds, stale=stale)
    if decision.next_step is NextStep.SKIP_CHAT:
        return Refused(str(error), code=error.code)
    return OutcomeUnknown(str(error))
