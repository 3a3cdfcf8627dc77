# SPDX-License-Identifier: Apache-2.0
"""Colleagues as the portal lists them: ``user.get``, ``user.search``, ``user.current``.

Documented at https://apidocs.bitrix24.com (user-get, user-search, user-current, user-scope).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import filters
from ..model import User, UserKind, format_time
from ..php import is_empty, to_str, upper_keys
from .registry import MethodCall, Page, method, paginate

SCOPES = ("user", "user_basic", "user_brief")
CONTACT_FIELDS = {"EMAIL", "PERSONAL_MOBILE", "WORK_PHONE"}
FULL_SCOPE_FIELDS = {"LAST_LOGIN"}
FLAG_FIELDS = ("ACTIVE", "IS_ONLINE")
SEARCHED_FIELDS = ("NAME", "LAST_NAME", "SECOND_NAME", "WORK_POSITION", "UF_DEPARTMENT_NAME")
DEPARTMENT_FIELD = {"UF_DEPARTMENT_NAME": "Contact centre"}

Row = dict[str, Any]


@method("user.get", scope=SCOPES)
def get(call: MethodCall) -> Page:
    """Return colleagues, 50 a page; no bots and no customers. Ids are strings.

    ``sort`` names a field and ``order`` its direction; ``order`` may also be an object, as some clients send it.
    Conditions may stand in FILTER or, as in the examples of the documentation, beside it. ADMIN_MODE is accepted and
    changes nothing: in the sandbox everyone may see all colleagues.
    """
    params = upper_keys(call.params)
    return _listed(call, params, filters.filter_rows(_colleagues(call), _conditions(params)))


@method("user.search", scope=SCOPES)
def search(call: MethodCall) -> Page:
    """Return colleagues by the beginnings of names: each word of FIND in any field, or each field by its condition."""
    params = upper_keys(call.params)
    conditions = _conditions(params)
    words = to_str(conditions.pop("FIND", "")).lower().split()
    beginnings = {} if words else {field: to_str(conditions.pop(field, "")).lower() for field in SEARCHED_FIELDS}
    rows = [row for row in _colleagues(call) if _is_found(row | DEPARTMENT_FIELD, words, beginnings)]
    return _listed(call, params, filters.filter_rows(rows, conditions))


@method("user.current", scope=SCOPES)
def current(call: MethodCall) -> Row:
    """Return the caller."""
    return _visible(call, _row(call.data.users[call.user], now=call.now))


@method("profile")
def profile(call: MethodCall) -> Row:
    """Return the caller in short; needs no scope."""
    user = call.data.users[call.user]
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


def _colleagues(call: MethodCall) -> list[Row]:
    people = (user for user in call.data.users.values() if user.kind in (UserKind.EMPLOYEE, UserKind.EXTRANET))
    return [_row(user, now=call.now) for user in sorted(people, key=lambda user: user.id)]


def _conditions(params: Mapping[str, Any]) -> Row:
    """Return the conditions; a flag is cast as in the server source ``rest/lib/api/user.php``.

    Only an empty value and ``N`` are no. So the texts ``True`` and even ``false`` are yes, which clients put into a
    batch.
    """
    conditions = upper_keys(params["FILTER"]) if isinstance(params.get("FILTER"), Mapping) else params
    return {key: _flag(value) if key.lstrip("!=@%") in FLAG_FIELDS else value for key, value in conditions.items()}


def _flag(value: Any) -> str:
    return "N" if is_empty(value) or value == "N" else "Y"


def _listed(call: MethodCall, params: Mapping[str, Any], rows: list[Any]) -> Page:
    order = params.get("ORDER")
    if not isinstance(order, Mapping):
        order = {to_str(params.get("SORT")) or "ID": to_str(order) or "ASC"}
    page = paginate(filters.sort_rows(rows, order), params.get("START"))
    shown = [filters.select_fields(_visible(call, row), params.get("SELECT")) for row in page.result]
    return Page(shown, page.total, page.next)


def _is_found(row: Row, words: list[str], beginnings: Row) -> bool:
    texts = {field: row[field].lower() for field in SEARCHED_FIELDS}
    begins = {part for text in texts.values() for part in (text, *text.split())}
    return all(any(begin.startswith(word) for begin in begins) for word in words) and all(
        texts[field].startswith(beginning) for field, beginning in beginnings.items()
    )


def _visible(call: MethodCall, row: Row) -> Row:
    """Return the fields that the scope opens: all with ``user``, no contacts with ``user_brief``, others between."""
    scopes = call.identity.scopes
    if "user" in scopes:
        return row
    hidden = FULL_SCOPE_FIELDS if "user_basic" in scopes else FULL_SCOPE_FIELDS | CONTACT_FIELDS
    return {field: value for field, value in row.items() if field not in hidden}


def _row(user: User, *, now: float) -> Row:
    online = user.active and user.present
    return {
        "ID": str(user.id),
        "XML_ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": format_time(now if online else now - 3600),
        "DATE_REGISTER": "2024-07-15T00:00:00+00:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y" if online else "N",
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "PERSONAL_MOBILE": user.phone,
        "PERSONAL_CITY": "",
        "WORK_PHONE": "",
        "WORK_POSITION": "Operator" if user.kind is UserKind.EMPLOYEE else "",
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": [] if user.kind is UserKind.EXTRANET else [1],
        "USER_TYPE": "extranet" if user.kind is UserKind.EXTRANET else "employee",
    }
