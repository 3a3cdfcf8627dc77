# SPDX-License-Identifier: Apache-2.0
"""What a transfer does to a chat in the simulated Bitrix24, and who accepts it afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.bitrix24_client import DIALOG, TRANSFER, PortalClient

BOT = {"CLIENT_ID": "chattransfer"}
PROMPT = {"accept_after": [1, 2]}
IGNORING = {"ignore": 1.0}


def initiators(portal: PortalClient, session: int) -> list[int]:
    """Return who requested the transfers of a session, by the server's own log."""
    rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [session]})["transfers"]
    return [row["initiatorId"] for row in rows if row["mode"] == "BOT"]


def status_of(portal: PortalClient, chat_id: int) -> str:
    """Return the status of a chat in the reports."""
    sessions = portal.result("imopenlines.v2.Session.list", {"limit": 200})["sessions"]
    return next(str(session["status"]) for session in sessions if session["chatId"] == chat_id)


class TestParameters:
    @pytest.mark.parametrize("chat_id", [None, 0, -1, "abc", "chat112", ""])
    def test_a_chat_id_that_is_no_positive_number_is_empty(self, portal: PortalClient, chat_id: Any) -> None:
        assert portal.error(TRANSFER, {"CHAT_ID": chat_id, "USER_ID": 12, **BOT}) == (400, "CHAT_ID_EMPTY")

    def test_a_number_with_a_tail_is_the_number(self, portal: PortalClient) -> None:
        assert portal.result(TRANSFER, {"CHAT_ID": "112abc", "USER_ID": "12x", **BOT}) is True
        assert portal.dialog(112)["owner"] == 12

    def test_lower_case_keys_are_not_seen_except_client_id(self, portal: PortalClient) -> None:
        assert portal.error(TRANSFER, {"chat_id": 112, "USER_ID": 12, **BOT}) == (400, "CHAT_ID_EMPTY")
        assert portal.error(TRANSFER, {"CHAT_ID": 112, "user_id": 12, **BOT}) == (400, "TRANSFER_ID_EMPTY")
        assert portal.result(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, "client_id": "chattransfer"}) is True

    @pytest.mark.parametrize(
        ("destination", "code"),
        [
            ({}, "TRANSFER_ID_EMPTY"),
            ({"USER_ID": 0}, "USER_ID_EMPTY"),
            ({"USER_ID": "queue"}, "USER_ID_EMPTY"),
            ({"QUEUE_ID": "x"}, "QUEUE_ID_EMPTY"),
            ({"TRANSFER_ID": "queue"}, "QUEUE_ID_EMPTY"),
            ({"TRANSFER_ID": ""}, "USER_ID_EMPTY"),
            ({"TRANSFER_ID": "Queue3"}, "USER_ID_EMPTY"),
            ({"USER_ID": None, "QUEUE_ID": None}, "TRANSFER_ID_EMPTY"),
        ],
    )
    def test_a_destination_that_is_none(self, portal: PortalClient, destination: Any, code: str) -> None:
        assert portal.error(TRANSFER, {"CHAT_ID": 112, **BOT, **destination}) == (400, code)

    @pytest.mark.parametrize(
        ("destination", "by_source", "by_docs"),
        [
            ({"USER_ID": 12, "QUEUE_ID": 4}, "agent:12", "agent:12"),
            ({"USER_ID": 12, "TRANSFER_ID": 15}, "agent:15", "agent:12"),
            ({"USER_ID": 12, "TRANSFER_ID": "queue4"}, "agent:12", "agent:12"),
            ({"QUEUE_ID": 3, "TRANSFER_ID": "queue4"}, "queue:4", "queue:3"),
            ({"QUEUE_ID": 3, "TRANSFER_ID": 15}, "agent:15", "queue:3"),
            ({"USER_ID": None, "QUEUE_ID": 4}, "queue:4", "queue:4"),
        ],
    )
    @pytest.mark.parametrize("precedence", ["source", "docs"])
    def test_parameters_which_of_several_destinations_wins(
        self, portal: PortalClient, destination: Any, by_source: str, by_docs: str, precedence: str
    ) -> None:
        portal.reset(switches={"precedence": precedence})
        portal.transfer(112, **destination)
        assert portal.changes(112)[0] == ("transferred", by_source if precedence == "source" else by_docs)

    def test_there_is_no_bot_id(self, portal: PortalClient) -> None:
        portal.transfer(112, USER_ID=12, BOT_ID=81)
        assert initiators(portal, 343) == [80]

    def test_a_queue_is_a_line_and_not_one_of_its_users(self, portal: PortalClient) -> None:
        assert portal.transfer(112, QUEUE_ID=7).json()["error"] == "OPERATOR_WRONG"
        assert portal.transfer(112, QUEUE_ID=4).json()["result"] is True

    @pytest.mark.parametrize("key", ["CLIENT_ID", "client_id", "Client_Id"])
    def test_client_id_is_read_in_any_case(self, portal: PortalClient, key: str) -> None:
        assert portal.result(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, key: "chattransfer"}) is True

    @pytest.mark.parametrize(
        ("client_id", "refusal"),
        [
            (None, (403, "ACCESS_DENIED")),
            ("", (403, "ACCESS_DENIED")),
            (0, (400, "BOT_ID_ERROR")),
            ("Chattransfer", (400, "BOT_ID_ERROR")),
            ("customchattransfer", (400, "BOT_ID_ERROR")),
        ],
    )
    def test_a_client_id_that_names_no_bot(self, portal: PortalClient, client_id: Any, refusal: Any) -> None:
        assert portal.error(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, "CLIENT_ID": client_id}) == refusal

    @pytest.mark.parametrize("key", ["CHAT_ID", "USER_ID", "QUEUE_ID", "TRANSFER_ID", "LEAVE", "CLIENT_ID"])
    @pytest.mark.parametrize("value", ["[]", "{}", "[[7]]", '{"a": {"b": 1}}', "1e400", "-1.5", "9" * 40, '"\\u0000"'])
    def test_values_of_any_kind_are_taken_somehow(self, portal: PortalClient, key: str, value: str) -> None:
        others = {"CHAT_ID": "112", "USER_ID": "12", "CLIENT_ID": '"chattransfer"'}
        body = ",".join(f'"{name}":{text}' for name, text in {**others, key: value}.items())
        headers = {"Content-Type": "application/json"}
        reply = portal.post(f"1/secretcode/{TRANSFER}", data=f"{{{body}}}", headers=headers)
        assert reply.status_code in (200, 400, 403)
        assert {"result", "error"} & set(reply.json())

    @pytest.mark.parametrize(
        ("params", "refusal"),
        [
            ({}, ("CHAT_ID_EMPTY", "Chat ID can't be empty")),
            ({"CHAT_ID": 112, "USER_ID": 0}, ("USER_ID_EMPTY", "User ID can't be empty")),
            ({"CHAT_ID": 112, "QUEUE_ID": 0}, ("QUEUE_ID_EMPTY", "QUEUE ID can't be empty")),
            ({"CHAT_ID": 112}, ("TRANSFER_ID_EMPTY", "Queue ID or User ID can't be empty")),
            ({"CHAT_ID": 112, "USER_ID": 12}, ("ACCESS_DENIED", "Access denied! Client ID not specified.")),
            ({"CHAT_ID": 112, "USER_ID": 12, "CLIENT_ID": "x"}, ("BOT_ID_ERROR", "Bot not found")),
            ({"CHAT_ID": 112, "USER_ID": 90, **BOT}, ("OPERATOR_WRONG", "You can not redirect to this operator")),
        ],
    )
    def test_refusals_are_worded_as_in_the_source(self, portal: PortalClient, params: Any, refusal: Any) -> None:
        body = portal.call(TRANSFER, params).json()
        assert (body["error"], body["error_description"]) == refusal

    def test_checks_come_in_the_order_of_the_server(self, portal: PortalClient) -> None:
        browser = {"Cookie": "PHPSESSID=session7", "X-Bitrix-Csrf-Token": "sessid7"}
        assert portal.post(TRANSFER, headers=browser).json()["error"] == "WRONG_AUTH_TYPE"
        assert portal.error(TRANSFER, {"USER_ID": 0})[1] == "CHAT_ID_EMPTY"
        assert portal.error(TRANSFER, {"CHAT_ID": 112, "USER_ID": 0, "QUEUE_ID": 0})[1] == "USER_ID_EMPTY"
        assert portal.error(TRANSFER, {"CHAT_ID": 112, "QUEUE_ID": 0})[1] == "QUEUE_ID_EMPTY"
        assert portal.error(TRANSFER, {"CHAT_ID": 112})[1] == "TRANSFER_ID_EMPTY"
        assert portal.error(TRANSFER, {"CHAT_ID": 9999, "USER_ID": 90}) == (403, "ACCESS_DENIED")
        wrong_bot = {"CHAT_ID": 9999, "USER_ID": 90, "CLIENT_ID": "nobody"}
        assert portal.error(TRANSFER, wrong_bot) == (400, "BOT_ID_ERROR")
        assert portal.error(TRANSFER, {"CHAT_ID": 9999, "USER_ID": 90, **BOT}) == (400, "OPERATOR_WRONG")

    @pytest.mark.parametrize("bots", [[{"client_id": "chattransfer", "id": 80}], []])
    def test_older_servers_take_a_bot_of_the_portals_own_for_any_webhook(self, portal: PortalClient, bots: Any) -> None:
        portal.reset(bots=bots, switches={"client_id_required": False})
        assert portal.result(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12}) is True
        assert portal.result(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, **BOT}) is True
        first, second = initiators(portal, 343)
        assert first == second
        assert first not in (80, 81)


class TestWhoMayTransfer:
    def test_any_webhook_any_chat(self, portal: PortalClient) -> None:
        assert portal.error(DIALOG, {"CHAT_ID": 112}, webhook="16/secretcode16") == (400, "ACCESS_ERROR")
        params = {"CHAT_ID": 112, "USER_ID": 12, **BOT}
        assert portal.result(TRANSFER, params, webhook="16/secretcode16") is True

    def test_the_scope_of_the_open_lines_is_enough(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "lines", "scopes": ["imopenlines"]}])
        params = {"CHAT_ID": 112, "USER_ID": 12, **BOT}
        assert portal.result(TRANSFER, params, webhook="1/lines") is True
        portal.reset(webhooks=[{"user": 1, "code": "bots", "scopes": ["imbot"]}])
        assert portal.error(TRANSFER, params, webhook="1/bots") == (401, "insufficient_scope")

    def test_the_bot_need_not_be_in_the_chat(self, portal: PortalClient) -> None:
        assert 80 not in portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="7/secretcode7")
        assert portal.transfer(112, USER_ID=12).json()["result"] is True

    def test_an_app_transfers_as_the_first_of_its_bots(self, portal: PortalClient) -> None:
        app = {"client_id": "local.app", "access_token": "token"}
        portal.reset(apps=[app], bots=[{"app_id": "local.app", "id": 83}, {"app_id": "local.app", "id": 82}])
        portal.post(TRANSFER, json={"CHAT_ID": 112, "USER_ID": 12, "auth": "token"})
        assert initiators(portal, 343) == [83]

    def test_an_app_without_a_bot_cannot(self, portal: PortalClient) -> None:
        portal.reset(apps=[{"client_id": "local.app", "access_token": "token"}])
        reply = portal.post(TRANSFER, json={"CHAT_ID": 112, "USER_ID": 12, "auth": "token", **BOT})
        assert (reply.status_code, reply.json()["error"]) == (400, "BOT_ID_ERROR")


class TestRefusals:
    @pytest.mark.parametrize(
        ("chat_id", "destination"),
        [
            (9999, {"USER_ID": 12}),
            (2, {"USER_ID": 12}),
            (112, {"USER_ID": 90}),
            (112, {"USER_ID": 4711}),
            (112, {"USER_ID": 80}),
            (112, {"USER_ID": 91}),
            (112, {"USER_ID": 5001}),
            (112, {"QUEUE_ID": 99}),
        ],
        ids=["no chat", "internal chat", "fired", "unknown", "bot", "extranet", "customer", "no line"],
    )
    def test_one_code_for_all_and_nothing_happens(self, portal: PortalClient, chat_id: int, destination: Any) -> None:
        reply = portal.transfer(chat_id, **destination)
        assert (reply.status_code, reply.json()["error"]) == (400, "OPERATOR_WRONG")
        assert portal.changes() == []
        assert portal.chat(112)["transfers"] == 0

    def test_a_session_that_cannot_be_loaded(self, portal: PortalClient) -> None:
        queues = [{"id": 3}, {"id": 5, "members": [7], "deleted": True}]
        chats = [{"id": 112, "owner": 7, "broken": True}, {"id": 113, "owner": 7, "queue": 5}]
        portal.reset(queues=queues, chats=chats)
        assert portal.transfer(112, USER_ID=12).json()["error"] == "OPERATOR_WRONG"
        assert portal.transfer(113, USER_ID=12).json()["error"] == "OPERATOR_WRONG"

    def test_a_locked_chat_can_be_transferred_later(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "locked_for": 60}])
        assert portal.transfer(112, USER_ID=12).json()["error"] == "OPERATOR_WRONG"
        assert portal.changes() == []
        portal.skip(61)
        assert portal.transfer(112, USER_ID=12).json()["result"] is True

    def test_a_lock_left_behind_holds_other_requests_but_not_the_same_batch(self, portal: PortalClient) -> None:
        portal.reset(switches={"lock_seconds": 60})
        one = f"{TRANSFER}?CHAT_ID=112&USER_ID=12&CLIENT_ID=chattransfer"
        assert portal.batch({"a": one, "b": one})["result"] == {"a": True, "b": True}
        assert portal.transfer(112, USER_ID=12).json()["error"] == "OPERATOR_WRONG"
        assert portal.chat(112)["transfers"] == 2
        portal.skip(61)
        assert portal.transfer(112, USER_ID=12).json()["result"] is True

    @pytest.mark.parametrize("operator", [{"present": False}, {"paused": True}])
    def test_absence_is_no_reason(self, portal: PortalClient, operator: Any) -> None:
        portal.reset(operators=[{"id": 7}, {"id": 12, **operator}], chats=[{"id": 112, "owner": 7}])
        assert portal.transfer(112, USER_ID=12).json()["result"] is True
        assert portal.dialog(112)["owner"] == 12

    def test_neither_is_being_in_another_queue(self, portal: PortalClient) -> None:
        assert portal.transfer(112, USER_ID=16).json()["result"] is True

    def test_neither_is_having_all_slots_taken(self, portal: PortalClient) -> None:
        portal.reset(queues=[{"id": 3, "max_chat": 1}], chats=[{"id": 111, "owner": 12}, {"id": 112, "owner": 7}])
        assert portal.transfer(112, USER_ID=12).json()["result"] is True
        assert portal.dialog(112)["owner"] == 12

    def test_neither_is_owning_the_chat(self, portal: PortalClient) -> None:
        before = portal.dialog(112)["message_count"]
        assert portal.transfer(112, USER_ID=7).json()["result"] is True
        assert portal.changes(112) == [("transferred", "agent:7"), ("accepted", "agent:7")]
        assert portal.dialog(112)["message_count"] == before + 1

    def test_old_portals_call_it_wrong_chat(self, portal: PortalClient) -> None:
        portal.reset(switches={"wrong_target": "WRONG_CHAT"})
        assert portal.transfer(112, USER_ID=90).json()["error"] == "WRONG_CHAT"


class TestToUser:
    def test_the_target_owns_the_chat_at_once(self, portal: PortalClient) -> None:
        portal.transfer(112, USER_ID=12)
        assert portal.dialog(112)["owner"] == 12
        assert portal.changes(112) == [("transferred", "agent:12"), ("accepted", "agent:12")]

    def test_a_repeat_is_neither_refused_nor_harmless(self, portal: PortalClient) -> None:
        before = portal.chat(112)["messages"]
        for _ in range(2):
            assert portal.transfer(112, USER_ID=12).json()["result"] is True
        assert portal.chat(112)["transfers"] == 2
        assert portal.chat(112)["messages"] == portal.dialog(112)["message_count"] == before + 2
        assert portal.changes(112) == [("transferred", "agent:12"), ("accepted", "agent:12")] * 2
        rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [343]})["transfers"]
        assert [(row["mode"], row["toOperatorId"]) for row in rows] == [("AUTO", 7), ("BOT", 12), ("BOT", 12)]

    def test_the_owner_drops_out_and_comes_back(self, portal: PortalClient) -> None:
        portal.transfer(112, USER_ID=12)
        portal.transfer(112, USER_ID=12)
        changes = portal.http.get(f"{portal.sandbox.url}/sandbox/ledger").json()["changes"]
        assert [(change["change"], change["before"], change["after"]) for change in changes[2:]] == [
            ("transferred", "agent:12", "agent:12"),
            ("accepted", "queue:3", "agent:12"),
        ]

    def test_those_who_were_in_the_chat_are_out_and_the_customer_stays(self, portal: PortalClient) -> None:
        portal.transfer(112, USER_ID=12)
        assert portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="12/secretcode12") == [12, 5012]

    def test_a_chat_that_waits_is_answered_by_it(self, portal: PortalClient) -> None:
        assert status_of(portal, 133) == "new"
        portal.transfer(133, USER_ID=12)
        assert (status_of(portal, 133), portal.dialog(133)["owner"]) == ("answered", 12)

    @pytest.mark.parametrize(
        ("leave", "stays"),
        [
            ("Y", False),
            (True, False),
            *((no, True) for no in ("N", "y", "1", 1, "True", "true", "yes", False, None, ["Y"])),
        ],
    )
    def test_to_user_leave_takes_the_bot_out(self, portal: PortalClient, leave: Any, stays: bool) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}])
        portal.transfer(112, USER_ID=12, LEAVE=leave)
        members = portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="12/secretcode12")
        assert (80 in members) is stays
        assert 7 not in members

    def test_a_closed_chat_comes_back_to_life_with_a_new_session(self, portal: PortalClient) -> None:
        assert portal.session_of(138) == 0
        portal.transfer(138, USER_ID=12)
        assert portal.session_of(138) == 372
        assert portal.dialog(138)["owner"] == 12
        assert [change for change, _ in portal.changes(138)] == ["reopened", "transferred", "accepted"]

    @pytest.mark.parametrize("reopens", [True, False])
    def test_even_a_refused_transfer_may_reopen_it(self, portal: PortalClient, reopens: bool) -> None:
        portal.reset(switches={"refused_transfer_reopens": reopens})
        assert portal.transfer(138, USER_ID=90).json()["error"] == "OPERATOR_WRONG"
        assert (portal.session_of(138) != 0) is reopens
        assert portal.changes(138) == ([("reopened", "queue:3")] if reopens else [])

    def test_true_is_answered_even_when_the_answer_was_locked(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "state": "waiting", "answer_locked_for": 60}])
        assert portal.transfer(112, USER_ID=12).json()["result"] is True
        assert (portal.dialog(112)["owner"], status_of(portal, 112)) == (0, "answered")

    def test_to_user_in_an_inactive_line_the_owner_is_set_directly(self, portal: PortalClient) -> None:
        portal.reset(queues=[{"id": 3, "active": False}], chats=[{"id": 112, "owner": 7, "answer_locked_for": 60}])
        portal.transfer(112, USER_ID=12)
        assert portal.dialog(112)["owner"] == 12


class TestPendingAcceptance:
    def reset(self, portal: PortalClient, people: Any) -> None:
        portal.reset(switches={"accept_mode": "pending"}, people=people)

    def test_the_target_is_asked_and_accepts_after_a_while(self, portal: PortalClient) -> None:
        self.reset(portal, PROMPT)
        portal.transfer(112, USER_ID=12)
        assert portal.dialog(112)["owner"] == 0
        assert portal.chat(112)["offered_to"] == "12"
        portal.skip(3)
        assert portal.dialog(112)["owner"] == 12
        assert portal.changes(112) == [("transferred", "agent:12"), ("offered", "agent:12"), ("accepted", "agent:12")]

    def test_one_who_ignores_it_lets_it_wait_for_ever(self, portal: PortalClient) -> None:
        self.reset(portal, IGNORING)
        portal.transfer(112, USER_ID=12)
        portal.skip(86400)
        assert portal.dialog(112)["owner"] == 0

    def test_one_who_rejects_it_sends_it_to_the_next_who_was_not_asked_yet(self, portal: PortalClient) -> None:
        self.reset(portal, {**PROMPT, "agents": {"12": {"reject": 1.0}}})
        portal.transfer(112, USER_ID=12)
        portal.skip(5)
        assert portal.changes(112) == [
            ("transferred", "agent:12"),
            ("offered", "agent:12"),
            ("rejected", "queue:3"),
            ("offered", "agent:8"),
            ("accepted", "agent:8"),
        ]

    def test_an_overtaken_offer_is_not_accepted(self, portal: PortalClient) -> None:
        self.reset(portal, PROMPT)
        portal.transfer(112, USER_ID=12)
        portal.transfer(112, USER_ID=15)
        portal.skip(5)
        assert portal.dialog(112)["owner"] == 15
        assert portal.changes(112).count(("accepted", "agent:12")) == 0


class TestToQueue:
    def test_the_next_operator_is_asked_and_nobody_owns_it(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING)
        portal.transfer(112, QUEUE_ID=4)
        dialog = portal.dialog(112)
        assert dialog["owner"] == 0
        assert dialog["entity_data_1"].split("|")[7] == "4"
        assert dialog["entity_id"].split("|")[1] == "3"
        assert portal.chat(112)["offered_to"] == "16"
        assert portal.chat(112)["state"] == "waiting"

    def test_its_own_queue_may_hand_it_back_to_the_one_it_was_taken_from(self, portal: PortalClient) -> None:
        portal.reset(people=PROMPT)
        portal.transfer(112, QUEUE_ID=3)
        portal.skip(3)
        assert portal.changes(112) == [("transferred", "queue:3"), ("offered", "agent:7"), ("accepted", "agent:7")]

    def test_chats_are_spread_evenly(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING)
        for chat_id in (101, 102, 103):
            portal.transfer(chat_id, QUEUE_ID=4)
        assert [portal.chat(chat_id)["offered_to"] for chat_id in (101, 102, 103)] == ["16", "12", "16"]

    def test_one_who_is_away_is_passed_over(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7}, {"id": 12}, {"id": 16, "present": False}], people=PROMPT)
        portal.transfer(101, QUEUE_ID=4)
        portal.skip(3)
        assert portal.dialog(101)["owner"] == 12

    def test_to_queue_with_nobody_there_it_is_true_and_waits_undistributed(self, portal: PortalClient) -> None:
        operators = [{"id": 7}, {"id": 12, "paused": True}, {"id": 16, "present": False}]
        portal.reset(operators=operators, people=PROMPT)
        assert portal.transfer(101, QUEUE_ID=4).json()["result"] is True
        portal.skip(60)
        chat = portal.chat(101)
        assert (chat["state"], chat["offered_to"], chat["queue"]) == ("waiting", None, "4")
        assert portal.changes(101) == [("transferred", "queue:4"), ("queued", "queue:4")]

    def test_rejections_go_round_until_nobody_is_left(self, portal: PortalClient) -> None:
        portal.reset(people={"accept_after": [1, 1], "reject": 1.0})
        portal.transfer(101, QUEUE_ID=4)
        portal.skip(10)
        assert portal.changes(101) == [
            ("transferred", "queue:4"),
            ("offered", "agent:16"),
            ("rejected", "queue:4"),
            ("offered", "agent:12"),
            ("rejected", "queue:4"),
            ("queued", "queue:4"),
        ]

    def test_an_operator_without_a_free_slot_is_passed_over(self, portal: PortalClient) -> None:
        queues = [{"id": 3}, {"id": 4, "members": [16, 12], "max_chat": 1}]
        portal.reset(queues=queues, chats=[{"id": 101, "owner": 7}, {"id": 102, "owner": 16}])
        portal.transfer(101, QUEUE_ID=4)
        assert portal.chat(101)["offered_to"] == "12"

    def test_a_chat_that_was_answered_is_new_again(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING)
        assert status_of(portal, 112) == "answered"
        portal.transfer(112, QUEUE_ID=3)
        assert status_of(portal, 112) == "new"

    def test_the_log_has_a_row_for_the_queue_and_one_for_whom_it_asks(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING)
        portal.transfer(112, TRANSFER_ID="queue4")
        rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [343]})["transfers"]
        assert [(row["mode"], row["type"], row["toOperatorId"], row["toConfigId"]) for row in rows[1:]] == [
            ("BOT", "QUEUE", None, 4),
            ("AUTO", "USER", 16, None),
        ]

    def test_all_but_the_customer_and_the_bot_that_asks_are_out(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}], people=IGNORING)
        portal.transfer(112, QUEUE_ID=4)
        assert portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="16/secretcode16") == [16, 80, 5001]

    def test_a_closed_chat_is_opened_and_distributed(self, portal: PortalClient) -> None:
        portal.reset(people=PROMPT)
        portal.transfer(138, QUEUE_ID=4)
        portal.skip(3)
        assert (portal.session_of(138), portal.dialog(138)["owner"]) == (372, 16)
        assert [change for change, _ in portal.changes(138)] == ["reopened", "transferred", "offered", "accepted"]

    def test_acceptance_is_pending_however_servers_treat_users(self, portal: PortalClient) -> None:
        for mode in ("auto", "pending"):
            portal.reset(people=IGNORING, switches={"accept_mode": mode})
            portal.transfer(112, QUEUE_ID=4)
            assert portal.dialog(112)["owner"] == 0

    def test_a_repeat_pulls_it_from_the_one_who_just_got_it(self, portal: PortalClient) -> None:
        portal.reset(people=PROMPT)
        portal.transfer(101, QUEUE_ID=4)
        portal.skip(3)
        assert portal.dialog(101)["owner"] == 16
        portal.transfer(101, QUEUE_ID=4)
        assert portal.dialog(101)["owner"] == 0
        assert portal.chat(101)["offered_to"] == "12"

    def test_a_line_of_type_all_asks_everybody_and_the_first_gets_it(self, portal: PortalClient) -> None:
        people = {"accept_after": [1, 1], "agents": {"16": {"accept_after": [5, 5]}}}
        portal.reset(queues=[{"id": 3}, {"id": 4, "queue_type": "all"}], people=people)
        portal.transfer(101, QUEUE_ID=4)
        assert portal.chat(101)["offered_to"] is None
        portal.skip(10)
        assert portal.changes(101) == [("transferred", "queue:4"), ("queued", "queue:4"), ("accepted", "agent:12")]

    def test_to_queue_after_the_time_of_the_queue_the_next_one_is_asked(self, portal: PortalClient) -> None:
        people = {"accept_after": [1, 1], "agents": {"16": {"ignore": 1.0}}}
        portal.reset(queues=[{"id": 3}, {"id": 4, "queue_time": 60}], people=people)
        portal.transfer(101, QUEUE_ID=4)
        portal.skip(59)
        assert portal.dialog(101)["owner"] == 0
        portal.skip(3)
        assert portal.dialog(101)["owner"] == 12

    def test_to_queue_leave_is_ignored(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}], people=IGNORING)
        portal.transfer(112, QUEUE_ID=4, LEAVE="Y")
        assert portal.dialog(112)["user_counter"] == 3

    def test_offers_are_accepted_at_their_own_time(self, portal: PortalClient) -> None:
        portal.reset(people={"accept_after": [2, 2]})
        portal.transfer(101, QUEUE_ID=4)
        portal.skip(3600)
        portal.dialog(101)
        changes = portal.http.get(f"{portal.sandbox.url}/sandbox/ledger").json()["changes"]
        sent, accepted = (datetime.fromisoformat(changes[index]["at"]) for index in (0, -1))
        assert accepted - sent < timedelta(seconds=3)
        assert changes[-1]["by"] == "person:16"
        assert changes[-1]["request"] is None


class TestDialogGet:
    def test_dialog_get_finds_a_chat_by_each_of_its_four_names(self, portal: PortalClient) -> None:
        code = portal.dialog(112)["entity_id"]
        names: list[dict[str, Any]] = [
            {"chat_id": 112},
            {"DIALOG_ID": "chat112"},
            {"SESSION_ID": 343},
            {"USER_CODE": code},
            {"USER_CODE": f"imol|{code}"},
        ]
        assert [portal.result(DIALOG, name)["id"] for name in names] == [112] * 5

    @pytest.mark.parametrize("params", [{}, {"CHAT_ID": 9999}, {"DIALOG_ID": "112"}, {"SESSION_ID": 1}, {"CHAT_ID": 2}])
    def test_one_error_for_missing_unknown_and_forbidden(self, portal: PortalClient, params: Any) -> None:
        assert portal.error(DIALOG, params) == (400, "ACCESS_ERROR")

    def test_a_stranger_to_line_and_chat_has_no_access(self, portal: PortalClient) -> None:
        assert portal.error(DIALOG, {"CHAT_ID": 112}, webhook="16/secretcode16") == (400, "ACCESS_ERROR")
        assert portal.result(DIALOG, {"CHAT_ID": 112}, webhook="8/secretcode8")["owner"] == 7

    def test_dialog_get_shows_ten_fields_of_the_session(self, portal: PortalClient) -> None:
        dialog = portal.dialog(112)
        fields = dialog["entity_data_1"].split("|")
        assert (len(fields), fields[0], fields[5], fields[7]) == (10, "Y", "343", "0")
        assert (dialog["type"], dialog["entity_type"], dialog["dialog_id"]) == ("lines", "LINES", "chat112")

    def test_a_closed_chat_has_session_zero_and_no_owner(self, portal: PortalClient) -> None:
        dialog = portal.dialog(138)
        assert (dialog["owner"], dialog["entity_data_1"].split("|")[5]) == (0, "0")


class TestOperators:
    def test_an_operator_answers_with_their_own_webhook(self, portal: PortalClient) -> None:
        assert portal.result("imopenlines.operator.answer", {"CHAT_ID": 133}, webhook="12/secretcode12") is True
        assert portal.dialog(133)["owner"] == 12
        assert portal.error("imopenlines.operator.answer", {"CHAT_ID": 133}, webhook="12/secretcode12") == (400, "")

    @pytest.mark.parametrize("mode", ["auto", "pending"])
    @pytest.mark.parametrize("queue_type", ["evenly", "strictly"])
    def test_an_operator_who_skips_a_transfer_is_not_asked_again(
        self, portal: PortalClient, mode: str, queue_type: str
    ) -> None:
        """Ask the next operator in the queue, and nobody once all have refused."""
        queues = [{"id": 3, "members": [12, 15], "queue_type": queue_type}]
        portal.reset(queues=queues, chats=[{"id": 101, "owner": 7}], people=IGNORING, switches={"accept_mode": mode})
        portal.transfer(101, USER_ID=12)
        portal.result("imopenlines.operator.skip", {"CHAT_ID": 101}, webhook="12/secretcode12")
        assert portal.chat(101)["offered_to"] == "15"
        portal.result("imopenlines.operator.skip", {"CHAT_ID": 101}, webhook="15/secretcode15")
        assert (portal.chat(101)["offered_to"], portal.chat(101)["state"]) == (None, "waiting")

    def test_operators_in_a_line_that_asks_everybody_the_others_are_asked_again(self, portal: PortalClient) -> None:
        people = {"accept_after": [10, 10], "agents": {"12": {"accept_after": [5, 5]}}}
        portal.reset(
            queues=[{"id": 3, "members": [12, 15], "queue_type": "all"}],
            chats=[{"id": 101, "owner": 7}],
            people=people,
        )
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(6)
        assert portal.dialog(101)["owner"] == 12
        portal.result("imopenlines.operator.skip", {"CHAT_ID": 101}, webhook="12/secretcode12")
        portal.skip(11)
        assert portal.dialog(101)["owner"] == 15

    def test_an_operator_skips_an_offer(self, portal: PortalClient) -> None:
        portal.reset(people=IGNORING)
        portal.result("imopenlines.operator.skip", {"CHAT_ID": 136}, webhook="7/secretcode7")
        assert portal.chat(136)["offered_to"] == "8"
        assert [change for change, _ in portal.changes(136)] == ["rejected", "offered"]

    def test_an_operator_may_not_transfer_to_themselves(self, portal: PortalClient) -> None:
        wrong = portal.error("imopenlines.operator.transfer", {"CHAT_ID": 112, "USER_ID": 7}, webhook="7/secretcode7")
        assert wrong == (400, "OPERATOR_WRONG")
        portal.result("imopenlines.operator.transfer", {"CHAT_ID": 112, "USER_ID": 8}, webhook="7/secretcode7")
        assert portal.dialog(112)["owner"] == 8

    def test_an_operator_closes_their_own_chat_only(self, portal: PortalClient) -> None:
        close = "imopenlines.operator.finish"
        foreign = portal.error(close, {"CHAT_ID": 112}, webhook="8/secretcode8")
        assert foreign == (400, "ERROR_USER_NOT_OPERATOR")
        assert portal.result(close, {"CHAT_ID": 112}, webhook="7/secretcode7") is True
        assert portal.chat(112)["state"] == "closed"
        assert portal.error(close, {"CHAT_ID": 112}, webhook="7/secretcode7") == (400, "NOT_LOAD_SESSION_OR_CHAT")

    def test_spam_is_closed_as_such_and_true_even_twice(self, portal: PortalClient) -> None:
        for _ in range(2):
            assert portal.result("imopenlines.operator.spam", {"chat_id": 112}, webhook="7/secretcode7") is True
        assert (portal.chat(112)["state"], status_of(portal, 112)) == ("closed", "spam")

    @pytest.mark.parametrize("action", ["answer", "skip", "spam", "finish", "another.finish"])
    @pytest.mark.parametrize(
        ("chat_id", "code"), [(None, "CHAT_ID"), (9999, "CHAT_ID"), (2, "CHAT_TYPE"), (112, "ACCESS_DENIED")]
    )
    def test_an_operator_cannot_touch_a_chat_that_they_cannot_open(
        self, portal: PortalClient, action: str, chat_id: int | None, code: str
    ) -> None:
        method, params = f"imopenlines.operator.{action}", {"CHAT_ID": chat_id}
        assert portal.error(method, params, webhook="16/secretcode16") == (400, code)

    @pytest.mark.parametrize("mode", ["auto", "pending"])
    def test_an_operator_leaves_the_chat_that_they_transfer(self, portal: PortalClient, mode: str) -> None:
        portal.reset(switches={"accept_mode": mode}, people=IGNORING)
        portal.result("imopenlines.operator.transfer", {"CHAT_ID": 112, "USER_ID": 8}, webhook="7/secretcode7")
        assert portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="8/secretcode8") == [8, 5012]
        rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [343]})["transfers"]
        assert (rows[-1]["mode"], rows[-1]["initiatorId"]) == ("MANUAL", 7)

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "CHAT_ID_EMPTY"),
            ({"CHAT_ID": 112}, "TRANSFER_ID_EMPTY"),
            ({"CHAT_ID": 112, "USER_ID": 0}, "USER_ID_EMPTY"),
            ({"CHAT_ID": 112, "TRANSFER_ID": "queue"}, "QUEUE_ID_EMPTY"),
            ({"CHAT_ID": 112, "USER_ID": 90}, "OPERATOR_WRONG"),
            ({"CHAT_ID": 9999, "USER_ID": 8}, "OPERATOR_WRONG"),
        ],
    )
    def test_his_own_transfer_is_refused_with_the_bots_codes(
        self, portal: PortalClient, params: Any, code: str
    ) -> None:
        assert portal.error("imopenlines.operator.transfer", params, webhook="7/secretcode7") == (400, code)

    def test_an_operator_cannot_transfer_a_chat_that_they_cannot_open(self, portal: PortalClient) -> None:
        params = {"CHAT_ID": 112, "USER_ID": 8}
        assert portal.error("imopenlines.operator.transfer", params, webhook="16/secretcode16") == (
            400,
            "OPERATOR_WRONG",
        )


class TestBots:
    @pytest.mark.parametrize("action", ["finish", "operator", "message.send"])
    def test_bots_names_of_parameters_may_be_in_any_case(self, portal: PortalClient, action: str) -> None:
        portal.reset(chats=[{"id": 101, "owner": 80}])
        assert portal.error(f"imopenlines.bot.session.{action}", BOT) == (400, "CHAT_ID_EMPTY")
        assert portal.result(f"imopenlines.bot.session.{action}", {"chat_id": "101", **BOT}) is True

    def test_finish_closes_any_chat_and_is_true_twice(self, portal: PortalClient) -> None:
        for _ in range(2):
            assert portal.result("imopenlines.bot.session.finish", {"chat_id": 112, **BOT}) is True
        assert [change for change, _ in portal.changes(112)] == ["accepted", "closed"]

    def test_finish_needs_a_bot(self, portal: PortalClient) -> None:
        finish = "imopenlines.bot.session.finish"
        assert portal.error(finish, {"CHAT_ID": 112}) == (403, "ACCESS_DENIED")
        assert portal.error(finish, {"CHAT_ID": 112, "CLIENT_ID": "nobody"}) == (400, "BOT_ID_ERROR")
        assert portal.chat(112)["state"] == "open"

    def test_a_bot_hands_on_only_what_it_leads(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 101, "owner": 80}, {"id": 112, "owner": 7}], people=IGNORING)
        body = portal.call("imopenlines.bot.session.operator", {"CHAT_ID": 112}).json()
        assert body == {"error": "WRONG_CHAT", "error_description": "Operator is not a bot"}
        assert portal.result("imopenlines.bot.session.operator", {"CHAT_ID": 101}) is True
        assert portal.chat(101)["offered_to"] == "7"

    @pytest.mark.parametrize(
        ("params", "written"),
        [
            ({"CHAT_ID": 112, "NAME": "DEFAULT", "MESSAGE": "Hello"}, True),
            ({"CHAT_ID": 112, "name": "WELCOME", "message": "Hello"}, True),
            ({"CHAT_ID": 112, "NAME": "OTHER", "MESSAGE": "Hello"}, False),
            ({"CHAT_ID": 138, "NAME": "DEFAULT", "MESSAGE": "Hello"}, False),
            ({"CHAT_ID": 9999, "NAME": "DEFAULT", "MESSAGE": "Hello"}, False),
        ],
    )
    def test_a_message_is_always_true_and_not_always_sent(
        self, portal: PortalClient, params: Any, written: bool
    ) -> None:
        assert portal.result("imopenlines.bot.session.message.send", params) is True
        assert portal.changes() == ([("wrote", None)] if written else [])


class TestListings:
    def test_ones_own_recent_list_has_own_and_waiting_chats_only(self, portal: PortalClient) -> None:
        items = portal.result("im.recent.get", {"ONLY_OPENLINES": "Y"}, webhook="7/secretcode7")
        assert {item["chat"]["type"] for item in items} == {"lines"}
        assert {item["chat"]["owner"] for item in items} == {7, 0}
        assert len(items) == 14 + 2 + 3
        assert portal.result("im.recent.get", {"ONLY_OPENLINES": "Y"}) == []

    def test_the_recent_list_comes_in_pages(self, portal: PortalClient) -> None:
        portal.reset(chats=200)
        first = portal.result("im.recent.list", {"SKIP_CHAT": "Y", "LIMIT": 50}, webhook="7/secretcode7")
        rest = portal.result("im.recent.list", {"SKIP_CHAT": "Y", "OFFSET": 50}, webhook="7/secretcode7")
        assert (len(first["items"]), first["hasMore"], len(rest["items"]), rest["hasMore"]) == (50, True, 45, False)

    def test_sessions_are_listed_by_operator_and_status(self, portal: PortalClient) -> None:
        method, of_seven = "imopenlines.v2.Session.list", {"operatorIdList": [7]}
        counts = {
            status: len(portal.result(method, {**of_seven, "status": status})["sessions"])
            for status in ("answered", "new", "closed", "paused")
        }
        assert counts == {"answered": 14, "new": 2, "closed": 3, "paused": 0}

    def test_sessions_come_in_pages_by_offset(self, portal: PortalClient) -> None:
        method = "imopenlines.v2.Session.list"
        pages = [portal.result(method, {"limit": 15, "offset": offset}) for offset in (0, 15, 30)]
        assert [page["hasNextPage"] for page in pages] == [True, True, False]
        assert len({session["id"] for page in pages for session in page["sessions"]}) == 40

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"limit": 201}, "INVALID_FILTER"),
            ({"limit": 0}, "INVALID_FILTER"),
            ({"status": "open"}, "INVALID_FILTER"),
            ({"offset": 10001}, "OFFSET_TOO_LARGE"),
            ({"operatorIdList": 7}, "INVALID_FILTER"),
            ({"order": {"ID": "ASC"}}, "INVALID_FILTER"),
            ({"status": "new", "closeReason": "auto"}, "INVALID_FILTER"),
            (
                {"dateCreateFrom": "2026-01-01T00:00:00+00:00", "dateCreateTo": "2027-06-01T00:00:00+00:00"},
                "PERIOD_TOO_LARGE",
            ),
        ],
    )
    def test_sessions_are_strict_about_filters(self, portal: PortalClient, params: Any, code: str) -> None:
        assert portal.error("imopenlines.v2.Session.list", params) == (400, code)

    def test_reports_may_be_absent_or_not_in_the_plan(self, portal: PortalClient) -> None:
        portal.reset(switches={"v2_methods": False})
        assert portal.error("imopenlines.v2.Session.list") == (404, "ERROR_METHOD_NOT_FOUND")
        portal.reset(switches={"plan_has_reports": False})
        assert portal.error("imopenlines.v2.Operator.list") == (400, "TARIFF_RESTRICTION")

    def test_reports_may_lag(self, portal: PortalClient) -> None:
        portal.reset(switches={"reports_lag": 60.0}, chats=[{"id": 112, "owner": 7}])
        portal.transfer(112, USER_ID=12)
        listed = portal.result("imopenlines.v2.Session.list")["sessions"]
        assert [session["operatorId"] for session in listed] == [7]
        portal.skip(61)
        listed = portal.result("imopenlines.v2.Session.list")["sessions"]
        assert [session["operatorId"] for session in listed] == [12]

    def test_listings_without_rights_reports_shrink_in_silence(self, portal: PortalClient) -> None:
        listed = portal.result("imopenlines.v2.Session.list", webhook="8/secretcode8")["sessions"]
        assert {session["operatorId"] for session in listed} == {8}

    def test_operators_have_slots_per_line(self, portal: PortalClient) -> None:
        portal.reset(queues=[{"id": 3, "max_chat": 15}, {"id": 4}])
        rows = portal.result("imopenlines.v2.Operator.list", {"configId": 3, "hasFreeSlots": True})["operators"]
        assert {row["userId"]: row["freeSlots"] for row in rows} == {8: 5, 12: 12, 15: 12}

    def test_the_transfer_log_takes_fifty_sessions_and_knows_no_unknown_ones(self, portal: PortalClient) -> None:
        method = "imopenlines.v2.Session.Transfer.list"
        assert portal.result(method, {"sessionId": [99999]}) == {"transfers": []}
        assert portal.error(method, {"sessionId": list(range(51))}) == (400, "BATCH_LIMIT_EXCEEDED")
        assert portal.error(method) == (400, "100")
        assert portal.error(method, {"sessionId": 343}) == (400, "100")

    @pytest.mark.parametrize(("follows", "responsible"), [(True, "12"), (False, "7")])
    def test_activities_follow_a_transfer_if_the_line_says_so(
        self, portal: PortalClient, follows: bool, responsible: str
    ) -> None:
        portal.reset(queues=[{"id": 3, "crm_transfer_change": follows}], chats=[{"id": 112, "owner": 7}])
        portal.transfer(112, USER_ID=12)
        rows = portal.result(
            "crm.activity.list",
            {
                "filter": {"PROVIDER_ID": "IMOPENLINES_SESSION", "COMPLETED": "N"},
                "select": ["RESPONSIBLE_ID", "ASSOCIATED_ENTITY_ID"],
            },
        )
        assert rows == [{"ASSOCIATED_ENTITY_ID": "332", "RESPONSIBLE_ID": responsible}]

    def test_lines_without_crm_have_no_activities(self, portal: PortalClient) -> None:
        portal.reset(queues=[{"id": 3, "crm": False}])
        assert portal.result("crm.activity.list") == []

    def test_activities_come_in_pages(self, portal: PortalClient) -> None:
        portal.reset(chats=120)
        body = portal.call("crm.activity.list", {"order": {"ID": "DESC"}, "start": 50}).json()
        assert (len(body["result"]), body["next"], body["total"]) == (50, 100, 120)

    def test_lines_show_their_members_and_who_of_them_is_there(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7, "present": False}, {"id": 8}, {"id": 12}])
        lines = portal.result("imopenlines.config.list.get", {"OPTIONS": {"QUEUE": "Y"}})
        assert [(line["ID"], line["QUEUE"]) for line in lines] == [("3", ["7", "8", "12"]), ("4", ["12"])]
        line = portal.result("imopenlines.config.get", {"CONFIG_ID": 3, "WITH_QUEUE": "Y", "SHOW_OFFLINE": "N"})
        assert line["QUEUE"] == ["8", "12"]
        assert portal.result("imopenlines.config.get", {"CONFIG_ID": 99}) is False

    def test_the_chats_of_a_lead_leave_out_what_waits(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "state": "waiting", "customer": 5001}])
        lead = {"CRM_ENTITY_TYPE": "LEAD", "CRM_ENTITY": 15001}
        assert portal.result("imopenlines.crm.chat.get", lead) == []
        chats = portal.result("imopenlines.crm.chat.get", {**lead, "ACTIVE_ONLY": "N"})
        assert [chat["CHAT_ID"] for chat in chats] == ["112"]
        body = portal.call("imopenlines.crm.chat.get", {"CRM_ENTITY_TYPE": "LEAD"}).json()
        assert (body["error"], body["argument"]) == ("ERROR_ARGUMENT", "CRM_ENTITY")


class TestUsers:
    def test_flags_tell_who_can_be_given_a_chat(self, portal: PortalClient) -> None:
        users = portal.result("im.user.list.get", {"ID": [12, 80, 90, 91, 5001]})
        flags = {
            user: [flag for flag in ("active", "bot", "extranet", "connector") if data[flag]]
            for user, data in users.items()
        }
        assert flags == {
            "12": ["active"],
            "80": ["active", "bot"],
            "90": [],
            "91": ["active", "extranet"],
            "5001": ["active", "extranet", "connector"],
        }

    def test_colleagues_are_filtered_and_have_no_bots_or_customers(self, portal: PortalClient) -> None:
        active = portal.result("user.get", {"FILTER": {"ACTIVE": True}})
        assert [user["ID"] for user in active] == ["1", "7", "8", "12", "15", "16", "91"]
        assert [user["ID"] for user in portal.result("user.get", {"filter": {"ID": [7, 90]}})] == ["7", "90"]

    def test_the_working_day_is_told(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7, "present": False}, {"id": 12}])
        days = {
            user: portal.result("timeman.status", {"USER_ID": user}, webhook="12/secretcode12")["STATUS"]
            for user in (7, 12)
        }
        assert days == {7: "CLOSED", 12: "OPENED"}
