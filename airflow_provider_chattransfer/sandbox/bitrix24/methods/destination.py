# SPDX-License-Identifier: Apache-2.0
"""Reads the chat and the destination of a transfer from its parameters, for bots and operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RestError
from ..openlines import ToQueue, ToUser
from ..php import to_int, to_str
from ..switches import DestinationPrecedence, Switches


def chat_id_of(params: Mapping[str, Any]) -> int:
    """Return CHAT_ID, cast to int; raise ``RestError`` unless it is above zero."""
    chat_id = to_int(params.get("CHAT_ID"))
    if chat_id <= 0:
        raise RestError("CHAT_ID_EMPTY", "Chat ID can't be empty")
    return chat_id


def destination_of(params: Mapping[str, Any], precedence: DestinationPrecedence) -> ToUser | ToQueue:
    """Return the one destination among USER_ID, QUEUE_ID and TRANSFER_ID; raise ``RestError``.

    By the server source (``imopenlines/lib/rest.php``) TRANSFER_ID overwrites one of the others; the documentation puts
    it last.
    """
    user, queue = params.get("USER_ID"), params.get("QUEUE_ID")
    transfer = params.get("TRANSFER_ID")
    if transfer is not None and (precedence is DestinationPrecedence.SOURCE or (user is None and queue is None)):
        text = to_str(transfer)
        if text.startswith("queue"):
            queue = text[len("queue") :]
        else:
            user = transfer
    if user is not None:
        return ToUser(_positive(user, "USER_ID_EMPTY", "User ID can't be empty"))
    if queue is not None:
        return ToQueue(_positive(queue, "QUEUE_ID_EMPTY", "QUEUE ID can't be empty"))
    raise RestError("TRANSFER_ID_EMPTY", "Queue ID or User ID can't be empty")


def operator_wrong(switches: Switches) -> RestError:
    """Return the error of a transfer that was not performed, for whatever reason."""
    return RestError(switches.wrong_target, "You can not redirect to this operator")


def _positive(value: Any, code: str, text: str) -> int:
    number = to_int(value)
    if number <= 0:
        raise RestError(code, text)
    return number
