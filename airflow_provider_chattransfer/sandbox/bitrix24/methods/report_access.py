# SPDX-License-Identifier: Apache-2.0
"""Decides which sessions a caller sees in the reports, and as of when: plan, rights and lag."""

from __future__ import annotations

from ..errors import RestError
from ..model import Session, SessionSnapshot
from ..php import values
from .registry import MethodCall
from .report_filters import invalid

INT_LISTS = ("configIdList", "operatorIdList", "userIdList")
"""The filters that are documented as ``int[]``."""


def check_access(call: MethodCall) -> None:
    """Raise ``RestError`` if the plan has no reports, or if the portal denies them to callers without rights.

    Also raise it for filters of the wrong type, where the portal is strict about it.
    """
    switches = call.data.switches
    if not switches.plan_has_reports:
        text = "Statistics reports are not available on the current tariff plan"
        raise RestError("TARIFF_RESTRICTION", text)
    if switches.reports_denied and not call.data.users[call.user].admin:
        raise RestError("ACCESS_DENIED", "Access denied")
    if call.typed and not switches.lists_take_strings:
        listed = (item for name in INT_LISTS for item in values(call.params.get(name)))
        if any(isinstance(item, str) for item in listed):
            raise invalid()


def is_visible(call: MethodCall, operator: int | None) -> bool:
    """Return whether the caller sees an operator's rows: without rights to reports only their own, and no error."""
    return call.data.users[call.user].admin or operator == call.user


def snapshot_in_reports(call: MethodCall, session: Session) -> SessionSnapshot | None:
    """Return what the reports show of a session now; ``None`` if they do not show it yet."""
    lag = call.data.switches.reports_lag
    return session.snapshot_at(call.now - lag) if lag else session.snapshots[-1]


def visible_session(call: MethodCall, session_id: int) -> tuple[Session, SessionSnapshot] | None:
    """Return a session by its id, unless it is unknown, hidden from the caller, or too new."""
    session = call.data.sessions.get(session_id)
    snapshot = snapshot_in_reports(call, session) if session else None
    return (session, snapshot) if session and snapshot and is_visible(call, snapshot.operator) else None
