# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.config.*``: the open lines and who serves them."""

from __future__ import annotations

from typing import Any

from .. import filters
from ..errors import RestError
from ..model import Line, World
from ..php import is_yes, to_int, upper_keys
from .registry import Ask, method

LIMIT, LIMIT_MAX = 50, 200


@method("imopenlines.config.list.get", scope="imopenlines")
def list_lines(ask: Ask) -> list[dict[str, Any]]:
    """The lines; with OPTIONS.QUEUE their members. Ids are strings here."""
    params = upper_keys(ask.params)
    query, options = upper_keys(params.get("PARAMS")), upper_keys(params.get("OPTIONS"))
    if "PARAMS" in params and not isinstance(params["PARAMS"], dict | list):
        raise RestError("INVALID_FORMAT", "PARAMS must be an array")
    rows = [_row(line) for line in ask.world.lines.values() if not line.deleted]
    rows = [dict(row) for row in filters.ordered(filters.matching(rows, query.get("FILTER")), query.get("ORDER"))]
    offset = max(0, to_int(query.get("OFFSET")))
    limit = min(max(0, to_int(query.get("LIMIT"))) or LIMIT, LIMIT_MAX)
    chosen = []
    for row in rows[offset : offset + limit]:
        members = ask.world.lines[int(row["ID"])].members
        shown = filters.selected(row, query.get("SELECT"))
        if is_yes(options.get("QUEUE")):
            shown |= {"QUEUE": [str(user) for user in members], "QUEUE_USERS_FIELDS": _user_fields(members)}
        if is_yes(options.get("CONFIG_QUEUE")):
            shown["CONFIG_QUEUE"] = [{"ENTITY_ID": str(user), "ENTITY_TYPE": "user"} for user in members]
        chosen.append(shown)
    return chosen


@method("imopenlines.config.get", scope="imopenlines")
def get_line(ask: Ask) -> dict[str, Any] | bool:
    """One line, or false. SHOW_OFFLINE=N leaves only the operators who are online in QUEUE."""
    params = upper_keys(ask.params)
    line_id = to_int(params.get("CONFIG_ID"))
    if line_id <= 0:
        raise RestError("CONFIG_ID_EMPTY", "Config id is not specified")
    line = ask.world.line(line_id)
    if line is None:
        return False
    if not is_yes(params.get("WITH_QUEUE", "Y")):
        return _row(line)
    everybody = is_yes(params.get("SHOW_OFFLINE", "Y"))
    shown = [user for user in line.members if everybody or _online(ask.world, user)]
    return _row(line) | {
        "QUEUE": [str(user) for user in shown],
        "QUEUE_FULL": {str(user): {"USER_ID": str(user), "USER_NAME": ask.world.users[user].name} for user in shown},
        "QUEUE_USERS_FIELDS": _user_fields(shown),
        "QUEUE_ONLINE": "Y" if any(_online(ask.world, user) for user in line.members) else "N",
    }


@method("imopenlines.config.path.get", scope="imopenlines")
def path(ask: Ask) -> dict[str, str]:
    """Where the open lines live in the user interface."""
    return {"SERVER_ADDRESS": "https://portal.example", "PUBLIC_PATH": "/contact_center/openlines"}


def _online(world: World, user_id: int) -> bool:
    user = world.users[user_id]
    return user.active and user.present


def _user_fields(members: list[int]) -> Any:
    fields = {
        str(user): {"USER_NAME": "", "USER_WORK_POSITION": "", "USER_AVATAR": "", "USER_AVATAR_ID": "0"}
        for user in members
    }
    return fields or []


def _row(line: Line) -> dict[str, Any]:
    return {
        "ID": str(line.id),
        "ACTIVE": _flag(line.active),
        "LINE_NAME": line.name,
        "CRM": _flag(line.crm),
        "CRM_CREATE": "lead",
        "CRM_FORWARD": "Y",
        "CRM_TRANSFER_CHANGE": _flag(line.crm_transfer_change),
        "QUEUE_TIME": str(int(line.queue_time) or 60),
        "NO_ANSWER_TIME": "60",
        "QUEUE_TYPE": line.queue_type.value,
        "CHECK_AVAILABLE": _flag(line.check_available),
        "MAX_CHAT": str(line.max_chat),
        "TYPE_MAX_CHAT": "answered_new",
        "WELCOME_BOT_ENABLE": "N",
        "WELCOME_BOT_LEFT": "queue",
        "WELCOME_BOT_ID": "0",
        "TEMPORARY": "N",
        "LANGUAGE_ID": "en",
    }


def _flag(value: bool) -> str:
    return "Y" if value else "N"
