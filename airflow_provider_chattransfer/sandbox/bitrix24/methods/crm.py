# SPDX-License-Identifier: Apache-2.0
"""The chats in the CRM: one activity per session, and the chats of an entity."""

from __future__ import annotations

from typing import Any

from .. import filters
from ..errors import RestError
from ..model import Chat, PortalData, Session, Status, format_time
from ..php import is_empty, to_int, to_str, upper_keys
from .registry import MethodCall, Page, method, paginate

ENTITY_TYPES = ("lead", "deal", "company", "contact")
CONNECTOR_TITLES = {"livechat": "Live chat", "whatsappbytwilio": "WhatsApp"}
FIRST_ACTIVITY_ID = 70000

Entity = tuple[str, int]


@method("crm.activity.list", scope="crm")
def activities(call: MethodCall) -> Page:
    """Return activities, 50 a page: one for each session of a line with CRM.

    RESPONSIBLE_ID follows a transfer only if the line has CRM_TRANSFER_CHANGE.
    """
    params = upper_keys(call.params)
    rows = [_activity(call.data, session) for session in call.data.sessions.values() if session.crm]
    found = filters.sort_rows(filters.filter_rows(rows, params.get("FILTER")), params.get("ORDER"))
    page = paginate(found, params.get("START"))
    return Page([filters.select_fields(row, params.get("SELECT")) for row in page.result], page.total, page.next)


@method("imopenlines.crm.chat.get", scope="imopenlines")
def chats_of_entity(call: MethodCall) -> list[dict[str, str]]:
    """Return the chats of a CRM entity; those that wait in a queue only if ACTIVE_ONLY is ``N``. Keys are upper case.

    Server source ``imopenlines/lib/rest.php``, ``getCrmChats``. In the sandbox only leads have chats.
    """
    entity = _entity(call.params)
    if not _readable(call, entity):
        raise RestError("ACCESS_DENIED", "Access denied! You dont have access to this action", status=403)
    everything = call.params.get("ACTIVE_ONLY") == "N"
    return [
        {
            "CHAT_ID": str(chat.id),
            "CONNECTOR_ID": chat.connector,
            "CONNECTOR_TITLE": CONNECTOR_TITLES[chat.connector],
        }
        for chat in _chats_of(call.data, entity)
        if everything or _is_active(call.data, chat)
    ]


@method("imopenlines.crm.chat.getLastId", scope="imopenlines")
def last_chat_of_entity(call: MethodCall) -> int:
    """Return the newest chat of a CRM entity, without any check of rights (server source, ``crmLastChatIdGet``)."""
    if is_empty(call.params.get("CRM_ENTITY_TYPE")) or is_empty(call.params.get("CRM_ENTITY")):
        raise RestError("CRM_CHAT_EMPTY_CRM_DATA", "Empty CRM data")
    found = [chat.id for chat in _chats_of(call.data, _entity(call.params))]
    if not found:
        raise RestError("CRM_CHAT_EMPTY_CRM_DATA", "Could not find CRM entity")
    return max(found)


def _entity(params: dict[str, Any]) -> Entity:
    """Return CRM_ENTITY_TYPE in lower case and CRM_ENTITY; the errors name the argument in a key of its own."""
    for argument in ("CRM_ENTITY_TYPE", "CRM_ENTITY"):
        if is_empty(params.get(argument)):
            raise _argument(argument, f"Argument '{argument}' is null or empty")
    number = to_str(params["CRM_ENTITY"]).strip()
    if not number.isdecimal() or not to_int(number):
        raise _argument("CRM_ENTITY", "The value of an argument 'CRM_ENTITY' has an invalid type")
    return to_str(params["CRM_ENTITY_TYPE"]).lower(), to_int(number)


def _argument(name: str, text: str) -> RestError:
    return RestError("ERROR_ARGUMENT", text, extra={"argument": name})


def _chats_of(data: PortalData, entity: Entity) -> list[Chat]:
    return [chat for chat in data.chats.values() if ("lead", chat.lead) == entity]


def _readable(call: MethodCall, entity: Entity) -> bool:
    """Return whether the caller may read ``entity``: an administrator any, others the leads of chats they may see."""
    if entity[0] not in ENTITY_TYPES:
        return False
    admin = call.data.users[call.user].admin
    return admin or any(call.data.may_see(call.user, chat) for chat in _chats_of(call.data, entity))


def _is_active(data: PortalData, chat: Chat) -> bool:
    session = data.session_of(chat)
    return session is not None and Status.ANSWER <= session.status < Status.WAIT_CLIENT


def _activity(data: PortalData, session: Session) -> dict[str, Any]:
    chat = data.chats[session.chat_id]
    customer = data.users[chat.customer]
    return {
        "ID": str(FIRST_ACTIVITY_ID + session.id),
        "OWNER_ID": str(chat.lead),
        "OWNER_TYPE_ID": "1",
        "TYPE_ID": "6",
        "PROVIDER_ID": "IMOPENLINES_SESSION",
        "PROVIDER_TYPE_ID": str(chat.line),
        "PROVIDER_GROUP_ID": chat.connector,
        "ASSOCIATED_ENTITY_ID": str(session.id),
        "SUBJECT": f"Chat with {customer.name} ({customer.email}, {customer.phone})",
        "CREATED": format_time(session.created_at),
        "LAST_UPDATED": format_time(chat.changed_at),
        "START_TIME": format_time(session.created_at),
        "END_TIME": format_time(session.closed_at or chat.changed_at),
        "COMPLETED": "Y" if session.closed else "N",
        "STATUS": "2" if session.closed else "1",
        "RESPONSIBLE_ID": str(session.responsible),
        "DESCRIPTION": chat.last_text,
        "DIRECTION": "1",
        "PROVIDER_PARAMS": {"USER_CODE": chat.user_code},
        "ORIGIN_ID": f"IMOL_{session.id}",
        "AUTHOR_ID": str(session.responsible),
        "EDITOR_ID": str(session.responsible),
    }
