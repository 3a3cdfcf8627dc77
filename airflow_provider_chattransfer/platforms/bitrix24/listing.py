# SPDX-License-Identifier: Apache-2.0
"""Find open dialogues on a portal. No single method does it everywhere, so there are three ways.

1. ``imopenlines.v2.Session.list``: complete, including dialogues that are only offered to somebody. Needs a plan with
   Open Channels reports, a portal of September 2026 or later, and a user who may see the reports of the lines; lines
   that they may not see are missing without an error.
2. ``crm.activity.list``, then ``imopenlines.dialog.get``: misses lines without CRM, sessions that got no activity,
   dialogues that are offered to somebody who has not accepted, and, for a line, those that came to it from another one.
3. ``im.recent.get``: the own list of the user as whom we act; nobody else's.

Where none of them is available, the user names chats by their ids.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from ...chats.model import Chat
from ...exceptions import PlatformError, RequestRefusedError, UnexpectedResponseError
from ..decoding import Count, Flag, Id, OptionalId, TextIfKnown
from ..paging import Paging
from .client import Bitrix24Client
from .commands import BATCH_SIZE, Command
from .mapping import OPEN_LINE, Dialog, Session

log = logging.getLogger(__name__)

SESSIONS, OPERATORS = "imopenlines.v2.Session.list", "imopenlines.v2.Operator.list"
ACTIVITIES, LINES, RECENT = "crm.activity.list", "imopenlines.config.list.get", "im.recent.get"

PAGE_ROWS = 200
"""The largest page of ``imopenlines.v2.Session.list``."""

AGENTS_AT_ONCE = 10
"""Agents in one filter. A filter reaches 10,200 rows, and an operator may hold at most 1,000 dialogues."""

OPEN_STATUSES = ("answered", "paused", "new")
"""The statuses of an open session; the filter takes one at a time. ``paused`` is a pinned dialogue."""

UNAVAILABLE = frozenset({"tariff_restriction", "error_method_not_found", "access_denied", "insufficient_scope"})
"""Codes that say that this way of listing is not available to the account; permanent."""


MAX_ROWS = 10_200
"""Rows that one filter reaches: offset 10,000 and one page (``OFFSET_TOO_LARGE``)."""

MAX_ACTIVITIES = 200_000
"""Open activities that are read at most; no limit is documented."""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """The result of ``imopenlines.v2.Session.list``."""

    sessions: list[Session]
    hasNextPage: Flag

    def keys(self) -> Iterable[str]:
        """Return what tells its rows apart."""
        return (session.id for session in self.sessions)


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator on a line: an item of ``imopenlines.v2.Operator.list``."""

    userId: Id
    configId: OptionalId
    activeSessions: Count


@dataclass(frozen=True, slots=True)
class OperatorPage:
    """The result of ``imopenlines.v2.Operator.list``."""

    operators: list[OperatorRow]
    hasNextPage: Flag

    def keys(self) -> Iterable[str]:
        """Return what tells its rows apart."""
        return (f"{row.userId} {row.configId}" for row in self.operators)


Page = TypeVar("Page", SessionPage, OperatorPage)


@dataclass(frozen=True, slots=True)
class Activity:
    """An item of ``crm.activity.list``, with the session that it is about."""

    ID: Id
    ASSOCIATED_ENTITY_ID: OptionalId


@dataclass(frozen=True, slots=True)
class LineSettings:
    """An item of ``imopenlines.config.list.get``."""

    ID: Id
    CRM_TRANSFER_CHANGE: TextIfKnown = None


@dataclass(frozen=True, slots=True)
class RecentItem:
    """An item of ``im.recent.get``. An item that is no chat has no ``chat``, which PHP may write as an empty array."""

    chat: Annotated[Dialog | None, BeforeValidator(lambda value: None if value == [] else value)] = None


class DialogFinder:
    """Finds open dialogues by the best way that the portal allows."""

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def of_agents(self, agents: Sequence[str]) -> list[Chat]:
        """Return the dialogues that ``agents`` own or are offered, ordered by id. Raises a ``PlatformError``."""
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
        """Return the dialogues of an open line that nobody has accepted, ordered by id. Raises a ``PlatformError``."""
        found = self._first_open(
            [
                lambda: self._sessions([{"configIdList": _numbers([queue]), "status": "new"}]),
                lambda: self._activities({"PROVIDER_TYPE_ID": queue}),
            ],
            what=f"the chats waiting in queue {queue}",
        )
        return _by_id(chat for chat in found if chat.owner is None and chat.queue == queue)

    def _first_open(self, ways: Sequence[Callable[[], Iterable[Chat]]], *, what: str) -> list[Chat]:
        code: str | None = None
        for way in ways:
            try:
                return list(way())
            except PlatformError as error:
                if (error.code or "").lower() not in UNAVAILABLE:
                    raise
                log.warning("One way of listing chats is not open to this account: %s", error)
                code = error.code
        raise RequestRefusedError(
            f"cannot list {what}. Give the user as whom the connection acts access to Open Channels "
            "reports, or the connection the crm scope, or name the chats with chat_ids",
            method=SESSIONS,
            code=code,
        )

    def _sessions_of_agents(self, agents: Sequence[str]) -> Iterable[Chat]:
        groups = [agents[start : start + AGENTS_AT_ONCE] for start in range(0, len(agents), AGENTS_AT_ONCE)]
        found = list(
            self._sessions(
                [{"operatorIdList": _numbers(group), "status": status} for group in groups for status in OPEN_STATUSES]
            )
        )
        heard = {agent for chat in found for agent in (chat.owner, chat.offered_to)}
        if silent := [agent for agent in agents if agent not in heard]:
            self._check_idle_agents(silent)
        return found

    def _sessions(self, filters: Sequence[dict[str, Any]]) -> Iterable[Chat]:
        """Return the open dialogues that match any of several filters."""
        oldest_first = [{**each, "orderDirection": "asc"} for each in filters]
        for page in self._pages(SESSIONS, oldest_first, SessionPage):
            yield from (chat for session in page.sessions if not (chat := session.chat()).closed)

    def _pages(self, method: str, filters: Sequence[dict[str, Any]], kind: type[Page]) -> Iterable[Page]:
        """Yield all pages of several filters, asking for the next page of each in one batch."""
        lists = [({**each, "limit": PAGE_ROWS, "offset": 0}, Paging(method=method, most=MAX_ROWS)) for each in filters]
        while lists:
            further = []
            answers = self._client.batches([Command(method, params, kind) for params, _ in lists])
            for (params, paging), answer in zip(lists, answers, strict=True):
                page: Page = _value(answer)
                yield page
                if page.hasNextPage:
                    paging.note_page(page.keys())
                    further.append(({**params, "offset": params["offset"] + PAGE_ROWS}, paging))
            lists = further

    def _check_idle_agents(self, agents: Sequence[str]) -> None:
        """Ask which agents are idle: an agent without a chat may be one whom this account may not see."""
        pages = list(self._pages(OPERATORS, [{"userIdList": _numbers(agents)}], OperatorPage))
        operators = [each for page in pages for each in page.operators]
        busy = {each.userId for each in operators if each.activeSessions}
        idle = {each.userId for each in operators} - busy
        if hidden := [agent for agent in agents if agent not in idle]:
            raise RequestRefusedError(
                f"the portal lists no chat of agents {', '.join(hidden)}, and does not show them as idle: the "
                "user as whom the connection acts may not see the reports of their lines",
                method=SESSIONS,
                code="ACCESS_DENIED",
            )

    def _activities(self, narrower: dict[str, Any]) -> Iterable[Chat]:
        """Return the dialogues behind the open CRM activities.

        The responsible person follows a transfer only on lines with CRM_TRANSFER_CHANGE=Y. If there are other lines,
        all open activities are read.
        """
        if "RESPONSIBLE_ID" in narrower and not self._responsible_follows():
            narrower = {}
        sessions = list(self._activity_sessions(narrower))
        answers = self._client.batches(
            [Command("imopenlines.dialog.get", {"SESSION_ID": session}, Dialog) for session in sessions]
        )
        for session, answer in zip(sessions, answers, strict=True):
            if isinstance(answer, UnexpectedResponseError):
                log.warning("Session %s is left out: %s", session, answer)
            elif not isinstance(answer, RequestRefusedError):
                yield from _open_chat(_value(answer), session=session)

    def _responsible_follows(self) -> bool:
        command = Command(LINES, {"PARAMS": {"select": ["ID", "CRM", "CRM_TRANSFER_CHANGE"]}}, list[LineSettings])
        return all(line.CRM_TRANSFER_CHANGE == "Y" for line in self._client.call(command, repeatable=True))

    def _activity_sessions(self, narrower: dict[str, Any]) -> Iterable[str]:
        """Yield session ids page by page.

        Each page begins after the last activity seen, so that no row is missed or seen twice.
        """
        last, paging = "0", Paging(method=ACTIVITIES, most=MAX_ACTIVITIES)
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
                list[Activity],
            )
            rows: list[Activity] = self._client.call(command, repeatable=True)
            yield from (row.ASSOCIATED_ENTITY_ID for row in rows if row.ASSOCIATED_ENTITY_ID is not None)
            if len(rows) < BATCH_SIZE:
                return
            paging.note_page(row.ID for row in rows)
            last = rows[-1].ID

    def _own_recent(self) -> Iterable[Chat]:
        command = Command(RECENT, {"ONLY_OPENLINES": "Y"}, list[RecentItem])
        for item in self._client.call(command, repeatable=True):
            if item.chat is not None:
                yield from _open_chat(replace(item.chat, entity_type=item.chat.entity_type or OPEN_LINE))


def _open_chat(dialog: Dialog, *, session: str | None = None) -> Iterable[Chat]:
    """Return the chat of ``dialog`` if it is open; ``None`` for one that was found by an earlier ``session``.

    A dialogue that was opened again has a newer session.
    """
    chat = dialog.reading()
    if not isinstance(chat, Chat) or chat.closed:
        return
    if session is not None and int(chat.session or 0) < int(session):
        log.warning("Session %s is left out: the portal shows another one in its place", session)
        return
    yield chat


def _numbers(ids: Iterable[str]) -> list[int]:
    """Return ids as the documented ``int[]``: no source says that a portal takes strings for them."""
    return [int(each) for each in ids]


def _value(answer: Any | PlatformError) -> Any:
    if isinstance(answer, PlatformError):
        raise answer
    return answer


def _by_id(chats: Iterable[Chat]) -> list[Chat]:
    """Return each chat once, with its newest session, ordered by id."""
    newest: dict[str, Chat] = {}
    for chat in chats:
        known = newest.get(chat.id)
        if known is None or int(chat.session or 0) > int(known.session or 0):
            newest[chat.id] = chat
    return sorted(newest.values(), key=lambda chat: int(chat.id))
