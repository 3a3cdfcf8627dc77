# SPDX-License-Identifier: Apache-2.0
"""The lists of ``imopenlines.v2.*``, announced on 31 August 2026: sessions, operators, transfers. They change nothing.

Documented at https://apidocs.bitrix24.com (open channels: statistics). Names are camelCase, ids are numbers, and every
error is HTTP 400.
"""

from __future__ import annotations

from typing import Any

from ..model import Line, Session, SessionSnapshot, Status, TransferLogEntry, User, format_time
from .ratings import supervisor_rating
from .registry import MethodCall, method
from .report_access import check_access, is_visible, snapshot_in_reports, visible_session
from .report_filters import (
    Bounds,
    Condition,
    Params,
    Row,
    between,
    choice,
    filled,
    flag,
    ids,
    invalid,
    one_of,
    period,
    session_ids,
    span,
    texts,
    window,
)

MAX_TRANSFER_LIST_SESSIONS = 50
UNLIMITED_CHATS = 1000
SESSION_STATUSES = {"new", "answered", "closed", "spam", "paused"}
OPERATOR_STATUSES = {"online", "offline", "pause"}
ORDERS = {"dateCreate", "dateClose", "waitAnswer", "waitClose"}
VOTES = {"like", "dislike", "none", "any"}
CLOSE_REASONS = {"operator", "auto", "spam", "client", "replyLimit"}


@method("imopenlines.v2.Session.list", scope="imopenlines")
def sessions(call: MethodCall) -> dict[str, Any]:
    """Return the sessions that meet all filters, newest first by default."""
    check_access(call)
    cut = window(call.params, always=True)
    conditions = _conditions(call.params)
    descending = choice(call.params, "orderDirection", {"asc", "desc"}) != "asc"
    order = _order(call.params)
    rows = [
        session_row(call, session, snapshot)
        for session in call.data.sessions.values()
        if (snapshot := snapshot_in_reports(call, session)) and is_visible(call, snapshot.operator)
    ]
    found = [row for row in rows if all(condition(row) for condition in conditions)]
    found.sort(key=lambda row: (row[order] is not None, row[order] or 0, row["id"]), reverse=descending)
    return cut.of("sessions", found)


@method("imopenlines.v2.Operator.list", scope="imopenlines")
def operators(call: MethodCall) -> dict[str, Any]:
    """Return one row per user and line: presence, active sessions, free slots.

    A large offset is an error only together with ``status`` or ``hasFreeSlots``. The advice to ask at most every 30
    seconds is not enforced.
    """
    check_access(call)
    params = call.params
    status = choice(params, "status", OPERATOR_STATUSES)
    free = flag(params, "hasFreeSlots")
    cut = window(params, always=status is not None or free is not None)
    lines, users = ids(params, "configId"), ids(params, "userId")
    rows = [
        _operator_row(call, call.data.users[user], line)
        for line in call.data.lines.values()
        if not line.deleted and (lines is None or line.id in lines)
        for user in line.members
        if (users is None or user in users) and is_visible(call, user)
    ]
    rows = [
        row
        for row in rows
        if (status is None or row["status"] == status) and (free is None or (row["freeSlots"] > 0) is free)
    ]
    return cut.of("operators", rows)


@method("imopenlines.v2.Session.Transfer.list", scope="imopenlines")
def transfers(call: MethodCall) -> dict[str, Any]:
    """Return the transfer log of up to 50 sessions. An unknown session has no rows and is no error."""
    check_access(call)
    switches = call.data.switches
    wanted = session_ids(call.params, most=MAX_TRANSFER_LIST_SESSIONS, as_number=switches.error_100_as_number)
    known = [found[0] for session_id in wanted if (found := visible_session(call, session_id))]
    until = call.now - switches.reports_lag
    return {"transfers": [_transfer_row(row) for session in known for row in session.transfer_log if row.at <= until]}


def session_row(call: MethodCall, session: Session, snapshot: SessionSnapshot) -> Row:
    """Return a session as ``Session.list`` shows it.

    ``kpiFirstAnswer`` is null, as the lines set no goal for the first answer.
    """
    data = call.data
    chat = data.chats[session.chat_id]
    status = status_of(snapshot, answered_from=Status.OPERATOR if data.switches.new_until_written else Status.ANSWER)
    offered = snapshot.status < Status.ANSWER and not snapshot.pinned
    operator = snapshot.operator if not offered or data.switches.new_session_has_operator else 0
    known = session.answered_at and session.answered_at <= call.now - data.switches.reports_lag
    answered = session.answered_at if known else None
    vote_head, comment_head = supervisor_rating(call, session)
    return {
        "id": session.id,
        "configId": snapshot.line,
        "source": chat.connector,
        "operatorId": operator or None,
        "userId": chat.customer,
        "userCode": chat.external,
        "chatId": chat.id,
        "dateCreate": format_time(session.created_at),
        "dateClose": format_time(snapshot.closed_at) if snapshot.closed_at else None,
        "dateFirstAnswer": format_time(answered) if answered else None,
        "dateOperatorAnswer": format_time(answered) if answered else None,
        "status": status,
        "closeReason": _close_reason(session, status),
        "vote": session.vote or "none",
        "voteHead": vote_head,
        "commentHead": comment_head,
        "crmEntityType": "lead" if session.crm else None,
        "crmEntityId": chat.lead if session.crm else None,
        "queueTransfers": snapshot.queue_transfers,
        "waitAnswer": int(answered - session.created_at) if answered else None,
        "waitClose": int(snapshot.closed_at - session.created_at) if snapshot.closed_at else None,
        "kpiFirstAnswer": None,
        "messageCount": snapshot.messages,
    }


def status_of(snapshot: SessionSnapshot, *, answered_from: Status) -> str:
    """Return the word for a status; a pinned session is ``paused``. A status below ``answered_from`` is ``new``."""
    if snapshot.status >= Status.CLOSE:
        return "spam" if snapshot.status is Status.SPAM else "closed"
    if snapshot.pinned:
        return "paused"
    return "new" if snapshot.status < answered_from else "answered"


def _close_reason(session: Session, status: str) -> str | None:
    if status == "spam":
        return "spam"
    return session.close_reason.value if status == "closed" else None


def _order(params: Params) -> str:
    """Return the field to sort by: ``dateCreate``, unless a full period of creation or close is given."""
    order = choice(params, "order", ORDERS) or "dateCreate"
    return order if _has_period(params) else "dateCreate"


def _has_period(params: Params) -> bool:
    return any(None not in period(params, name) for name in ("dateCreate", "dateClose"))


def _conditions(params: Params) -> list[Condition]:
    """Return the filters of ``Session.list``, all of which a row must meet."""
    if params.get("status") is not None and params.get("closeReason") is not None:
        raise invalid()
    kpi = flag(params, "kpiFirstAnswer")
    if kpi is not None and not _has_period(params):
        raise invalid()
    conditions = [
        one_of("configId", ids(params, "configId")),
        one_of("operatorId", ids(params, "operatorId")),
        one_of("source", texts(params, "source")),
        one_of("status", _single(choice(params, "status", SESSION_STATUSES))),
        one_of("closeReason", _single(choice(params, "closeReason", CLOSE_REASONS))),
        one_of("kpiFirstAnswer", _single(kpi)),
        *(between(name, bounds) for name, bounds in _bounds(params).items()),
    ]
    vote = choice(params, "vote", VOTES)
    if vote is not None:
        conditions.append(one_of("vote", {"like", "dislike"} if vote == "any" else {vote}))
    for name, field in (("hasVoteHead", "voteHead"), ("hasCrm", "crmEntityId")):
        wanted = flag(params, name)
        if wanted is not None:
            conditions.append(filled(field, wanted))
    return conditions


def _bounds(params: Params) -> dict[str, Bounds]:
    return {
        **{name: period(params, name) for name in ("dateCreate", "dateClose")},
        **{name: span(params, name) for name in ("waitAnswer", "waitClose")},
    }


def _single(value: Any) -> set[Any] | None:
    return None if value is None else {value}


def _operator_row(call: MethodCall, user: User, line: Line) -> Row:
    active = call.data.load_of(user.id, line=line.id)
    most = line.max_chat or UNLIMITED_CHATS
    online = user.active and user.present
    return {
        "userId": user.id,
        "configId": line.id,
        "status": "offline" if not online else "pause" if user.paused else "online",
        "activeSessions": active,
        "maxChat": most,
        "freeSlots": max(0, most - active),
        "lastActivityDate": format_time(call.now if online else call.now - 3600),
    }


def _transfer_row(row: TransferLogEntry) -> Row:
    return {
        "sessionId": row.session_id,
        "date": format_time(row.at),
        "fromOperatorId": row.from_operator,
        "toOperatorId": row.to_operator,
        "fromConfigId": row.from_line,
        "toConfigId": row.to_line,
        "reason": row.reason,
        "mode": row.mode,
        "type": row.type,
        "initiatorId": row.initiator,
    }
