# SPDX-License-Identifier: Apache-2.0
"""Reading one chat: ``imopenlines.dialog.get`` and its neighbours."""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import Chat, World, iso
from ..php import to_int, to_str, upper_keys
from .registry import Ask, method

RESTRICTIONS = ("avatar", "rename", "extend", "call", "mute", "leave", "leave_owner", "send", "user_list")
COLORS = ("#58cc47", "#1eb4aa", "#4ba5c3", "#f5a200")


@method("imopenlines.dialog.get", scope="imopenlines")
def dialog_get(ask: Ask) -> dict[str, Any]:
    """A chat by CHAT_ID, DIALOG_ID, SESSION_ID or USER_CODE, in this order.

    The same ACCESS_ERROR for a chat that is not there, one that the user may not see, and no identifier at all.
    """
    chat = _named(ask.world, upper_keys(ask.params))
    if chat is None or not ask.world.may_see(ask.user, chat):
        raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog")
    return dialog(ask.world, chat, viewer=ask.user)


@method("im.chat.user.list", scope="im")
def members(ask: Ask) -> list[int]:
    """Who is in a chat; for those who are in it."""
    params = upper_keys(ask.params)
    chat_id = to_int(params.get("CHAT_ID") or to_str(params.get("DIALOG_ID")).removeprefix("chat"))
    if chat_id <= 0:
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    chat = ask.world.chats.get(chat_id)
    if chat is None or ask.user not in chat.members:
        raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog", status=403)
    return sorted(chat.members)


def _named(world: World, params: dict[str, Any]) -> Chat | None:
    if (chat_id := to_int(params.get("CHAT_ID"))) > 0:
        return world.chats.get(chat_id)
    if dialog_id := to_str(params.get("DIALOG_ID")):
        return world.chats.get(to_int(dialog_id[4:])) if dialog_id.startswith("chat") else None
    if (session_id := to_int(params.get("SESSION_ID"))) > 0:
        session = world.sessions.get(session_id)
        return world.chats[session.chat_id] if session else None
    if code := to_str(params.get("USER_CODE")).removeprefix("imol|"):
        return next((chat for chat in world.chats.values() if chat.user_code == code), None)
    return None


def entity_data(world: World, chat: Chat) -> tuple[str, str, str]:
    """``entity_data_1`` to ``3``: session, CRM and silent mode, fields split by bars."""
    session = world.session_of(chat)
    last = world.sessions[chat.last_session]
    waiting = session is not None and not chat.owner and session.operator
    crm = ("Y", "LEAD", chat.lead) if last.crm else ("N", "NONE", 0)
    fields = (
        *crm,
        "Y" if session and session.pinned else "N",
        "Y" if waiting else "N",
        chat.session,
        int(last.created_at),
        chat.moved_to_line,
        0,
        0,
    )
    lead = chat.lead if last.crm else 0
    return "|".join(map(str, fields)), f"LEAD|{lead}|COMPANY|0|CONTACT|0|DEAL|0", "N"


def dialog(world: World, chat: Chat, *, viewer: int) -> dict[str, Any]:
    """The whole answer of ``imopenlines.dialog.get``."""
    first, second, third = entity_data(world, chat)
    return {
        "id": chat.id,
        "parent_chat_id": 0,
        "parent_message_id": 0,
        "name": chat.title,
        "description": None,
        "owner": chat.owner,
        "extranet": False,
        "avatar": "",
        "color": COLORS[chat.id % len(COLORS)],
        "type": "lines",
        "counter": 0,
        "user_counter": len(chat.members),
        "message_count": chat.messages,
        "unread_id": 0,
        "restrictions": dict.fromkeys(RESTRICTIONS, True),
        "last_message_id": chat.last_message,
        "last_id": chat.last_message,
        "marked_id": 0,
        "disk_folder_id": 0,
        "entity_type": "LINES",
        "entity_id": chat.user_code,
        "entity_data_1": first,
        "entity_data_2": second,
        "entity_data_3": third,
        "mute_list": [],
        "date_create": iso(chat.created_at),
        "message_type": "L",
        "public": "",
        "role": "owner" if viewer == chat.owner else "member" if viewer in chat.members else "guest",
        "entity_link": {"type": "LINES", "url": "", "id": chat.user_code},
        "text_field_enabled": True,
        "background_id": None,
        "permissions": {
            "manage_users_add": "member",
            "manage_users_delete": "manager",
            "manage_ui": "member",
            "manage_settings": "owner",
            "manage_messages": "member",
            "can_post": "member",
        },
        "is_new": False,
        "readed_list": [
            {
                "user_id": chat.customer,
                "user_name": world.users[chat.customer].name,
                "message_id": chat.last_message,
                "date": iso(chat.changed_at),
            }
        ],
        "manager_list": [chat.owner] if chat.owner else [],
        "last_message_views": {"message_id": chat.last_message, "first_viewers": [], "count_of_viewers": 0},
        "dialog_id": f"chat{chat.id}",
    }
