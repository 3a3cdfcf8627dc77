# SPDX-License-Identifier: Apache-2.0
"""Who and what on a portal can be given a dialogue: people are told from bots, lines from numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ...chats.model import Target
from ..errors import PlatformError
from .client import Bitrix24Client, Command

log = logging.getLogger(__name__)


class Receivers:
    """What is known of users and lines; asked once, then remembered for the run.

    The server answers a transfer to a wrong target with OPERATOR_WRONG, which also stands for other causes,
    some of them passing (server source, ``imopenlines/lib/chat.php``). Looking before tells them apart.
    """

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client
        self._refusals: dict[Target, str | None] = {}
        self._bots: dict[str, bool] = {}
        self._can_ask = True

    def refusal(self, target: Target) -> str | None:
        """Why ``target`` cannot be given a dialogue; ``None`` when it can, or when the portal will not tell."""
        return self._refusals.get(target)

    def look_up(self, targets: Iterable[Target]) -> None:
        """Learn about ``targets``, all in one request."""
        unknown = [target for target in dict.fromkeys(targets) if target not in self._refusals]
        agents = [target.id for target in unknown if target.is_agent and target.id is not None]
        lines = [target for target in unknown if not target.is_agent]
        commands = [Command("imopenlines.config.get", {"CONFIG_ID": line.id}) for line in lines]
        if agents and self._can_ask:
            commands.append(self._ask(agents))
        answers = list(self._client.batches(commands))
        self._refusals.update(dict.fromkeys(unknown))
        for line, answer in zip(lines, answers, strict=False):
            if answer is False:
                self._refusals[line] = f"there is no open line {line.id}"
        if agents and self._can_ask:
            self._note_users(agents, answers[-1])

    def are_bots(self, users: Iterable[str]) -> frozenset[str]:
        """Those of ``users`` that are bots. Who is not known to be one is taken for a person."""
        users = list(users)
        unknown = [user for user in dict.fromkeys(users) if user not in self._bots]
        if unknown and self._can_ask:
            self._note_users(unknown, self._client.batch([self._ask(unknown)], repeatable=True)[0])
        return frozenset(user for user in users if self._bots.get(user))

    @staticmethod
    def _ask(users: list[str]) -> Command:
        return Command("im.user.list.get", {"ID": users})

    def _note_users(self, users: list[str], answer: Any) -> None:
        if isinstance(answer, PlatformError) or not isinstance(answer, dict | list):
            why = answer if isinstance(answer, PlatformError) else "the portal's answer is no list of users"
            log.warning("Cannot tell people from bots and check receivers ahead: %s", why)
            self._can_ask = False
            return
        known = answer if isinstance(answer, dict) else {}
        for user in users:
            details = known.get(user)
            self._bots[user] = bool(details and details.get("bot"))
            self._refusals[Target.agent(user)] = _why_not(user, details)


def _why_not(user: str, details: Any) -> str | None:
    """The causes of OPERATOR_WRONG that lie in the user (server source, ``Chat::transfer``)."""
    if not details:
        return f"there is no user {user} on the portal"
    if not details.get("active", True):
        return f"user {user} is dismissed"
    kinds = {"bot": "a bot", "extranet": "an extranet user", "connector": "a customer"}
    kind = next((words for flag, words in kinds.items() if details.get(flag)), None)
    return f"user {user} is {kind}, not an operator" if kind else None
