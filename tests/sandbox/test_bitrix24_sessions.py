# SPDX-License-Identifier: Apache-2.0
"""What operators do with sessions in the simulated Bitrix24: pin, join, start, intercept, rate, and their pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.bitrix24_client import PortalClient

SEVEN, EIGHT, TWELVE, SIXTEEN = (f"{user}/secretcode{user}" for user in (7, 8, 12, 16))
IGNORING = {"ignore": 1.0}
V2 = "imopenlines.v2."


def around_now() -> tuple[str, str]:
    now = datetime.now(UTC)
    return (now - timedelta(days=1)).isoformat(), (now + timedelta(days=1)).isoformat()


class TestAccessOfOperators:
    """The checks that ``session.*`` share; no chat has the id 0."""

    METHODS = ("session.join", "session.start", "session.mode.silent", "session.mode.pin", "message.session.start")

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        ("chat_id", "webhook", "code"),
        [("x", SEVEN, "CHAT_ID"), (9999, SEVEN, "CHAT_ID"), (2, SEVEN, "CHAT_TYPE"), (112, SIXTEEN, "ACCESS_DENIED")],
    )
    def test_no_chat_a_wrong_one_and_a_strangers(
        self, portal: PortalClient, method: str, chat_id: Any, webhook: str, code: str
    ) -> None:
        params = {"CHAT_ID": chat_id, "MESSAGE_ID": 1}
        assert portal.error(f"imopenlines.{method}", params, webhook=webhook) == (400, code)

    @pytest.mark.parametrize("method", METHODS)
    def test_keys_are_upper_case_only(self, portal: PortalClient, method: str) -> None:
        status, code = portal.error(f"imopenlines.{method}", {"chat_id": 112}, webhook=SEVEN)
        assert (status, code) == (400, "CHAT_ID_EMPTY" if method.endswith("pin") else "CHAT_ID")


class TestSessions:
    def test_a_chat_is_found_by_its_code_with_its_id_as_a_string(self, portal: PortalClient) -> None:
        code = portal.dialog(112)["entity_id"]
        assert portal.result("imopenlines.session.open", {"USER_CODE": code}, webhook=SEVEN) == {"chatId": "112"}
        strange = portal.error("imopenlines.session.open", {"USER_CODE": code}, webhook=SIXTEEN)
        assert strange == portal.error("imopenlines.session.open", {"USER_CODE": "a|b|c|d"}) == (400, "ACCESS_DENIED")

    def test_a_colleague_joins_beside_the_owner(self, portal: PortalClient) -> None:
        before = portal.chat(112)["messages"]
        for _ in range(2):
            assert portal.result("imopenlines.session.join", {"CHAT_ID": 112}, webhook=EIGHT) is True
        dialog = portal.dialog(112)
        assert (dialog["owner"], dialog["user_counter"]) == (7, 3)
        assert portal.chat(112)["messages"] == before + 1
        assert portal.changes() == []

    def test_a_session_starts_in_a_closed_chat_and_belongs_to_who_started_it(self, portal: PortalClient) -> None:
        assert portal.result("imopenlines.session.start", {"CHAT_ID": 138}, webhook=EIGHT) is True
        assert portal.dialog(138)["owner"] == 8
        assert portal.session_of(138) == 372
        assert portal.changes(138) == [("reopened", "queue:3"), ("accepted", "agent:8")]

    def test_sessions_in_an_open_chat_starting_is_joining(self, portal: PortalClient) -> None:
        portal.result("imopenlines.session.start", {"CHAT_ID": 112}, webhook=EIGHT)
        assert (portal.dialog(112)["owner"], portal.dialog(112)["user_counter"]) == (7, 3)
        assert portal.changes() == []

    def test_a_message_starts_the_next_session_and_ends_the_current(self, portal: PortalClient) -> None:
        message = portal.dialog(112)["last_id"]
        params = {"CHAT_ID": 112, "MESSAGE_ID": message}
        assert portal.result("imopenlines.message.session.start", params, webhook=EIGHT) is True
        assert portal.changes(112) == [("closed", None), ("reopened", "queue:3"), ("accepted", "agent:8")]
        assert portal.session_of(112) == 372

    def test_a_message_of_another_chat_starts_nothing(self, portal: PortalClient) -> None:
        params = {"CHAT_ID": 112, "MESSAGE_ID": 1}
        assert portal.result("imopenlines.message.session.start", params, webhook=EIGHT) is True
        assert portal.changes() == []

    def test_a_colleague_intercepts_what_somebody_owns(self, portal: PortalClient) -> None:
        assert portal.result("imopenlines.session.intercept", {"CHAT_ID": 112}, webhook=EIGHT) is True
        assert portal.dialog(112)["owner"] == 8
        assert portal.changes(112) == [("accepted", "agent:8")]

    @pytest.mark.parametrize(("chat_id", "webhook"), [(112, SEVEN), (133, EIGHT), (136, EIGHT), (138, EIGHT)])
    def test_own_waiting_and_closed_chats_are_not_intercepted_though_it_says_true(
        self, portal: PortalClient, chat_id: int, webhook: str
    ) -> None:
        assert portal.result("imopenlines.session.intercept", {"CHAT_ID": chat_id}, webhook=webhook) is True
        assert portal.changes() == []

    @pytest.mark.parametrize(
        ("chat_id", "code"), [("x", "CHAT_ID_EMPTY"), (9999, "OPERATOR_WRONG"), (112, "OPERATOR_WRONG")]
    )
    def test_interception_has_errors_of_its_own(self, portal: PortalClient, chat_id: Any, code: str) -> None:
        error = portal.error("imopenlines.session.intercept", {"CHAT_ID": chat_id}, webhook=SIXTEEN)
        assert error == (400, code)

    @pytest.mark.parametrize(("activate", "on"), [("Y", "Y"), ("N", "N"), (True, "N"), (None, "N")])
    def test_hidden_messages_need_a_capital_y(self, portal: PortalClient, activate: Any, on: str) -> None:
        params = {"CHAT_ID": 112, "ACTIVATE": activate}
        assert portal.result("imopenlines.session.mode.silent", params, webhook=SEVEN) is True
        assert portal.dialog(112)["entity_data_3"] == on

    @pytest.mark.parametrize("missing", ["CHAT_ID", "OPERATOR_ID", "MESSAGE_ID"])
    def test_a_further_dialogue_is_refused_by_its_parameters_or_in_silence(
        self, portal: PortalClient, missing: str
    ) -> None:
        params = {"CHAT_ID": 112, "OPERATOR_ID": 7, "MESSAGE_ID": 1}
        method = "imopenlines.bot.session.dialog.new"
        assert portal.result(method, params) is False
        assert portal.error(method, {**params, missing: None}) == (400, f"EMPTY_{missing}")


class TestPins:
    PIN, UNPIN = "imopenlines.session.mode.pin", "imopenlines.session.mode.unpin"

    def pause_field(self, portal: PortalClient, chat_id: int = 112) -> str:
        field: str = portal.dialog(chat_id)["entity_data_1"].split("|")[3]
        return field

    def test_pins_show_in_the_chat_and_in_the_reports(self, portal: PortalClient) -> None:
        assert portal.result(self.PIN, {"CHAT_ID": 112}, webhook=SEVEN) is True
        assert self.pause_field(portal) == "Y"
        assert [row["chatId"] for row in portal.result(f"{V2}Session.list", {"status": "paused"})["sessions"]] == [112]
        assert portal.result(self.UNPIN, {"CHAT_ID": 112}, webhook=SEVEN) is True
        assert self.pause_field(portal) == "N"

    @pytest.mark.parametrize(("activate", "field"), [("N", "N"), ("Y", "Y"), (None, "Y"), (False, "Y")])
    def test_pins_are_taken_out_by_the_letter_n_only(self, portal: PortalClient, activate: Any, field: str) -> None:
        portal.result(self.PIN, {"CHAT_ID": 112, "ACTIVATE": activate}, webhook=SEVEN)
        assert self.pause_field(portal) == field

    @pytest.mark.parametrize("chat_id", [None, 0, "", "0"])
    def test_pins_need_a_chat(self, portal: PortalClient, chat_id: Any) -> None:
        for method in (self.PIN, self.UNPIN):
            assert portal.error(method, {"CHAT_ID": chat_id}, webhook=SEVEN) == (400, "CHAT_ID_EMPTY")

    def test_pins_are_the_operators_and_anybody_elses_fail_without_a_code(self, portal: PortalClient) -> None:
        assert portal.error(self.PIN, {"CHAT_ID": 112}, webhook=EIGHT) == (400, "")
        assert self.pause_field(portal) == "N"

    def test_pins_are_no_change_of_who_has_the_chat(self, portal: PortalClient) -> None:
        before = portal.chat(112)["messages"]
        for _ in range(2):
            portal.result(self.PIN, {"CHAT_ID": 112}, webhook=SEVEN)
        assert portal.changes() == []
        assert portal.chat(112)["messages"] == before + 1

    def test_all_of_ones_own_that_are_answered_at_once(self, portal: PortalClient) -> None:
        portal.result(self.PIN, {"CHAT_ID": 112}, webhook=SEVEN)
        pinned = portal.result("imopenlines.session.mode.pinAll", webhook=SEVEN)
        assert len(pinned) == 13
        assert 343 not in pinned
        assert portal.result("imopenlines.session.mode.pinAll", webhook=SEVEN) == []
        assert sorted(portal.result("imopenlines.session.mode.unpinAll", webhook=SEVEN)) == sorted([*pinned, 343])
        assert self.pause_field(portal, 136) == "N"

    def test_pins_of_a_closed_chat_reopens_it_and_fails(self, portal: PortalClient) -> None:
        assert portal.error(self.PIN, {"CHAT_ID": 138}, webhook=SEVEN) == (400, "")
        assert portal.changes(138) == [("reopened", "queue:3")]

    def test_pins_end_with_the_session(self, portal: PortalClient) -> None:
        portal.result(self.PIN, {"CHAT_ID": 112}, webhook=SEVEN)
        portal.result("imopenlines.operator.finish", {"CHAT_ID": 112}, webhook=SEVEN)
        assert self.pause_field(portal) == "N"

    def test_taken_out_while_away_the_chat_goes_back_to_the_queue(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING, chats=[{"id": 112, "state": "waiting", "offered_to": 7}])
        portal.result("imopenlines.operator.answer", {"CHAT_ID": 112}, webhook=SEVEN)
        portal.result(self.PIN, {"CHAT_ID": 112}, webhook=SEVEN)
        portal.result("imopenlines.operator.pause.start", webhook=SEVEN)
        assert portal.dialog(112)["owner"] == 7
        portal.result(self.UNPIN, {"CHAT_ID": 112}, webhook=SEVEN)
        assert portal.dialog(112)["owner"] == 0


class TestHistory:
    METHOD = "imopenlines.session.history.get"

    def test_history_is_found_by_session_or_by_chat(self, portal: PortalClient) -> None:
        by_session = portal.result(self.METHOD, {"SESSION_ID": 343}, webhook=SEVEN)
        assert portal.result(self.METHOD, {"CHAT_ID": 112}, webhook=SEVEN) == by_session
        assert (by_session["chatId"], by_session["sessionId"], by_session["userId"]) == (112, 343, "chat112")
        assert by_session["chat"]["112"]["owner"] == "7"
        assert by_session["chat"]["112"]["entityData1"].split("|")[5] == "343"
        assert [message["text"] for message in by_session["message"].values()] != [""]

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "MISSING_REQUIRED_PARAM"),
            ({"session_id": 343}, "MISSING_REQUIRED_PARAM"),
            ({"CHAT_ID": 9999}, "INVALID_SESSION_ID"),
            ({"SESSION_ID": "x"}, "INVALID_SESSION_ID"),
            ({"SESSION_ID": 1}, "ACCESS_DENIED"),
            ({"SESSION_ID": 343}, "ACCESS_DENIED"),
        ],
    )
    def test_history_has_three_ways_to_fail(self, portal: PortalClient, params: Any, code: str) -> None:
        assert portal.error(self.METHOD, params, webhook=SIXTEEN) == (400, code)

    def test_history_tells_who_may_rate(self, portal: PortalClient) -> None:
        votes = [portal.result(self.METHOD, {"SESSION_ID": 343}, webhook=hook) for hook in ("1/secretcode", SEVEN)]
        assert [(vote["canVoteHead"], vote["canJoin"]) for vote in votes] == [("Y", "Y"), ("N", "Y")]


class TestHeadVote:
    METHOD = "imopenlines.session.head.vote"

    def shown(self, portal: PortalClient, webhook: str = "1/secretcode") -> tuple[Any, Any]:
        sessions = portal.result(f"{V2}Session.list", {"operatorId": 7}, webhook=webhook)["sessions"]
        session = next(each for each in sessions if each["id"] == 343)
        return session["voteHead"], session["commentHead"]

    def test_head_vote_is_seen_in_the_reports_by_those_who_may(self, portal: PortalClient) -> None:
        params = {"SESSION_ID": 343, "RATING": 5, "COMMENT": "Well <done>"}
        assert portal.result(self.METHOD, params) is True
        assert self.shown(portal) == (5, "Well &lt;done&gt;")
        assert self.shown(portal, SEVEN) == (None, None)
        rated = portal.result(f"{V2}Session.list", {"hasVoteHead": "Y"})["sessions"]
        assert [session["id"] for session in rated] == [343]

    def test_a_rating_that_is_none_takes_it_back(self, portal: PortalClient) -> None:
        portal.result(self.METHOD, {"SESSION_ID": 343, "RATING": 4})
        portal.result(self.METHOD, {"SESSION_ID": 343, "RATING": 6})
        assert self.shown(portal) == (None, None)

    def test_the_plan_may_not_have_it(self, portal: PortalClient) -> None:
        portal.reset(switches={"plan_has_vote_head": False})
        assert portal.error(self.METHOD, {"SESSION_ID": 343, "RATING": 5}) == (400, "ACCESS_DENIED")

    @pytest.mark.parametrize(
        ("params", "webhook", "code"),
        [
            ({"RATING": 5}, "1/secretcode", "EMPTY_SESSION_ID"),
            ({"SESSION_ID": 343}, "1/secretcode", "EMPTY_VOTE_PARAMS"),
            ({"SESSION_ID": 343, "RATING": 0, "COMMENT": " "}, "1/secretcode", "EMPTY_VOTE_PARAMS"),
            ({"SESSION_ID": 1, "RATING": 5}, "1/secretcode", "ACCESS_DENIED"),
            ({"SESSION_ID": 343, "RATING": 5}, SEVEN, "ACCESS_DENIED"),
        ],
    )
    def test_head_vote_is_refused(self, portal: PortalClient, params: Any, webhook: str, code: str) -> None:
        assert portal.error(self.METHOD, params, webhook=webhook) == (400, code)


class TestSoftPause:
    PAUSE = "imopenlines.operator.pause."

    def test_soft_pause_begins_and_ends_once(self, portal: PortalClient) -> None:
        answers = [
            portal.result(self.PAUSE + verb, webhook=EIGHT)
            for verb in ("get", "start", "start", "get", "stop", "stop", "get")
        ]
        assert answers == [False, True, False, True, True, False, False]

    def test_soft_pause_shows_wherever_presence_is_asked_for(self, portal: PortalClient) -> None:
        portal.result(f"{self.PAUSE}start", webhook=EIGHT)
        rows = portal.result(f"{V2}Operator.list", {"status": "pause"})["operators"]
        assert {row["userId"] for row in rows} == {8}
        assert portal.result("timeman.status", {"USER_ID": 8}, webhook=SEVEN)["STATUS"] == "PAUSED"

    def test_soft_pause_returns_what_was_not_answered_to_the_queue_and_keeps_the_rest(
        self, portal: PortalClient
    ) -> None:
        portal.reset(people=IGNORING)
        portal.result(f"{self.PAUSE}start", webhook=SEVEN)
        assert portal.chat(136)["offered_to"] not in ("7", None)
        assert portal.dialog(112)["owner"] == 7

    def test_everybodys_is_told_to_administrators_by_line(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7, "paused": True}, {"id": 12}, {"id": 16, "paused": True}])
        assert list(portal.result(f"{self.PAUSE}getAll")) == ["7", "16"]
        assert list(portal.result(f"{self.PAUSE}getAll", {"CONFIG_ID": 4})) == ["16"]
        assert portal.result(f"{self.PAUSE}getAll", {"CONFIG_ID": 99}) == []
        assert portal.error(f"{self.PAUSE}getAll", webhook=SEVEN) == (400, "ACCESS_DENIED")

    def test_the_past_ones_are_kept(self, portal: PortalClient) -> None:
        begin, end = around_now()
        portal.result(f"{self.PAUSE}start", webhook=EIGHT)
        portal.result(f"{self.PAUSE}stop", webhook=EIGHT)
        portal.result(f"{self.PAUSE}start", webhook=TWELVE)
        portal.skip(60)
        history = portal.result(f"{self.PAUSE}getHistory", {"DATE_START": begin[:10]})
        assert {user: [bool(pause["end"]) for pause in each["history"]] for user, each in history.items()} == {
            "8": [True],
            "12": [False],
        }
        only = {"DATE_START": begin[:10], "DATE_END": end[:10], "USER_ID": 8}
        assert list(portal.result(f"{self.PAUSE}getHistory", only)) == ["8"]

    @pytest.mark.parametrize(
        ("params", "webhook", "code"),
        [
            ({}, "1/secretcode", "DATE_START_EMPTY"),
            ({"DATE_START": "yesterday"}, "1/secretcode", "DATE_START_WRONG_FORMAT"),
            ({"DATE_START": "2026-02-30"}, "1/secretcode", "DATE_START_WRONG_FORMAT"),
            ({"DATE_START": "2026-11-01", "DATE_END": "11/21/2026"}, "1/secretcode", "DATE_END_WRONG_FORMAT"),
            ({"DATE_START": "2026-11-01"}, SEVEN, "ACCESS_DENIED"),
        ],
    )
    def test_the_past_ones_are_refused(self, portal: PortalClient, params: Any, webhook: str, code: str) -> None:
        assert portal.error(f"{self.PAUSE}getHistory", params, webhook=webhook) == (400, code)
