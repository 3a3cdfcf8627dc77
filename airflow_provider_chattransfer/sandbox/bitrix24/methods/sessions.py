# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.session.*``: what an operator does to a dialogue besides answering it.

Documented at https://apidocs.bitrix24.com (open channels: sessions); checks and codes as in the server source
(``imopenlines/lib/rest.php``, ``imopenlines/lib/operator.php``). All methods read their keys in upper case only, and
act as the user of the token.
"""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import Chat, Session, Status, format_time
from ..php import array, is_empty, to_int, to_str
from .chat_access import access_denied, accessible_chat
from .destination import chat_id_of, operator_wrong
from .dialogs import COLORS, entity_data
from .registry import MethodCall, method


@method("imopenlines.session.open", scope="imopenlines")
def open_chat(call: MethodCall) -> dict[str, str]:
    """Return the chat of a USER_CODE; its id is a string."""
    code = to_str(call.params.get("USER_CODE"))
    chat = next((chat for chat in call.data.chats.values() if chat.user_code == code), None)
    if chat is None or not call.data.may_see(call.user, chat):
        raise access_denied()
    return {"chatId": str(chat.id)}


@method("imopenlines.session.join", scope="imopenlines")
def join(call: MethodCall) -> bool:
    """Join a chat beside its owner."""
    call.openlines.join(accessible_chat(call, call.params.get("CHAT_ID")), call.user)
    return True


@method("imopenlines.session.start", scope="imopenlines")
def start(call: MethodCall) -> bool:
    """Start a dialogue in a closed chat and own it, or join an open one. Return true even if nothing changed."""
    call.openlines.start_session(accessible_chat(call, call.params.get("CHAT_ID")), call.user, call.actor)
    return True


@method("imopenlines.message.session.start", scope="imopenlines")
def start_by_message(call: MethodCall) -> bool:
    """Start a new dialogue with a message of the chat; the current one is closed.

    If the message is not of this chat, nothing happens, and the result is true nevertheless. The sandbox knows only the
    last message of each chat.
    """
    chat = accessible_chat(call, call.params.get("CHAT_ID"))
    if to_int(call.params.get("MESSAGE_ID")) == chat.last_message:
        call.openlines.restart_session(chat, call.user, call.actor)
    return True


@method("imopenlines.bot.session.dialog.new", scope="imopenlines")
def new_dialog(call: MethodCall) -> bool:
    """Start a further dialogue with a customer of the connector ``network``; the sandbox has none, so return false.

    Not documented; server source ``botSessionNew``.
    """
    for key in ("CHAT_ID", "OPERATOR_ID", "MESSAGE_ID"):
        if call.params.get(key) is None:
            raise RestError(f"EMPTY_{key}", f"Param {key} is empty")
    return False


@method("imopenlines.session.intercept", scope="imopenlines")
def intercept(call: MethodCall) -> bool:
    """Take a chat from its owner. Return true even if it has none, or the caller owns it."""
    chat_id = chat_id_of(call.params)
    try:
        chat = accessible_chat(call, chat_id)
    except RestError:
        raise operator_wrong(call.data.switches) from None
    call.openlines.intercept(chat, call.user, call.actor)
    return True


@method("imopenlines.session.mode.pin", scope="imopenlines")
def pin(call: MethodCall) -> bool:
    """Pin a chat to its operator, or with ACTIVATE ``N`` unpin it.

    The documented ERROR_USER_NOT_OPERATOR comes with an empty code, as the server takes it from the wrong place.
    """
    return _pin(call, active=call.params.get("ACTIVATE") != "N")


@method("imopenlines.session.mode.unpin", scope="imopenlines")
def unpin(call: MethodCall) -> bool:
    """Unpin a chat."""
    return _pin(call, active=False)


@method("imopenlines.session.mode.pinAll", scope="imopenlines")
def pin_all(call: MethodCall) -> list[int]:
    """Pin all chats that the caller has answered and that do not wait for the customer; return their sessions' ids."""
    return _pin_all(call, active=True)


@method("imopenlines.session.mode.unpinAll", scope="imopenlines")
def unpin_all(call: MethodCall) -> list[int]:
    """Unpin those chats."""
    return _pin_all(call, active=False)


@method("imopenlines.session.mode.silent", scope="imopenlines")
def silent(call: MethodCall) -> bool:
    """Switch hidden messages on with ACTIVATE ``Y`` and off with anything else, JSON's true included. Deprecated."""
    chat = accessible_chat(call, call.params.get("CHAT_ID"))
    call.openlines.set_silent(chat, active=call.params.get("ACTIVATE") == "Y")
    return True


@method("imopenlines.session.history.get", scope="imopenlines")
def history(call: MethodCall) -> dict[str, Any]:
    """Return the messages of a session, or of a chat's newest one; here only the last message.

    Keys are spelt as the page imopenlines-session-history-get shows them: the server lower-cases those that have no
    underscore.
    """
    session = _session_of_history(call)
    chat = call.data.chats[session.chat_id]
    if session.operator != call.user and not call.data.may_see(call.user, chat):
        raise access_denied()
    admin = call.data.users[call.user].admin and call.data.switches.plan_has_vote_head
    dialog_id, message_id = f"chat{chat.id}", str(chat.last_message)
    return {
        "chatId": chat.id,
        "canJoin": "Y" if call.data.may_see(call.user, chat) else "N",
        "canVoteHead": "Y" if admin else "N",
        "sessionId": session.id,
        "sessionVoteHead": session.vote_head,
        "sessionCommentHead": session.comment_head or None,
        "userId": dialog_id,
        "message": {message_id: _message(chat, message_id)},
        "usersMessage": {dialog_id: [message_id]},
        "users": {str(chat.customer): _customer(call, chat)},
        "openlines": {"canvoteashead": {str(session.line): admin}},
        "userInGroup": [],
        "woUserInGroup": [],
        "chat": {str(chat.id): _chat(call, chat)},
        "userBlockChat": {str(chat.id): array({str(user): False for user in sorted(chat.members)})},
        "userInChat": {str(chat.id): sorted(chat.members)},
        "files": [],
    }


def _pin(call: MethodCall, *, active: bool) -> bool:
    if is_empty(call.params.get("CHAT_ID")):
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    chat = accessible_chat(call, call.params["CHAT_ID"])
    if not call.openlines.pin(chat, call.user, call.actor, active=active):
        raise RestError("", "")
    return True


def _pin_all(call: MethodCall, *, active: bool) -> list[int]:
    mine = [
        (chat, session)
        for chat, session in call.data.open_sessions()
        if session.operator == call.user
        and session.pinned is not active
        and Status.ANSWER <= session.status < Status.WAIT_CLIENT
    ]
    return [session.id for chat, session in mine if call.openlines.pin(chat, call.user, call.actor, active=active)]


def _session_of_history(call: MethodCall) -> Session:
    if is_empty(call.params.get("SESSION_ID")) and is_empty(call.params.get("CHAT_ID")):
        raise RestError("MISSING_REQUIRED_PARAM", "Session ID or Chat ID must be provided")
    if is_empty(call.params.get("SESSION_ID")):
        chat = call.data.chats.get(to_int(call.params["CHAT_ID"]))
        session_id = chat.last_session if chat else 0
    else:
        session_id = to_int(call.params["SESSION_ID"])
    if not session_id:
        raise RestError("INVALID_SESSION_ID", "Unable to determine session ID from provided parameters")
    session = call.data.sessions.get(session_id)
    if session is None:
        raise access_denied()
    return session


def _message(chat: Chat, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "chatid": str(chat.id),
        "senderid": str(chat.customer),
        "recipientid": f"chat{chat.id}",
        "date": format_time(chat.changed_at),
        "text": chat.last_text,
        "textlegacy": chat.last_text,
        "params": [],
    }


def _customer(call: MethodCall, chat: Chat) -> dict[str, Any]:
    user = call.data.users[chat.customer]
    return {
        "id": str(user.id),
        "name": user.name,
        "active": user.active,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "workPosition": None,
        "extranet": True,
        "bot": False,
        "connector": True,
        "externalAuthId": "imconnector",
        "status": None,
        "lastActivityDate": format_time(chat.changed_at),
        "departments": [],
    }


def _chat(call: MethodCall, chat: Chat) -> dict[str, Any]:
    first, second, third = entity_data(call.data, chat)
    return {
        "id": str(chat.id),
        "name": chat.title,
        "owner": str(chat.owner),
        "color": COLORS[chat.id % len(COLORS)],
        "extranet": False,
        "avatar": "/bitrix/js/im/images/blank.gif",
        "call": "0",
        "callNumber": "",
        "entityType": "LINES",
        "entityId": chat.user_code,
        "entityData1": first,
        "entityData2": second,
        "entityData3": third,
        "public": "",
        "muteList": array({str(user): False for user in sorted(chat.members)}),
        "managerList": None,
        "dateCreate": format_time(chat.created_at),
        "type": "lines",
        "messageType": "L",
    }
