# SPDX-License-Identifier: Apache-2.0
"""The reports of the simulated Bitrix24, ``imopenlines.v2.*``: rows, filters, statistics and limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.bitrix24_client import PortalClient

SEVEN, EIGHT = (f"{user}/secretcode{user}" for user in (7, 8))
IGNORING = {"ignore": 1.0}
V2 = "imopenlines.v2."


def around_now() -> tuple[str, str]:
    now = datetime.now(UTC)
    return (now - timedelta(days=1)).isoformat(), (now + timedelta(days=1)).isoformat()


@contextmanager
def computer_in(time_zone: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TZ", time_zone)
        time.tzset()
        yield
    time.tzset()


class TestSessionReports:
    METHOD = f"{V2}Session.list"

    def listed(self, portal: PortalClient, **params: Any) -> list[int]:
        return [row["chatId"] for row in portal.result(self.METHOD, {"orderDirection": "asc", **params})["sessions"]]

    def test_a_row_has_the_documented_fields(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "state": "closed", "customer": 5001, "vote": "like"}])
        row = portal.result(self.METHOD)["sessions"][0]
        times = ("dateCreate", "dateClose", "dateFirstAnswer", "dateOperatorAnswer", "userCode", "waitClose")
        assert {key: value for key, value in row.items() if key not in times} == {
            "id": 332,
            "configId": 3,
            "source": row["source"],
            "operatorId": 7,
            "userId": 5001,
            "chatId": 112,
            "status": "closed",
            "closeReason": "operator",
            "vote": "like",
            "voteHead": None,
            "commentHead": None,
            "crmEntityType": "lead",
            "crmEntityId": 15001,
            "queueTransfers": 0,
            "waitAnswer": 30,
            "kpiFirstAnswer": None,
            "messageCount": row["messageCount"],
        }
        length = datetime.fromisoformat(row["dateClose"]) - datetime.fromisoformat(row["dateCreate"])
        assert row["waitClose"] == length.total_seconds()

    @pytest.mark.parametrize(
        ("params", "chats"),
        [
            ({"configId": 4}, [103]),
            ({"configId": 4, "configIdList": [3]}, [101, 102, 104]),
            ({"operatorIdList": [7, 8]}, [101, 102, 104]),
            ({"operatorId": "16"}, [103]),
            ({"status": "closed"}, [104]),
            ({"status": "paused"}, [102]),
            ({"closeReason": "operator"}, [104]),
            ({"closeReason": "client"}, []),
            ({"vote": "any"}, [103, 104]),
            ({"vote": "dislike"}, [103]),
            ({"vote": "none"}, [101, 102]),
            ({"hasCrm": "N"}, [103]),
            ({"hasCrm": 1}, [101, 102, 104]),
            ({"waitAnswerFrom": 30, "waitAnswerTo": 30}, [101, 102, 103, 104]),
            ({"waitAnswerFrom": 31}, []),
            ({"waitCloseFrom": 1}, [104]),
            ({"source": "telegram"}, []),
        ],
    )
    def test_filters_are_combined(self, portal: PortalClient, params: dict[str, Any], chats: list[int]) -> None:
        portal.reset(
            queues=[{"id": 3}, {"id": 4, "crm": False}],
            chats=[
                {"id": 101, "owner": 7},
                {"id": 102, "owner": 8, "pinned": True},
                {"id": 103, "owner": 16, "vote": "dislike"},
                {"id": 104, "owner": 7, "state": "closed", "vote": "like"},
            ],
        )
        assert sorted(self.listed(portal, **params)) == chats

    @pytest.mark.parametrize("order", ["dateClose", "waitAnswer", "waitClose"])
    @pytest.mark.parametrize("direction", ["asc", "desc"])
    def test_other_orders_need_a_full_period(self, portal: PortalClient, order: str, direction: str) -> None:
        portal.reset(people=IGNORING, chats=[{"id": 101 + index, "state": "waiting"} for index in range(5)])
        for number, verb in enumerate(("answer", "finish")):
            for chat_id in (103, 101, 104, 102)[number:]:
                portal.skip(30)
                portal.result(f"imopenlines.operator.{verb}", {"CHAT_ID": chat_id}, webhook=SEVEN)
        begin, end = around_now()
        by_creation = self.listed(portal)
        assert self.listed(portal, order=order) == by_creation
        assert self.listed(portal, order=order, dateCreateFrom=begin) == by_creation
        params = {"order": order, "orderDirection": direction, "dateCreateFrom": begin, "dateCreateTo": end}
        values = [row[order] for row in portal.result(self.METHOD, params)["sessions"]]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=direction == "desc")
        assert values.index(None) == (0 if direction == "asc" else len(known))

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"offset": -1}, "INVALID_FILTER"),
            ({"offset": "--1"}, "INVALID_FILTER"),
            ({"limit": "many"}, "INVALID_FILTER"),
            ({"configIdList": list(range(1001))}, "INVALID_FILTER"),
            ({"operatorId": "x"}, "INVALID_FILTER"),
            ({"vote": "love"}, "INVALID_FILTER"),
            ({"hasCrm": "yes"}, "INVALID_FILTER"),
            ({"kpiFirstAnswer": "Y"}, "INVALID_FILTER"),
            ({"kpiFirstAnswer": "Y", "dateCreateFrom": "2026-01-01T00:00:00+00:00"}, "INVALID_FILTER"),
            ({"dateCreateFrom": "tomorrow"}, "INVALID_FILTER"),
            ({"dateCloseFrom": "2026-02-01", "dateCloseTo": "2026-01-01"}, "INVALID_FILTER"),
            ({"dateCloseFrom": "2024-01-01", "dateCloseTo": "2026-01-01"}, "PERIOD_TOO_LARGE"),
            ({"offset": 10_001, "status": "open"}, "OFFSET_TOO_LARGE"),
        ],
    )
    def test_values_are_checked(self, portal: PortalClient, params: dict[str, Any], code: str) -> None:
        assert portal.error(self.METHOD, params) == (400, code)

    def test_a_date_without_an_offset_is_the_portals_wherever_it_runs(self, portal: PortalClient) -> None:
        in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat()
        with computer_in("Asia/Tokyo"):
            assert portal.result(self.METHOD, {"dateCreateFrom": in_an_hour})["sessions"] == []

    def test_a_thousand_values_are_allowed(self, portal: PortalClient) -> None:
        assert portal.result(self.METHOD, {"configIdList": list(range(1000)), "offset": 10_000})["sessions"] == []

    def test_the_kpi_can_be_asked_for_within_a_period(self, portal: PortalClient) -> None:
        begin, end = around_now()
        for name in ("dateCreate", "dateClose"):
            params = {"kpiFirstAnswer": "Y", f"{name}From": begin, f"{name}To": end}
            assert portal.result(self.METHOD, params)["sessions"] == []

    def test_a_batch_writes_lists_and_flags_as_text(self, portal: PortalClient) -> None:
        query = f"{self.METHOD}?operatorIdList[0]=7&operatorIdList[1]=8&hasCrm=1&limit=2&status=answered"
        page = portal.batch({"a": query})["result"]["a"]
        assert (len(page["sessions"]), page["hasNextPage"]) == (2, True)

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("imopenlines.bot.session.message.send", {"NAME": "DEFAULT", "MESSAGE": "x", "CLIENT_ID": "chattransfer"}),
            ("imopenlines.session.mode.silent", {"ACTIVATE": "Y"}),
            ("imopenlines.session.join", {}),
            ("imopenlines.session.intercept", {}),
            ("imopenlines.message.session.start", {"MESSAGE_ID": 86006}),
        ],
    )
    def test_messages_of_the_server_are_counted_at_once(
        self, portal: PortalClient, method: str, params: dict[str, Any]
    ) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "messages": 6}])
        portal.result(method, {"CHAT_ID": 112, **params}, webhook=EIGHT)
        count = portal.dialog(112)["message_count"]
        assert count > 6
        assert portal.result(self.METHOD, {"status": "answered"})["sessions"][0]["messageCount"] == count

    def test_the_lag_covers_the_answer_too(self, portal: PortalClient) -> None:
        chats = [{"id": 112, "state": "waiting", "offered_to": 7}]
        portal.reset(switches={"reports_lag": 60.0}, people=IGNORING, chats=chats)
        portal.result("imopenlines.operator.answer", {"CHAT_ID": 112}, webhook=SEVEN)
        assert portal.result(self.METHOD)["sessions"][0]["waitAnswer"] is None
        portal.skip(61)
        assert portal.result(self.METHOD)["sessions"][0]["waitAnswer"] > 0


class TestOperatorReports:
    METHOD = f"{V2}Operator.list"

    def test_a_row_is_an_operator_in_a_line(self, portal: PortalClient) -> None:
        rows = portal.result(self.METHOD, {"userId": 12})["operators"]
        assert [(row["configId"], row["activeSessions"], row["maxChat"]) for row in rows] == [
            (3, 3, 1000),
            (4, 0, 1000),
        ]
        assert {row["freeSlots"] for row in rows} == {997, 1000}

    def test_there_are_never_fewer_than_no_slots(self, portal: PortalClient) -> None:
        portal.reset(queues=[{"id": 3, "max_chat": 2}])
        rows = portal.result(self.METHOD, {"userIdList": [7], "hasFreeSlots": "N"})["operators"]
        assert [(row["activeSessions"], row["freeSlots"]) for row in rows] == [(16, 0)]

    @pytest.mark.parametrize(("status", "found"), [("online", {12}), ("offline", {7}), ("pause", {8})])
    def test_presence_is_one_of_three(self, portal: PortalClient, status: str, found: set[int]) -> None:
        portal.reset(operators=[{"id": 7, "present": False}, {"id": 8, "paused": True}, {"id": 12}], chats=0)
        rows = portal.result(self.METHOD, {"status": status, "configId": 3})["operators"]
        assert {row["userId"] for row in rows} == found

    def test_a_large_offset_matters_only_with_two_of_the_filters(self, portal: PortalClient) -> None:
        assert portal.result(self.METHOD, {"offset": 20_000}) == {"operators": [], "hasNextPage": False}
        for narrower in ({"status": "online"}, {"hasFreeSlots": False}):
            assert portal.error(self.METHOD, {"offset": 20_000, **narrower}) == (400, "OFFSET_TOO_LARGE")

    @pytest.mark.parametrize("params", [{"status": "busy"}, {"userIdList": 7}, {"hasFreeSlots": "some"}, {"limit": 0}])
    def test_values_are_checked(self, portal: PortalClient, params: dict[str, Any]) -> None:
        assert portal.error(self.METHOD, params) == (400, "INVALID_FILTER")


class TestFigures:
    SESSION, ALL, RATINGS = f"{V2}Session.Stat.get", f"{V2}Stat.get", f"{V2}Session.Rating.list"

    def test_figures_of_single_sessions_with_nulls_for_what_is_not_to_be_seen(self, portal: PortalClient) -> None:
        rows = portal.result(self.SESSION, {"sessionId": [343, 343, 99999]})["sessions"]
        assert [row["sessionId"] for row in rows] == [343, 99999]
        assert (rows[0]["waitAnswer"], rows[0]["vote"], rows[0]["transfersCount"]) == (30, "none", 0)
        assert rows[0]["messagesCount"] == rows[0]["messagesOperatorCount"] + rows[0]["messagesClientCount"]
        assert {value for key, value in rows[1].items() if key != "sessionId"} == {None}
        hidden = portal.result(self.SESSION, {"sessionId": [343]}, webhook=EIGHT)["sessions"][0]
        assert hidden == {**rows[1], "sessionId": 343}

    def test_figures_of_single_sessions_may_be_called_stats(self, portal: PortalClient) -> None:
        portal.reset(switches={"session_stat_key": "stats"})
        assert list(portal.result(self.SESSION, {"sessionId": [343]})) == ["stats"]

    @pytest.mark.parametrize(("method", "most"), [("Session.Stat.get", 100), ("Session.Transfer.list", 50)])
    def test_figures_of_so_many_different_sessions_at_most(self, portal: PortalClient, method: str, most: int) -> None:
        portal.result(V2 + method, {"sessionId": [*range(most), *range(most)]})
        assert portal.error(V2 + method, {"sessionId": list(range(most + 1))}) == (400, "BATCH_LIMIT_EXCEEDED")

    @pytest.mark.parametrize("method", ["Session.Stat.get", "Session.Transfer.list"])
    @pytest.mark.parametrize("value", [None, 343, "343"])
    @pytest.mark.parametrize("as_number", [False, True])
    def test_figures_without_an_array_the_code_is_a_hundred(
        self, portal: PortalClient, method: str, value: Any, as_number: bool
    ) -> None:
        portal.reset(switches={"error_100_as_number": as_number})
        expected: Any = 100 if as_number else "100"
        assert portal.error(V2 + method, {"sessionId": value}) == (400, expected)

    def test_figures_of_a_period(self, portal: PortalClient) -> None:
        chats: list[dict[str, Any]] = [
            {"id": 101, "owner": 7, "state": "closed", "vote": "like"},
            {"id": 102, "owner": 7, "vote": "dislike"},
            {"id": 103, "owner": 8, "vote": "like"},
            {"id": 104, "state": "waiting", "queue": 4},
        ]
        portal.reset(chats=chats)
        begin, end = around_now()
        period = {"dateFrom": begin, "dateTo": end}
        result = portal.result(self.ALL, period)
        counts = ("totalSessions", "closedSessions", "likeCount", "dislikeCount", "votedSessions")
        assert [result[name] for name in counts] == [4, 1, 2, 1, 3]
        assert (result["positiveRate"], result["avgWaitAnswer"]) == (0.6667, 30.0)
        assert sum(result["sessionsByHour"]) == sum(each["count"] for each in result["sessionsBySource"]) == 4
        assert len(result["sessionsByHour"]) == 24
        assert result["sessionsByOperator"] == [
            {"operatorId": 7, "count": 2, "avgWaitAnswer": 30.0, "positiveRate": 0.5},
            {"operatorId": 8, "count": 1, "avgWaitAnswer": 30.0, "positiveRate": 1.0},
        ]
        assert portal.result(self.ALL, {**period, "operatorId": 7})["totalSessions"] == 2
        assert portal.result(self.ALL, period, webhook=EIGHT)["totalSessions"] == 1

    def test_figures_of_an_empty_period_are_zeros(self, portal: PortalClient) -> None:
        result = portal.result(self.ALL, {"dateFrom": "2020-01-01", "dateTo": "2020-02-01"})
        assert {value for value in result.values() if not isinstance(value, list)} == {0}
        assert result["sessionsByHour"] == [0] * 24

    def test_ratings_are_those_of_customers(self, portal: PortalClient) -> None:
        chats: list[dict[str, Any]] = [
            {"id": 101, "owner": 7, "state": "closed", "vote": "like"},
            {"id": 102, "owner": 8, "vote": "dislike"},
            {"id": 103, "owner": 8},
        ]
        portal.reset(chats=chats)
        portal.result("imopenlines.session.head.vote", {"SESSION_ID": 333, "RATING": 2})
        begin, end = around_now()
        period = {"dateVoteFrom": begin, "dateVoteTo": end}
        rows = portal.result(self.RATINGS, period)["ratings"]
        assert sorted((row["sessionId"], row["vote"], row["voteHead"]) for row in rows) == [
            (332, "like", None),
            (333, "dislike", 2),
        ]
        for narrower, found in (
            ({"vote": "like"}, [332]),
            ({"operatorId": 8}, [333]),
            ({"hasVoteHead": False}, [332]),
            ({"configId": 4}, []),
        ):
            rows = portal.result(self.RATINGS, {**period, **narrower})["ratings"]
            assert [row["sessionId"] for row in rows] == found

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"To": None}, "PERIOD_REQUIRED"),
            ({"From": None}, "PERIOD_REQUIRED"),
            ({"From": "2020-01-01"}, "PERIOD_TOO_LARGE"),
            ({"From": "x"}, "INVALID_FILTER"),
        ],
    )
    @pytest.mark.parametrize(("method", "name"), [("Stat.get", "date"), ("Session.Rating.list", "dateVote")])
    def test_figures_of_no_period(self, portal: PortalClient, method: str, name: str, changed: Any, code: str) -> None:
        bounds = {"From": "2026-01-01", "To": "2026-02-01", **changed}
        assert portal.error(V2 + method, {name + end: value for end, value in bounds.items()}) == (400, code)

    def test_ratings_come_in_the_same_pages(self, portal: PortalClient) -> None:
        period = {"dateVoteFrom": "2026-01-01", "dateVoteTo": "2026-02-01"}
        assert portal.error(self.RATINGS, {**period, "vote": "none"}) == (400, "INVALID_FILTER")
        assert portal.error(self.RATINGS, {**period, "offset": 10_001}) == (400, "OFFSET_TOO_LARGE")

    @pytest.mark.parametrize(
        "method",
        [
            "Session.list",
            "Operator.list",
            "Session.Transfer.list",
            "Session.Stat.get",
            "Stat.get",
            "Session.Rating.list",
        ],
    )
    def test_plan_and_rights_come_before_parameters(self, portal: PortalClient, method: str) -> None:
        portal.reset(switches={"plan_has_reports": False})
        assert portal.error(V2 + method, {"limit": 0}) == (400, "TARIFF_RESTRICTION")
        portal.reset(switches={"reports_denied": True})
        assert portal.error(V2 + method, {"limit": 0}, webhook=SEVEN) == (400, "ACCESS_DENIED")
        portal.reset(switches={"v2_methods": False})
        assert portal.error(V2 + method) == (404, "ERROR_METHOD_NOT_FOUND")
