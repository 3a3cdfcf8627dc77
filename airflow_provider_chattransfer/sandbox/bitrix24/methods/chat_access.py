# SPDX-License-Identifier: Apache-2.0
"""Finds the chat of a call and checks whether the caller may access it, as the operators' methods do."""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import GENERAL_CHAT_ID, Chat
from ..php import to_int
from .registry import MethodCall


def accessible_chat(call: MethodCall, chat_id: Any) -> Chat:
    """Return the open-line chat with this id, cast to int; raise ``RestError``.

    The checks come in the order of the server source (``imopenlines/lib/operator.php``, ``checkAccess``): the chat
    exists, it is one of an open line, and the caller is in it or may join its line.
    """
    number = to_int(chat_id)
    if number == GENERAL_CHAT_ID:
        raise RestError("CHAT_TYPE", "The specified chat is not an open line")
    chat = call.data.chats.get(number)
    if chat is None:
        raise RestError("CHAT_ID", "An incorrect chat identifier was provided")
    if not call.data.may_see(call.user, chat):
        raise access_denied()
    return chat


def access_denied() -> RestError:
    """Return the error of the operators' methods. It has status 400, unlike that of other methods."""
    text = "You cannot open this conversation because you do not have sufficient rights."
    return RestError("ACCESS_DENIED", text)
