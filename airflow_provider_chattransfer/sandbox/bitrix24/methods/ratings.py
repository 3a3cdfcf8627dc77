# SPDX-License-Identifier: Apache-2.0
"""Ratings of sessions, by supervisors and by customers.

``imopenlines.session.head.vote`` gives a supervisor's rating, ``imopenlines.v2.Session.Rating.list`` reads those of
customers. Documented at https://apidocs.bitrix24.com (open channels: sessions, statistics).
"""

from __future__ import annotations

import html
from typing import Any

from ..errors import RestError
from ..model import PortalData, Session, format_time
from ..php import is_empty, to_int, to_str
from .chat_access import access_denied
from .registry import MethodCall, method
from .report_access import check_access, is_visible, snapshot_in_reports
from .report_filters import between, choice, flag, ids, one_of, period, texts, window

MAX_COMMENT_LENGTH = 10_000
VOTES = {"like", "dislike"}


@method("imopenlines.session.head.vote", scope="imopenlines")
def vote_as_head(call: MethodCall) -> bool:
    """Rate a session by SESSION_ID: RATING from 1 to 5, COMMENT, or both. Keys are upper case.

    By the server source (``Session::voteAsHead``) a session that does not exist is refused like one that the caller may
    not rate. Here administrators rate all sessions, and others none.
    """
    params = call.params
    if is_empty(params.get("SESSION_ID")):
        raise RestError("EMPTY_SESSION_ID", "Session ID can't be empty")
    rating, comment = (to_str(params.get(key)).strip() for key in ("RATING", "COMMENT"))
    if is_empty(rating) and is_empty(comment):
        text = "At least one of the parameters RATING or COMMENT must be specified"
        raise RestError("EMPTY_VOTE_PARAMS", text)
    session = call.data.sessions.get(to_int(params["SESSION_ID"]))
    if session is None or not may_rate(call):
        raise access_denied()
    if rating:
        session.vote_head = to_int(rating) if 1 <= to_int(rating) <= 5 else 0
    if comment:
        session.comment_head = html.escape(comment[:MAX_COMMENT_LENGTH])
    return True


@method("imopenlines.v2.Session.Rating.list", scope="imopenlines")
def ratings(call: MethodCall) -> dict[str, Any]:
    """Return the sessions that customers have rated within a period.

    A vote of the scenario is dated by the close of the session or, while it is open, by its beginning.
    """
    check_access(call)
    cut = window(call.params, always=True)
    bounds = period(call.params, "dateVote", required=True)
    head = flag(call.params, "hasVoteHead")
    vote = choice(call.params, "vote", VOTES)
    conditions = [
        one_of("configId", ids(call.params, "configId")),
        one_of("operatorId", ids(call.params, "operatorId")),
        one_of("source", texts(call.params, "source")),
        one_of("vote", None if vote is None else {vote}),
        between("dateVote", bounds),
    ]
    rows = [
        _row(call, session)
        for session in call.data.sessions.values()
        if session.vote and snapshot_in_reports(call, session)
    ]
    found = [
        row
        for row in rows
        if is_visible(call, row["operatorId"])
        and all(condition(row) for condition in conditions)
        and (head is None or (row["voteHead"] is not None) is head)
    ]
    return cut.of("ratings", sorted(found, key=lambda row: (row["dateVote"], row["sessionId"]), reverse=True))


def may_rate(call: MethodCall) -> bool:
    """Return whether the caller may see and give supervisors' ratings."""
    return call.data.switches.plan_has_vote_head and call.data.users[call.user].admin


def supervisor_rating(call: MethodCall, session: Session) -> tuple[int | None, str | None]:
    """Return ``voteHead`` and ``commentHead``, or nulls without a rating, the plan or the permission to see it."""
    if not may_rate(call):
        return None, None
    return session.vote_head or None, session.comment_head or None


def _row(call: MethodCall, session: Session) -> dict[str, Any]:
    vote_head, comment_head = supervisor_rating(call, session)
    return {
        "sessionId": session.id,
        "configId": session.line,
        "operatorId": session.operator or None,
        "source": _source(call.data, session),
        "vote": session.vote,
        "voteHead": vote_head,
        "commentHead": comment_head,
        "dateVote": format_time(session.closed_at or session.created_at),
        "dateSessionClose": format_time(session.closed_at) if session.closed_at else None,
    }


def _source(data: PortalData, session: Session) -> str:
    return data.chats[session.chat_id].connector
