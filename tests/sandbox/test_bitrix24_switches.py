# SPDX-License-Identifier: Apache-2.0
"""What no document says about a portal, in each position of its switch."""

from __future__ import annotations

from typing import Any

import pytest

from .bitrix24_client import PortalClient

SESSIONS, OPERATORS = "imopenlines.v2.Session.list", "imopenlines.v2.Operator.list"
TRANSFERS = "imopenlines.v2.Session.Transfer.list"
REGISTER, UNREGISTER, LIST = "imbot.v2.Bot.register", "imbot.v2.Bot.unregister", "imbot.v2.Bot.list"
IGNORING = {"ignore": 1.0}


class TestWhatIsNew:
    def row(self, portal: PortalClient, **switches: bool) -> tuple[str, int | None]:
        """Return the row of a chat that 7 has accepted and not yet answered."""
        portal.reset(switches=switches, people=IGNORING, chats=[{"id": 101, "offered_to": 7}])
        portal.result("imopenlines.operator.answer", {"CHAT_ID": 101}, webhook="7/secretcode7")
        (row,) = portal.result(SESSIONS)["sessions"]
        return row["status"], row["operatorId"]

    def test_what_is_new_ends_when_it_is_accepted(self, portal: PortalClient) -> None:
        assert self.row(portal) == ("answered", 7)

    def test_or_when_its_operator_writes(self, portal: PortalClient) -> None:
        assert self.row(portal, new_until_written=True) == ("new", 7)
        assert self.row(portal, new_until_written=True, new_session_has_operator=False) == ("new", 7)

    def test_what_is_new_names_nobody_while_it_rings_where_the_switch_says_so(self, portal: PortalClient) -> None:
        for named, expected in ((True, 7), (False, None)):
            switches = {"new_session_has_operator": named, "new_until_written": True}
            portal.reset(switches=switches, people=IGNORING, chats=[{"id": 101, "offered_to": 7}])
            (row,) = portal.result(SESSIONS)["sessions"]
            assert (row["status"], row["operatorId"]) == ("new", expected)


@pytest.mark.parametrize(
    ("method", "name"), [(SESSIONS, "operatorIdList"), (SESSIONS, "configIdList"), (OPERATORS, "userIdList")]
)
class TestAListOfNumbers:
    def test_a_list_of_numbers_may_be_of_texts(self, portal: PortalClient, method: str, name: str) -> None:
        assert portal.call(method, {name: ["3"]}).status_code == 200

    def test_or_may_not_where_they_are_texts_in_json(self, portal: PortalClient, method: str, name: str) -> None:
        portal.reset(switches={"lists_take_strings": False})
        assert portal.error(method, {name: ["3"]}) == (400, "INVALID_FILTER")
        assert portal.error(method, {name: [3, "4"]}) == (400, "INVALID_FILTER")
        assert portal.call(method, {name: [3]}).status_code == 200

    def test_a_list_of_numbers_is_of_texts_in_a_batch_and_in_a_form_whatever_the_switch(
        self, portal: PortalClient, method: str, name: str
    ) -> None:
        portal.reset(switches={"lists_take_strings": False})
        assert portal.batch({"a": f"{method}?{name}[0]=3"})["result_error"] == []
        assert portal.post(f"1/secretcode/{method}", data={f"{name}[0]": "3"}).status_code == 200


@pytest.mark.parametrize("mode", ["BOT", "MANUAL", "AUTO"])
def test_the_mode_of_a_bots_transfer(portal: PortalClient, mode: str) -> None:
    portal.reset(switches={"bot_transfer_mode": mode}, chats=[{"id": 101, "owner": 7}])
    portal.transfer(101, USER_ID=12)
    rows = portal.result(TRANSFERS, {"sessionId": [portal.session_of(101)]})["transfers"]
    assert (rows[-1]["mode"], rows[-1]["toOperatorId"]) == (mode, 12)


NAMED = {"code": "chattransfer", "botToken": "another", "properties": {"name": "B"}}


class TestTheBotsMethods:
    @pytest.mark.parametrize(
        ("method", "params", "codes"),
        [
            (REGISTER, {"fields": NAMED}, ("BOT_CODE_ALREADY_TAKEN", "WRONG_REQUEST")),
            (REGISTER, {"fields": {**NAMED, "code": ""}}, ("BOT_CODE_REQUIRED", "CODE_ERROR")),
            (REGISTER, {"fields": {**NAMED, "properties": {}}}, ("BOT_PROPERTIES_REQUIRED", "NAME_ERROR")),
            (REGISTER, {"fields": {}}, ("BOT_TOKEN_NOT_SPECIFIED", "ACCESS_DENIED")),
            (UNREGISTER, {"botToken": "chattransfer"}, ("BOT_ID_REQUIRED", "BOT_ID_ERROR")),
            (UNREGISTER, {"botToken": "chattransfer", "botId": 999}, ("BOT_NOT_FOUND", "BOT_ID_ERROR")),
            (UNREGISTER, {"botToken": "another", "botId": 80}, ("BOT_OWNERSHIP_ERROR", "APP_ID_ERROR")),
        ],
    )
    def test_refuse_with_codes_of_their_own_or_those_of_the_older_methods(
        self, portal: PortalClient, method: str, params: dict[str, Any], codes: tuple[str, str]
    ) -> None:
        for position, code in zip(("v2", "old"), codes, strict=True):
            portal.reset(switches={"bot_codes": position})
            assert portal.error(method, params)[1] == code

    def test_the_bots_methods_may_lack_the_list(self, portal: PortalClient) -> None:
        assert portal.call(LIST, {"botToken": "chattransfer"}).status_code == 200
        portal.reset(switches={"bot_list": False})
        assert portal.error(LIST, {"botToken": "chattransfer"}) == (404, "ERROR_METHOD_NOT_FOUND")


class TestAnAnswerToWhatSomebodyOwns:
    @pytest.mark.parametrize(
        ("position", "status", "owner"), [("takes_over", 200, "7"), ("refused", 400, "8"), ("nothing", 200, "8")]
    )
    def test_an_answer_to_what_somebody_owns_takes_it_over_or_is_refused_or_does_nothing(
        self, portal: PortalClient, position: str, status: int, owner: str
    ) -> None:
        portal.reset(switches={"answer_owned": position}, chats=[{"id": 101, "owner": 8}])
        reply = portal.call("imopenlines.operator.answer", {"CHAT_ID": 101}, webhook="7/secretcode7")
        assert (reply.status_code, portal.chat(101)["owner"]) == (status, owner)
        assert bool(portal.changes(101)) is (owner == "7")

    @pytest.mark.parametrize("position", ["takes_over", "refused", "nothing"])
    def test_an_answer_to_what_somebody_owns_is_no_matter_where_nobody_owns_it(
        self, portal: PortalClient, position: str
    ) -> None:
        portal.reset(switches={"answer_owned": position}, people=IGNORING, chats=[{"id": 101, "offered_to": 7}])
        portal.result("imopenlines.operator.answer", {"CHAT_ID": 101}, webhook="7/secretcode7")
        assert portal.chat(101)["owner"] == "7"
