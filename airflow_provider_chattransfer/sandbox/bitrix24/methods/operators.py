# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.operator.*``: what an operator does himself, with his own webhook or token."""

from __future__ import annotations

from ..errors import RestError
from ..model import Chat, CloseReason
from ..openlines import Order, ToUser
from ..php import upper_keys
from ..switches import AnswerOwned
from .chats import accessible
from .destination import chat_id_of, destination_of, operator_wrong
from .registry import Ask, method


@method("imopenlines.operator.answer", scope="imopenlines")
def answer(ask: Ask) -> bool:
    """Accept a chat. Failures come with an empty code. No document tells what becomes of a chat that somebody owns."""
    chat, switch = _own_chat(ask), ask.world.switches.answer_owned
    owned = chat.owner not in (0, ask.user)
    if owned and switch is AnswerOwned.NOTHING:
        return True
    if (owned and switch is AnswerOwned.REFUSED) or not ask.openlines.answer(chat, ask.user, ask.actor):
        raise RestError("", "")
    return True


@method("imopenlines.operator.skip", scope="imopenlines")
def skip(ask: Ask) -> bool:
    """Turn a chat down; the next operator is asked."""
    ask.openlines.skip(_own_chat(ask), ask.user, ask.actor)
    return True


@method("imopenlines.operator.spam", scope="imopenlines")
def spam(ask: Ask) -> bool:
    """Close a chat as spam; true even if it was closed."""
    ask.openlines.finish(_own_chat(ask), ask.actor, reason=CloseReason.SPAM)
    return True


@method("imopenlines.operator.transfer", scope="imopenlines")
def transfer(ask: Ask) -> bool:
    """Pass a chat on; not to oneself."""
    chat_id = chat_id_of(ask.params)
    target = destination_of(ask.params, ask.world.switches.precedence)
    chat = ask.world.chats.get(chat_id)
    if chat is None or not ask.world.may_see(ask.user, chat) or target == ToUser(ask.user):
        raise operator_wrong(ask.world.switches)
    if not ask.openlines.transfer(chat_id, target, Order(ask.user, "MANUAL", leave=True, actor=ask.actor)):
        raise operator_wrong(ask.world.switches)
    return True


@method("imopenlines.operator.finish", scope="imopenlines")
def finish(ask: Ask) -> bool:
    """Close one's own chat."""
    chat = _own_chat(ask)
    session = ask.world.session_of(chat)
    if session is not None and session.operator != ask.user:
        raise RestError("ERROR_USER_NOT_OPERATOR", "Attempt to close the dialog by a user who is not an operator")
    return _finish(ask, chat)


@method("imopenlines.operator.another.finish", scope="imopenlines")
def finish_another(ask: Ask) -> bool:
    """Close a colleague's chat."""
    return _finish(ask, _own_chat(ask))


def _finish(ask: Ask, chat: Chat) -> bool:
    if not ask.openlines.finish(chat, ask.actor):
        raise RestError("NOT_LOAD_SESSION_OR_CHAT", "Session or chat failed to load")
    return True


def _own_chat(ask: Ask) -> Chat:
    """The chat of CHAT_ID, in any case, which the caller must be able to open."""
    return accessible(ask, upper_keys(ask.params).get("CHAT_ID"))
