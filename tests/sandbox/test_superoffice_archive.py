# SPDX-License-Identifier: Apache-2.0
"""The lists of the SuperOffice sandbox: OData, the archive agent, and the lists of people and channels."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.sandbox.superoffice_client import SUPERVISOR, TenantClient


class TestTheList:
    def ids(self, desk: TenantClient, **query: Any) -> list[int]:
        query = {"orderBy": "chatSessionId asc", "select": "chatSessionId", **query}
        return [row["chatSessionId"] for row in desk.get("ChatSession", **query)["value"]]

    def test_a_row_has_texts_where_an_entity_has_values(self, desk: TenantClient) -> None:
        answer = desk.get(
            "ChatSession",
            select="chatSessionId,status,associateId,associate/ejUserId,whenStarted,whenEnded",
            filter="chatSessionId eq 157",
        )
        (row,) = answer["value"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", row.pop("whenStarted"))
        assert row == {
            "PrimaryKey": "157",
            "EntityName": "chat",
            "chatSessionId": 157,
            "status": "Waiting for agent",
            "associateId": "agent7",
            "associate/ejUserId": 12,
            "whenEnded": "0001-01-01T00:00:00",
        }
        assert answer["odata.nextLink"] is None

    def test_the_active_sessions_of_an_agent(self, desk: TenantClient) -> None:
        found = self.ids(desk, filter="status oneOf (5,6) and associateId associateIsOneOf (7)")
        expected = [int(c["id"]) for c in desk.state()["chats"] if c["owner"] == "7" and c["state"] == "open"]
        assert found == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("chatSessionId gt 157 and chatSessionId <= 159", [158, 159]),
            ("chatSessionId in (150,151) or chatSessionId = 157", [150, 151, 157]),
            ("chatSessionId eq 150 or chatSessionId eq 157 and status oneOf (4)", [150]),
            ("(chatSessionId eq 150 or chatSessionId eq 157) and status oneOf (5)", [157]),
            ("chatSessionId between (150,152)", [150, 151, 152]),
            ("status notOneOf (5,6) and chatTopic/name eq 'Sales'", [163]),
            ("status in (4) and chatSessionId lt 160", [153]),
            ("associateId currentAssociate and status oneOf (5,6)", []),
            ("CHATSESSIONID EQ [I:157]", [157]),
            ("chatSessionId lt 153 and startswith(chatTopic/name, 'sup')", [150, 151, 152]),
            ("chatSessionId lt 153 and substringof('PPOR', chatTopic/name)", [150, 151, 152]),
            ("chatSessionId lt 153 and endswith(chatTopic/name, 'les')", []),
            ("chatSessionId lt 153 and chatTopic/name notBegins 'Sal'", [150, 151, 152]),
            ("chatSessionId lt 153 and chatTopic/name notContains 'upp'", []),
            ("chatSessionId lt 153 and associate/fullName is 'anna berg'", []),
            ("chatSessionId in (157,158) and whenRequested before [DT:01/01/2001 00:00:00]", []),
            ("chatSessionId in (157,158) and whenRequested after [D:01/01/2001]", [157, 158]),
            ("chatSessionId in (157,158) and whenRequested dateBetween (2001-01-01,2999-01-01)", [157, 158]),
            ("agent oneOf (12) and chatSessionId lt 153", [150, 152]),
            ("chatSessionId lt 153 and getNoRows set 1", []),
            ("chatSessionId lt 153 and getAllRows set 1", [150, 151, 152]),
        ],
    )
    def test_filters(self, desk: TenantClient, text: str, expected: list[int]) -> None:
        assert self.ids(desk, filter=text) == expected

    @pytest.mark.parametrize(
        "query",
        [
            {"$filter": "chatSessionId eq"},
            {"$filter": "(chatSessionId eq 1"},
            {"$filter": "chatSessionId eq 1 chatSessionId eq 2"},
            {"$filter": "transferTo eq 12"},
            {"$filter": "status gt 4"},
            {"$filter": "status oneOf ('Waiting')"},
            {"$filter": "associateId eq 7"},
            {"$filter": "associate/fullName oneOf ('A')"},
            {"$filter": "upperCase(chatTopic/name, 'A')"},
            {"$filter": "startswith(chatTopic/name)"},
            {"$filter": "startswith(chatSessionId, '1')"},
            {"$filter": "whenStarted after 'soon'"},
            {"$select": "chatSessionId,transferTo"},
            {"$orderBy": "chatSessionId down"},
            {"$orderBy": "associate/ejUserId"},
            {"$top": "many"},
        ],
    )
    def test_what_the_list_does_not_know_is_an_error(self, desk: TenantClient, query: dict[str, str]) -> None:
        assert desk.send("GET", "ChatSession", by=7, params=query).status_code == 400

    def test_the_list_without_an_order_none_is_promised(self, desk: TenantClient) -> None:
        assert self.ids(desk, orderBy="") != self.ids(desk)
        assert self.ids(desk, orderBy="chatSessionId desc") == self.ids(desk)[::-1]
        assert self.ids(desk, orderBy="", orderby="chatSessionId") in (self.ids(desk), self.ids(desk)[::-1])

    def test_the_name_of_an_option_has_any_case(self, desk: TenantClient) -> None:
        reply = desk.send("GET", "ChatSession?$ORDERBY=chatSessionId&$Top=2&$SELECT=chatSessionId", by=7)
        assert [row["PrimaryKey"] for row in reply.json()["value"]] == ["150", "151"]

    def test_a_page_has_a_thousand_rows_and_links_to_the_next(self, desk: TenantClient) -> None:
        desk.reset(chats=1500)
        first = desk.get("ChatSession", select="chatSessionId", orderBy="chatSessionId")
        second = requests.get(first["odata.nextLink"], auth=SUPERVISOR, timeout=10).json()
        assert (len(first["value"]), len(second["value"]), second["odata.nextLink"]) == (1000, 500, None)
        assert second["value"][0]["chatSessionId"] == first["value"][-1]["chatSessionId"] + 1

    def test_top_cuts_off_and_skip_goes_on(self, desk: TenantClient) -> None:
        assert self.ids(desk, top=2) == [150, 151]
        assert self.ids(desk, top=2, skip=2) == [152, 153]
        desk.reset(switches={"next_link_with_top": False})
        assert desk.get("ChatSession", top=2)["odata.nextLink"] is None

    def test_the_list_names_safe_for_json(self, desk: TenantClient) -> None:
        row = desk.get("ChatSession", select="chatTopic/chatTopicId", top=1, jsonSafe="true")["value"][0]
        assert "chatTopic_chatTopicId" in row

    def test_the_list_of_a_topic(self, desk: TenantClient) -> None:
        rows = desk.get("ChatTopic/4/Sessions", select="chatSessionId", filter="status oneOf (4)")["value"]
        assert [row["chatSessionId"] for row in rows] == [163]
        assert desk.send("GET", "ChatTopic/77/Sessions", by=7).status_code == 404

    def test_the_dynamic_one_speaks_the_databases_language(self, desk: TenantClient) -> None:
        (row,) = desk.get(
            "Archive/dynamic",
            select="chat_session.id,chat_session.status,chat_session.user_id,chat_session.transfer_to",
            filter="chat_session.status in (5,6) and chat_session.transfer_to gt 0",
            orderBy="chat_session.id",
        )["value"]
        assert (row["chat_session.id"], row["chat_session.user_id"], row["chat_session.transfer_to"]) == (151, 13, 17)
        assert desk.send("GET", "Archive/dynamic", by=7).status_code == 400

    def test_the_dynamic_one_says_nothing_without_columns(self, desk: TenantClient) -> None:
        query = {"$select": "chat_session.colour"}
        assert desk.send("GET", "Archive/dynamic", by=7, params=query).status_code == 400


class TestWhatARowShows:
    def row(self, desk: TenantClient, chat: int, **query: Any) -> dict[str, Any]:
        (row,) = desk.get("ChatSession", filter=f"chatSessionId eq {chat}", **query)["value"]
        assert isinstance(row, dict)
        return row

    def test_full_mode_has_values_beside_the_texts_and_a_number_for_a_key(self, desk: TenantClient) -> None:
        row = self.row(desk, 157, select="chatSessionId,status,associateId,whenEnded,chatTopic/name", mode="Full")
        assert (row["PrimaryKey"], row["EntityName"]) == (157, "chat")
        assert {name: (each["RawValue"], each["DisplayValue"]) for name, each in row["Column"].items()} == {
            "chatSessionId": (157, "[I:157]"),
            "status": (5, "Waiting for agent"),
            "associateId": (7, "agent7"),
            "whenEnded": ("0001-01-01T00:00:00", "[DT:01/01/0001 00:00:00]"),
            "chatTopic/name": ("Support", "Support"),
        }

    def test_columns_are_named_as_they_were_asked_for(self, desk: TenantClient) -> None:
        assert "STATUS" in self.row(desk, 157, select="STATUS")

    def test_personal_data_is_there_for_whoever_asks_but_not_by_default(self, desk: TenantClient) -> None:
        usual = self.row(desk, 157)
        assert {"chatSessionId", "status", "associateId", "chatTopic/chatTopicId"} <= set(usual)
        assert not [name for name in usual if name.startswith(("person/", "getNoRows"))]
        entity = desk.session(157)
        row = self.row(desk, 157, select="person/fullName,person/email/emailAddress")
        assert row["person/fullName"] == entity["CustomerName"]
        assert row["person/email/emailAddress"] == entity["CustomerEmail"]

    def test_what_a_row_shows_of_somebody_unknown_there_is_none(self, desk: TenantClient) -> None:
        desk.reset(chats=[{"id": 1, "owner": 7, "known": False}])
        row = self.row(desk, 1, select="personId,person/fullName,lastMessage")
        assert (row["personId"], row["person/fullName"]) == (0, "")
        assert row["lastMessage"]

    def test_a_pending_transfer_is_in_no_column_but_in_the_dynamic_archive(self, desk: TenantClient) -> None:
        assert not [name for name in self.row(desk, 151) if "transfer" in name.casefold()]
        query = {"$select": "chat_session.transfer_to", "$filter": "chat_session.id eq 151"}
        (row,) = desk.send("GET", "Archive/dynamic", by=7, params=query).json()["value"]
        assert (row["EntityName"], row["chat_session.transfer_to"]) == ("chat_session", 17)

    def test_how_long_it_took(self, desk: TenantClient) -> None:
        row = self.row(desk, 159, select="timeInQueue,duration")
        assert (row["timeInQueue"], row["duration"]) == (45, 355)
        assert desk.send("GET", "ChatSession", by=7, params={"$orderBy": "duration"}).status_code == 400

    @pytest.mark.parametrize(
        "query",
        [
            {"$mode": "Wide"},
            {"$format": "xml"},
            {"$metadata": "ALL"},
            {"$select": "person/birthYear"},
            {"$select": "GroupBy(status):Header"},
            {"$filter": "whenRequested today"},
        ],
    )
    def test_what_is_not_simulated_says_so(self, desk: TenantClient, query: dict[str, str]) -> None:
        assert desk.send("GET", "ChatSession", by=7, params=query).status_code == 501


class TestAnyArchive:
    @pytest.mark.parametrize(
        ("name", "entity"),
        [("ChatSession", "chat"), ("SimpleChatSession", "chatsession"), ("findchatsession", "chatsession")],
    )
    def test_any_archive_is_found_by_its_name(self, desk: TenantClient, name: str, entity: str) -> None:
        rows = desk.get(f"Archive/{name}", select="chatSessionId", orderBy="chatSessionId", top=1)["value"]
        assert rows == [{"PrimaryKey": "150", "EntityName": entity, "chatSessionId": 150}]

    def test_any_archive_takes_its_parameters_from_a_form_when_they_are_long(self, desk: TenantClient) -> None:
        wanted = ",".join(map(str, range(1, 2000)))
        form = {"$select": "chatSessionId", "$filter": f"chatSessionId oneOf ({wanted})", "$orderby": "chatSessionId"}
        answer = desk.send("POST", "Archive/ChatSession", by=7, data=form).json()
        assert [row["chatSessionId"] for row in answer["value"]] == list(range(150, 180))

    def test_unknown_it_is_an_error(self, desk: TenantClient) -> None:
        assert desk.send("GET", "Archive/Chats", by=7).json()["ErrorType"] == "SoInvalidArgumentException"

    def test_any_archive_counts_only_when_asked(self, desk: TenantClient) -> None:
        assert "odata.count" not in desk.get("ChatSession", top=1)
        assert desk.get("ChatSession", top=1, inlineCount="AllPages")["odata.count"] == 30

    def test_any_archive_may_be_asked_for_certain_entities(self, desk: TenantClient) -> None:
        assert len(desk.get("ChatSession", entities="chat")["value"]) == 30
        assert desk.get("ChatSession", entities="document")["value"] == []

    def test_any_archive_shows_everybody_everything_unless_the_switch_says_otherwise(self, desk: TenantClient) -> None:
        def seen(by: int) -> int:
            return len(desk.get("ChatSession", by=by)["value"])

        assert seen(7) == seen(21) == 30
        desk.reset(switches={"archive_rows": "own_topics"})
        assert 0 < seen(7) == sum(chat["queue"] == "3" for chat in desk.state()["chats"]) < 30
        assert seen(21) == 30, "he has a role in both"


ACTIVE = {"name": "status", "operator": "oneOf", "values": ["5", "6"], "isActive": True}
OF_AGENT_7 = {"name": "associateId", "operator": "associateIsOneOf", "values": ["7"], "isActive": True}


class TestTheArchiveAgent:
    BY_COLUMNS = {  # noqa: RUF012
        "providerName": "ChatSession",
        "columns": ["chatSessionId", "status", "associateId", "whenEnded", "chatTopic/chatTopicId"],
        "sortOrder": [{"name": "chatSessionId", "direction": "ASC"}],
        "restriction": [ACTIVE, OF_AGENT_7],
        "entities": ["chat"],
        "page": 0,
        "pageSize": 100,
    }
    BY_COLUMNS_2 = {  # noqa: RUF012
        "providerName": "ChatSession",
        "columns": "chatSessionId,status,agent,chatTopic/chatTopicId",
        "sortOrder": "chatSessionId asc",
        "restrictions": "status oneOf (5,6) and associateId associateIsOneOf (7)",
        "entities": "chat",
        "page": 0,
        "pageSize": 100,
    }

    def ask(self, desk: TenantClient, method: str, body: Any, **different: Any) -> Any:
        return desk.send("POST", f"Agents/Archive/{method}", by=7, json={**body, **different}).json()

    def ids(self, rows: list[dict[str, Any]]) -> list[int]:
        return [row["PrimaryKey"] for row in rows]

    def restricted(self, desk: TenantClient, *restrictions: dict[str, Any]) -> list[int]:
        return self.ids(self.ask(desk, "GetArchiveListByColumns", self.BY_COLUMNS, restriction=list(restrictions)))

    def owned(self, desk: TenantClient) -> list[int]:
        return [int(chat["id"]) for chat in desk.state()["chats"] if (chat["owner"], chat["state"]) == ("7", "open")]

    def test_the_archive_agent_answers_with_a_bare_list_of_encoded_values(self, desk: TenantClient) -> None:
        rows = self.ask(desk, "GetArchiveListByColumns", self.BY_COLUMNS)
        assert self.ids(rows) == self.owned(desk)
        assert set(rows[0]) == {
            "EntityName",
            "PrimaryKey",
            "ColumnData",
            "LinkHint",
            "StyleHint",
            "TableRight",
            "FieldProperties",
        }
        assert rows[0]["ColumnData"]["chatSessionId"] == {
            "DisplayValue": "[I:150]",
            "TooltipHint": "",
            "LinkHint": "",
        }
        assert {name: cell["DisplayValue"] for name, cell in rows[0]["ColumnData"].items()} == {
            "chatSessionId": "[I:150]",
            "status": "Waiting for customer",
            "associateId": "agent7",
            "whenEnded": "[DT:01/01/0001 00:00:00]",
            "chatTopic/chatTopicId": "[I:3]",
        }

    def test_the_archive_agent_takes_texts_where_the_methods_name_ends_in_two(self, desk: TenantClient) -> None:
        assert self.ids(self.ask(desk, "GetArchiveListByColumns2", self.BY_COLUMNS_2)) == self.owned(desk)

    def test_a_restriction_that_does_not_say_it_is_active_is_not(self, desk: TenantClient) -> None:
        asleep = [{name: each[name] for name in ("name", "operator", "values")} for each in (ACTIVE, OF_AGENT_7)]
        assert len(self.restricted(desk, *asleep)) == 30
        assert len(self.restricted(desk, asleep[0], OF_AGENT_7)) == len(self.owned(desk)) + 3, "the closed ones too"
        assert len(self.restricted(desk, {**OF_AGENT_7, "isActive": False})) == 30

    def test_the_name_of_the_restriction_differs_between_the_methods(self, desk: TenantClient) -> None:
        misnamed = {**self.BY_COLUMNS_2, "restriction": self.BY_COLUMNS_2["restrictions"], "restrictions": None}
        assert len(self.ask(desk, "GetArchiveListByColumns2", misnamed)) == 30
        assert len(self.ask(desk, "GetArchiveListByColumnsWithContext2", misnamed)) == len(self.owned(desk))
        assert len(self.ask(desk, "GetArchiveListByColumnsWithHeader2", self.BY_COLUMNS_2)["Rows"]) == 30

    def test_a_restriction_tells_how_the_next_one_is_joined_and_the_brackets(self, desk: TenantClient) -> None:
        def number(value: int, **more: Any) -> dict[str, Any]:
            return {"name": "chatSessionId", "operator": "=", "values": [f"[I:{value}]"], "isActive": True, **more}

        assert self.restricted(desk, number(150, interOperator="Or"), number(157)) == [150, 157]
        assert self.restricted(desk, number(150), number(157)) == []
        either = (number(150, interOperator="Or"), number(157, interOperator="And"))
        assert self.restricted(desk, *either, ACTIVE | {"values": ["4"]}) == [150]
        bracketed = ({**either[0], "interParenthesis": 1}, {**either[1], "interParenthesis": -1})
        assert self.restricted(desk, *bracketed, ACTIVE | {"values": ["4"]}) == []
        assert self.restricted(desk, *bracketed, ACTIVE) == [150, 157]

    def test_an_operator_may_need_no_value(self, desk: TenantClient) -> None:
        own = {"name": "associateId", "operator": "currentAssociate", "values": [], "isActive": True}
        assert self.restricted(desk, own, ACTIVE) == self.owned(desk)

    def test_a_value_may_hold_a_quote(self, desk: TenantClient) -> None:
        quoted = {"name": "chatTopic/name", "operator": "is", "values": ["O'Brien's"], "isActive": True}
        assert self.restricted(desk, quoted) == []

    def test_pages_from_zero_and_skips_for_a_negative_page(self, desk: TenantClient) -> None:
        owned = self.owned(desk)
        for page, expected in ((0, owned[:2]), (1, owned[2:4]), (-1, owned[1:3]), (99, [])):
            rows = self.ask(desk, "GetArchiveListByColumns2", self.BY_COLUMNS_2, page=page, pageSize=2)
            assert self.ids(rows) == expected

    def test_a_page_without_a_size_has_a_thousand_rows(self, desk: TenantClient) -> None:
        desk.reset(chats=1100)
        body = {"providerName": "ChatSession", "columns": "chatSessionId"}
        assert len(self.ask(desk, "GetArchiveListByColumns2", body)) == 1000

    @pytest.mark.parametrize("name", ["WithHeader", "WithHeaderWithContext"])
    def test_a_header_counts_the_rows_when_the_options_say_so(self, desk: TenantClient, name: str) -> None:
        body = {**self.BY_COLUMNS, "pageSize": 2, "context": ""}
        answer = self.ask(desk, f"GetArchiveListByColumns{name}", body, options="rowcount=true")
        assert (answer["RowCount"], len(answer["Rows"])) == (len(self.owned(desk)), 2)
        assert self.ask(desk, f"GetArchiveListByColumns{name}", body)["RowCount"] == 0
        desk.reset(switches={"row_count": "always"})
        assert self.ask(desk, f"GetArchiveListByColumns{name}", body)["RowCount"] == len(self.owned(desk))

    def test_sorts_descending(self, desk: TenantClient) -> None:
        down = [{"Name": "chatSessionId", "Direction": "DESC"}]
        rows = self.ask(desk, "GetArchiveListByColumns", self.BY_COLUMNS, sortOrder=down)
        assert self.ids(rows) == self.owned(desk)[::-1]

    @pytest.mark.parametrize(
        ("different", "status"),
        [
            ({"providerName": "Chats"}, 400),
            ({"columns": "chatSessionId"}, 400),
            ({"columns": ["colour"]}, 400),
            ({"restriction": [{**ACTIVE, "operator": "gt"}]}, 400),
            ({"restriction": [{**ACTIVE, "interParenthesis": 1}]}, 400),
            ({"restriction": "status oneOf (5)"}, 400),
            ({"restriction": [{**ACTIVE, "values": "5"}]}, 400),
            ({"restriction": [{**ACTIVE, "values": ["five"]}]}, 400),
            ({"restriction": [{**ACTIVE, "interParenthesis": "one"}]}, 400),
            ({"restriction": [{"isActive": True}]}, 400),
            ({"sortOrder": [{"direction": "UP", "name": "status"}]}, 400),
        ],
    )
    def test_what_it_cannot_use_is_an_error(self, desk: TenantClient, different: dict[str, Any], status: int) -> None:
        body = {**self.BY_COLUMNS, **different}
        assert desk.send("POST", "Agents/Archive/GetArchiveListByColumns", by=7, json=body).status_code == status
        desk.reset(switches={"agent_errors": "null", "binder_error_status": 200})
        assert desk.send("POST", "Agents/Archive/GetArchiveListByColumns", by=7, json=body).status_code == 200
