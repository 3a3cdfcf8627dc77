# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.operator.*``: what operators do themselves, with their own webhook or token."""

from __future__ import annotations

from ..errors import RestError
from ..model import Chat, CloseReason
from ..openlines import ToUser, TransferOrder
from ..php import upper_keys
from ..switches import AnswerOwned
from .chat_access import accessible_chat
from .destination import chat_id_of, destination_of, operator_wrong
from .registry import MethodCall, method


@method("imopenlines.operator.answer", scope="imopenlines")
def answer(call: MethodCall) -> bool:
    """Accept a chat. Failures have an empty code. No document says what happens to a chat that someone else owns."""
    chat, switch = _own_chat(call), call.data.switches.answer_owned
    owned = chat.owner not in (0, call.user)
    if owned and switch is AnswerOwned.NOTHING:
        return True
    if (owned and switch is AnswerOwned.REFUSED) or not call.openlines.answer(chat, call.user, call.actor):
        raise RestError("", "")
    return True


@method("imopenlines.operator.skip", scope="imopenlines")
def skip(call: MethodCall) -> bool:
    """Refuse a chat; the next operator is asked."""
    call.openlines.skip(_own_chat(call), call.user, call.actor)
    return True


@method("imopenlines.operator.spam", scope="imopenlines")
def spam(call: MethodCall) -> bool:
    """Close a chat as spam; return true even if it was closed."""
    call.openlines.finish(_own_chat(call), call.actor, reason=CloseReason.SPAM)
    return True


@method("imopenlines.operator.transfer", scope="imopenlines")
def transfer(call: MethodCall) -> bool:
    """Transfer a chat to someone else."""
    chat_id = chat_id_of(call.params)
    target = destination_of(call.params, call.data.switches.precedence)
    chat = call.data.chats.get(chat_id)
    if chat is None or not call.data.may_see(call.user, chat) or target == ToUser(call.user):
        raise operator_wrong(call.data.switches)
    if not call.openlines.transfer(chat_id, target, TransferOrder(call.user, "MANUAL", leave=True, actor=call.actor)):
        raise operator_wrong(call.data.switches)
    return True


@method("imopenlines.operator.finish", scope="imopenlines")
def finish(call: MethodCall) -> bool:
    """Close the caller's own chat."""
    chat = _own_chat(call)
    session = call.data.session_of(chat)
    if session is not None and session.operator != call.user:
        raise RestError("ERROR_USER_NOT_OPERATOR", "Attempt to close the dialog by a user who is not an operator")
    return _finish(call, chat)


@method("imopenlines.operator.another.finish", scope="imopenlines")
def finish_another(call: MethodCall) -> bool:
    """Close a colleague's chat."""
    return _finish(call, _own_chat(call))


def _finish(call: MethodCall, chat: Chat) -> bool:
    if not call.openlines.finish(chat, call.actor):
        raise RestError("NOT_LOAD_SESSION_OR_CHAT", "Session or chat failed to load")
    return True


def _own_chat(call: MethodCall) -> Chat:
    """Return the chat of CHAT_ID, a key in any case, which the caller must be able to open."""
    return accessible_chat(call, upper_keys(call.params).get("CHAT_ID"))
