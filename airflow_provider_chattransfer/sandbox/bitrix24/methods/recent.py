# SPDX-License-Identifier: Apache-2.0
"""``im.recent.*``: the caller's own list of chats, which is never a colleague's."""

from __future__ import annotations

from typing import Any

from ..model import GENERAL_CHAT, Chat, Session, World, iso
from ..php import is_yes, to_int, to_str, upper_keys
from .dialogs import COLORS, entity_data
from .registry import Ask, Page, method

LIMIT, LIMIT_MAX = 50, 200


@method("im.recent.get", scope="im")
def get(ask: Ask) -> list[dict[str, Any]]:
    """The whole list at once; with ONLY_OPENLINES only the chats of the lines."""
    params = upper_keys(ask.params)
    if is_yes(params.get("ONLY_OPENLINES")):
        return _lines(ask, with_undistributed=True)
    return [*([] if is_yes(params.get("SKIP_CHAT")) else [_general()]), *_lines(ask, with_undistributed=True)]


@method("im.recent.list", scope="im")
def recent_list(ask: Ask) -> Page:
    """The list by pages of 50 to 200. It does not read ONLY_OPENLINES."""
    params = upper_keys(ask.params)
    chats = [] if is_yes(params.get("SKIP_CHAT")) else [_general()]
    lines = _lines(ask, with_undistributed=not is_yes(params.get("SKIP_UNDISTRIBUTED_OPENLINES")))
    items = [*chats, *([] if is_yes(params.get("SKIP_OPENLINES")) else lines)]
    if before := to_str(params.get("LAST_MESSAGE_DATE")):
        items = [item for item in items if item["date_update"] < before]
    offset = max(0, to_int(params.get("OFFSET")))
    limit = min(max(to_int(params.get("LIMIT")), LIMIT), LIMIT_MAX)
    more = offset + limit < len(items)
    return Page(
        {"items": items[offset : offset + limit], "hasMore": more, "hasMorePages": more},
        total=-1,
        next=offset + limit if more else None,
    )


def _lines(ask: Ask, *, with_undistributed: bool) -> list[dict[str, Any]]:
    mine = [
        (chat, session)
        for chat, session in ask.world.open_sessions()
        if ask.user in chat.members or (with_undistributed and _waits_for_his_line(ask, chat, session))
    ]
    mine.sort(key=lambda pair: (pair[0].changed_at, pair[0].id), reverse=True)
    return [_item(ask.world, chat, session) for chat, session in mine]


def _waits_for_his_line(ask: Ask, chat: Chat, session: Session) -> bool:
    unassigned = not chat.owner and not session.operator
    return unassigned and ask.user in ask.world.lines[session.line].members


def _item(world: World, chat: Chat, session: Session) -> dict[str, Any]:
    first, second, third = entity_data(world, chat)
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
            "date": iso(chat.changed_at),
            "status": "received",
        },
        "counter": 0,
        "pinned": False,
        "unread": False,
        "date_update": iso(chat.changed_at),
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
            "date_create": iso(chat.created_at),
            "message_type": "L",
        },
        "lines": {"id": session.id, "status": int(session.status), "date_create": iso(session.created_at)},
        "user": {"id": chat.customer, "name": world.users[chat.customer].name, "connector": True},
        "options": [],
    }


def _general() -> dict[str, Any]:
    return {
        "id": f"chat{GENERAL_CHAT}",
        "chat_id": GENERAL_CHAT,
        "type": "chat",
        "avatar": {"url": "", "color": COLORS[0]},
        "title": "General chat",
        "message": {"id": 1, "text": "", "file": False, "author_id": 0, "attach": False, "date": iso(0)},
        "counter": 0,
        "pinned": False,
        "unread": False,
        "date_update": iso(0),
        "chat": {
            "id": GENERAL_CHAT,
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
