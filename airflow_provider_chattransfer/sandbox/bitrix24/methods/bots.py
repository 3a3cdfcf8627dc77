# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.bot.session.*``: what a bot may do with any chat of the open lines.

Server source ``imopenlines/lib/rest.php``: the caller's own rights do not count, only that a bot exists. A browser's
session is refused before anything else.
"""

from __future__ import annotations

from ..errors import RestError, wrong_auth_type
from ..model import Bot, Chat
from ..openlines import Order
from ..php import is_yes, to_str, upper_keys
from .destination import chat_id_of, destination_of, operator_wrong
from .registry import Ask, method


@method("imopenlines.bot.session.transfer", scope="imopenlines")
def transfer(ask: Ask) -> bool:
    """Transfer a chat to a user or a queue. Keys are case-sensitive, except CLIENT_ID."""
    _refuse_sessions(ask)
    chat_id = chat_id_of(ask.params)
    target = destination_of(ask.params, ask.world.switches.precedence)
    bot = bot_of(ask)
    order = Order(
        sender=bot.id, mode=ask.world.switches.bot_transfer_mode, leave=is_yes(ask.params.get("LEAVE")), actor=ask.actor
    )
    if not ask.openlines.transfer(chat_id, target, order):
        raise operator_wrong(ask.world.switches)
    return True


@method("imopenlines.bot.session.finish", scope="imopenlines")
def finish(ask: Ask) -> bool:
    """Close a chat; true even if it was closed."""
    _refuse_sessions(ask)
    chat_id = chat_id_of(upper_keys(ask.params))
    bot = bot_of(ask)
    if chat := ask.world.chats.get(chat_id):
        ask.openlines.answer(chat, bot.id, ask.actor)
        ask.openlines.finish(chat, ask.actor)
    return True


@method("imopenlines.bot.session.operator", scope="imopenlines")
def operator(ask: Ask) -> bool:
    """Hand a chat that a bot leads to the next free operator."""
    _refuse_sessions(ask)
    chat = _chat(ask)
    if chat is None or not ask.openlines.end_bot_session(chat, ask.actor):
        raise RestError("WRONG_CHAT", "Operator is not a bot")
    return True


@method("imopenlines.bot.session.message.send", scope="imopenlines")
def send_message(ask: Ask) -> bool:
    """Send an automatic message; always true."""
    _refuse_sessions(ask)
    params = upper_keys(ask.params)
    chat = _chat(ask)
    text = to_str(params.get("MESSAGE"))
    if chat is not None and chat.session and params.get("NAME") in ("WELCOME", "DEFAULT") and text:
        ask.openlines.write(chat, text, ask.actor)
    return True


def bot_of(ask: Ask) -> Bot:
    """The bot of the caller: the app's, or for a webhook the one registered with CLIENT_ID.

    Servers before 26.250 do not read CLIENT_ID. They look for the bot of a webhook's app, which is the empty one, and
    so find the first of the portal's own bots (deduced from the source, not observed).
    """
    bot = ask.world.bot_of_app(ask.identity.app or _app_of_webhook(ask))
    if bot is None:
        raise RestError("BOT_ID_ERROR", "Bot not found")
    return bot


def _app_of_webhook(ask: Ask) -> str:
    if not ask.world.switches.client_id_required:
        return ""
    client_id = upper_keys(ask.params).get("CLIENT_ID")
    if client_id is None or client_id == "":
        raise RestError("ACCESS_DENIED", "Access denied! Client ID not specified.", status=403)
    return f"custom{to_str(client_id)}"


def _refuse_sessions(ask: Ask) -> None:
    if ask.identity.session:
        raise wrong_auth_type()


def _chat(ask: Ask) -> Chat | None:
    return ask.world.chats.get(chat_id_of(upper_keys(ask.params)))
