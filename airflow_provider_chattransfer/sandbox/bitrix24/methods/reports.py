# SPDX-License-Identifier: Apache-2.0
"""The lists of ``imopenlines.v2.*``, announced on 31 August 2026: sessions, operators, transfers. They only read.

Documented at https://apidocs.bitrix24.com (open channels: statistics). Names are camelCase, ids are numbers, and
every error is HTTP 400.
"""

from __future__ import annotations

from typing import Any

from ..model import Line, Seen, Session, Status, TransferRow, User, iso
from .ratings import head_of
from .registry import Ask, method
from .report_access import check_access, is_visible, seen_by, visible_session
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

TRANSFER_LIST_MAX = 50
UNLIMITED_CHATS = 1000
SESSION_STATUSES = {"new", "answered", "closed", "spam", "paused"}
OPERATOR_STATUSES = {"online", "offline", "pause"}
ORDERS = {"dateCreate", "dateClose", "waitAnswer", "waitClose"}
VOTES = {"like", "dislike", "none", "any"}
CLOSE_REASONS = {"operator", "auto", "spam", "client", "replyLimit"}


@method("imopenlines.v2.Session.list", scope="imopenlines")
def sessions(ask: Ask) -> dict[str, Any]:
    """The sessions that meet all filters, newest first unless asked otherwise."""
    check_access(ask)
    cut = window(ask.params, always=True)
    conditions = _conditions(ask.params)
    descending = choice(ask.params, "orderDirection", {"asc", "desc"}) != "asc"
    order = _order(ask.params)
    rows = [
        session_row(ask, session, seen)
        for session in ask.world.sessions.values()
        if (seen := seen_by(ask, session)) and is_visible(ask, seen.operator)
    ]
    found = [row for row in rows if all(condition(row) for condition in conditions)]
    found.sort(key=lambda row: (row[order] is not None, row[order] or 0, row["id"]), reverse=descending)
    return cut.of("sessions", found)


@method("imopenlines.v2.Operator.list", scope="imopenlines")
def operators(ask: Ask) -> dict[str, Any]:
    """One row per user and line: presence, active sessions, free slots.

    A large offset is an error only together with ``status`` or ``hasFreeSlots``. That it should not be asked more
    often than every 30 seconds is advice; nothing enforces it.
    """
    check_access(ask)
    params = ask.params
    status = choice(params, "status", OPERATOR_STATUSES)
    free = flag(params, "hasFreeSlots")
    cut = window(params, always=status is not None or free is not None)
    lines, users = ids(params, "configId"), ids(params, "userId")
    rows = [
        _operator_row(ask, ask.world.users[user], line)
        for line in ask.world.lines.values()
        if not line.deleted and (lines is None or line.id in lines)
        for user in line.members
        if (users is None or user in users) and is_visible(ask, user)
    ]
    rows = [
        row
        for row in rows
        if (status is None or row["status"] == status) and (free is None or (row["freeSlots"] > 0) is free)
    ]
    return cut.of("operators", rows)


@method("imopenlines.v2.Session.Transfer.list", scope="imopenlines")
def transfers(ask: Ask) -> dict[str, Any]:
    """The transfer log of up to 50 sessions. An unknown session has no rows and is no error."""
    check_access(ask)
    switches = ask.world.switches
    wanted = session_ids(ask.params, most=TRANSFER_LIST_MAX, as_number=switches.error_100_as_number)
    known = [found[0] for session_id in wanted if (found := visible_session(ask, session_id))]
    until = ask.now - switches.reports_lag
    return {"transfers": [_transfer_row(row) for session in known for row in session.rows if row.at <= until]}


def session_row(ask: Ask, session: Session, seen: Seen) -> Row:
    """A session as ``Session.list`` shows it. First answers are not measured against a goal, so that
    ``kpiFirstAnswer`` is null: the lines have none."""
    world = ask.world
    chat = world.chats[session.chat_id]
    status = status_of(seen, answered_from=Status.OPERATOR if world.switches.new_until_written else Status.ANSWER)
    rings = seen.status < Status.ANSWER and not seen.pinned
    operator = seen.operator if not rings or world.switches.new_session_has_operator else 0
    known = session.answered_at and session.answered_at <= ask.now - world.switches.reports_lag
    answered = session.answered_at if known else None
    vote_head, comment_head = head_of(ask, session)
    return {
        "id": session.id,
        "configId": seen.line,
        "source": chat.connector,
        "operatorId": operator or None,
        "userId": chat.customer,
        "userCode": chat.external,
        "chatId": chat.id,
        "dateCreate": iso(session.created_at),
        "dateClose": iso(seen.closed_at) if seen.closed_at else None,
        "dateFirstAnswer": iso(answered) if answered else None,
        "dateOperatorAnswer": iso(answered) if answered else None,
        "status": status,
        "closeReason": _close_reason(session, status),
        "vote": session.vote or "none",
        "voteHead": vote_head,
        "commentHead": comment_head,
        "crmEntityType": "lead" if session.crm else None,
        "crmEntityId": chat.lead if session.crm else None,
        "queueTransfers": seen.queue_transfers,
        "waitAnswer": int(answered - session.created_at) if answered else None,
        "waitClose": int(seen.closed_at - session.created_at) if seen.closed_at else None,
        "kpiFirstAnswer": None,
        "messageCount": seen.messages,
    }


def status_of(seen: Seen, *, answered_from: Status) -> str:
    """The word for a status; a pinned session is ``paused``. What is below ``answered_from`` is ``new``."""
    if seen.status >= Status.CLOSE:
        return "spam" if seen.status is Status.SPAM else "closed"
    if seen.pinned:
        return "paused"
    return "new" if seen.status < answered_from else "answered"


def _close_reason(session: Session, status: str) -> str | None:
    if status == "spam":
        return "spam"
    return session.close_reason.value if status == "closed" else None


def _order(params: Params) -> str:
    """The field to sort by: without a full period of creation or close always ``dateCreate``."""
    order = choice(params, "order", ORDERS) or "dateCreate"
    return order if _has_period(params) else "dateCreate"


def _has_period(params: Params) -> bool:
    return any(None not in period(params, name) for name in ("dateCreate", "dateClose"))


def _conditions(params: Params) -> list[Condition]:
    """The filters of ``Session.list``, all of which a row must meet."""
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


def _operator_row(ask: Ask, user: User, line: Line) -> Row:
    active = ask.world.load_of(user.id, line=line.id)
    most = line.max_chat or UNLIMITED_CHATS
    online = user.active and user.present
    return {
        "userId": user.id,
        "configId": line.id,
        "status": "offline" if not online else "pause" if user.paused else "online",
        "activeSessions": active,
        "maxChat": most,
        "freeSlots": max(0, most - active),
        "lastActivityDate": iso(ask.now if online else ask.now - 3600),
    }


def _transfer_row(row: TransferRow) -> Row:
    return {
        "sessionId": row.session_id,
        "date": iso(row.at),
        "fromOperatorId": row.from_operator,
        "toOperatorId": row.to_operator,
        "fromConfigId": row.from_line,
        "toConfigId": row.to_line,
        "reason": row.reason,
        "mode": row.mode,
        "type": row.type,
        "initiatorId": row.initiator,
    }
