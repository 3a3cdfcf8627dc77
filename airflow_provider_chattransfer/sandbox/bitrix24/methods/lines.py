# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.config.*``: the open lines and their operators."""

from __future__ import annotations

from typing import Any

from .. import filters
from ..errors import RestError
from ..model import Line, PortalData
from ..php import array, is_yes, to_int
from .registry import MethodCall, method

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
QUERY_KEYS = {"select", "filter", "order", "limit", "offset", "group", "runtime", "count_total", "cache"}


@method("imopenlines.config.list.get", scope="imopenlines")
def list_lines(call: MethodCall) -> list[dict[str, Any]]:
    """Return the lines, with OPTIONS.QUEUE also their members. Ids are strings here.

    PARAMS goes to the database as it is (server source ``imopenlines/lib/config.php``, ``getList``), so its keys are in
    lower case and others are an error. Its filter knows the fields that a line shows here, and ignores others.
    """
    query, options = _array(call.params.get("PARAMS")), _array(call.params.get("OPTIONS"))
    for key in ("select", "order", "filter"):
        if query.get(key) is not None and not isinstance(query[key], dict | list):
            text = f"A wrong format for the PARAMS field '{key}' is passed"
            raise RestError("INVALID_FORMAT", text)
    if unknown := [key for key in query if key not in QUERY_KEYS]:
        raise RestError("ERROR_CORE", f"Unknown parameter: {unknown[0]}")
    rows = [_settings(line) for line in call.data.lines.values() if not line.deleted]
    found = filters.sort_rows(filters.filter_rows(rows, query.get("filter")), query.get("order"))
    offset = max(0, to_int(query.get("offset")))
    limit = min(max(0, to_int(query.get("limit"))) or DEFAULT_LIMIT, MAX_LIMIT)
    return [
        filters.select_fields(row, query.get("select")) | _queue(call.data.lines[int(row["ID"])], options)
        for row in found[offset : offset + limit]
    ]


@method("imopenlines.config.get", scope="imopenlines")
def get_line(call: MethodCall) -> dict[str, Any] | bool:
    """Return one line, or false. SHOW_OFFLINE=N leaves only the operators who are online in QUEUE.

    Keys are upper case only. Dismissed operators are left out; QUEUE_ONLINE is about those that are shown (server
    source ``imopenlines/lib/config.php``, ``get``).
    """
    line_id = to_int(call.params.get("CONFIG_ID"))
    if line_id <= 0:
        raise RestError("CONFIG_ID_EMPTY", "Config ID can't be empty")
    line = call.data.line(line_id)
    if line is None:
        return False
    with_queue, everybody = (is_yes(_given(call.params, key)) for key in ("WITH_QUEUE", "SHOW_OFFLINE"))
    active = [user for user in line.members if with_queue and call.data.users[user].active]
    shown = [user for user in active if everybody or _online(call.data, user)]
    return _settings(line) | {
        "QUEUE": [str(user) for user in shown],
        "QUEUE_FULL": array({str(user): _place(line, user) for user in shown}),
        "QUEUE_USERS_FIELDS": _user_fields(shown),
        "QUEUE_ONLINE": _flag(any(_online(call.data, user) for user in shown)),
    }


@method("imopenlines.config.path.get", scope="imopenlines")
def path(call: MethodCall) -> dict[str, str]:
    """Return the address of the open lines in the user interface."""
    return {"SERVER_ADDRESS": "https://portal.example", "PUBLIC_PATH": "/contact_center/openlines"}


def _given(params: dict[str, Any], key: str) -> Any:
    return "Y" if params.get(key) is None else params[key]


def _array(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _online(data: PortalData, user_id: int) -> bool:
    user = data.users[user_id]
    return user.active and user.present


def _queue(line: Line, options: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if options.get("QUEUE") == "Y":
        shown |= {"QUEUE": [str(user) for user in line.members], "QUEUE_USERS_FIELDS": _user_fields(line.members)}
    if options.get("CONFIG_QUEUE") == "Y":
        shown["CONFIG_QUEUE"] = [{"ENTITY_ID": str(user), "ENTITY_TYPE": "user"} for user in line.members]
    return shown


def _place(line: Line, user: int) -> dict[str, Any]:
    sort = line.members.index(user)
    place = {"ID": str(line.id * 100 + sort), "SORT": str(sort), "USER_ID": str(user), "DEPARTMENT_ID": "0"}
    return place | _PROFILE_OVERRIDES


def _user_fields(members: list[int]) -> Any:
    return array({str(user): _PROFILE_OVERRIDES for user in members})


_PROFILE_OVERRIDES = {"USER_NAME": None, "USER_WORK_POSITION": None, "USER_AVATAR": None, "USER_AVATAR_ID": "0"}
"""What the line overrides of a member's profile: nothing."""


def _settings(line: Line) -> dict[str, Any]:
    """Return the settings shown on the page imopenlines-config-get, including some that the sandbox does not have."""
    return {
        "ID": str(line.id),
        "ACTIVE": _flag(line.active),
        "LINE_NAME": line.name,
        "CRM": _flag(line.crm),
        "CRM_CREATE": "lead",
        "CRM_CREATE_SECOND": "0",
        "CRM_CREATE_THIRD": "Y",
        "CRM_FORWARD": "Y",
        "CRM_CHAT_TRACKER": "N",
        "CRM_TRANSFER_CHANGE": _flag(line.crm_transfer_change),
        "CRM_SOURCE": "create",
        "QUEUE_TIME": str(int(line.queue_time) or 60),
        "NO_ANSWER_TIME": "60",
        "QUEUE_TYPE": line.queue_type.value,
        "CHECK_AVAILABLE": _flag(line.check_available),
        "WATCH_TYPING": "Y",
        "WELCOME_BOT_ENABLE": "N",
        "WELCOME_BOT_JOIN": "always",
        "WELCOME_BOT_ID": "0",
        "WELCOME_BOT_TIME": "0",
        "WELCOME_BOT_LEFT": "queue",
        "WELCOME_MESSAGE": "N",
        "VOTE_MESSAGE": "Y",
        "NO_ANSWER_RULE": "none",
        "WORKTIME_ENABLE": "N",
        "WORKTIME_FROM": "9",
        "WORKTIME_TO": "18.30",
        "WORKTIME_TIMEZONE": "",
        "WORKTIME_HOLIDAYS": [""],
        "WORKTIME_DAYOFF": [""],
        "CLOSE_RULE": "none",
        "FULL_CLOSE_TIME": "10",
        "AUTO_CLOSE_RULE": "none",
        "AUTO_CLOSE_TIME": "14400",
        "AUTO_EXPIRE_TIME": "86400",
        "DATE_CREATE": {},
        "DATE_MODIFY": {},
        "MODIFY_USER_ID": "1",
        "TEMPORARY": "N",
        "XML_ID": None,
        "LANGUAGE_ID": "en",
        "QUICK_ANSWERS_IBLOCK_ID": "0",
        "SESSION_PRIORITY": "0",
        "TYPE_MAX_CHAT": "answered_new",
        "MAX_CHAT": str(line.max_chat),
        "OPERATOR_DATA": "profile",
        "DEFAULT_OPERATOR_DATA": [],
        "KPI_FIRST_ANSWER_TIME": "0",
        "KPI_FURTHER_ANSWER_TIME": "0",
        "KPI_CHECK_OPERATOR_ACTIVITY": "N",
        "CONFIRM_CLOSE": "Y",
    }


def _flag(value: bool) -> str:
    return "Y" if value else "N"
