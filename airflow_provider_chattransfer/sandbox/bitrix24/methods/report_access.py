# SPDX-License-Identifier: Apache-2.0
"""Who sees which sessions in the reports, and as of when: plan, rights and lag."""

from __future__ import annotations

from ..errors import RestError
from ..model import Seen, Session
from ..php import values
from .registry import Ask
from .report_filters import invalid

INT_LISTS = ("configIdList", "operatorIdList", "userIdList")
"""The filters that are documented as ``int[]``."""


def check_access(ask: Ask) -> None:
    """Raise ``RestError`` when the plan has no reports or, if the portal says so, the caller no rights to them; also
    for filters of the wrong type, where the portal is strict about it."""
    switches = ask.world.switches
    if not switches.plan_has_reports:
        text = "Statistics reports are not available on the current tariff plan"
        raise RestError("TARIFF_RESTRICTION", text)
    if switches.reports_denied and not ask.world.users[ask.user].admin:
        raise RestError("ACCESS_DENIED", "Access denied")
    if ask.typed and not switches.lists_take_strings:
        listed = (item for name in INT_LISTS for item in values(ask.params.get(name)))
        if any(isinstance(item, str) for item in listed):
            raise invalid()


def is_visible(ask: Ask, operator: int | None) -> bool:
    """Without rights to reports a user gets his own rows, and no error."""
    return ask.world.users[ask.user].admin or operator == ask.user


def seen_by(ask: Ask, session: Session) -> Seen | None:
    """What the reports show of a session now, if they have heard of it."""
    lag = ask.world.switches.reports_lag
    return session.as_of(ask.now - lag) if lag else session.seen[-1]


def visible_session(ask: Ask, session_id: int) -> tuple[Session, Seen] | None:
    """A session by its id, unless it is unknown, not the caller's to see, or too new."""
    session = ask.world.sessions.get(session_id)
    seen = seen_by(ask, session) if session else None
    return (session, seen) if session and seen and is_visible(ask, seen.operator) else None
