# SPDX-License-Identifier: Apache-2.0
"""Users, their presence and the caller: ``user.*``, ``im.user.*``, ``timeman.status``, ``profile``, ``scope``."""

from __future__ import annotations

from typing import Any

from .. import filters
from ..errors import RestError
from ..model import Kind, User, iso
from ..php import array, to_int, to_str, upper_keys, values
from .registry import Ask, Page, method, paged

USER_SCOPES = ("user", "user_basic", "user_brief")


@method("user.get", scope=USER_SCOPES)
def get(ask: Ask) -> Page:
    """Colleagues, 50 a page; no bots and no customers. Ids are strings."""
    params = upper_keys(ask.params)
    people = (user for user in ask.world.users.values() if user.kind in (Kind.EMPLOYEE, Kind.EXTRANET))
    rows = [_row(user) for user in sorted(people, key=lambda user: user.id)]
    found = filters.matching(rows, params.get("FILTER"))
    found = filters.ordered(found, params.get("ORDER") or {to_str(params.get("SORT")) or "ID": "ASC"})
    return paged(found, params.get("START"))


@method("user.current", scope=USER_SCOPES)
def current(ask: Ask) -> dict[str, Any]:
    """The caller."""
    return _row(ask.world.users[ask.user])


@method("profile")
def profile(ask: Ask) -> dict[str, Any]:
    """The caller, in short; needs no scope."""
    user = ask.world.users[ask.user]
    return {
        "ID": str(user.id),
        "ADMIN": user.admin,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": "",
        "PERSONAL_PHOTO": "",
        "TIME_ZONE": "",
        "TIME_ZONE_OFFSET": 0,
    }


@method("scope")
def scope(ask: Ask) -> list[str]:
    """What the caller's credentials open."""
    return sorted(ask.identity.scopes)


@method("im.user.list.get", scope="im")
def im_users(ask: Ask) -> Any:
    """Users by ID, with the flags that decide whether they can be given a chat."""
    wanted = [to_int(user) for user in values(upper_keys(ask.params).get("ID"))]
    if not wanted:
        raise RestError("INVALID_FORMAT", "A wrong format for the ID field is passed")
    found = {str(user): ask.world.users.get(user) for user in wanted}
    return array({user_id: _im_user(user, ask.now) if user else None for user_id, user in found.items()})


@method("timeman.status", scope="timeman")
def work_day(ask: Ask) -> dict[str, Any]:
    """The working day of USER_ID, or of the caller."""
    user = ask.world.users.get(to_int(upper_keys(ask.params).get("USER_ID")) or ask.user)
    if user is None or user.kind is not Kind.EMPLOYEE or not user.active:
        raise RestError("", "User not found")
    status = "OPENED" if user.available else "PAUSED" if user.present else "CLOSED"
    return {
        "STATUS": status,
        "TIME_START": iso(ask.now - 14400),
        "TIME_FINISH": None if user.present else iso(ask.now - 60),
        "DURATION": "00:00:00" if user.present else "03:59:00",
        "TIME_LEAKS": "00:00:00",
        "ACTIVE": user.present,
        "IP_OPEN": "",
        "IP_CLOSE": "",
        "LAT_OPEN": 0,
        "LON_OPEN": 0,
        "LAT_CLOSE": 0,
        "LON_CLOSE": 0,
        "TZ_OFFSET": 0,
        "TIME_FINISH_DEFAULT": iso(ask.now + 14400),
    }


def _row(user: User) -> dict[str, Any]:
    return {
        "ID": str(user.id),
        "XML_ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "PERSONAL_MOBILE": user.phone,
        "WORK_POSITION": "",
        "UF_DEPARTMENT": [] if user.kind is Kind.EXTRANET else [1],
        "USER_TYPE": "extranet" if user.kind is Kind.EXTRANET else "employee",
        "IS_ONLINE": "Y" if user.active and user.present else "N",
    }


def _im_user(user: User, now: float) -> dict[str, Any]:
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
        "extranet": user.kind is not Kind.EMPLOYEE and user.kind is not Kind.BOT,
        "network": False,
        "bot": user.kind is Kind.BOT,
        "connector": user.kind is Kind.CONNECTOR,
        "external_auth_id": {Kind.BOT: "bot", Kind.CONNECTOR: "imconnector"}.get(user.kind, "default"),
        "status": "away" if user.paused else "online",
        "idle": False,
        "last_activity_date": iso(now if user.present else now - 3600),
        "mobile_last_date": False,
        "absent": False,
        "departments": [1] if user.kind is Kind.EMPLOYEE else [],
        "phones": {"personal_mobile": user.phone} if user.phone else False,
    }
