# SPDX-License-Identifier: Apache-2.0
"""Working days and schedules: ``timeman.*``.

Documented at https://apidocs.bitrix24.com (timeman-status, timeman-schedule-get). Everyone's day began four hours
before the portal started and is planned for eight.
"""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import UserKind, format_time
from ..php import to_int, upper_keys
from .registry import MethodCall, method

BEGAN_BEFORE_SECONDS, PLANNED_DAY_SECONDS = 4 * 3600, 8 * 3600
SCHEDULE_ID = 1
VIOLATION_TYPES = (
    "FIXED_START_END",
    "FIXED_PER_RECORD",
    "FIXED_EDIT_WORKTIME",
    "FIXED_PERIODIC",
    "SHIFT_DELAY",
    "SHIFT_MISSED_START",
)


@method("timeman.status", scope="timeman")
def status(call: MethodCall) -> dict[str, Any]:
    """Return the working day of USER_ID, or of the caller; it is never ``EXPIRED``, as no day stays open overnight.

    ``ACTIVE`` tells that a supervisor need not confirm the day. The day of users who were away from the start ended a
    minute before it.
    """
    if call.data.users[call.user].kind is not UserKind.EMPLOYEE:
        raise RestError("ALLOWED_ONLY_INTRANET_USER", "Only intranet users have access to this method.", status=403)
    user = call.data.users.get(to_int(upper_keys(call.params).get("USER_ID")) or call.user)
    if user is None or user.kind is not UserKind.EMPLOYEE or not user.active:
        raise RestError("", "User not found")
    began = call.data.started_at - BEGAN_BEFORE_SECONDS
    ended = call.data.started_at - 60 if user.left_at is None else user.left_at
    return {
        "STATUS": "OPENED" if user.available else "PAUSED" if user.present else "CLOSED",
        "TIME_START": format_time(began),
        "TIME_FINISH": None if user.present else format_time(ended),
        "DURATION": "00:00:00" if user.present else _format_duration(int(ended) - int(began)),
        "TIME_LEAKS": "00:00:00",
        "ACTIVE": True,
        "IP_OPEN": "",
        "IP_CLOSE": "",
        "LAT_OPEN": 0,
        "LON_OPEN": 0,
        "LAT_CLOSE": 0,
        "LON_CLOSE": 0,
        "TZ_OFFSET": 0,
        "TIME_FINISH_DEFAULT": format_time(began + PLANNED_DAY_SECONDS),
    }


@method("timeman.schedule.get", scope="timeman")
def schedule(call: MethodCall) -> Any:
    """Return the one schedule, number 1, from 8 to 17 o'clock on working days; an empty array for any other number."""
    if to_int(upper_keys(call.params).get("ID")) != SCHEDULE_ID:
        return []
    return {
        "ID": SCHEDULE_ID,
        "NAME": "For all employees",
        "SCHEDULE_TYPE": "FIXED",
        "REPORT_PERIOD": "MONTH",
        "REPORT_PERIOD_OPTIONS": {"START_WEEK_DAY": 0},
        "CALENDAR_ID": 1,
        "ALLOWED_DEVICES": {"browser": True},
        "DELETED": "0",
        "IS_FOR_ALL_USERS": True,
        "WORKTIME_RESTRICTIONS": ["[]"],
        "CONTROLLED_ACTIONS": 3,
        "UPDATED_BY": 1,
        "DELETED_BY": 0,
        "DELETED_AT": "",
        "CREATED_BY": 0,
        "CREATED_AT": "2019-09-19T21:22:22+00:00",
        "SHIFTS": [
            {
                "ID": 1,
                "NAME": "",
                "BREAK_DURATION": 3600,
                "WORK_TIME_START": 8 * 3600,
                "WORK_TIME_END": 17 * 3600,
                "WORK_DAYS": "12345",
                "SCHEDULE_ID": SCHEDULE_ID,
                "DELETED": False,
            }
        ],
        "CALENDAR": {"ID": 1, "NAME": "", "PARENT_CALENDAR_ID": 0, "SYSTEM_CODE": "", "EXCLUSIONS": []},
        "SCHEDULE_VIOLATION_RULES": {
            "ID": 1,
            "SCHEDULE_ID": SCHEDULE_ID,
            "ENTITY_CODE": "UA",
            "USERS_TO_NOTIFY": {reason: [] for reason in VIOLATION_TYPES},
        },
    }


def _format_duration(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
