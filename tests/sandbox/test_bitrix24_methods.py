# SPDX-License-Identifier: Apache-2.0
"""The methods of the simulated Bitrix24 that read, and those that register bots: answers and errors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.bitrix24_client import DIALOG, PortalClient

SEVEN, EIGHT, SIXTEEN = (f"{user}/secretcode{user}" for user in (7, 8, 16))
V2 = "imopenlines.v2."


def command(method: str, **params: Any) -> str:
    return method + "?" + "&".join(f"{key}={value}" for key, value in params.items())


def ids(users: Iterable[dict[str, Any]]) -> list[str]:
    return [user["ID"] for user in users]


class TestNames:
    @pytest.mark.parametrize("name", ["imopenlines.crm.chat.getlastid", "IMOPENLINES.CRM.CHAT.GETLASTID"])
    def test_capitals_in_the_name_of_a_method_do_not_matter(self, portal: PortalClient, name: str) -> None:
        assert portal.result(name, {"CRM_ENTITY_TYPE": "lead", "CRM_ENTITY": 15012}) == 112

    def test_except_in_that_of_a_controllers_action(self, portal: PortalClient) -> None:
        assert portal.error("imbot.v2.bot.register") == (404, "ERROR_METHOD_NOT_FOUND")


class TestPaging:
    def test_fifty_a_page_with_the_next_beside_and_none_on_the_last(self, portal: PortalClient) -> None:
        portal.reset(operators=60)
        pages = [portal.call("user.get", {"start": start}).json() for start in (0, 50, 63)]
        assert [len(page["result"]) for page in pages] == [50, 13, 0]
        assert [(page["total"], page.get("next")) for page in pages] == [(63, 50), (63, None), (63, None)]

    def test_minus_one_leaves_out_the_count(self, portal: PortalClient) -> None:
        portal.reset(operators=60)
        page = portal.call("user.get", {"start": -1}).json()
        assert len(page["result"]) == 50
        assert {"total", "next"}.isdisjoint(page)

    def test_paging_in_a_batch_both_stand_in_maps_of_their_own(self, portal: PortalClient) -> None:
        portal.reset(operators=60)
        result = portal.batch({"first": "user.get", "last": command("user.get", start=50), "un": "user.get?start=-1"})
        assert result["result_total"] == {"first": 63, "last": 63}
        assert result["result_next"] == {"first": 50}


class TestUsers:
    @pytest.mark.parametrize(
        ("conditions", "found"),
        [
            ({"ACTIVE": True}, ["1", "7", "8", "12", "15", "16", "91"]),
            ({"ACTIVE": "N"}, ["90"]),
            ({"IS_ONLINE": "N"}, ["8", "90"]),
            ({"USER_TYPE": "extranet"}, ["91"]),
            ({"@ID": [7, 8]}, ["7", "8"]),
            ({"!@ID": [1, 7, 8, 90, 91]}, ["12", "15", "16"]),
            ({">=ID": 16, "ACTIVE": True}, ["16", "91"]),
            ({">=ID": "--16"}, ["1", "7", "8", "12", "15", "16", "90", "91"]),
            ({"LAST_NAME": "Da%"}, ["15"]),
            ({"%LAST_NAME": "st"}, ["12", "91"]),
            ({"!%LAST_NAME": "a", "ACTIVE": True}, ["8", "91"]),
            ({"=%NAME": "%na"}, ["7", "16", "91"]),
            ({"UF_DEPARTMENT": 1, "USER_TYPE": "employee", "!ID": [1, 90]}, ["7", "8", "12", "15", "16"]),
        ],
    )
    def test_users_are_filtered_by_fields_and_prefixes(
        self, portal: PortalClient, conditions: dict[str, Any], found: list[str]
    ) -> None:
        portal.reset(operators=[{"id": 7}, {"id": 8, "present": False}, {"id": 12}, {"id": 15}, {"id": 16}])
        assert ids(portal.result("user.get", {"FILTER": conditions})) == found

    def test_conditions_may_stand_beside_the_filter(self, portal: PortalClient) -> None:
        assert ids(portal.result("user.get", {"ID": 7})) == ["7"]

    @pytest.mark.parametrize(
        "order", [{"SORT": "ID", "ORDER": "desc"}, {"sort": "id", "order": "DESC"}, {"order": {"ID": "DESC"}}]
    )
    def test_users_are_sorted_by_field_and_direction(self, portal: PortalClient, order: dict[str, Any]) -> None:
        assert ids(portal.result("user.get", order))[:3] == ["91", "90", "16"]

    def test_fields_can_be_selected_with_masks(self, portal: PortalClient) -> None:
        user = portal.result("user.get", {"FILTER": {"ID": 7}, "select": ["ID", "UF_*", "NONSENSE"]})[0]
        assert user == {"ID": "7", "UF_EMPLOYMENT_DATE": "", "UF_DEPARTMENT": [1]}

    @pytest.mark.parametrize(
        ("scope", "hidden"),
        [("user", set()), ("user_basic", {"LAST_LOGIN"}), ("user_brief", {"LAST_LOGIN", "EMAIL", "PERSONAL_MOBILE"})],
    )
    @pytest.mark.parametrize("method", ["user.get", "user.search", "user.current"])
    def test_narrow_scopes_show_less(self, portal: PortalClient, method: str, scope: str, hidden: set[str]) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "secretcode", "scopes": [scope]}])
        answer = portal.result(method)
        row = answer if isinstance(answer, dict) else answer[0]
        assert {"LAST_LOGIN", "EMAIL", "PERSONAL_MOBILE"} - set(row) == hidden
        assert row["ID"] == "1"

    @pytest.mark.parametrize(
        ("conditions", "found"),
        [
            ({"FIND": "Bo"}, ["8"]),
            ({"FIND": "berg bor"}, ["8"]),
            ({"FIND": "erg"}, []),
            ({"FIND": "contact", "ID": [7, 8]}, ["7", "8"]),
            ({"LAST_NAME": "Ada"}, ["7"]),
            ({"NAME": "Ada"}, []),
        ],
    )
    def test_users_are_searched_by_the_beginnings_of_names(
        self, portal: PortalClient, conditions: dict[str, Any], found: list[str]
    ) -> None:
        assert ids(portal.result("user.search", {"FILTER": conditions})) == found


class TestMessengerUsers:
    def test_one_is_the_caller_unless_named(self, portal: PortalClient) -> None:
        assert portal.result("im.user.get", webhook=SEVEN)["id"] == 7
        other = portal.result("im.user.get", {"ID": "5001"}, webhook=SEVEN)
        assert (other["id"], other["connector"], other["desktop_last_date"]) == (5001, True, False)

    @pytest.mark.parametrize(("user", "code"), [("x", "ID_EMPTY"), (0, "ID_EMPTY"), (4711, "USER_NOT_EXISTS")])
    def test_one_that_is_none(self, portal: PortalClient, user: Any, code: str) -> None:
        assert portal.error("im.user.get", {"ID": user}) == (400, code)

    def test_an_outsider_may_ask_for_their_own_user_only(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 91, "code": "guest"}, {"user": 1, "code": "secretcode"}])
        assert portal.error("im.user.get", {"ID": 7}, webhook="91/guest") == (400, "ACCESS_DENIED")
        assert list(portal.result("im.user.list.get", {"ID": [7, 91]}, webhook="91/guest")) == ["91"]

    def test_several_are_keyed_by_id_with_null_for_the_unknown(self, portal: PortalClient) -> None:
        assert portal.result("im.user.list.get", {"ID": [7, 4711]})["4711"] is None
        assert list(portal.result("im.user.list.get", {"ID": "[7, 12]"})) == ["7", "12"]
        assert [user["id"] for user in portal.result("im.user.list.get", {"ID": [7], "RESULT_TYPE": "array"})] == [7]

    @pytest.mark.parametrize("value", [None, [], 7, "x", ["x"]])
    def test_several_must_be_an_array(self, portal: PortalClient, value: Any) -> None:
        assert portal.error("im.user.list.get", {"ID": value}) == (400, "INVALID_FORMAT")

    def test_a_status_is_ones_own(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7, "paused": True}, {"id": 8}])
        assert [portal.result("im.user.status.get", webhook=hook) for hook in (SEVEN, EIGHT)] == ["away", "online"]


class TestWorkingTime:
    def test_a_day_has_a_beginning_that_stays_and_a_planned_end(self, portal: PortalClient) -> None:
        before = portal.result("timeman.status", {"USER_ID": 8}, webhook=SEVEN)
        portal.skip(3600)
        after = portal.result("timeman.status", {"USER_ID": 8}, webhook=SEVEN)
        assert after == before
        begin, end = (datetime.fromisoformat(before[key]) for key in ("TIME_START", "TIME_FINISH_DEFAULT"))
        assert end - begin == timedelta(hours=8)
        assert (before["STATUS"], before["TIME_FINISH"], before["DURATION"]) == ("OPENED", None, "00:00:00")

    def test_a_closed_day_has_an_end(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7}, {"id": 8, "present": False}, {"id": 12, "paused": True}])
        day = portal.result("timeman.status", {"USER_ID": 8}, webhook=SEVEN)
        assert (day["STATUS"], day["DURATION"], day["ACTIVE"]) == ("CLOSED", "03:59:00", True)
        length = datetime.fromisoformat(day["TIME_FINISH"]) - datetime.fromisoformat(day["TIME_START"])
        assert length == timedelta(hours=3, minutes=59)
        assert portal.result("timeman.status", {"USER_ID": 12}, webhook=SEVEN)["STATUS"] == "PAUSED"

    def test_a_day_ends_when_somebody_leaves(self, portal: PortalClient) -> None:
        portal.reset(people={"agents": {"8": {"leave_after": [600, 600]}}})
        portal.skip(7200)
        day = portal.result("timeman.status", {"USER_ID": 8}, webhook=SEVEN)
        length = datetime.fromisoformat(day["TIME_FINISH"]) - datetime.fromisoformat(day["TIME_START"])
        assert (day["STATUS"], day["DURATION"]) == ("CLOSED", f"0{length}")
        assert abs(length - timedelta(hours=4, minutes=10)) <= timedelta(seconds=1)

    @pytest.mark.parametrize("user", [4711, 90, 80, 5001])
    def test_who_is_no_employee_has_no_day(self, portal: PortalClient, user: int) -> None:
        assert portal.error("timeman.status", {"USER_ID": user}, webhook=SEVEN) == (400, "")

    def test_outsiders_may_not_ask(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 91, "code": "guest", "scopes": ["timeman"]}])
        assert portal.error("timeman.status", webhook="91/guest") == (403, "ALLOWED_ONLY_INTRANET_USER")

    def test_the_scope_is_not_among_those_of_user_one(self, portal: PortalClient) -> None:
        assert portal.error("timeman.status") == (401, "insufficient_scope")

    def test_a_schedule_has_shifts_in_seconds(self, portal: PortalClient) -> None:
        shift = portal.result("timeman.schedule.get", {"id": 1}, webhook=SEVEN)["SHIFTS"][0]
        assert (shift["WORK_TIME_START"], shift["WORK_TIME_END"], shift["WORK_DAYS"]) == (28800, 61200, "12345")
        assert portal.result("timeman.schedule.get", {"id": 2}, webhook=SEVEN) == []


class TestDialogs:
    @pytest.mark.parametrize(
        "names",
        [
            {"CHAT_ID": 0, "DIALOG_ID": "chat112"},
            {"CHAT_ID": "x", "SESSION_ID": 343},
            {"DIALOG_ID": f"chat{'9' * 5000}"},
            {"DIALOG_ID": "112", "SESSION_ID": 343},
            {"SESSION_ID": 1, "USER_CODE": "livechat|3|1812|5012"},
        ],
    )
    @pytest.mark.parametrize("method", [DIALOG, "imopenlines.dialog.multi.get"])
    def test_the_first_name_counts_even_if_it_is_wrong(
        self, portal: PortalClient, method: str, names: dict[str, Any]
    ) -> None:
        assert portal.error(method, names) == (400, "ACCESS_ERROR")

    def test_siblings_are_the_customers_other_open_chats_in_the_line(self, portal: PortalClient) -> None:
        chats: list[dict[str, Any]] = [
            {"id": 101, "owner": 7, "customer": 5001},
            {"id": 102, "owner": 8, "customer": 5001},
            {"id": 103, "owner": 7, "customer": 5002},
            {"id": 104, "owner": 7, "customer": 5001, "state": "closed"},
            {"id": 105, "owner": 16, "queue": 4, "customer": 5001},
        ]
        portal.reset(chats=chats)
        siblings = portal.result("imopenlines.dialog.multi.get", {"CHAT_ID": 101})
        assert ids(siblings) == ["102"]
        assert siblings[0]["TITLE"] == portal.dialog(102)["name"]
        assert portal.result("imopenlines.dialog.multi.get", {"CHAT_ID": 103}) == []

    def test_the_messenger_shows_a_chat_to_those_who_are_in_it(self, portal: PortalClient) -> None:
        seen = portal.result("im.dialog.get", {"DIALOG_ID": "chat112"}, webhook=SEVEN)
        assert (seen["id"], seen["dialog_id"], seen["role"]) == (112, "chat112", "owner")

    @pytest.mark.parametrize(
        ("dialog_id", "error"),
        [
            (None, (400, "DIALOG_ID_EMPTY")),
            ("chat", (400, "DIALOG_ID_EMPTY")),
            ("chat0", (400, "DIALOG_ID_EMPTY")),
            ("7", (400, "ACCESS_ERROR")),
            ("chat112", (403, "ACCESS_ERROR")),
            ("chat9999", (403, "ACCESS_ERROR")),
        ],
    )
    @pytest.mark.parametrize("method", ["im.dialog.get", "im.chat.get"])
    def test_the_messenger_shows_it_to_nobody_else(
        self, portal: PortalClient, method: str, dialog_id: Any, error: tuple[int, str]
    ) -> None:
        if method == "im.chat.get" and dialog_id is None:
            assert portal.result(method) is None
        else:
            assert portal.error(method, {"DIALOG_ID": dialog_id}) == error

    def test_a_chat_is_found_by_its_entity(self, portal: PortalClient) -> None:
        entity = {"ENTITY_TYPE": "LINES", "ENTITY_ID": portal.dialog(112)["entity_id"]}
        assert portal.result("im.chat.get", entity) == {"ID": 112}
        assert portal.result("im.chat.get", {**entity, "ENTITY_TYPE": "CRM"}) is None
        assert portal.result("im.chat.get", {**entity, "ENTITY_ID": "livechat|9|9|9"}) is None

    def test_members_are_listed_to_members_and_empty_to_others(self, portal: PortalClient) -> None:
        method = "im.chat.user.list"
        assert portal.result(method, {"CHAT_ID": 112}, webhook=SEVEN) == [7, 5012]
        assert portal.result(method, {"dialog_id": "chat112"}, webhook=SEVEN) == [7, 5012]
        assert portal.result(method, {"CHAT_ID": 112}) == []
        assert portal.result(method, {"CHAT_ID": 9999}) == []

    @pytest.mark.parametrize(
        ("params", "error"),
        [
            ({}, (400, "CHAT_ID_EMPTY")),
            ({"CHAT_ID": "x"}, (400, "CHAT_ID_EMPTY")),
            ({"DIALOG_ID": "7"}, (400, "DIALOG_ID_EMPTY")),
            ({"CHAT_ID": 2}, (403, "ACCESS_ERROR")),
        ],
    )
    def test_members_of_no_chat(self, portal: PortalClient, params: Any, error: tuple[int, str]) -> None:
        assert portal.error("im.chat.user.list", params) == error


class TestRecentList:
    def test_flags_are_the_letter_y_and_nothing_else(self, portal: PortalClient) -> None:
        chats = [
            {item["chat"]["type"] for item in portal.result("im.recent.get", params, webhook=SEVEN)}
            for params in ({}, {"ONLY_OPENLINES": True}, {"SKIP_CHAT": "Y"}, {"SKIP_OPENLINES": "Y"})
        ]
        assert chats == [{"open", "lines"}, {"open", "lines"}, {"lines"}, {"open"}]

    def test_changes_since_a_date(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 101, "owner": 7}, {"id": 102, "owner": 7}])
        portal.skip(7200)
        since = portal.result("server.time")
        portal.result("imopenlines.session.mode.pin", {"CHAT_ID": 102}, webhook=SEVEN)
        params = {"ONLY_OPENLINES": "Y", "LAST_SYNC_DATE": since}
        assert [item["chat_id"] for item in portal.result("im.recent.get", params, webhook=SEVEN)] == [102]

    def test_pages_go_on_by_offset_or_by_the_last_date(self, portal: PortalClient) -> None:
        portal.reset(chats=200)
        method, lines = "im.recent.list", {"SKIP_CHAT": "Y"}
        first = portal.call(method, lines, webhook=SEVEN).json()
        assert (first["total"], first["next"], first["result"]["hasMore"]) == (-1, 50, True)
        shown = [item["chat_id"] for item in first["result"]["items"]]
        for going_on in ({"OFFSET": 50}, {"start": 50}):
            rest = portal.call(method, {**lines, **going_on}, webhook=SEVEN).json()
            assert not set(shown) & {item["chat_id"] for item in rest["result"]["items"]}
            assert "next" not in rest
        last = first["result"]["items"][-1]["date_update"]
        older = portal.result(method, {**lines, "LAST_MESSAGE_DATE": last}, webhook=SEVEN)["items"]
        assert {item["date_update"] < last for item in older} == {True}
        assert len(portal.result(method, {**lines, "LAST_MESSAGE_DATE": "x"}, webhook=SEVEN)["items"]) == 50

    def test_a_page_has_at_most_two_hundred(self, portal: PortalClient) -> None:
        portal.reset(chats=1000)
        assert len(portal.result("im.recent.list", {"LIMIT": 500}, webhook=SEVEN)["items"]) == 200

    def test_undistributed_ones_can_be_left_out(self, portal: PortalClient) -> None:
        params = {"SKIP_CHAT": "Y", "SKIP_UNDISTRIBUTED_OPENLINES": "Y"}
        assert len(portal.result("im.recent.list", params, webhook=SEVEN)["items"]) == 14 + 2
        assert portal.result("im.recent.list", {"UNREAD_ONLY": "Y"}, webhook=SEVEN)["items"] == []

    def test_dialogues_come_in_groups_by_status(self, portal: PortalClient) -> None:
        page = portal.result(f"{V2}Recent.list", {"limit": 4}, webhook=SEVEN)
        assert [session["status"] for session in page["sessions"]] == ["NEW"] * 4
        assert page["hasNextPage"] is True
        cursor = {"statusGroup": "NEW", "sortPointer": page["recentItems"][-1]["sessionId"]}
        rest = portal.result(f"{V2}Recent.list", {"cursor": cursor, "limit": 200}, webhook=SEVEN)
        assert [session["status"] for session in rest["sessions"]] == ["NEW"] + ["ANSWERED"] * 14
        assert {session["operatorId"] for session in rest["sessions"][1:]} == {7}
        assert set(rest["recentItems"][0]) == {"chatId", "messageId", "sessionId", "dialogId"}


class TestLines:
    def test_lines_are_listed_with_fields_order_and_pages(self, portal: PortalClient) -> None:
        portal.reset(queues=60)
        method = "imopenlines.config.list.get"
        assert len(portal.result(method)) == 50
        assert len(portal.result(method, {"PARAMS": {"limit": 500}})) == 60
        query = {"select": ["ID"], "order": {"ID": "DESC"}, "filter": {">ID": 10}, "limit": 2, "offset": 1}
        assert portal.result(method, {"PARAMS": query}) == [{"ID": "61"}, {"ID": "60"}]

    def test_members_come_on_request_as_users_or_entities(self, portal: PortalClient) -> None:
        options = {"QUEUE": "Y", "CONFIG_QUEUE": "Y"}
        line = portal.result("imopenlines.config.list.get", {"PARAMS": {"filter": {"ID": 4}}, "OPTIONS": options})[0]
        assert line["QUEUE"] == list(line["QUEUE_USERS_FIELDS"]) == ["16", "12"]
        assert line["CONFIG_QUEUE"][0] == {"ENTITY_ID": "16", "ENTITY_TYPE": "user"}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"select": "ID"}, "INVALID_FORMAT"),
            ({"order": "ID"}, "INVALID_FORMAT"),
            ({"filter": "ID"}, "INVALID_FORMAT"),
            ({"SELECT": ["ID"]}, "ERROR_CORE"),
        ],
    )
    def test_a_query_has_arrays_under_lower_case_keys(self, portal: PortalClient, query: Any, code: str) -> None:
        assert portal.error("imopenlines.config.list.get", {"PARAMS": query}) == (400, code)

    def test_one_shows_who_is_online(self, portal: PortalClient) -> None:
        portal.reset(operators=[{"id": 7, "present": False}, {"id": 8, "active": False}, {"id": 12}, {"id": 16}])
        method = "imopenlines.config.get"
        line = portal.result(method, {"CONFIG_ID": 3})
        assert (line["QUEUE"], line["QUEUE_ONLINE"]) == (["7", "12"], "Y")
        assert line["QUEUE_FULL"]["12"]["SORT"] == "2"
        assert portal.result(method, {"CONFIG_ID": 3, "SHOW_OFFLINE": "N"})["QUEUE"] == ["12"]
        bare = portal.result(method, {"CONFIG_ID": 3, "WITH_QUEUE": "N"})
        assert (bare["QUEUE"], bare["QUEUE_FULL"], bare["QUEUE_ONLINE"]) == ([], [], "N")

    @pytest.mark.parametrize("params", [{}, {"CONFIG_ID": "x"}, {"config_id": 3}])
    def test_one_needs_its_number_in_upper_case(self, portal: PortalClient, params: Any) -> None:
        assert portal.error("imopenlines.config.get", params) == (400, "CONFIG_ID_EMPTY")

    def test_they_live_at_an_address(self, portal: PortalClient) -> None:
        assert portal.result("imopenlines.config.path.get")["PUBLIC_PATH"] == "/contact_center/openlines"


class TestChatsOfTheCrm:
    LEAD: dict[str, Any] = {"CRM_ENTITY_TYPE": "lead", "CRM_ENTITY": "15012"}  # noqa: RUF012

    def test_ids_are_strings(self, portal: PortalClient) -> None:
        chats = portal.result("imopenlines.crm.chat.get", self.LEAD, webhook=SEVEN)
        assert [chat["CHAT_ID"] for chat in chats] == ["112"]

    def test_the_last_one_is_a_number(self, portal: PortalClient) -> None:
        assert portal.result("imopenlines.crm.chat.getLastId", self.LEAD) == 112

    @pytest.mark.parametrize(
        ("changed", "argument"),
        [
            ({"CRM_ENTITY_TYPE": ""}, "CRM_ENTITY_TYPE"),
            ({"CRM_ENTITY": 0}, "CRM_ENTITY"),
            ({"CRM_ENTITY": "x"}, "CRM_ENTITY"),
            ({"CRM_ENTITY": "-5"}, "CRM_ENTITY"),
        ],
    )
    def test_a_wrong_argument_is_named(self, portal: PortalClient, changed: Any, argument: str) -> None:
        reply = portal.call("imopenlines.crm.chat.get", {**self.LEAD, **changed})
        assert reply.status_code == 400
        assert (reply.json()["error"], reply.json()["argument"]) == ("ERROR_ARGUMENT", argument)

    def test_keys_are_upper_case_only(self, portal: PortalClient) -> None:
        lower = {key.lower(): value for key, value in self.LEAD.items()}
        assert portal.error("imopenlines.crm.chat.get", lower) == (400, "ERROR_ARGUMENT")

    def test_chats_of_the_crm_without_rights_to_the_entity_access_is_denied(self, portal: PortalClient) -> None:
        method = "imopenlines.crm.chat.get"
        assert portal.error(method, self.LEAD, webhook=SIXTEEN) == (403, "ACCESS_DENIED")
        assert portal.error(method, {**self.LEAD, "CRM_ENTITY_TYPE": "quote"}) == (403, "ACCESS_DENIED")
        assert portal.result(method, {**self.LEAD, "CRM_ENTITY_TYPE": "deal"}) == []

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "CRM_CHAT_EMPTY_CRM_DATA"),
            ({"CRM_ENTITY_TYPE": "lead", "CRM_ENTITY": 999}, "CRM_CHAT_EMPTY_CRM_DATA"),
            ({"CRM_ENTITY_TYPE": "lead", "CRM_ENTITY": "9" * 5000}, "CRM_CHAT_EMPTY_CRM_DATA"),
            ({"CRM_ENTITY_TYPE": "lead", "CRM_ENTITY": "x"}, "ERROR_ARGUMENT"),
        ],
    )
    def test_the_last_one_of_nothing(self, portal: PortalClient, params: Any, code: str) -> None:
        assert portal.error("imopenlines.crm.chat.getLastId", params) == (400, code)


class TestSystem:
    def test_scopes_are_ones_own_or_all(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "secretcode", "scopes": ["im"]}])
        assert portal.result("scope") == ["im"]
        assert {"im", "imbot", "imopenlines", "crm", "user", "timeman"} <= set(portal.result("scope", {"full": True}))

    def test_methods_are_those_of_ones_scopes_one_scope_or_all(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "secretcode", "scopes": ["im"]}])
        mine = portal.result("methods")
        assert {"im.user.get", "server.time"} <= set(mine)
        assert "crm.activity.list" not in mine
        assert "crm.activity.list" in portal.result("methods", {"full": True})
        assert portal.result("methods", {"scope": "crm"}) == ["crm.activity.list"]
        assert "profile" in portal.result("methods", {"scope": ""})
        assert portal.result("methods", {"scope": ["crm"]}) == []
        assert not any(".v2." in name for name in portal.result("methods", {"full": True}))

    @pytest.mark.parametrize(
        ("name", "exists", "available"),
        [
            ("user.get", True, True),
            ("User.Get", False, False),
            ("imopenlines.crm.chat.getlastid", True, True),
            ("imopenlines.crm.chat.getLastId", False, False),
            ("timeman.status", True, False),
            ("imopenlines.v2.session.list", True, True),
            ("imopenlines.v2.No.such", True, True),
            ("tasks.v2.no", False, False),
            ("", False, False),
            ("no.such", False, False),
        ],
    )
    def test_a_method_is_asked_for_in_lower_case(
        self, portal: PortalClient, name: str, exists: bool, available: bool
    ) -> None:
        answer = {"isExisting": exists, "isAvailable": available}
        assert portal.result("method.get", {"name": name}) == answer
        assert portal.result("method.get", {"NAME": name}) == {"isExisting": False, "isAvailable": False}

    def test_a_method_that_the_portal_is_too_old_for(self, portal: PortalClient) -> None:
        portal.reset(switches={"v2_methods": False})
        answer = portal.result("method.get", {"name": "imopenlines.v2.session.list"})
        assert answer == {"isExisting": False, "isAvailable": False}

    def test_the_time_is_the_sandboxs(self, portal: PortalClient) -> None:
        before = datetime.fromisoformat(portal.result("server.time"))
        portal.skip(3600)
        assert datetime.fromisoformat(portal.result("server.time")) - before >= timedelta(hours=1)

    def test_an_application_is_described_and_a_webhook_is_none(self, portal: PortalClient) -> None:
        assert portal.error("app.info") == (403, "ACCESS_DENIED")
        portal.reset(apps=[{"client_id": "local.x", "access_token": "token"}])
        app = portal.post("app.info", json={"auth": "token"}).json()["result"]
        assert (app["CODE"], app["STATUS"], app["INSTALLED"]) == ("local.x", "L", True)


class TestBots:
    V2 = "imbot.v2.Bot."
    FIELDS: dict[str, Any] = {  # noqa: RUF012
        "code": "mover",
        "botToken": "a token",
        "type": "openline",
        "properties": {"name": "Mover Bot"},
    }
    OLD_FIELDS: dict[str, Any] = {  # noqa: RUF012
        "CODE": "mover",
        "CLIENT_ID": "a token",
        "TYPE": "O",
        "EVENT_HANDLER": "https://handler.example/",
        "PROPERTIES": {"NAME": "Mover", "LAST_NAME": "Bot"},
    }

    def register(self, portal: PortalClient, **changed: Any) -> dict[str, Any]:
        result: dict[str, Any] = portal.result(f"{self.V2}register", {"fields": {**self.FIELDS, **changed}})
        return result

    def test_one_is_registered_once_and_can_transfer(self, portal: PortalClient) -> None:
        first = self.register(portal)
        assert self.register(portal, type="bot", properties={"name": "Other"}) == first
        assert (first["bot"]["appId"], first["bot"]["isSupportOpenline"]) == ("customa token", True)
        assert first["users"][0]["name"] == "Mover Bot"
        assert portal.transfer(112, USER_ID=12, CLIENT_ID="a token").json()["result"] is True
        rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [343]})["transfers"]
        assert rows[-1]["initiatorId"] == first["bot"]["id"]

    def test_an_application_needs_no_token(self, portal: PortalClient) -> None:
        portal.reset(apps=[{"client_id": "local.x", "access_token": "token"}])
        fields = {key: value for key, value in self.FIELDS.items() if key != "botToken"}
        reply = portal.post(f"{self.V2}register", json={"fields": fields, "auth": "token"}).json()
        assert reply["result"]["bot"]["appId"] == "local.x"

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"botToken": ""}, "BOT_TOKEN_NOT_SPECIFIED"),
            ({"botToken": "x" * 41}, "BOT_REGISTER_FAILED"),
            ({"code": ""}, "BOT_CODE_REQUIRED"),
            ({"properties": {}}, "BOT_PROPERTIES_REQUIRED"),
            ({"type": "robot"}, "BOT_INVALID_TYPE"),
            ({"eventMode": "push"}, "BOT_INVALID_EVENT_MODE"),
            ({"eventMode": "webhook"}, "BOT_WEBHOOK_URL_REQUIRED"),
            ({"eventMode": "webhook", "webhookUrl": "nowhere"}, "BOT_INVALID_CALLBACK"),
            ({"code": "chattransfer"}, "BOT_CODE_ALREADY_TAKEN"),
        ],
    )
    def test_one_is_refused(self, portal: PortalClient, changed: dict[str, Any], code: str) -> None:
        params = {"fields": {**self.FIELDS, **changed}}
        assert portal.error(f"{self.V2}register", params) == (400, code)

    def test_an_application_has_a_hundred_at_most(self, portal: PortalClient) -> None:
        query = "fields[botToken]=t&fields[properties][name]=n&fields[code]="
        for start in (0, 50):
            portal.batch({f"b{code}": f"{self.V2}register?{query}{code}" for code in range(start, start + 50)})
        fields = {**self.FIELDS, "botToken": "t"}
        assert portal.error(f"{self.V2}register", {"fields": fields}) == (400, "BOT_LIMIT_EXCEEDED")

    def test_ones_own_are_listed_and_removed(self, portal: PortalClient) -> None:
        bot = self.register(portal)["bot"]
        token = {"botToken": "a token"}
        assert portal.result(f"{self.V2}list", token)["bots"] == [bot]
        assert portal.result(f"{self.V2}list", {**token, "filter": {"type": "bot"}})["bots"] == []
        assert portal.error(f"{self.V2}list") == (400, "BOT_TOKEN_NOT_SPECIFIED")
        assert portal.error(f"{self.V2}unregister", token) == (400, "BOT_ID_REQUIRED")
        assert portal.error(f"{self.V2}unregister", {**token, "botId": 4711}) == (400, "BOT_NOT_FOUND")
        assert portal.error(f"{self.V2}unregister", {**token, "botId": 80}) == (403, "BOT_OWNERSHIP_ERROR")
        assert portal.result(f"{self.V2}unregister", {**token, "botId": bot["id"]}) is True
        assert portal.transfer(112, USER_ID=12, CLIENT_ID="a token").json()["error"] == "BOT_ID_ERROR"

    def test_the_older_method_answers_a_number_and_the_same_again(self, portal: PortalClient) -> None:
        bot = portal.result("imbot.register", self.OLD_FIELDS)
        assert portal.result("imbot.register", self.OLD_FIELDS) == bot
        assert self.register(portal)["bot"]["id"] == bot
        assert portal.result("imbot.bot.list")[str(bot)] == {
            "ID": bot,
            "NAME": "Mover Bot",
            "CODE": "mover",
            "OPENLINE": "Y",
        }
        assert portal.transfer(112, USER_ID=12, CLIENT_ID="a token").json()["result"] is True

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"CLIENT_ID": ""}, (403, "ACCESS_DENIED")),
            ({"EVENT_HANDLER": ""}, (400, "EVENT_MESSAGE_ADD_ERROR")),
            ({"EVENT_HANDLER": "nowhere"}, (400, "EVENT_MESSAGE_ADD_ERROR")),
            (
                {"EVENT_HANDLER": "", "EVENT_MESSAGE_ADD": "https://a.example/", "EVENT_MESSAGE_UPDATE": "nowhere"},
                (400, "EVENT_MESSAGE_UPDATE_ERROR"),
            ),
            ({"EVENT_HANDLER": "", "EVENT_MESSAGE_ADD": "https://a.example/"}, (400, "EVENT_WELCOME_MESSAGE_ERROR")),
            ({"CODE": ""}, (400, "CODE_ERROR")),
            ({"PROPERTIES": {}}, (400, "NAME_ERROR")),
            ({"CODE": "chattransfer"}, (400, "WRONG_REQUEST")),
        ],
    )
    def test_the_older_method_refuses(self, portal: PortalClient, changed: Any, error: tuple[int, str]) -> None:
        assert portal.error("imbot.register", {**self.OLD_FIELDS, **changed}) == error

    def test_the_older_method_allows_five(self, portal: PortalClient) -> None:
        for number in range(5):
            portal.result("imbot.register", {**self.OLD_FIELDS, "CODE": f"bot{number}"})
        assert portal.error("imbot.register", self.OLD_FIELDS) == (400, "MAX_COUNT_ERROR")

    def test_the_older_method_removes_ones_own(self, portal: PortalClient) -> None:
        bot, mine = portal.result("imbot.register", self.OLD_FIELDS), {"CLIENT_ID": "a token"}
        assert portal.error("imbot.unregister", {"BOT_ID": bot}) == (403, "ACCESS_DENIED")
        assert portal.error("imbot.unregister", {"BOT_ID": 4711, **mine}) == (400, "BOT_ID_ERROR")
        assert portal.error("imbot.unregister", {"BOT_ID": 80, **mine}) == (400, "APP_ID_ERROR")
        assert portal.result("imbot.unregister", {"BOT_ID": bot, **mine}) is True
        assert str(bot) not in portal.result("imbot.bot.list")

    def test_they_need_their_scope(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "secretcode", "scopes": ["imopenlines"]}])
        for method in (f"{self.V2}register", "imbot.register", "imbot.bot.list"):
            assert portal.error(method) == (401, "insufficient_scope")
