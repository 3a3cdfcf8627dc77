# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.operator.pause.*``: the soft pause of the open lines, beside the working day.

Not documented; server source ``imopenlines/lib/rest.php`` and ``imopenlines/lib/userpause.php``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ..errors import RestError
from ..php import array, to_int, to_str
from .registry import MethodCall, method

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


@method("imopenlines.operator.pause.start", scope="imopenlines")
def start(call: MethodCall) -> bool:
    """Begin the caller's pause; return false if it has begun. Chats may return to the queue, as at a day's end."""
    return call.openlines.pause(call.user, call.actor)


@method("imopenlines.operator.pause.stop", scope="imopenlines")
def stop(call: MethodCall) -> bool:
    """End the caller's pause; return false if there is none."""
    return call.openlines.resume(call.user, call.actor)


@method("imopenlines.operator.pause.get", scope="imopenlines")
def get(call: MethodCall) -> bool:
    """Return whether the caller is on a pause."""
    return call.data.users[call.user].paused


@method("imopenlines.operator.pause.getAll", scope="imopenlines")
def get_all(call: MethodCall) -> Any:
    """Return who is on a pause, by user id: of all users, or of the line CONFIG_ID."""
    _check_permission(call)
    members = _members(call, to_int(call.params.get("CONFIG_ID")))
    paused = [user.id for user in call.data.users.values() if user.paused and user.id in members]
    return array({str(user): _user(call, user) for user in paused})


@method("imopenlines.operator.pause.getHistory", scope="imopenlines")
def get_history(call: MethodCall) -> Any:
    """Return the pauses from DATE_START until DATE_END, by default now, of USER_ID, of the line CONFIG_ID or of all.

    Dates are written ``2026-11-21`` or ``2026-11-21T09:00:00+00:00``; the answer writes them as the portal's language
    does. A pause that began before the period has no beginning.
    """
    _check_permission(call)
    if call.params.get("DATE_START") is None:
        raise RestError("DATE_START_EMPTY", "Empty DATE_START parameter")
    since = _moment(call.params, "DATE_START", "T00:00:00+00:00")
    until = call.now if call.params.get("DATE_END") is None else _moment(call.params, "DATE_END", "T23:59:59+00:00")
    user, line = to_int(call.params.get("USER_ID")), to_int(call.params.get("CONFIG_ID"))
    wanted = {user} if user else _members(call, line)
    history: dict[str, Any] = {}
    for pause in call.data.pauses:
        if not since <= pause.at < until or pause.user not in wanted:
            continue
        entry = history.setdefault(str(pause.user), {"user": _user(call, pause.user), "history": []})
        if pause.begun:
            entry["history"].append({"start": _written(pause.at), "end": None})
        elif entry["history"] and entry["history"][-1]["end"] is None:
            entry["history"][-1]["end"] = _written(pause.at)
        else:
            entry["history"].append({"start": None, "end": _written(pause.at)})
    return array(history)


def _check_permission(call: MethodCall) -> None:
    if not call.data.users[call.user].admin:
        raise RestError("ACCESS_DENIED", "You dont have access to this action")


def _members(call: MethodCall, line_id: int) -> set[int]:
    if not line_id:
        return set(call.data.users)
    line = call.data.line(line_id)
    return set(line.members) if line else set()


def _moment(params: dict[str, Any], key: str, time: str) -> float:
    text = to_str(params[key])
    text += time if _DAY.fullmatch(text) else ""
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    raise RestError(f"{key}_WRONG_FORMAT", f"{key} parameter not in 'Y-m-dTH:i:sP' or 'Y-m-d' format")


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m/%d/%Y %I:%M:%S %p").lower()


def _user(call: MethodCall, user_id: int) -> dict[str, Any]:
    user = call.data.users[user_id]
    return {
        "id": user.id,
        "active": user.active,
        "name": user.name,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "bot": False,
        "connector": False,
        "extranet": False,
    }
