# SPDX-License-Identifier: Apache-2.0
"""Tell who can be given a dialogue on a portal: people from bots, existing lines from numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from ...chats.model import Target
from ...exceptions import PlatformError, UnexpectedResponseError
from ..decoding import Flag, Id, decode, read_id, read_php_map
from ..single_flight import SingleFlight
from .client import Bitrix24Client
from .commands import Command

log = logging.getLogger(__name__)

USERS = "im.user.list.get"


@dataclass(frozen=True, slots=True)
class User:
    """A user in the result of ``im.user.list.get``, with the flags that decide whether they can be given a chat."""

    id: Id
    active: Flag = True
    bot: Flag = False
    extranet: Flag = False
    connector: Flag = False


def _users_by_id(value: object) -> Mapping[str, Any]:
    """Read an array of PHP whose keys are the ids of users; no id is 0, so it never comes as a list."""
    if isinstance(value, list) and value:
        raise ValueError("no array by id")
    return {read_id(key): details for key, details in read_php_map(value).items()}


UsersById = Annotated[Mapping[str, Any], BeforeValidator(_users_by_id)]


class Receivers:
    """What is known of users and lines; asked once, then remembered for the run.

    The server answers a transfer to a wrong target with OPERATOR_WRONG, which also stands for other causes, some of
    them passing (server source, ``imopenlines/lib/chat.php``). Asking before tells them apart. Safe for threads: one
    asks at a time, and what is known is read without a lock.
    """

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client
        self._refusals: dict[Target, str | None] = {}
        self._dismissed: set[Target] = set()
        self._bots: dict[str, bool] = {}
        self._can_ask = True
        self._asking = SingleFlight()

    def why_refused(self, target: Target) -> str | None:
        """Tell why ``target`` cannot be given a dialogue; ``None`` when it can, or when the portal does not tell."""
        return self._refusals.get(target)

    def why_unknown(self, target: Target) -> str | None:
        """Tell why ``target`` can neither be given a dialogue nor have one; a dismissed user may still have some."""
        return None if target in self._dismissed else self.why_refused(target)

    def look_up(self, targets: Iterable[Target]) -> None:
        """Learn about ``targets``, all in one request."""
        wanted = dict.fromkeys(targets)

        def unknown() -> list[Target]:
            return [target for target in wanted if target not in self._refusals]

        if unknown():
            self._asking.run(lambda: self._learn(unknown()), known=lambda: None if unknown() else True)

    def _learn(self, unknown: list[Target]) -> bool:
        """Ask about ``unknown``; a target is known only once all that the answer tells of it is."""
        agents = [target.id for target in unknown if target.is_agent and target.id is not None]
        lines = [target for target in unknown if not target.is_agent]
        commands = [Command("imopenlines.config.get", {"CONFIG_ID": line.id}) for line in lines]
        if agents and self._can_ask:
            commands.append(self._ask(agents))
        answers = list(self._client.batches(commands))
        for line, answer in zip(lines, answers, strict=False):
            self._refusals[line] = f"there is no open line {line.id}" if answer is False else None
        if agents and self._can_ask:
            self._note_users(agents, answers[-1])
        for target in unknown:
            self._refusals.setdefault(target, None)
        return True

    def are_bots(self, users: Iterable[str]) -> frozenset[str]:
        """Return those of ``users`` that are bots. A user not known to be one is taken for a person."""
        wanted = dict.fromkeys(users)

        def unknown() -> list[str]:
            return [user for user in wanted if user not in self._bots] if self._can_ask else []

        if unknown():
            self._asking.run(lambda: self._learn_bots(unknown()), known=lambda: None if unknown() else True)
        return frozenset(user for user in wanted if self._bots.get(user))

    def _learn_bots(self, unknown: list[str]) -> bool:
        self._note_users(unknown, self._client.batch([self._ask(unknown)], repeatable=True)[0])
        return True

    @staticmethod
    def _ask(users: list[str]) -> Command:
        return Command(USERS, {"ID": users}, UsersById)

    def _note_users(self, users: list[str], answer: UsersById | PlatformError) -> None:
        if isinstance(answer, PlatformError):
            log.warning("Cannot tell people from bots and check receivers ahead: %s", answer)
            self._can_ask = False
            return
        for user in users:
            try:
                details = _details(user, answer)
            except UnexpectedResponseError as error:
                log.warning("Cannot tell whether user %s is a bot, or can be given chats: %s", user, error)
                self._bots[user], self._refusals[Target.agent(user)] = False, None
            else:
                if details is not None and not details.active:
                    self._dismissed.add(Target.agent(user))
                self._bots[user] = details is not None and details.bot
                self._refusals[Target.agent(user)] = _why_not(user, details)


def _details(user: str, answer: UsersById) -> User | None:
    """Return what the portal tells of ``user``; ``None`` when there is no such user.

    Raises ``UnexpectedResponseError``.
    """
    told = answer.get(user)
    if told is None or told is False:
        return None
    details = decode(told, User, method=USERS)
    if details.id != user:
        raise UnexpectedResponseError("the answer shows another user", method=USERS)
    return details


def _why_not(user: str, details: User | None) -> str | None:
    """Return the cause of OPERATOR_WRONG that lies in the user, or ``None`` (server source, ``Chat::transfer``)."""
    if details is None:
        return f"there is no user {user} on the portal"
    if not details.active:
        return f"user {user} is dismissed"
    kinds = {"a bot": details.bot, "a customer": details.connector, "an extranet user": details.extranet}
    kind = next((words for words, fits in kinds.items() if fits), None)
    return f"user {user} is {kind}, not an operator" if kind else None
