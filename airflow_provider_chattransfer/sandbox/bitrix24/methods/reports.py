# SPDX-License-Identifier: Apache-2.0
"""``imopenlines.v2.*``: the statistics methods announced on 31 August 2026. They only read.

Documented at https://apidocs.bitrix24.com (open channels: statistics). Names are camelCase, ids are numbers, and
every error is HTTP 400.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import RestError
from ..model import Line, Seen, Session, Status, TransferRow, User, World, iso
from ..php import to_int, values
from .registry import Ask, method

LIMIT, LIMIT_MAX = 50, 200
OFFSET_MAX = 10_000
LIST_MAX = 1000
TRANSFER_LIST_MAX = 50
PERIOD_MAX_DAYS = 366
UNLIMITED_CHATS = 1000
SESSION_STATUSES = {"new", "answered", "closed", "spam", "paused"}
OPERATOR_STATUSES = {"online", "offline", "pause"}
ORDERS = {"dateCreate", "dateClose", "waitAnswer", "waitClose"}
VOTES = {"like", "dislike", "none", "any"}
CLOSE_REASONS = {"operator", "auto", "spam", "client", "replyLimit"}

Row = dict[str, Any]
Condition = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Window:
    """``offset`` and ``limit`` of a list."""

    offset: int
    limit: int

    def cut(self, key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The rows in the window under ``key``, and whether there are more."""
        end = self.offset + self.limit
        return {key: rows[self.offset : end], "hasNextPage": len(rows) > end}


@method("imopenlines.v2.Session.list", scope="imopenlines")
def sessions(ask: Ask) -> dict[str, Any]:
    """The sessions that meet all filters, newest first unless asked otherwise."""
    _check_access(ask)
    window = _window(ask.params, always=True)
    conditions = _conditions(ask.params)
    descending = _choice(ask.params, "orderDirection", {"asc", "desc"}) != "asc"
    _choice(ask.params, "order", ORDERS)
    rows = []
    for session in ask.world.sessions.values():
        seen = _seen(ask, session)
        if seen is None or not _visible(ask, seen.operator):
            continue
        row = _session_row(ask.world, session, seen)
        if all(condition(row) for condition in conditions):
            rows.append((session.created_at, session.id, row))
    rows.sort(key=lambda entry: entry[:2], reverse=descending)
    return window.cut("sessions", [row for _, _, row in rows])


@method("imopenlines.v2.Operator.list", scope="imopenlines")
def operators(ask: Ask) -> dict[str, Any]:
    """One row per user and line: presence, active sessions, free slots."""
    _check_access(ask)
    params = ask.params
    status = _choice(params, "status", OPERATOR_STATUSES)
    free = _flag(params, "hasFreeSlots")
    window = _window(params, always=status is not None or free is not None)
    lines, users = _ids(params, "configId"), _ids(params, "userId")
    rows = [
        _operator_row(ask, ask.world.users[user], line)
        for line in ask.world.lines.values()
        if not line.deleted and (lines is None or line.id in lines)
        for user in line.members
        if (users is None or user in users) and _visible(ask, user)
    ]
    rows = [
        row
        for row in rows
        if (status is None or row["status"] == status) and (free is None or (row["freeSlots"] > 0) == free)
    ]
    return window.cut("operators", rows)


@method("imopenlines.v2.Session.Transfer.list", scope="imopenlines")
def transfers(ask: Ask) -> dict[str, Any]:
    """The transfer log of up to 50 sessions. An unknown session has no rows and is no error."""
    _check_access(ask)
    wanted = _session_ids(ask.params, TRANSFER_LIST_MAX)
    until = ask.now - ask.world.switches.reports_lag
    rows = [
        _transfer_row(row)
        for session_id in wanted
        if (session := ask.world.sessions.get(session_id)) and _visible(ask, session.operator)
        for row in session.rows
        if row.at <= until
    ]
    return {"transfers": rows}


def _conditions(params: dict[str, Any]) -> list[Condition]:
    """The filters of ``Session.list``, all of which a row must meet."""
    if params.get("status") is not None and params.get("closeReason") is not None:
        raise _invalid("closeReason cannot be combined with status")
    created, closed = _period(params, "dateCreate"), _period(params, "dateClose")
    if params.get("kpiFirstAnswer") is not None and None in created and None in closed:
        raise _invalid("kpiFirstAnswer needs a period")
    conditions = [
        _one_of("configId", _ids(params, "configId")),
        _one_of("operatorId", _ids(params, "operatorId")),
        _one_of("source", _texts(params, "source")),
        _one_of("status", _single(_choice(params, "status", SESSION_STATUSES))),
        _one_of("closeReason", _single(_choice(params, "closeReason", CLOSE_REASONS))),
        _one_of("kpiFirstAnswer", _single(_flag(params, "kpiFirstAnswer"))),
        _between("dateCreate", created),
        _between("dateClose", closed),
        _between("waitAnswer", _span(params, "waitAnswer")),
        _between("waitClose", _span(params, "waitClose")),
    ]
    vote = _choice(params, "vote", VOTES)
    if vote is not None:
        conditions.append(lambda row: (row["vote"] != "none") if vote == "any" else row["vote"] == vote)
    for name, field in (("hasVoteHead", "voteHead"), ("hasCrm", "crmEntityId")):
        wanted = _flag(params, name)
        if wanted is not None:
            conditions.append(_filled(field, wanted))
    return conditions


def _single(value: Any) -> set[Any] | None:
    return None if value is None else {value}


def _one_of(field: str, wanted: set[Any] | None) -> Condition:
    return lambda row: wanted is None or row[field] in wanted


def _filled(field: str, wanted: bool) -> Condition:
    return lambda row: (row[field] is not None) == wanted


def _between(field: str, bounds: tuple[float | None, float | None]) -> Condition:
    low, high = bounds

    def within(row: Row) -> bool:
        value = row[field]
        if low is None and high is None:
            return True
        if value is None:
            return False
        number = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
        return (low is None or number >= low) and (high is None or number <= high)

    return within


def _check_access(ask: Ask) -> None:
    switches = ask.world.switches
    if not switches.plan_has_reports:
        raise RestError("TARIFF_RESTRICTION", "The method is not available on the current plan")
    if switches.reports_denied and not ask.world.users[ask.user].admin:
        raise RestError("ACCESS_DENIED", "Access denied")


def _visible(ask: Ask, operator: int) -> bool:
    """Without rights to reports a user gets his own rows, and no error."""
    return ask.world.users[ask.user].admin or operator == ask.user


def _seen(ask: Ask, session: Session) -> Seen | None:
    lag = ask.world.switches.reports_lag
    return session.as_of(ask.now - lag) if lag else session.seen[-1]


def _session_row(world: World, session: Session, seen: Seen) -> dict[str, Any]:
    chat = world.chats[session.chat_id]
    status = _status(seen)
    operator = seen.operator if status != "new" or world.switches.new_session_has_operator else 0
    return {
        "id": session.id,
        "configId": seen.line,
        "source": chat.connector,
        "chatId": chat.id,
        "operatorId": operator or None,
        "userId": chat.customer,
        "userCode": chat.external,
        "dateCreate": iso(session.created_at),
        "dateClose": iso(seen.closed_at) if seen.closed_at else None,
        "dateFirstAnswer": iso(session.answered_at) if session.answered_at else None,
        "dateOperatorAnswer": iso(session.answered_at) if session.answered_at else None,
        "status": status,
        "closeReason": "operator" if status == "closed" else None,
        "vote": "none",
        "voteHead": None,
        "commentHead": None,
        "crmEntityType": "lead" if session.crm else None,
        "crmEntityId": chat.lead if session.crm else None,
        "queueTransfers": seen.queue_transfers,
        "messageCount": seen.messages,
        "waitAnswer": int(session.answered_at - session.created_at) if session.answered_at else None,
        "waitClose": None,
        "kpiFirstAnswer": None,
    }


def _status(seen: Seen) -> str:
    if seen.status >= Status.CLOSE:
        return "spam" if seen.status is Status.SPAM else "closed"
    if seen.pinned:
        return "paused"
    return "new" if seen.status < Status.ANSWER else "answered"


def _operator_row(ask: Ask, user: User, line: Line) -> dict[str, Any]:
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


def _transfer_row(row: TransferRow) -> dict[str, Any]:
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


# -- parameters ------------------------------------------------------------------------------------


def _invalid(text: str) -> RestError:
    return RestError("INVALID_FILTER", text)


def _number(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).lstrip("-").isdecimal():
        raise _invalid(f"Invalid value of {name}")
    return to_int(value)


def _window(params: dict[str, Any], *, always: bool) -> Window:
    offset = _number(params.get("offset", 0), "offset")
    limit = _number(params.get("limit", LIMIT), "limit")
    if offset < 0 or not 1 <= limit <= LIMIT_MAX:
        raise _invalid("Invalid value of offset or limit")
    if always and offset > OFFSET_MAX:
        raise RestError("OFFSET_TOO_LARGE", f"offset must not be greater than {OFFSET_MAX}")
    return Window(offset, limit)


def _listed(params: dict[str, Any], name: str) -> list[Any] | None:
    """The values of a filter: the list form wins over the single one; ``None`` when neither is there."""
    many = params.get(f"{name}List")
    if many is None:
        return None if params.get(name) is None else [params[name]]
    if not isinstance(many, list | dict) or len(many) > LIST_MAX:
        raise _invalid(f"{name}List must be an array of at most {LIST_MAX}")
    return values(many) or None


def _ids(params: dict[str, Any], name: str) -> set[int] | None:
    listed = _listed(params, name)
    return None if listed is None else {_number(value, name) for value in listed}


def _texts(params: dict[str, Any], name: str) -> set[str] | None:
    listed = _listed(params, name)
    return None if listed is None else {str(value) for value in listed}


def _choice(params: dict[str, Any], name: str, allowed: Collection[str]) -> str | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise _invalid(f"Invalid value of {name}")
    return value


def _flag(params: dict[str, Any], name: str) -> bool | None:
    value = params.get(name)
    if value is None:
        return None
    if value in (True, "true", "Y", "1"):
        return True
    if value in (False, "false", "N", "0"):
        return False
    raise _invalid(f"Invalid value of {name}")


def _period(params: dict[str, Any], name: str) -> tuple[float | None, float | None]:
    start, end = (_moment(params.get(f"{name}{part}"), name) for part in ("From", "To"))
    if start is not None and end is not None:
        if start > end:
            raise _invalid(f"{name}From is later than {name}To")
        if end - start > PERIOD_MAX_DAYS * 86400:
            raise RestError("PERIOD_TOO_LARGE", f"The period must not be longer than {PERIOD_MAX_DAYS} days")
    return start, end


def _moment(value: Any, name: str) -> float | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        raise _invalid(f"Invalid date in {name}") from None


def _span(params: dict[str, Any], name: str) -> tuple[float | None, float | None]:
    low, high = (params.get(f"{name}{part}") for part in ("From", "To"))
    return None if low is None else _number(low, name), None if high is None else _number(high, name)


def _session_ids(params: dict[str, Any], most: int) -> list[int]:
    value = params.get("sessionId")
    if value is None:
        raise RestError("100", "Could not find value for parameter {sessionId}")
    if not isinstance(value, list | dict):
        raise RestError(
            "100", "Invalid value {sessionId} to match with parameter {sessionId}. Should be value of type array."
        )
    unique = list(dict.fromkeys(to_int(item) for item in values(value)))
    if len(unique) > most:
        raise RestError("BATCH_LIMIT_EXCEEDED", f"No more than {most} sessions per call")
    return unique
