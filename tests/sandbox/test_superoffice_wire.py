# SPDX-License-Identifier: Apache-2.0
"""How the SuperOffice sandbox looks on the wire: credentials, carriers, lists, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import pytest
import requests

from tests.sandbox.superoffice_client import SUPERVISOR, Desk

OPENAPI = Path(__file__).parents[3] / "shared" / "contracts" / "superoffice-chat.openapi.json"
UTC = {"SO-TimeZone": "UTC,includeTZOffset"}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    """The official document, made strict: see `_close`."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text())
    for schema in document["components"]["schemas"].values():
        _close(schema)
    return document


class TestCredentials:
    def who(self, desk: Desk, headers: dict[str, str]) -> int | None:
        reply = desk.send("GET", "User/currentPrincipal", headers=headers)
        assert reply.status_code in (200, 401)
        return int(reply.json()["AssociateId"]) if reply.ok else None

    @pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
    def test_basic_as_the_documents_print_it(self, desk: Desk, scheme: str) -> None:
        assert self.who(desk, {"Authorization": f"{scheme} dGplMDpUamUw"}) == 5

    def test_a_bearer_token_stands_for_its_associate(self, desk: Desk) -> None:
        assert self.who(desk, {"Authorization": "Bearer 8A:Cust12345.agent12"}) == 12

    @pytest.mark.parametrize("scheme", ["SOTicket", "SoTicket", "SOTICKET"])
    def test_a_ticket_needs_the_application_token(self, desk: Desk, scheme: str) -> None:
        ticket = {"Authorization": f"{scheme} 7T:Cust12345.agent7"}
        assert self.who(desk, {**ticket, "SO-AppToken": "sandbox-secret"}) == 7
        assert self.who(desk, ticket) is None
        assert self.who(desk, {**ticket, "SO-AppToken": "another"}) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Basic dGplMDp3cm9uZw=="},
            {"Authorization": "Basic !!"},
            {"Authorization": "Bearer 8A:Cust12345.nobody"},
            {"Authorization": "Bearer 7T:Cust12345.agent7"},
            {"Authorization": "Bearer 8A:Cust12345.agent90"},
            {"Authorization": "Negotiate abc"},
        ],
    )
    def test_everything_else_is_401(self, desk: Desk, headers: dict[str, str]) -> None:
        assert self.who(desk, headers) is None

    def test_a_deleted_associate_cannot_sign_in(self, desk: Desk) -> None:
        assert desk.send("GET", "User/currentPrincipal", by=90).status_code == 401

    def test_a_call_without_credential_changes_nothing(self, desk: Desk) -> None:
        desk.send("POST", "ChatSession/157/TransferTo/12")
        assert desk.ledger() == []

    def test_tokens_of_the_scenario_expire(self, desk: Desk) -> None:
        token = {"Authorization": "Bearer 8A:Cust12345.short"}
        for status in (401, 403):
            desk.reset(
                tokens={"8A:Cust12345.short": {"associate": 7, "expires_in": 60}},
                switches={"expired_token_status": status},
            )
            assert desk.send("GET", "User/currentPrincipal", headers=token).status_code == 200
            desk.later(61)
            assert desk.send("GET", "User/currentPrincipal", headers=token).status_code == status

    def test_the_principal_names_both_ids(self, desk: Desk) -> None:
        principal = desk.get("User/currentPrincipal", by=7)
        assert (principal["AssociateId"], principal["EjUserId"], principal["Associate"]) == (7, 12, "agent7")


class TestTheTokenEndpoint:
    def renew(self, desk: Desk, **form: str) -> requests.Response:
        fields = {
            "grant_type": "refresh_token",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "refresh_token": "refresh-agent7",
            **form,
        }
        return requests.post(f"{desk.server.url}/login/common/oauth/tokens", data=fields, timeout=10)

    def test_gives_a_new_access_token_and_no_new_refresh_token(self, desk: Desk) -> None:
        answer = self.renew(desk).json()
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
        assert "refresh_token" not in answer
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        assert desk.send("GET", "User/currentPrincipal", headers=headers).json()["AssociateId"] == 7
        desk.later(3601)
        assert desk.send("GET", "User/currentPrincipal", headers=headers).status_code == 401
        assert self.renew(desk).status_code == 200

    @pytest.mark.parametrize(
        ("wrong", "status", "code"),
        [
            ({"client_secret": "x"}, 401, "invalid_client"),
            ({"refresh_token": "x"}, 400, "invalid_grant"),
            ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ],
    )
    def test_refuses_as_rfc_6749_says(self, desk: Desk, wrong: dict[str, str], status: int, code: str) -> None:
        reply = self.renew(desk, **wrong)
        assert (reply.status_code, reply.json()["error"]) == (status, code)


class TestTheTenant:
    def test_its_state_tells_where_it_lives_and_needs_no_credential(self, desk: Desk) -> None:
        state = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()
        assert (state["State"], state["IsRunning"]) == ("Running", True)
        assert f"{state['Api']}/v1" == desk.api
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", state["ValidUntil"])

    def test_a_stranger_is_unknown(self, desk: Desk) -> None:
        state = requests.get(f"{desk.server.url}/api/state/Cust99999", timeout=10).json()
        assert (state["State"], state["IsRunning"], state["Api"]) == ("Unknown", False, None)

    def test_on_another_host_it_is_misdirected(self, desk: Desk) -> None:
        desk.reset(data_host="localhost")
        assert desk.send("GET", "User/currentPrincipal", by=7).status_code == 421
        api = requests.get(f"{desk.server.url}/api/state/Cust12345", timeout=10).json()["Api"]
        assert api.startswith("http://localhost:")
        host = api.removeprefix("http://").partition("/")[0]
        assert desk.send("GET", "User/currentPrincipal", by=7, headers={"Host": host}).status_code == 200

    def test_in_maintenance_it_answers_with_a_page(self, desk: Desk) -> None:
        desk.reset(tenant_state="OfflineMaintenance")
        reply = desk.send("GET", "User/currentPrincipal", by=7)
        assert (reply.status_code, reply.headers["content-type"]) == (503, "text/html")

    def test_the_api_tells_its_versions(self, desk: Desk) -> None:
        index = requests.get(f"{desk.server.url}/Cust12345/api", timeout=10).json()
        assert index["v1"] == desk.api
        assert "NetServerVersion" in index

    @pytest.mark.parametrize("status", [429, 503])
    def test_above_the_rate_it_refuses_and_does_nothing(self, desk: Desk, status: int) -> None:
        desk.reset(rate=2, switches={"rate_status": status, "retry_after": True})
        replies = [desk.send("POST", "ChatSession/157/TransferTo/12", by=7) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, status]
        assert replies[2].headers["retry-after"] == "1"
        assert desk.held(157)[2] == 2
        desk.later(1.1)
        assert desk.send("POST", "ChatSession/157/TransferTo/12", by=7).status_code == 200


class TestBinding:
    """As the official JavaScript client writes, as the documents write, and as neither does."""

    def test_names_in_a_body_may_have_any_case(self, desk: Desk) -> None:
        desk.agent("TransferChatSession", {"chatSessionId": 157, "toAssociate": "12"}, by=7)
        desk.agent("TransferChatSession", {"CHATSESSIONID": 150, "ToAssociate": "12"}, by=7)
        assert (desk.held(157)[1], desk.held(150)[1]) == ("12", "12")

    @pytest.mark.parametrize("name", ["chatSessionEntityId", "ChatSessionEntityId", "CHATSESSIONENTITYID"])
    @pytest.mark.parametrize("body", [b"null", b""])
    def test_the_id_of_an_entity_is_in_the_query(self, desk: Desk, name: str, body: bytes) -> None:
        reply = desk.send(
            "POST",
            f"Agents/Chat/GetChatSessionEntity?{name}=157",
            by=7,
            data=body,
            headers={"Content-Type": "application/json"},
        )
        assert reply.json()["ChatSessionId"] == 157

    def test_addresses_may_have_any_case(self, desk: Desk) -> None:
        assert desk.get("chatsession/157")["ChatSessionId"] == 157

    @pytest.mark.parametrize(
        "body",
        [
            {"ChatSessionId": "157", "ToAssociate": "12"},
            {"ChatSessionId": 157, "ToAssociate": 12},
            {"ChatSessionId": 2**31, "ToAssociate": "12"},
            [157, "12"],
        ],
    )
    def test_a_value_of_the_wrong_type_is_not_bound(self, desk: Desk, body: Any) -> None:
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)
        assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")
        assert desk.ledger() == []

    def test_the_agents_may_say_so_with_200(self, desk: Desk) -> None:
        desk.reset(switches={"binder_error_status": 200})
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json={"ChatSessionId": "x"})
        assert (reply.status_code, "MessageDetail" in reply.json()) == (200, True)
        assert desk.send("GET", "ChatSession/x", by=7).status_code == 400

    def test_types_may_be_converted_when_the_switch_says_so(self, desk: Desk) -> None:
        desk.reset(switches={"lenient_types": True})
        desk.agent("TransferChatSession", {"ChatSessionId": "157", "ToAssociate": 12}, by=7)
        assert desk.held(157)[1] == "12"

    def test_a_form_is_a_body_too(self, desk: Desk) -> None:
        desk.send("POST", "Agents/Chat/TransferChatSession", by=7, data={"ChatSessionId": "157", "ToAssociate": "12"})
        assert desk.held(157)[1] == "12"

    def test_other_types_of_body_are_415_and_what_is_not_json_is_400(self, desk: Desk) -> None:
        for kind, status in (("text/plain", 415), ("application/json", 400)):
            reply = desk.send(
                "POST", "Agents/Chat/TransferChatSession", by=7, data=b"{", headers={"Content-Type": kind}
            )
            assert reply.status_code == status


class TestErrors:
    def test_a_missing_session_is_null_for_an_agent_and_404_for_rest(self, desk: Desk) -> None:
        assert desk.session(99999) is None
        assert desk.transfer(99999, 12, by=7) is None
        for verb, path in (("GET", "ChatSession/99999"), ("POST", "ChatSession/99999/AcceptTransfer")):
            reply = desk.send(verb, path, by=7)
            assert reply.status_code == 404
            assert reply.json() == {
                "Error": True,
                "ErrorType": "SoNotFoundException",
                "ErrorMessage": "ChatSession id 99999 not found",
                "ErrorSource": "SuperOffice.Services.Implementation",
            }

    def test_addresses_and_verbs_that_do_not_exist(self, desk: Desk) -> None:
        assert desk.send("POST", "Agents/Chat/CancelTransfer", by=7).status_code == 404
        assert desk.send("GET", "ChatSession/157/AcceptTransfer", by=7).status_code == 405
        assert desk.send("GET", "Agents/Chat/TransferChatSession", by=7).json()["Method"] == "TransferChatSession"

    def test_what_is_not_simulated_says_so(self, desk: Desk) -> None:
        assert desk.send("POST", "Agents/Chat/SaveChatSessionEntity", by=7, json={}).status_code == 501
        assert desk.send("GET", "ChatSession/default", by=7).status_code == 501

    def test_faults_know_an_operation_by_its_names(self, desk: Desk) -> None:
        for method in ("AcceptTransfer", "ChatSession/{id}/AcceptTransfer"):
            fault = {"kind": "html_502_after", "service": "superoffice", "method": method}
            requests.post(f"{desk.server.url}/sandbox/faults", json=fault, timeout=10)
            assert desk.send("GET", "ChatSession/151", by=12).status_code == 200
            assert desk.send("POST", "ChatSession/151/AcceptTransfer", by=12).status_code == 502
        assert desk.held(151)[0] == "12"


class TestTheEntity:
    def test_has_the_documented_members_and_no_others(self, desk: Desk) -> None:
        assert len(desk.session(157)) == 33
        assert set(desk.get("ChatSession/157")) - set(desk.session(157)) == {"_Links"}

    def test_select_nulls_the_rest(self, desk: Desk) -> None:
        entity = desk.agent(
            "TransferChatSession?$select=chatSessionId,Status", {"ChatSessionId": 157, "ToAssociate": "12"}, by=7
        )
        assert (entity["ChatSessionId"], entity["TransferTo"], entity["User"]) == (157, None, None)
        assert len(entity) == 33
        assert desk.held(157)[1] == "12", "it only looks as if nothing happened"

    def test_select_goes_into_an_associate(self, desk: Desk) -> None:
        user = desk.agent("GetChatSessionEntity?chatSessionEntityId=157&$select=User/AssociateId")["User"]
        assert (user["AssociateId"], user["Name"]) == (7, None)

    def test_select_over_rest_keeps_the_links(self, desk: Desk) -> None:
        entity = desk.get("ChatSession/157", select="ChatSessionId")
        assert entity["_Links"]["Self"] == f"{desk.api}/ChatSession/157"
        assert entity["CustomerName"] is None

    def test_dates_are_naive_unless_the_offset_is_asked_for(self, desk: Desk) -> None:
        naive = desk.session(157)["WhenStarted"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", naive)
        utc = desk.send("GET", "ChatSession/157", by=7, headers=UTC).json()["WhenStarted"]
        assert utc.endswith("Z")
        assert utc[:-1] != naive, "the server's own zone is not UTC"
        oslo = {"SO-TimeZone": "Europe/Oslo,includeTZOffset"}
        assert desk.send("GET", "ChatSession/157", by=7, headers=oslo).json()["WhenStarted"][:-6] == naive

    def test_no_date_is_year_one(self, desk: Desk) -> None:
        assert desk.session(157)["WhenEnded"] == "0001-01-01T00:00:00"
        assert desk.send("GET", "ChatSession/157", by=7, headers=UTC).json()["WhenEnded"] == "0001-01-01T00:00:00Z"

    def test_the_time_zone_must_exist(self, desk: Desk) -> None:
        reply = desk.send("GET", "ChatSession/157", by=7, headers={"SO-TimeZone": "Middle/Earth"})
        assert reply.status_code == 400

    def test_messages_are_dated_in_utc_and_can_be_read_on_from_one(self, desk: Desk) -> None:
        messages = desk.get("ChatSession/157/Messages")
        assert messages[0]["SpecialType"] == "NewSession"
        rest = desk.send("GET", f"ChatSession/157/Messages?after={messages[1]['ChatMessageId']}", by=7).json()
        assert rest == messages[2:]
        assert isinstance(messages[1]["ReadByCustomer"], int)

    def test_sessions_of_the_user_are_those_of_his_topics(self, desk: Desk) -> None:
        assert len(desk.agent("ChatSessionsForUser", by=SUPERVISOR)) == 30
        mine = desk.agent("ChatSessionsForUser", by=7)
        assert {session["TopicId"] for session in mine} == {3}
        assert {8, 15} <= {session["User"]["AssociateId"] for session in mine if session["User"]}
        assert desk.get("ChatSession/ForCurrentUser", by=7) == mine


class TestTheList:
    def ids(self, desk: Desk, **query: Any) -> list[int]:
        query = {"orderBy": "chatSessionId asc", "select": "chatSessionId", **query}
        return [row["chatSessionId"] for row in desk.get("ChatSession", **query)["value"]]

    def test_a_row_has_texts_where_an_entity_has_values(self, desk: Desk) -> None:
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

    def test_the_active_sessions_of_an_agent(self, desk: Desk) -> None:
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
        ],
    )
    def test_filters(self, desk: Desk, text: str, expected: list[int]) -> None:
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
            {"$filter": "associate/fullName begins 'A'"},
            {"$select": "chatSessionId,transferTo"},
            {"$orderBy": "chatSessionId down"},
            {"$orderBy": "associate/ejUserId"},
            {"$top": "many"},
        ],
    )
    def test_what_the_list_does_not_know_is_an_error(self, desk: Desk, query: dict[str, str]) -> None:
        assert desk.send("GET", "ChatSession", by=7, params=query).status_code == 400

    def test_without_an_order_none_is_promised(self, desk: Desk) -> None:
        assert self.ids(desk, orderBy="") != self.ids(desk)
        assert self.ids(desk, orderBy="chatSessionId desc") == self.ids(desk)[::-1]
        assert self.ids(desk, orderBy="", orderby="chatSessionId") in (self.ids(desk), self.ids(desk)[::-1])

    def test_the_name_of_an_option_has_any_case(self, desk: Desk) -> None:
        reply = desk.send("GET", "ChatSession?$ORDERBY=chatSessionId&$Top=2&$SELECT=chatSessionId", by=7)
        assert [row["PrimaryKey"] for row in reply.json()["value"]] == ["150", "151"]

    def test_a_page_has_a_thousand_rows_and_links_to_the_next(self, desk: Desk) -> None:
        desk.reset(chats=1500)
        first = desk.get("ChatSession", select="chatSessionId", orderBy="chatSessionId")
        second = requests.get(first["odata.nextLink"], auth=SUPERVISOR, timeout=10).json()
        assert (len(first["value"]), len(second["value"]), second["odata.nextLink"]) == (1000, 500, None)
        assert second["value"][0]["chatSessionId"] == first["value"][-1]["chatSessionId"] + 1

    def test_top_cuts_off_and_skip_goes_on(self, desk: Desk) -> None:
        assert self.ids(desk, top=2) == [150, 151]
        assert self.ids(desk, top=2, skip=2) == [152, 153]
        desk.reset(switches={"next_link_with_top": False})
        assert desk.get("ChatSession", top=2)["odata.nextLink"] is None

    def test_names_safe_for_json(self, desk: Desk) -> None:
        row = desk.get("ChatSession", select="chatTopic/chatTopicId", top=1, jsonSafe="true")["value"][0]
        assert "chatTopic_chatTopicId" in row

    def test_of_a_topic(self, desk: Desk) -> None:
        rows = desk.get("ChatTopic/4/Sessions", select="chatSessionId", filter="status oneOf (4)")["value"]
        assert [row["chatSessionId"] for row in rows] == [163]
        assert desk.send("GET", "ChatTopic/77/Sessions", by=7).status_code == 404

    def test_the_dynamic_one_speaks_the_databases_language(self, desk: Desk) -> None:
        (row,) = desk.get(
            "Archive/dynamic",
            select="chat_session.id,chat_session.status,chat_session.user_id,chat_session.transfer_to",
            filter="chat_session.status in (5,6) and chat_session.transfer_to gt 0",
            orderBy="chat_session.id",
        )["value"]
        assert (row["chat_session.id"], row["chat_session.user_id"], row["chat_session.transfer_to"]) == (151, 13, 17)
        assert desk.send("GET", "Archive/dynamic", by=7).status_code == 400


class TestPeopleAndTopics:
    def test_presence_counts_active_chats_by_ejuser_id(self, desk: Desk) -> None:
        mine = next(entry for entry in desk.agent("GetChatPresence") if entry["UserId"] == 12)
        active = [c for c in desk.state()["chats"] if c["owner"] == "7" and c["state"] == "open"]
        assert (mine["OngoingChats"], mine["Present"], mine["ChatTopics"]) == (len(active), True, [3])
        desk.reset(switches={"presence_user_id": "associate"})
        assert {entry["UserId"] for entry in desk.agent("GetChatPresence")} == {5, 7, 8, 12, 15, 21}

    def test_presence_is_saved_by_either_flavour(self, desk: Desk) -> None:
        wrapped = {"chatPresence": [{"userId": 12, "present": False}]}
        reply = desk.send("POST", "Agents/Chat/SaveChatPresence", by=7, json=wrapped)
        assert (reply.status_code, reply.content) == (204, b"")
        assert next(agent for agent in desk.state()["agents"] if agent["id"] == "7")["present"] is False
        assert desk.send("POST", "Presence/SaveAll", by=7, json=[{"UserId": 12, "Present": True}]).status_code == 204
        assert next(entry for entry in desk.get("Presence/GetAll") if entry["UserId"] == 12)["Present"] is True

    def test_the_list_of_users_has_ejuser_ids_unless_asked_otherwise(self, desk: Desk) -> None:
        ids = [item["Id"] for item in desk.agent("GetUserAgentList", {"Flat": True, "OnlyPresent": False})]
        assert ids == [10, 12, 13, 17, 20, 26]
        listed = desk.send(
            "GET", "MDOList/chatuser", by=7, params={"flat": "true", "additional": "associate=True&topicId=4"}
        ).json()
        assert [item["Id"] for item in listed] == [5, 12, 21]

    def test_not_flat_means_under_their_group(self, desk: Desk) -> None:
        (group,) = desk.agent("GetUserAgentList", {"Flat": False})
        assert len(group["ChildItems"]) == 6

    def test_only_those_present(self, desk: Desk) -> None:
        desk.send("POST", "Presence/SaveAll", by=7, json=[{"UserId": 12, "Present": False}])
        items = desk.send("GET", "ChatTopic/UserAgents?flat=true&onlyPresent=true", by=7).json()
        assert 12 not in [item["Id"] for item in items]

    def test_roles_in_a_topic(self, desk: Desk) -> None:
        agents = desk.agent("GetChatTopicUserAgentList", {"ChatTopicId": 4})
        roles = {agent["User"]["AssociateId"]: (agent["CanRespond"], agent["CanListen"]) for agent in agents}
        assert roles == {5: (False, True), 12: (True, True), 21: (True, True)}
        assert desk.get("ChatTopic/4/UserAgent") == agents

    def test_topics_by_name_and_for_the_caller(self, desk: Desk) -> None:
        topics = [(item["Id"], item["Name"]) for item in desk.get("MDOList/chatchannel")]
        assert topics == [(3, "Support"), (4, "Sales")]
        assert [topic["ChatTopicId"] for topic in desk.agent("ChatTopicsForUser", by=7)] == [3]


@pytest.mark.skipif(not OPENAPI.exists(), reason="SuperOffice's OpenAPI document is not beside this repository")
class TestTheOfficialContract:
    """Answers against SuperOffice's own OpenAPI document."""

    @pytest.mark.parametrize(
        ("verb", "path", "template", "body"),
        [
            ("post", "Agents/Chat/GetChatSessionEntity?chatSessionEntityId=157", None, None),
            ("post", "Agents/Chat/TransferChatSession", None, {"ChatSessionId": 157, "ToAssociate": "12"}),
            ("post", "Agents/Chat/AcceptChatSessionTransfer", None, {"ChatSessionId": 157}),
            ("post", "Agents/Chat/RejectChatSessionTransfer", None, {"ChatSessionId": 157}),
            ("post", "Agents/Chat/ResetChatSession", None, {"ChatSessionId": 157}),
            ("post", "Agents/Chat/PickUpChatSession", None, {"ChatSessionId": 153}),
            ("post", "Agents/Chat/PickUpFirstChatSession", None, None),
            ("post", "Agents/Chat/ChatSessionsForUser", None, None),
            ("post", "Agents/Chat/GetChatMessages", None, {"ChatSessionId": 157, "After": 0}),
            ("post", "Agents/Chat/GetChatPresence", None, None),
            ("post", "Agents/Chat/GetUserAgentList", None, {"Flat": False}),
            ("post", "Agents/Chat/ChatTopicsForUser", None, None),
            ("post", "Agents/Chat/GetChatTopicUserAgentList", None, {"ChatTopicId": 3}),
            ("get", "ChatSession/157", "ChatSession/{id}", None),
            ("post", "ChatSession/157/TransferTo/12", "ChatSession/{chatSessionId}/TransferTo/{toAssociate}", None),
            ("post", "ChatSession/157/AcceptTransfer", "ChatSession/{chatSessionId}/AcceptTransfer", None),
            ("post", "ChatSession/157/Reset", "ChatSession/{chatSessionId}/Reset", None),
            ("get", "ChatSession/157/Messages", "ChatSession/{chatSessionId}/Messages", None),
            ("get", "ChatTopic/3", "ChatTopic/{id}", None),
            ("get", "Presence/GetAll", None, None),
        ],
    )
    def test_an_answer_fits_its_schema(
        self, desk: Desk, contract: dict[str, Any], verb: str, path: str, template: str | None, body: Any
    ) -> None:
        documented = contract["paths"][f"/api/v1/{template or path.partition('?')[0]}"][verb]
        schema = documented["responses"]["200"]["content"]["application/json"]["schema"]
        reply = desk.send(verb.upper(), path, by=7, json=body, headers=UTC)
        assert reply.status_code == 200
        validator = jsonschema.Draft4Validator({**schema, "components": contract["components"]})
        assert [error.message for error in validator.iter_errors(reply.json())] == []

    def test_every_documented_address_is_known(self, desk: Desk, contract: dict[str, Any]) -> None:
        for path, operations in contract["paths"].items():
            address = re.sub(r"\{.*?\}", "3", path.removeprefix("/api/v1/"))
            for verb in operations:
                reply = desk.send(verb.upper(), address, by=7)
                unrouted = reply.status_code == 405 or "No HTTP resource" in reply.text
                assert not unrouted, (verb, path, reply.text)


def _close(schema: dict[str, Any]) -> None:
    """Make every documented member required, allow null for each, and no other: the document leaves both open."""
    if "properties" not in schema:
        return
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    schema["properties"] = {
        name: {"anyOf": [{"type": "null"}, member]} for name, member in schema["properties"].items()
    }
