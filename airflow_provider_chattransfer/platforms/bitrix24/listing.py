# SPDX-License-Identifier: Apache-2.0
"""Finding open dialogues on a portal. No single method does it everywhere, so there are three ways.

1. ``imopenlines.v2.Session.list``: complete, also dialogues that only ring at somebody. Needs a plan with Open
   Channels reports, a portal of September 2026 or later, and a user who may see the reports of the
   lines; lines that he may not see are missing without an error.
2. ``crm.activity.list``, then ``imopenlines.dialog.get``: misses lines without CRM, sessions that got no
   activity, dialogues that ring at somebody who has not accepted, and, for a line, those that came to it from
   another one.
3. ``im.recent.get``: the own list of the user as whom we act; nobody else's.

Where none of them serves, chats are named by their ids.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...chats.model import Chat
from ..errors import NotUnderstood, PlatformError, RequestRefused
from .client import BATCH_SIZE, Bitrix24Client, Command
from .dialogs import read_dialog, read_session

log = logging.getLogger(__name__)

SESSIONS, OPERATORS = "imopenlines.v2.Session.list", "imopenlines.v2.Operator.list"
ACTIVITIES, LINES, RECENT = "crm.activity.list", "imopenlines.config.list.get", "im.recent.get"

PAGE = 200
"""The largest page of ``imopenlines.v2.Session.list``."""

AGENTS_AT_ONCE = 10
"""Agents in one filter. A filter reaches 10,200 rows, and an operator may hold at most 1,000 dialogues."""

OPEN_STATUSES = ("answered", "paused", "new")
"""The statuses of an open session; the filter takes one at a time. ``paused`` is a pinned dialogue."""

UNAVAILABLE = frozenset({"tariff_restriction", "error_method_not_found", "access_denied", "insufficient_scope"})
"""Codes that say that a way of listing is not open to this account; permanent."""


class DialogFinder:
    """Finds open dialogues by the best way that the portal allows."""

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def of_agents(self, agents: Sequence[str]) -> list[Chat]:
        """The dialogues that ``agents`` have or that ring at them, by id. Raises a ``PlatformError``."""
        wanted = set(agents)
        ways: list[Callable[[], Iterable[Chat]]] = [
            lambda: self._sessions_of_agents(agents),
            lambda: self._activities({"RESPONSIBLE_ID": list(agents)}),
        ]
        if len(wanted) == 1 and wanted == {self._client.user_id()}:
            ways.append(self._own_recent)
        found = self._first_open(ways, what=f"the open chats of agents {', '.join(agents)}")
        return _by_id(chat for chat in found if chat.owner in wanted or chat.offered_to in wanted)

    def waiting_in(self, queue: str) -> list[Chat]:
        """The dialogues of an open line that nobody has accepted, by id. Raises a ``PlatformError``."""
        found = self._first_open(
            [
                lambda: self._sessions([{"configIdList": [queue], "status": "new"}]),
                lambda: self._activities({"PROVIDER_TYPE_ID": queue}),
            ],
            what=f"the chats waiting in queue {queue}",
        )
        return _by_id(chat for chat in found if chat.owner is None and chat.queue == queue)

    def _first_open(self, ways: Sequence[Callable[[], Iterable[Chat]]], *, what: str) -> list[Chat]:
        refusal: PlatformError | None = None
        for way in ways:
            try:
                return list(way())
            except PlatformError as error:
                if (error.code or "").lower() not in UNAVAILABLE:
                    raise
                log.warning("One way of listing chats is not open to this account: %s", error)
                refusal = error
        raise RequestRefused(
            f"cannot list {what}: {refusal}. Give the user as whom the connection acts access to Open Channels "
            "reports, or the connection the crm scope, or name the chats with chat_ids",
            method=SESSIONS,
        )

    def _sessions_of_agents(self, agents: Sequence[str]) -> Iterable[Chat]:
        groups = [agents[start : start + AGENTS_AT_ONCE] for start in range(0, len(agents), AGENTS_AT_ONCE)]
        found = list(
            self._sessions(
                [{"operatorIdList": list(group), "status": status} for group in groups for status in OPEN_STATUSES]
            )
        )
        heard = {agent for chat in found for agent in (chat.owner, chat.offered_to)}
        if silent := [agent for agent in agents if agent not in heard]:
            self._mistrust_silence(silent)
        return found

    def _sessions(self, filters: Sequence[dict[str, Any]]) -> Iterable[Chat]:
        """All pages of several filters, the next page of each in one batch."""
        pages = [{**each, "limit": PAGE, "offset": 0, "orderDirection": "asc"} for each in filters]
        while pages:
            commands = [Command(SESSIONS, page) for page in pages]
            further = []
            for page, answer in zip(pages, self._client.batches(commands), strict=True):
                result = _value(answer)
                yield from (read_session(session) for session in _rows(result, "sessions", of=SESSIONS))
                if result.get("hasNextPage"):
                    further.append({**page, "offset": page["offset"] + PAGE})
            pages = further

    def _mistrust_silence(self, agents: Sequence[str]) -> None:
        """An agent without a chat may be one whom we may not see: ask who is idle, as far as the portal tells."""
        command = Command(OPERATORS, {"userIdList": list(agents), "limit": PAGE})
        operators = _rows(self._client.call(command, repeatable=True), "operators", of=OPERATORS)
        busy = {str(each.get("userId")) for each in operators if each.get("activeSessions")}
        idle = {str(each.get("userId")) for each in operators} - busy
        if hidden := [agent for agent in agents if agent not in idle]:
            raise RequestRefused(
                f"the portal lists no chat of agents {', '.join(hidden)}, and does not show them as idle: the "
                "user as whom the connection acts may not see the reports of their lines",
                method=SESSIONS,
                code="ACCESS_DENIED",
            )

    def _activities(self, narrower: dict[str, Any]) -> Iterable[Chat]:
        """The dialogues behind the open CRM activities.

        The responsible person follows a transfer only on lines with CRM_TRANSFER_CHANGE=Y; if there are others,
        all open activities are read.
        """
        if "RESPONSIBLE_ID" in narrower and not self._responsible_follows():
            narrower = {}
        sessions = list(self._activity_sessions(narrower))
        for answer in self._client.batches(
            [Command("imopenlines.dialog.get", {"SESSION_ID": session}) for session in sessions]
        ):
            dialog = None if isinstance(answer, RequestRefused) else _value(answer)
            chat = read_dialog(dialog) if isinstance(dialog, Mapping) else None
            if isinstance(chat, Chat) and not chat.closed:
                yield chat

    def _responsible_follows(self) -> bool:
        command = Command(LINES, {"PARAMS": {"select": ["ID", "CRM", "CRM_TRANSFER_CHANGE"]}})
        lines = _rows(self._client.call(command, repeatable=True), of=LINES)
        return all(line.get("CRM_TRANSFER_CHANGE") == "Y" for line in lines)

    def _activity_sessions(self, narrower: dict[str, Any]) -> Iterable[str]:
        """Session ids, page by page behind the last activity seen, so that no row is missed or seen twice."""
        last = 0
        while True:
            command = Command(
                ACTIVITIES,
                {
                    "filter": {
                        "PROVIDER_ID": "IMOPENLINES_SESSION",
                        "COMPLETED": "N",
                        ">ID": last,
                        **narrower,
                    },
                    "select": ["ID", "ASSOCIATED_ENTITY_ID"],
                    "order": {"ID": "ASC"},
                    "start": -1,
                },
            )
            rows = _rows(self._client.call(command, repeatable=True), of=ACTIVITIES)
            yield from (str(_number(row, "ASSOCIATED_ENTITY_ID", of=ACTIVITIES)) for row in rows)
            if len(rows) < BATCH_SIZE:
                return
            before, last = last, _number(rows[-1], "ID", of=ACTIVITIES)
            if last <= before:
                raise NotUnderstood("the list does not go on behind its last row", method=ACTIVITIES)

    def _own_recent(self) -> Iterable[Chat]:
        command = Command(RECENT, {"ONLY_OPENLINES": "Y"})
        for item in _rows(self._client.call(command, repeatable=True), of=RECENT):
            details = item.get("chat")
            if isinstance(details, Mapping):
                chat = read_dialog({"entity_type": "LINES", **details})
                if isinstance(chat, Chat) and not chat.closed:
                    yield chat


def _value(answer: Any | PlatformError) -> Any:
    if isinstance(answer, PlatformError):
        raise answer
    return answer


def _rows(answer: Any, key: str | None = None, *, of: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a list that ``of`` answers, under ``key`` where it has one; raises ``NotUnderstood`` for none."""
    rows = (answer.get(key) if isinstance(answer, Mapping) else None) if key is not None else answer
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise NotUnderstood("the answer is no list of rows", method=of)
    return rows


def _number(row: Mapping[str, Any], name: str, *, of: str) -> int:
    """A row's number; raises ``NotUnderstood`` where it has none."""
    text = str(row.get(name))
    if not (text.isascii() and text.isdigit()):
        raise NotUnderstood(f"a row has no {name}", method=of)
    return int(text)


def _by_id(chats: Iterable[Chat]) -> list[Chat]:
    """Each chat once, its newest session, in the order of the ids."""
    newest: dict[str, Chat] = {}
    for chat in chats:
        known = newest.get(chat.id)
        if known is None or int(chat.session or 0) > int(known.session or 0):
            newest[chat.id] = chat
    return sorted(newest.values(), key=lambda chat: int(chat.id))
