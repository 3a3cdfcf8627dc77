# SPDX-License-Identifier: Apache-2.0
"""The caller's own list of chats, which is never a colleague's: ``im.recent.*``, ``imopenlines.v2.Recent.list``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import GENERAL_CHAT_ID, Chat, PortalData, Session, Status, format_time, parse_time
from ..php import to_int, to_str, upper_keys
from .dialogs import COLORS, entity_data
from .registry import MethodCall, Page, method

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
GROUPS = {"NEW": (0, 9), "WORK": (10, 39), "ANSWERED": (40, 59)}
"""The groups of open sessions by status (server source, ``StatusGroup``)."""

Mine = list[tuple[Chat, Session]]


@method("im.recent.get", scope="im")
def get(call: MethodCall) -> list[dict[str, Any]]:
    """Return the whole list at once; with ONLY_OPENLINES only the chats of the lines.

    A flag is set by the string ``Y`` only. LAST_SYNC_DATE, or LAST_UPDATE, leaves out what has not changed since.
    """
    params = upper_keys(call.params)
    only_lines = params.get("ONLY_OPENLINES") == "Y"
    items = _lines(call, _mine(call)) if only_lines else _wanted(call, params, _mine(call))
    since = _moment(params.get("LAST_UPDATE", params.get("LAST_SYNC_DATE")))
    return [item for item in items if since is None or _changed(item) >= since]


@method("im.recent.list", scope="im")
def recent_list(call: MethodCall) -> Page:
    """Return the list by pages of 50 to 200. It does not read ONLY_OPENLINES.

    A page begins at OFFSET, or ``start``, or before LAST_MESSAGE_DATE, which is ignored if it is no date.
    """
    params = upper_keys(call.params)
    mine = _mine(call)
    if params.get("SKIP_UNDISTRIBUTED_OPENLINES") == "Y":
        mine = [(chat, session) for chat, session in mine if call.user in chat.members]
    items = _wanted(call, params, mine)
    before = _moment(params.get("LAST_MESSAGE_DATE"))
    if before is not None:
        items = [item for item in items if _changed(item) < before]
    if params.get("UNREAD_ONLY") == "Y":
        items = [item for item in items if item["counter"]]
    offset = max(0, to_int(params.get("START"))) or max(0, to_int(params.get("OFFSET")))
    limit = min(max(to_int(params.get("LIMIT")), DEFAULT_LIMIT), MAX_LIMIT)
    page, more = items[offset : offset + limit], offset + limit < len(items)
    result = {"items": page, "hasMore": more, "hasMorePages": more, "messagesAutoDeleteConfigs": []}
    return Page(result, total=-1, next=offset + len(page) if more else None)


@method("imopenlines.v2.Recent.list", scope="imopenlines")
def recent_of_lines(call: MethodCall) -> dict[str, Any]:
    """Return the caller's dialogues by groups: NEW and WORK by session, ANSWERED by the last message, newest first.

    Not documented; server source ``imopenlines/lib/V2/Recent/Recent.php``. The cursor names the group to begin with,
    NEW by default, and in it the session or, for ANSWERED, the date after which to continue.
    """
    cursor = call.params.get("cursor")
    cursor = cursor if isinstance(cursor, dict) else {}
    limit = min(max(0, to_int(call.params.get("limit"))) or DEFAULT_LIMIT, MAX_LIMIT)
    first = to_str(cursor.get("statusGroup"))
    groups = list(GROUPS)[list(GROUPS).index(first) if first in GROUPS else 0 :]
    found = [pair for group in groups for pair in _grouped(call, group)]
    found = [pair for pair in found if _group(pair[1]) != groups[0] or _is_behind(cursor.get("sortPointer"), pair)]
    page = found[:limit]
    return {
        "recentItems": [
            {
                "chatId": chat.id,
                "messageId": chat.last_message,
                "sessionId": session.id,
                "dialogId": f"chat{chat.id}",
            }
            for chat, session in page
        ],
        "sessions": [_session(call.data, chat, session) for chat, session in page],
        "hasNextPage": len(page) >= limit,
    }


def _mine(call: MethodCall) -> Mine:
    """Return the caller's chats and those that wait for any operator of their lines, the last changed first."""
    mine = [
        (chat, session)
        for chat, session in call.data.open_sessions()
        if call.user in chat.members or _waits_for_his_line(call, chat, session)
    ]
    return sorted(mine, key=lambda pair: (pair[0].changed_at, pair[0].id), reverse=True)


def _waits_for_his_line(call: MethodCall, chat: Chat, session: Session) -> bool:
    unassigned = not chat.owner and not session.operator
    return unassigned and call.user in call.data.lines[session.line].members


def _wanted(call: MethodCall, params: Mapping[str, Any], mine: Mine) -> list[dict[str, Any]]:
    """Return chats unless SKIP_CHAT, dialogues of the lines unless SKIP_OPENLINES. There are none for SKIP_DIALOG."""
    chats = [] if params.get("SKIP_CHAT") == "Y" else [_general()]
    return [*chats, *([] if params.get("SKIP_OPENLINES") == "Y" else _lines(call, mine))]


def _lines(call: MethodCall, mine: Mine) -> list[dict[str, Any]]:
    return [_item(call.data, chat, session) for chat, session in mine]


def _changed(item: Mapping[str, Any]) -> float:
    return parse_time(item["date_update"])


def _moment(value: Any) -> float | None:
    try:
        return parse_time(to_str(value))
    except ValueError:
        return None


def _group(session: Session) -> str:
    return next(group for group, (low, high) in GROUPS.items() if low <= session.status <= high)


def _grouped(call: MethodCall, group: str) -> Mine:
    found = [(chat, session) for chat, session in _mine(call) if _group(session) == group]
    return found if group == "ANSWERED" else sorted(found, key=lambda pair: pair[1].id)


def _is_behind(pointer: Any, pair: tuple[Chat, Session]) -> bool:
    chat, session = pair
    if pointer is None:
        return True
    if session.status < Status.OPERATOR:
        return session.id > to_int(pointer)
    before = _moment(pointer)
    return before is None or int(chat.changed_at) < before


def _session(data: PortalData, chat: Chat, session: Session) -> dict[str, Any]:
    bots = {bot.id for bot in data.bots}
    return {
        "id": session.id,
        "operatorId": session.operator,
        "operatorIsBot": session.operator in bots,
        "chatId": chat.id,
        "status": _group(session),
        "queueId": session.line,
        "pinned": session.pinned,
        "silentMode": chat.silent,
        "isClosed": session.closed,
    }


def _item(data: PortalData, chat: Chat, session: Session) -> dict[str, Any]:
    first, second, third = entity_data(data, chat)
    color = COLORS[chat.id % len(COLORS)]
    return {
        "id": f"chat{chat.id}",
        "chat_id": chat.id,
        "type": "chat",
        "avatar": {"url": "", "color": color},
        "title": chat.title,
        "message": {
            "id": chat.last_message,
            "text": chat.last_text,
            "file": False,
            "author_id": chat.customer,
            "attach": False,
            "date": format_time(chat.changed_at),
            "status": "received",
        },
        "counter": 0,
        "pinned": False,
        "unread": False,
        "date_update": format_time(chat.changed_at),
        "chat": {
            "id": chat.id,
            "name": chat.title,
            "owner": chat.owner,
            "extranet": False,
            "avatar": "",
            "color": color,
            "type": "lines",
            "entity_type": "LINES",
            "entity_id": chat.user_code,
            "entity_data_1": first,
            "entity_data_2": second,
            "entity_data_3": third,
            "date_create": format_time(chat.created_at),
            "message_type": "L",
        },
        "lines": {"id": session.id, "status": int(session.status), "date_create": format_time(session.created_at)},
        "user": {"id": chat.customer, "name": data.users[chat.customer].name, "connector": True},
        "options": [],
    }


def _general() -> dict[str, Any]:
    return {
        "id": f"chat{GENERAL_CHAT_ID}",
        "chat_id": GENERAL_CHAT_ID,
        "type": "chat",
        "avatar": {"url": "", "color": COLORS[0]},
        "title": "General chat",
        "message": {"id": 1, "text": "", "file": False, "author_id": 0, "attach": False, "date": format_time(0)},
        "counter": 0,
        "pinned": False,
        "unread": False,
        "date_update": format_time(0),
        "chat": {
            "id": GENERAL_CHAT_ID,
            "name": "General chat",
            "owner": 1,
            "type": "open",
            "entity_type": "GENERAL",
            "entity_id": "",
            "entity_data_1": "",
            "entity_data_2": "",
            "entity_data_3": "",
            "message_type": "O",
        },
        "user": {"id": 0},
        "options": [],
    }
