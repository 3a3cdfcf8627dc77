# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.session.*``: what an operator does to a dialogue beside answering it.

Documented at https://apidocs.bitrix24.com (open channels: sessions); checks and codes as in the server source
(``imopenlines/lib/rest.php``, ``imopenlines/lib/operator.php``). All of them read their keys in upper case only, and
act as the user of the token.
"""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import Chat, Session, Status, iso
from ..php import array, is_empty, to_int, to_str
from .chats import access_denied, accessible
from .destination import chat_id_of, operator_wrong
from .dialogs import COLORS, entity_data
from .registry import Ask, method


@method("imopenlines.session.open", scope="imopenlines")
def open_chat(ask: Ask) -> dict[str, str]:
    """The chat behind a USER_CODE; its id is a string."""
    code = to_str(ask.params.get("USER_CODE"))
    chat = next((chat for chat in ask.world.chats.values() if chat.user_code == code), None)
    if chat is None or not ask.world.may_see(ask.user, chat):
        raise access_denied()
    return {"chatId": str(chat.id)}


@method("imopenlines.session.join", scope="imopenlines")
def join(ask: Ask) -> bool:
    """Enter a chat beside its owner."""
    ask.openlines.join(accessible(ask, ask.params.get("CHAT_ID")), ask.user)
    return True


@method("imopenlines.session.start", scope="imopenlines")
def start(ask: Ask) -> bool:
    """Begin a dialogue in a closed chat, and own it; in an open one, join. True even if nothing happened."""
    ask.openlines.begin(accessible(ask, ask.params.get("CHAT_ID")), ask.user, ask.actor)
    return True


@method("imopenlines.message.session.start", scope="imopenlines")
def start_by_message(ask: Ask) -> bool:
    """Begin a new dialogue with a message of the chat; the current one is closed.

    True even if the message is not of this chat, and nothing happens. Of each chat the sandbox knows the last message
    only.
    """
    chat = accessible(ask, ask.params.get("CHAT_ID"))
    if to_int(ask.params.get("MESSAGE_ID")) == chat.last_message:
        ask.openlines.begin_anew(chat, ask.user, ask.actor)
    return True


@method("imopenlines.bot.session.dialog.new", scope="imopenlines")
def new_dialog(ask: Ask) -> bool:
    """A further dialogue with a customer of the connector ``network``, of which the sandbox has none: false.

    Not documented; server source ``botSessionNew``.
    """
    for key in ("CHAT_ID", "OPERATOR_ID", "MESSAGE_ID"):
        if ask.params.get(key) is None:
            raise RestError(f"EMPTY_{key}", f"Param {key} is empty")
    return False


@method("imopenlines.session.intercept", scope="imopenlines")
def intercept(ask: Ask) -> bool:
    """Take a chat over from its owner. True even if it has none, or the caller is he."""
    chat_id = chat_id_of(ask.params)
    try:
        chat = accessible(ask, chat_id)
    except RestError:
        raise operator_wrong(ask.world.switches) from None
    ask.openlines.intercept(chat, ask.user, ask.actor)
    return True


@method("imopenlines.session.mode.pin", scope="imopenlines")
def pin(ask: Ask) -> bool:
    """Pin a chat to its operator, or with ACTIVATE ``N`` take the pin out.

    The documented ERROR_USER_NOT_OPERATOR comes with an empty code, as the server takes it from the wrong place.
    """
    return _pin(ask, active=ask.params.get("ACTIVATE") != "N")


@method("imopenlines.session.mode.unpin", scope="imopenlines")
def unpin(ask: Ask) -> bool:
    """Take the pin out."""
    return _pin(ask, active=False)


@method("imopenlines.session.mode.pinAll", scope="imopenlines")
def pin_all(ask: Ask) -> list[int]:
    """Pin all chats that the caller has answered, as long as they do not wait for the customer; the sessions' ids."""
    return _pin_all(ask, active=True)


@method("imopenlines.session.mode.unpinAll", scope="imopenlines")
def unpin_all(ask: Ask) -> list[int]:
    """The opposite of ``pinAll``."""
    return _pin_all(ask, active=False)


@method("imopenlines.session.mode.silent", scope="imopenlines")
def silent(ask: Ask) -> bool:
    """Switch hidden messages on with ACTIVATE ``Y`` and off with anything else, JSON's true included. Deprecated."""
    chat = accessible(ask, ask.params.get("CHAT_ID"))
    ask.openlines.silence(chat, active=ask.params.get("ACTIVATE") == "Y")
    return True


@method("imopenlines.session.history.get", scope="imopenlines")
def history(ask: Ask) -> dict[str, Any]:
    """The messages of a session, or of a chat's newest one; here only the last message.

    Keys are spelt as the page imopenlines-session-history-get shows them: the server lower-cases those that have no
    underscore.
    """
    session = _session_of_history(ask)
    chat = ask.world.chats[session.chat_id]
    if session.operator != ask.user and not ask.world.may_see(ask.user, chat):
        raise access_denied()
    admin = ask.world.users[ask.user].admin and ask.world.switches.plan_has_vote_head
    dialog_id, message_id = f"chat{chat.id}", str(chat.last_message)
    return {
        "chatId": chat.id,
        "canJoin": "Y" if ask.world.may_see(ask.user, chat) else "N",
        "canVoteHead": "Y" if admin else "N",
        "sessionId": session.id,
        "sessionVoteHead": session.vote_head,
        "sessionCommentHead": session.comment_head or None,
        "userId": dialog_id,
        "message": {message_id: _message(chat, message_id)},
        "usersMessage": {dialog_id: [message_id]},
        "users": {str(chat.customer): _customer(ask, chat)},
        "openlines": {"canvoteashead": {str(session.line): admin}},
        "userInGroup": [],
        "woUserInGroup": [],
        "chat": {str(chat.id): _chat(ask, chat)},
        "userBlockChat": {str(chat.id): array({str(user): False for user in sorted(chat.members)})},
        "userInChat": {str(chat.id): sorted(chat.members)},
        "files": [],
    }


def _pin(ask: Ask, *, active: bool) -> bool:
    if is_empty(ask.params.get("CHAT_ID")):
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    chat = accessible(ask, ask.params["CHAT_ID"])
    if not ask.openlines.pin(chat, ask.user, ask.actor, active=active):
        raise RestError("", "")
    return True


def _pin_all(ask: Ask, *, active: bool) -> list[int]:
    mine = [
        (chat, session)
        for chat, session in ask.world.open_sessions()
        if session.operator == ask.user
        and session.pinned is not active
        and Status.ANSWER <= session.status < Status.WAIT_CLIENT
    ]
    return [session.id for chat, session in mine if ask.openlines.pin(chat, ask.user, ask.actor, active=active)]


def _session_of_history(ask: Ask) -> Session:
    if is_empty(ask.params.get("SESSION_ID")) and is_empty(ask.params.get("CHAT_ID")):
        raise RestError("MISSING_REQUIRED_PARAM", "Session ID or Chat ID must be provided")
    if is_empty(ask.params.get("SESSION_ID")):
        chat = ask.world.chats.get(to_int(ask.params["CHAT_ID"]))
        session_id = chat.last_session if chat else 0
    else:
        session_id = to_int(ask.params["SESSION_ID"])
    if not session_id:
        raise RestError("INVALID_SESSION_ID", "Unable to determine session ID from provided parameters")
    session = ask.world.sessions.get(session_id)
    if session is None:
        raise access_denied()
    return session


def _message(chat: Chat, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "chatid": str(chat.id),
        "senderid": str(chat.customer),
        "recipientid": f"chat{chat.id}",
        "date": iso(chat.changed_at),
        "text": chat.last_text,
        "textlegacy": chat.last_text,
        "params": [],
    }


def _customer(ask: Ask, chat: Chat) -> dict[str, Any]:
    user = ask.world.users[chat.customer]
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
        "lastActivityDate": iso(chat.changed_at),
        "departments": [],
    }


def _chat(ask: Ask, chat: Chat) -> dict[str, Any]:
    first, second, third = entity_data(ask.world, chat)
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
        "dateCreate": iso(chat.created_at),
        "type": "lines",
        "messageType": "L",
    }
