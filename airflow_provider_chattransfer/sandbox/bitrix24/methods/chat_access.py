# SPDX-License-Identifier: Apache-2.0
"""Which chat a call is about, and whether its caller may touch it, as the operators' methods check it."""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import GENERAL_CHAT, Chat
from ..php import to_int
from .registry import MethodCall


def accessible_chat(call: MethodCall, chat_id: Any) -> Chat:
    """The chat of the open lines with this id, cast to int.

    In the order of the server source (``imopenlines/lib/operator.php``, ``checkAccess``): no chat, no chat of an open
    line, no access to it. Access has who is in the chat, or may join its line.
    """
    number = to_int(chat_id)
    if number == GENERAL_CHAT:
        raise RestError("CHAT_TYPE", "The specified chat is not an open line")
    chat = call.data.chats.get(number)
    if chat is None:
        raise RestError("CHAT_ID", "An incorrect chat identifier was provided")
    if not call.data.may_see(call.user, chat):
        raise access_denied()
    return chat


def access_denied() -> RestError:
    """The refusal of the operators' methods. It has status 400, unlike that of others."""
    text = "You cannot open this conversation because you do not have sufficient rights."
    return RestError("ACCESS_DENIED", text)
