# SPDX-License-Identifier: Apache-2.0
"""A Bitrix24 dialogue as ``imopenlines.dialog.get`` and the recent list show it, read into a ``Chat``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chats.model import Chat, Reading, Unread
from ..errors import NotUnderstood

SESSION_FIELD = 5
LINE_FIELD = 7
"""Positions in ``entity_data_1``, ten fields split by ``|`` (server source, ``imopenlines/lib/chat.php``). The
session is 0 when the dialogue is closed, the line 0 until the dialogue has moved to another one."""


def read_dialog(dialog: Mapping[str, Any]) -> Reading:
    """The chat in the ``result`` of ``imopenlines.dialog.get``. Names and texts are dropped here."""
    data = str(dialog.get("entity_data_1") or "").split("|")
    code = str(dialog.get("entity_id") or "").split("|")
    chat_id = _id(dialog.get("id"))
    of_a_line = dialog.get("entity_type") == "LINES" and len(data) > SESSION_FIELD and data[SESSION_FIELD].isdigit()
    if chat_id is None or not of_a_line:
        return Unread("not a dialogue of an open line")
    session = data[SESSION_FIELD]
    moved_to = data[LINE_FIELD] if len(data) > LINE_FIELD else "0"
    return Chat(
        id=chat_id,
        closed=session == "0",
        owner=_id(dialog.get("owner")),
        queue=_id(moved_to) or (_id(code[1]) if len(code) > 1 else None),
        session=_id(session),
        trace=_number(dialog.get("last_message_id") or dialog.get("message_count")),
        customer=_customer(code, str(dialog.get("entity_data_2") or "")),
    )


def read_session(session: Mapping[str, Any]) -> Chat:
    """The chat of an item of ``imopenlines.v2.Session.list``. The operator of a new session was only asked.

    Raises ``NotUnderstood`` for an item that is no session.
    """
    chat_id = _id(session.get("chatId"))
    if chat_id is None:
        raise NotUnderstood("an item of the list is no session", method="imopenlines.v2.Session.list")
    operator = _id(session.get("operatorId"))
    asked = session.get("status") == "new"
    contact = session.get("crmEntityId") if session.get("crmEntityType") == "contact" else None
    return Chat(
        id=chat_id,
        owner=None if asked else operator,
        offered_to=operator if asked else None,
        queue=_id(session.get("configId")),
        session=_id(session.get("id")),
        customer=f"contact {contact}" if contact else f"user {session.get('userId')}",
    )


def _customer(code: list[str], crm: str) -> str | None:
    """One key for all dialogues of one person: his CRM contact, else his user id in the channel."""
    names = crm.split("|")
    linked = dict(zip(names[::2], names[1::2], strict=False))
    if contact := _id(linked.get("CONTACT")):
        return f"contact {contact}"
    return f"user {code[3]}" if len(code) > 3 else None


def _id(value: Any) -> str | None:
    number = _number(value)
    return str(number) if number else None


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None
