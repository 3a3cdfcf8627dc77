# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.bot.session.*``: what a bot may do with any chat of the open lines.

By the server source ``imopenlines/lib/rest.php`` the caller's own rights do not matter, only whether a bot exists. A
browser's session is refused before anything else.
"""

from __future__ import annotations

from ..errors import RestError, wrong_auth_type
from ..model import Bot, Chat
from ..openlines import TransferOrder
from ..php import is_yes, to_str, upper_keys
from .destination import chat_id_of, destination_of, operator_wrong
from .registry import MethodCall, method


@method("imopenlines.bot.session.transfer", scope="imopenlines")
def transfer(call: MethodCall) -> bool:
    """Transfer a chat to a user or a queue. Keys are case-sensitive, except CLIENT_ID."""
    _refuse_sessions(call)
    chat_id = chat_id_of(call.params)
    target = destination_of(call.params, call.data.switches.precedence)
    bot = bot_of(call)
    order = TransferOrder(
        sender=bot.id,
        mode=call.data.switches.bot_transfer_mode,
        leave=is_yes(call.params.get("LEAVE")),
        actor=call.actor,
    )
    if not call.openlines.transfer(chat_id, target, order):
        raise operator_wrong(call.data.switches)
    return True


@method("imopenlines.bot.session.finish", scope="imopenlines")
def finish(call: MethodCall) -> bool:
    """Close a chat; return true even if it was closed."""
    _refuse_sessions(call)
    chat_id = chat_id_of(upper_keys(call.params))
    bot = bot_of(call)
    if chat := call.data.chats.get(chat_id):
        call.openlines.answer(chat, bot.id, call.actor)
        call.openlines.finish(chat, call.actor)
    return True


@method("imopenlines.bot.session.operator", scope="imopenlines")
def operator(call: MethodCall) -> bool:
    """Hand a chat that a bot leads to the next free operator."""
    _refuse_sessions(call)
    chat = _chat(call)
    if chat is None or not call.openlines.end_bot_session(chat, call.actor):
        raise RestError("WRONG_CHAT", "Operator is not a bot")
    return True


@method("imopenlines.bot.session.message.send", scope="imopenlines")
def send_message(call: MethodCall) -> bool:
    """Send an automatic message; always return true."""
    _refuse_sessions(call)
    params = upper_keys(call.params)
    chat = _chat(call)
    text = to_str(params.get("MESSAGE"))
    if chat is not None and chat.session and params.get("NAME") in ("WELCOME", "DEFAULT") and text:
        call.openlines.write(chat, text, call.actor)
    return True


def bot_of(call: MethodCall) -> Bot:
    """Return the bot of the caller: the app's, or for a webhook the one registered with CLIENT_ID.

    Servers before 26.250 ignore CLIENT_ID. They look for the bot of a webhook's app, which is the empty one, and so
    find the first of the portal's own bots (deduced from the source, not observed).
    """
    bot = call.data.bot_of_app(call.identity.app or _app_of_webhook(call))
    if bot is None:
        raise RestError("BOT_ID_ERROR", "Bot not found")
    return bot


def _app_of_webhook(call: MethodCall) -> str:
    if not call.data.switches.client_id_required:
        return ""
    client_id = upper_keys(call.params).get("CLIENT_ID")
    if client_id is None or client_id == "":
        raise RestError("ACCESS_DENIED", "Access denied! Client ID not specified.", status=403)
    return f"custom{to_str(client_id)}"


def _refuse_sessions(call: MethodCall) -> None:
    if call.identity.session:
        raise wrong_auth_type()


def _chat(call: MethodCall) -> Chat | None:
    return call.data.chats.get(chat_id_of(upper_keys(call.params)))
