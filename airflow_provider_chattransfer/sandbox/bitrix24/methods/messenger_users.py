# SPDX-License-Identifier: Apache-2.0
"""Users of the messenger, including customers and bots: ``im.user.*``.

Documented at https://apidocs.bitrix24.com (im-user-get, im-user-list-get, im-user-status-get); server source
``im/classes/general/im_rest.php``.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import RestError
from ..model import User, UserKind, format_time
from ..php import array, to_int, upper_keys, values
from .registry import MethodCall, method


@method("im.user.get", scope="im")
def get(call: MethodCall) -> dict[str, Any]:
    """Return one user, by default the caller."""
    given = upper_keys(call.params).get("ID")
    user_id = call.user if given is None else to_int(given)
    if user_id <= 0:
        raise RestError("ID_EMPTY", "User ID can't be empty")
    user = call.data.users.get(user_id)
    if user is None:
        raise RestError("USER_NOT_EXISTS", "User is not exists")
    if call.data.users[call.user].kind is UserKind.EXTRANET and user_id != call.user:
        raise RestError("ACCESS_DENIED", "You can request only users who consist of your extranet group")
    return _user(user, call.now) | {"desktop_last_date": False}


@method("im.user.list.get", scope="im")
def list_get(call: MethodCall) -> Any:
    """Return users by ID, with the flags that decide whether they can be given a chat; null for unknown ids.

    ID is an array, or one as JSON in a string. RESULT_TYPE ``array`` leaves out the keys.
    """
    params = upper_keys(call.params)
    wanted = [number for number in map(to_int, _array(params.get("ID"))) if number > 0]
    if not wanted:
        raise RestError("INVALID_FORMAT", "A wrong format for the ID field is passed")
    outsider = call.data.users[call.user].kind is UserKind.EXTRANET
    users = {number: call.data.users.get(number) for number in wanted if not outsider or number == call.user}
    found = {str(number): _user(user, call.now) if user else None for number, user in users.items()}
    return list(found.values()) if str(params.get("RESULT_TYPE", "")).lower() == "array" else array(found)


@method("im.user.status.get", scope="im")
def status_get(call: MethodCall) -> str:
    """Return the status that the caller has chosen; the method shows no other user's."""
    return _status(call.data.users[call.user])


def _array(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return values(value) if isinstance(value, list | dict) else []


def _status(user: User) -> str:
    return "away" if user.paused else "online"


def _user(user: User, now: float) -> dict[str, Any]:
    return {
        "id": user.id,
        "active": user.active,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "work_position": "",
        "color": "#4ba5c3",
        "avatar": "",
        "gender": "M",
        "birthday": False,
        "extranet": user.kind is not UserKind.EMPLOYEE and user.kind is not UserKind.BOT,
        "network": False,
        "bot": user.kind is UserKind.BOT,
        "connector": user.kind is UserKind.CONNECTOR,
        "external_auth_id": {UserKind.BOT: "bot", UserKind.CONNECTOR: "imconnector"}.get(user.kind, "default"),
        "status": _status(user),
        "idle": False,
        "last_activity_date": format_time(now if user.present else now - 3600),
        "mobile_last_date": False,
        "absent": False,
        "departments": [1] if user.kind is UserKind.EMPLOYEE else [],
        "phones": {"personal_mobile": user.phone} if user.phone else False,
    }
