# SPDX-License-Identifier: Apache-2.0
"""The statistics of ``imopenlines.v2.*``: of single sessions, and of all within a period.

Documented at https://apidocs.bitrix24.com (open channels: statistics).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .registry import MethodCall, method
from .report_access import check_access, is_visible, snapshot_in_reports, visible_session
from .report_filters import Row, between, ids, one_of, period, session_ids, texts
from .reports import session_row

MAX_STATISTICS_SESSIONS = 100
METRICS = (
    "waitAnswer",
    "waitClose",
    "messagesCount",
    "messagesOperatorCount",
    "messagesClientCount",
    "transfersCount",
    "kpiFirstAnswer",
    "vote",
    "voteHead",
)


@method("imopenlines.v2.Session.Stat.get", scope="imopenlines")
def session_statistics(call: MethodCall) -> dict[str, Any]:
    """Return the statistics of up to 100 sessions; nulls for one that does not exist or is hidden from the caller.

    The sandbox does not store who wrote which message; it counts half of them as the operator's and the rest as the
    customer's.
    """
    check_access(call)
    switches = call.data.switches
    wanted = session_ids(call.params, most=MAX_STATISTICS_SESSIONS, as_number=switches.error_100_as_number)
    return {switches.session_stat_key.value: [_statistics(call, session_id) for session_id in wanted]}


@method("imopenlines.v2.Stat.get", scope="imopenlines")
def statistics(call: MethodCall) -> dict[str, Any]:
    """Return the statistics of all sessions created within a period; zeros if there are none."""
    check_access(call)
    conditions = [
        between("dateCreate", period(call.params, "date", required=True)),
        one_of("configId", ids(call.params, "configId")),
        one_of("source", texts(call.params, "source")),
        one_of("operatorId", ids(call.params, "operatorId")),
    ]
    rows = [
        session_row(call, session, snapshot)
        for session in call.data.sessions.values()
        if (snapshot := snapshot_in_reports(call, session)) and is_visible(call, snapshot.operator)
    ]
    return _summary([row for row in rows if all(condition(row) for condition in conditions)])


def _statistics(call: MethodCall, session_id: int) -> Row:
    found = visible_session(call, session_id)
    if found is None:
        return {"sessionId": session_id, **dict.fromkeys(METRICS)}
    row = session_row(call, *found)
    return {
        "sessionId": session_id,
        "waitAnswer": row["waitAnswer"],
        "waitClose": row["waitClose"],
        "messagesCount": row["messageCount"],
        "messagesOperatorCount": row["messageCount"] // 2,
        "messagesClientCount": row["messageCount"] - row["messageCount"] // 2,
        "transfersCount": row["queueTransfers"],
        "kpiFirstAnswer": row["kpiFirstAnswer"],
        "vote": row["vote"],
        "voteHead": row["voteHead"],
    }


def _summary(rows: list[Row]) -> dict[str, Any]:
    hours = Counter(datetime.fromisoformat(row["dateCreate"]).hour for row in rows)
    sources = Counter(row["source"] for row in rows)
    likes, dislikes = (sum(row["vote"] == vote for row in rows) for vote in ("like", "dislike"))
    return {
        "totalSessions": len(rows),
        "closedSessions": sum(row["status"] == "closed" for row in rows),
        "spamSessions": sum(row["status"] == "spam" for row in rows),
        "avgWaitAnswer": _mean(row["waitAnswer"] for row in rows),
        "avgSessionDuration": _mean(row["waitClose"] for row in rows),
        "likeCount": likes,
        "dislikeCount": dislikes,
        "votedSessions": likes + dislikes,
        "positiveRate": _positive(rows),
        "kpiFirstAnswerOk": 0,
        "kpiFirstAnswerFail": 0,
        "sessionsBySource": [{"source": source, "count": count} for source, count in sorted(sources.items())],
        "sessionsByHour": [hours[hour] for hour in range(24)],
        "sessionsByOperator": [
            {
                "operatorId": operator,
                "count": len(mine),
                "avgWaitAnswer": _mean(row["waitAnswer"] for row in mine),
                "positiveRate": _positive(mine),
            }
            for operator in sorted({row["operatorId"] for row in rows if row["operatorId"]})
            if (mine := [row for row in rows if row["operatorId"] == operator])
        ],
    }


def _mean(numbers: Iterable[int | None]) -> float:
    known = [number for number in numbers if number is not None]
    return round(sum(known) / len(known), 1) if known else 0


def _positive(rows: list[Row]) -> float:
    votes = [row["vote"] for row in rows if row["vote"] != "none"]
    return round(votes.count("like") / len(votes), 4) if votes else 0
