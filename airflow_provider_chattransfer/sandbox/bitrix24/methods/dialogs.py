# SPDX-License-Identifier: Apache-2.0
"""Reads one chat: ``imopenlines.dialog.get``, and the messenger's ``im.dialog.get`` and ``im.chat.*``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import RestError
from ..model import GENERAL_CHAT_ID, Chat, PortalData, Status, format_time
from ..php import to_int, to_str, upper_keys
from .registry import MethodCall, method

RESTRICTIONS = ("avatar", "rename", "extend", "call", "mute", "leave", "leave_owner", "send", "user_list")
COLORS = ("#58cc47", "#1eb4aa", "#4ba5c3", "#f5a200")


@method("imopenlines.dialog.get", scope="imopenlines")
def dialog_get(call: MethodCall) -> dict[str, Any]:
    """Return a chat by CHAT_ID, DIALOG_ID, SESSION_ID or USER_CODE, in this order.

    The ACCESS_ERROR is the same for a chat that does not exist, one that the user may not see, and no identifier at
    all.
    """
    return dialog(call.data, _open_to_caller(call), viewer=call.user)


@method("imopenlines.dialog.multi.get", scope="imopenlines")
def siblings(call: MethodCall) -> list[dict[str, str]]:
    """Return the customer's other open chats in the same line, found by the keys of ``imopenlines.dialog.get``.

    Not documented; server source ``imopenlines/lib/operator.php``, ``getMultiDialogs``.
    """
    chat = _open_to_caller(call)
    line = call.data.sessions[chat.last_session].line
    return [
        {"ID": str(other.id), "TITLE": other.title}
        for other, session in call.data.open_sessions()
        if other.id != chat.id
        and other.customer == chat.customer
        and session.line == line
        and session.status < Status.WAIT_CLIENT
    ]


@method("im.dialog.get", scope="im")
def participants_dialog(call: MethodCall) -> dict[str, Any]:
    """Return a chat by DIALOG_ID to its members (documented at https://apidocs.bitrix24.com, im-dialog-get).

    A number is the dialogue with a colleague; the sandbox has none.
    """
    return _of_participant(call)


@method("im.chat.get", scope="im")
def chat_id_of_entity(call: MethodCall) -> dict[str, Any] | None:
    """Return the chat of ENTITY_TYPE and ENTITY_ID, otherwise null; with DIALOG_ID act as ``im.dialog.get``.

    By the page im-chat-get of https://apidocs.bitrix24.com and the server source the caller's access is not checked.
    """
    params = upper_keys(call.params)
    if params.get("DIALOG_ID") is not None:
        return _of_participant(call)
    if params.get("ENTITY_TYPE") != "LINES":
        return None
    chat = _by_user_code(call.data, to_str(params.get("ENTITY_ID")))
    return {"ID": chat.id} if chat else None


@method("im.chat.user.list", scope="im")
def members(call: MethodCall) -> list[int]:
    """Return the members of a chat, by CHAT_ID or DIALOG_ID; an empty list if the caller is not one.

    Page im-chat-user-list of https://apidocs.bitrix24.com and server source ``im/classes/general/im_rest.php``: the 403
    is for the general chat only.
    """
    params = upper_keys(call.params)
    chat_id = to_int(params.get("CHAT_ID"))
    if params.get("DIALOG_ID") is not None:
        chat_id = _chat_number(params["DIALOG_ID"])
        if not chat_id:
            raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if chat_id <= 0:
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    if chat_id == GENERAL_CHAT_ID:
        raise RestError("ACCESS_ERROR", "Action unavailable", status=403)
    chat = call.data.chats.get(chat_id)
    return sorted(chat.members) if chat and call.user in chat.members else []


def _of_participant(call: MethodCall) -> dict[str, Any]:
    dialog_id = to_str(upper_keys(call.params).get("DIALOG_ID"))
    if not re.fullmatch(r"(?i:chat)?[1-9]\d*", dialog_id):
        raise RestError("DIALOG_ID_EMPTY", "Dialog ID can't be empty")
    if dialog_id.isdecimal():
        raise RestError("ACCESS_ERROR", "You don't have access to this chat")
    chat = call.data.chats.get(_chat_number(dialog_id))
    if chat is None or call.user not in chat.members:
        raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog", status=403)
    return dialog(call.data, chat, viewer=call.user)


def _open_to_caller(call: MethodCall) -> Chat:
    chat = _named(call.data, upper_keys(call.params))
    if chat is None or not call.data.may_see(call.user, chat):
        raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog")
    return chat


def _named(data: PortalData, params: Mapping[str, Any]) -> Chat | None:
    """Return the chat by the first key that is present (server source ``imopenlines/lib/rest.php``, ``getChatId``)."""
    if params.get("CHAT_ID") is not None:
        return data.chats.get(to_int(params["CHAT_ID"]))
    if params.get("DIALOG_ID") is not None:
        return data.chats.get(_chat_number(params["DIALOG_ID"]))
    if params.get("SESSION_ID") is not None:
        session = data.sessions.get(to_int(params["SESSION_ID"]))
        return data.chats[session.chat_id] if session else None
    return _by_user_code(data, to_str(params.get("USER_CODE")).removeprefix("imol|"))


def _chat_number(dialog_id: Any) -> int:
    """Return the number in ``chat112``; 0 if the text is no chat's id."""
    match = re.fullmatch(r"chat(\d+)", to_str(dialog_id), re.IGNORECASE)
    return to_int(match[1]) if match else 0


def _by_user_code(data: PortalData, code: str) -> Chat | None:
    return next((chat for chat in data.chats.values() if chat.user_code == code), None)


def entity_data(data: PortalData, chat: Chat) -> tuple[str, str, str]:
    """Return ``entity_data_1`` to ``3``: session, CRM and silent mode, with fields separated by bars."""
    session = data.session_of(chat)
    last = data.sessions[chat.last_session]
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
    return "|".join(map(str, fields)), f"LEAD|{lead}|COMPANY|0|CONTACT|0|DEAL|0", "Y" if chat.silent else "N"


def dialog(data: PortalData, chat: Chat, *, viewer: int) -> dict[str, Any]:
    """Return the complete result of ``imopenlines.dialog.get``."""
    first, second, third = entity_data(data, chat)
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
        "date_create": format_time(chat.created_at),
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
                "user_name": data.users[chat.customer].name,
                "message_id": chat.last_message,
                "date": format_time(chat.changed_at),
            }
        ],
        "manager_list": [chat.owner] if chat.owner else [],
        "last_message_views": {"message_id": chat.last_message, "first_viewers": [], "count_of_viewers": 0},
        "dialog_id": f"chat{chat.id}",
    }
