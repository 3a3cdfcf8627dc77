# SPDX-License-Identifier: Apache-2.0
"""How the SuperOffice sandbox looks on the wire: what it binds, its errors, carriers, dates and lists."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.sandbox.superoffice_client import SUPERVISOR, TenantClient

UTC = {"SO-TimeZone": "UTC,includeTZOffset"}
ENDLESS = "9" * 5000


class TestBinding:
    """As the official JavaScript client writes, as the documents write, and as neither does."""

    def test_binding_names_in_a_body_may_have_any_case(self, desk: TenantClient) -> None:
        desk.agent("TransferChatSession", {"chatSessionId": 157, "toAssociate": "12"}, by=7)
        desk.agent("TransferChatSession", {"CHATSESSIONID": 150, "ToAssociate": "12"}, by=7)
        assert (desk.held(157)[1], desk.held(150)[1]) == ("12", "12")

    def test_a_body_is_bound_before_anything_is_looked_up(self, desk: TenantClient) -> None:
        body = {"ChatSessionId": 999_999, "ToAssociate": 12}
        assert desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body).status_code == 400

    @pytest.mark.parametrize("name", ["chatSessionEntityId", "ChatSessionEntityId", "CHATSESSIONENTITYID"])
    @pytest.mark.parametrize("body", [b"null", b""])
    def test_the_id_of_an_entity_is_in_the_query(self, desk: TenantClient, name: str, body: bytes) -> None:
        reply = desk.send(
            "POST",
            f"Agents/Chat/GetChatSessionEntity?{name}=157",
            by=7,
            data=body,
            headers={"Content-Type": "application/json"},
        )
        assert reply.json()["ChatSessionId"] == 157

    def test_addresses_may_have_any_case(self, desk: TenantClient) -> None:
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
    def test_a_value_of_the_wrong_type_is_not_bound(self, desk: TenantClient, body: Any) -> None:
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)
        assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")
        assert desk.ledger() == []

    def test_the_agents_may_say_so_with_200(self, desk: TenantClient) -> None:
        desk.reset(switches={"binder_error_status": 200})
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json={"ChatSessionId": "x"})
        assert (reply.status_code, "MessageDetail" in reply.json()) == (200, True)
        assert desk.send("GET", "ChatSession/x", by=7).status_code == 400

    def test_types_may_be_converted_when_the_switch_says_so(self, desk: TenantClient) -> None:
        desk.reset(switches={"lenient_types": True})
        desk.agent("TransferChatSession", {"ChatSessionId": "157", "ToAssociate": 12}, by=7)
        assert desk.held(157)[1] == "12"

    def test_a_form_is_a_body_too(self, desk: TenantClient) -> None:
        desk.send("POST", "Agents/Chat/TransferChatSession", by=7, data={"ChatSessionId": "157", "ToAssociate": "12"})
        assert desk.held(157)[1] == "12"

    @pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded"])
    def test_a_form_has_text_for_every_type(self, desk: TenantClient, kind: str) -> None:
        body, headers = "Flat=True&OnlyPresent=false", {"Content-Type": kind}
        reply = desk.send("POST", "Agents/Chat/GetUserAgentList", by=7, data=body, headers=headers)
        assert len(reply.json()) == 6

    @pytest.mark.parametrize(
        "kind", ["application/json; charset=utf-8", "text/json", "application/json-patch+json", "APPLICATION/JSON"]
    )
    def test_json_has_several_content_types(self, desk: TenantClient, kind: str) -> None:
        body = b'{"ChatSessionId":157,"ToAssociate":"12"}'
        desk.send("POST", "Agents/Chat/TransferChatSession", by=7, data=body, headers={"Content-Type": kind})
        assert desk.held(157)[1] == "12"

    def test_a_body_that_nobody_reads_may_be_anything(self, desk: TenantClient) -> None:
        reply = desk.send("POST", "ChatSession/157/Reset", by=7, data=b"<x/>", headers={"Content-Type": "text/xml"})
        assert (reply.status_code, reply.json()["Status"]) == (200, "InQueue")

    @pytest.mark.parametrize(
        "number", ["1_57", "٣", "157x", "", "2147483648", "0x9d", pytest.param(ENDLESS, id="endless")]
    )
    def test_a_number_is_one_as_dotnet_reads_it(self, desk: TenantClient, number: str) -> None:
        for path in ("GetChatSessionEntity?chatSessionEntityId", "DeleteChatTopicEntity?chatTopicEntityId"):
            reply = desk.send("POST", f"Agents/Chat/{path}={number}", by=7)
            assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")

    def test_a_number_without_end_is_nobodys(self, desk: TenantClient) -> None:
        assert desk.transfer(157, ENDLESS, by=7)["TransferTo"] is None
        for filter_ in (f"chatSessionId eq {ENDLESS}", f"status oneOf ({ENDLESS})", "chatSessionId eq '1_57'"):
            reply = desk.send("GET", "ChatSession", by=7, params={"$filter": filter_})
            assert (reply.status_code, reply.json()["ErrorType"]) == (400, "SoInvalidArgumentException")
            assert reply.json()["ErrorMessage"].startswith("Not a number: ")

    @pytest.mark.parametrize(
        ("verb", "path", "body"),
        [
            ("POST", "Agents/Chat/TransferChatSession", '{"a":' * 3000 + "1" + "}" * 3000),
            ("POST", "Agents/Chat/TransferChatSession", "[" * 100_000),
            ("GET", f"ChatSession?$filter={'(' * 3000}chatSessionId eq 1{')' * 3000}", None),
        ],
        ids=["objects", "arrays", "brackets"],
    )
    def test_what_is_nested_without_end_is_not_read(
        self, desk: TenantClient, verb: str, path: str, body: str | None
    ) -> None:
        reply = desk.send(verb, path, by=7, data=body, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")

    def test_half_a_character_is_replaced(self, desk: TenantClient) -> None:
        """What a client sends that cuts a text within an emoji."""
        body = b'{"Type":"ToUser","Message":"\\ud83d\\ude00 and \\ud83d"}'
        desk.send("POST", "ChatSession/157/Messages", by=7, data=body, headers={"Content-Type": "application/json"})
        assert desk.session(157)["LastMessage"] == "\N{GRINNING FACE} and \N{REPLACEMENT CHARACTER}"

    def test_a_name_in_an_address_is_percent_encoded(self, desk: TenantClient) -> None:
        desk.reset(switches={"target_name": "user_name"})
        desk.send("POST", "ChatSession/157/TransferTo/agent12%40example.com", by=7)
        assert desk.held(157)[1] == "12"
        assert desk.send("POST", "ChatSession/157/TransferTo/a%2Fb", by=7).status_code == 200

    def test_what_a_query_must_have_is_missed(self, desk: TenantClient) -> None:
        for verb, path in (("GET", "ChatTopic/UserAgents"), ("POST", "Agents/Chat/GetChatSessionEntity")):
            reply = desk.send(verb, path, by=7)
            assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")

    def test_either_all_of_a_list_is_bound_or_nothing(self, desk: TenantClient) -> None:
        users = [{"UserId": 12, "Present": False}, {"UserId": "thirteen", "Present": False}]
        assert desk.send("POST", "Presence/SaveAll", by=7, json=users).status_code == 400
        assert next(agent for agent in desk.state()["agents"] if agent["id"] == "7")["present"] is True

    def test_other_types_of_body_are_415_and_what_is_not_json_is_400(self, desk: TenantClient) -> None:
        for kind, status in (("text/plain", 415), ("application/json", 400), ("", 415)):
            reply = desk.send(
                "POST", "Agents/Chat/TransferChatSession", by=7, data=b"{", headers={"Content-Type": kind}
            )
            assert reply.status_code == status

    @pytest.mark.parametrize("kind", ["application/xml", "text/xml", "text/xml; charset=utf-16", "APPLICATION/XML"])
    @pytest.mark.parametrize("path", ["Agents/Chat/TransferChatSession", "Agents/Chat/AcceptChatSessionTransfer"])
    def test_a_body_in_xml_is_415_and_changes_nothing(self, desk: TenantClient, path: str, kind: str) -> None:
        """The reference pages list both types; the sandbox reads JSON and forms only, and says so as ASP.NET does."""
        body = "<TransferRequest><ChatSessionId>157</ChatSessionId><ToAssociate>12</ToAssociate></TransferRequest>"
        reply = desk.send("POST", path, by=7, data=body, headers={"Content-Type": kind})
        assert reply.status_code == 415
        assert "xml' is not supported" in reply.json()["Message"]
        assert desk.verbs() == []


class TestErrors:
    def test_a_missing_session_is_null_for_an_agent_and_404_for_rest(self, desk: TenantClient) -> None:
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

    def test_addresses_and_verbs_that_do_not_exist(self, desk: TenantClient) -> None:
        assert desk.send("POST", "Agents/Chat/CancelTransfer", by=7).status_code == 404
        for verb in ("GET", "HEAD", "OPTIONS", "PUT"):
            reply = desk.send(verb, "ChatSession/157/AcceptTransfer", by=7)
            assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
        assert desk.send("DELETE", "ChatTopic", by=7).headers["allow"] == "POST"
        assert desk.ledger() == []

    def test_an_agents_method_is_described_and_not_invoked_by_get(self, desk: TenantClient) -> None:
        described = desk.send("GET", "Agents/Chat/PickUpFirstChatSession", by=7).json()
        assert (described["Method"], desk.ledger()) == ("PickUpFirstChatSession", [])

    def test_what_is_not_simulated_says_so(self, desk: TenantClient) -> None:
        assert desk.send("GET", "MDOList/category", by=7).status_code == 501

    def test_faults_know_an_operation_by_its_names(self, desk: TenantClient) -> None:
        for method in ("AcceptTransfer", "ChatSession/{id}/AcceptTransfer"):
            fault = {"kind": "html_502_after", "service": "superoffice", "method": method}
            requests.post(f"{desk.server.url}/sandbox/faults", json=fault, timeout=10)
            assert desk.send("GET", "ChatSession/151", by=12).status_code == 200
            assert desk.send("POST", "ChatSession/151/AcceptTransfer", by=12).status_code == 502
        assert desk.held(151)[0] == "12"


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("*/*", "application/json"),
            ("application/json; charset=utf-8", "application/json"),
            ("text/json", "text/json"),
            ("text/html, text/*;q=0.5", "text/json"),
            ("application/xml, application/merge-patch+json", "application/merge-patch+json"),
        ],
    )
    def test_the_answer_is_of_the_type_that_was_asked_for(self, desk: TenantClient, accept: str, kind: str) -> None:
        reply = desk.send("GET", "ChatSession/157", by=7, headers={"Accept": accept})
        assert (reply.headers["content-type"], reply.json()["ChatSessionId"]) == (f"{kind}; charset=utf-8", 157)

    def test_the_answer_cannot_be_xml_in_the_sandbox(self, desk: TenantClient) -> None:
        assert desk.send("GET", "ChatSession/157", by=7, headers={"Accept": "application/xml"}).status_code == 406

    def test_the_answer_is_the_same_in_every_language(self, desk: TenantClient) -> None:
        plain = desk.send("GET", "ChatSession/157", by=7).json()
        spoken = {"Accept-Language": "sv", "SO-Language": "en", "SO-Culture": "nb-NO"}
        assert desk.send("GET", "ChatSession/157", by=7, headers=spoken).json() == plain

    def test_lists_the_addresses_of_the_api(self, desk: TenantClient) -> None:
        listed = requests.get(desk.api, auth=SUPERVISOR, timeout=10).json()
        assert set(listed[f"{desk.api}/ChatSession/{{id}}"]) == {"GET", "PUT", "PATCH", "DELETE"}
        assert listed[f"{desk.api}/Agents/Chat/TransferChatSession"]["POST"] == "TransferChatSession"


class TestTheEntity:
    def test_the_entity_has_the_documented_members_and_no_others(self, desk: TenantClient) -> None:
        assert len(desk.session(157)) == 33
        assert set(desk.get("ChatSession/157")) - set(desk.session(157)) == {"_Links"}

    def test_select_nulls_the_rest(self, desk: TenantClient) -> None:
        entity = desk.agent(
            "TransferChatSession?$select=chatSessionId,Status", {"ChatSessionId": 157, "ToAssociate": "12"}, by=7
        )
        assert (entity["ChatSessionId"], entity["TransferTo"], entity["User"]) == (157, None, None)
        assert len(entity) == 33
        assert desk.held(157)[1] == "12", "it only looks as if nothing happened"

    def test_select_goes_into_an_associate(self, desk: TenantClient) -> None:
        user = desk.agent("GetChatSessionEntity?chatSessionEntityId=157&$select=User/AssociateId")["User"]
        assert (user["AssociateId"], user["Name"]) == (7, None)
        many = desk.agent("ChatSessionsForUser?$SELECT=user/fullname,%20transferTo", by=8)
        assert {entity["User"]["FullName"] for entity in many if entity["User"]} > {
            desk.session(157)["User"]["FullName"]
        }
        assert {entity["ChatSessionId"] for entity in many} == {None}

    def test_select_over_rest_keeps_the_links(self, desk: TenantClient) -> None:
        entity = desk.get("ChatSession/157", select="ChatSessionId")
        assert entity["_Links"] == {"Self": f"{desk.api}/ChatSession/157/", "Archive": f"{desk.api}/ChatSession/"}
        assert entity["CustomerName"] is None

    @pytest.mark.parametrize(
        ("host", "shown"), [("online2.example", "online2.example:80"), ("[::1]", "[::1]:80"), ("a:port", "a:port")]
    )
    def test_links_name_the_port(self, desk: TenantClient, host: str, shown: str) -> None:
        entity = desk.send("GET", "ChatSession/157", by=7, headers={"Host": host}).json()
        assert entity["_Links"]["Self"] == f"http://{shown}/Cust12345/api/v1/ChatSession/157/"

    def test_dates_are_naive_unless_the_offset_is_asked_for(self, desk: TenantClient) -> None:
        naive = desk.session(157)["WhenStarted"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", naive)
        utc = desk.send("GET", "ChatSession/157", by=7, headers=UTC).json()["WhenStarted"]
        assert utc.endswith("Z")
        assert utc[:-1] != naive, "the server's own zone is not UTC"
        oslo = {"SO-TimeZone": "Europe/Oslo,includeTZOffset"}
        assert desk.send("GET", "ChatSession/157", by=7, headers=oslo).json()["WhenStarted"][:-6] == naive

    def test_a_zone_has_superoffices_own_name_or_number(self, desk: TenantClient) -> None:
        def started(zone: str) -> str:
            headers = {"SO-TimeZone": f"{zone}, includeTZOffset"}
            entity = desk.send("GET", "ChatSession/157", by=7, headers=headers).json()
            return str(entity["WhenStarted"])

        assert started("NO") == started("261") == started("Europe/Oslo")
        assert started("US-NY")[-6:] in ("-05:00", "-04:00")
        assert started("BD").endswith("+06:00")

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            ("NO", "0001-01-01T00:00:00"),
            ("NO,includeTZOffset", "0001-01-01T01:00:00+01:00"),
            ("US-NY,includeTZOffset", "0001-01-01T00:00:00-05:00"),
            ("AU-ACT,includeTZOffset", "0001-01-01T10:00:00+10:00"),
        ],
    )
    def test_no_date_has_the_offset_of_a_zones_standard_time(
        self, desk: TenantClient, zone: str, expected: str
    ) -> None:
        entity = desk.send("GET", "ChatSession/157", by=7, headers={"SO-TimeZone": zone}).json()
        assert entity["WhenEnded"] == expected

    def test_no_date_is_year_one(self, desk: TenantClient) -> None:
        assert desk.session(157)["WhenEnded"] == "0001-01-01T00:00:00"
        assert desk.send("GET", "ChatSession/157", by=7, headers=UTC).json()["WhenEnded"] == "0001-01-01T00:00:00Z"

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            ("", "9999-12-31T23:59:59.9999999"),
            ("UTC,includeTZOffset", "9999-12-31T23:59:59.9999999Z"),
            ("AU-ACT,includeTZOffset", "9999-12-31T23:59:59.9999999+11:00"),
            ("US-HI", "9999-12-31T23:59:59.9999999"),
        ],
    )
    def test_the_latest_date_is_the_same_in_every_zone(self, desk: TenantClient, zone: str, expected: str) -> None:
        headers = {"SO-TimeZone": zone}
        for latest in ("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"):
            assert desk.send("PATCH", "ChatSession/157", by=7, json={"WhenEnded": latest}).status_code == 200
            assert desk.send("GET", "ChatSession/157", by=7, headers=headers).json()["WhenEnded"] == expected
        query = {"$filter": "chatSessionId eq 157", "$select": "whenEnded"}
        (row,) = desk.send("GET", "ChatSession", by=7, headers=headers, params=query).json()["value"]
        assert row["whenEnded"] == "9999-12-31T23:59:59"

    def test_the_time_zone_must_exist(self, desk: TenantClient) -> None:
        reply = desk.send("GET", "ChatSession/157", by=7, headers={"SO-TimeZone": "Middle/Earth"})
        assert reply.status_code == 400

    def test_messages_are_dated_in_utc_and_can_be_read_on_from_one(self, desk: TenantClient) -> None:
        messages = desk.get("ChatSession/157/Messages")
        assert messages[0]["SpecialType"] == "NewSession"
        rest = desk.send("GET", f"ChatSession/157/Messages?after={messages[1]['ChatMessageId']}", by=7).json()
        assert rest == messages[2:]
        assert isinstance(messages[1]["ReadByCustomer"], int)

    def test_sessions_of_the_user_are_those_of_his_topics(self, desk: TenantClient) -> None:
        assert len(desk.agent("ChatSessionsForUser", by=SUPERVISOR)) == 30
        mine = desk.agent("ChatSessionsForUser", by=7)
        assert {session["TopicId"] for session in mine} == {3}
        assert {8, 15} <= {session["User"]["AssociateId"] for session in mine if session["User"]}
        assert desk.get("ChatSession/ForCurrentUser", by=7) == mine


class TestPeopleAndTopics:
    def test_presence_counts_active_chats_by_ejuser_id(self, desk: TenantClient) -> None:
        mine = next(entry for entry in desk.agent("GetChatPresence") if entry["UserId"] == 12)
        active = [c for c in desk.state()["chats"] if c["owner"] == "7" and c["state"] == "open"]
        assert (mine["OngoingChats"], mine["Present"], mine["ChatTopics"]) == (len(active), True, [3])
        desk.reset(switches={"presence_user_id": "associate"})
        assert {entry["UserId"] for entry in desk.agent("GetChatPresence")} == {5, 7, 8, 12, 15, 21}

    def test_presence_is_saved_by_either_flavour(self, desk: TenantClient) -> None:
        wrapped = {"chatPresence": [{"userId": 12, "present": False}]}
        reply = desk.send("POST", "Agents/Chat/SaveChatPresence", by=7, json=wrapped)
        assert (reply.status_code, reply.content) == (204, b"")
        assert next(agent for agent in desk.state()["agents"] if agent["id"] == "7")["present"] is False
        assert desk.send("POST", "Presence/SaveAll", by=7, json=[{"UserId": 12, "Present": True}]).status_code == 204
        assert next(entry for entry in desk.get("Presence/GetAll") if entry["UserId"] == 12)["Present"] is True

    def test_the_list_of_users_has_ejuser_ids_unless_asked_otherwise(self, desk: TenantClient) -> None:
        ids = [item["Id"] for item in desk.agent("GetUserAgentList", {"Flat": True, "OnlyPresent": False})]
        assert ids == [10, 12, 13, 17, 20, 26]
        listed = desk.send(
            "GET", "MDOList/chatuser", by=7, params={"flat": "true", "additional": "associate=True&topicId=4"}
        ).json()
        assert [item["Id"] for item in listed] == [5, 12, 21]

    @pytest.mark.parametrize(
        ("additional", "expected"),
        [
            ("", [10, 12, 13, 17, 20, 26]),
            ("removeSelf=True", [10, 13, 17, 20, 26]),
            ("onlyPresent=True&associate=true", [5, 8, 12, 15, 21]),
            ("TOPICID=4", [10, 17, 26]),
            ("topicId=77", []),
        ],
    )
    def test_the_list_of_users_has_attributes(self, desk: TenantClient, additional: str, expected: list[int]) -> None:
        desk.send("POST", "Presence/SaveAll", by=7, json=[{"UserId": 12, "Present": False}])
        query = {"flat": "True", "additional": additional}
        items = desk.send("GET", "MDOList/chatuser", by=7, params=query).json()
        assert [item["Id"] for item in items] == expected

    def test_the_list_of_states_has_their_texts(self, desk: TenantClient) -> None:
        items = [(item["Id"], item["Name"], item["ExtraInfo"]) for item in desk.get("MDOList/ChatSessionStatus")]
        assert items[0] == (0, "Invalid", "Invalid")
        assert items[4:7] == [
            (4, "Waiting", "InQueue"),
            (5, "Waiting for agent", "CustomerLast"),
            (6, "Waiting for customer", "UserLast"),
        ]
        assert len(items) == 12

    def test_not_flat_means_under_their_group(self, desk: TenantClient) -> None:
        (group,) = desk.agent("GetUserAgentList", {"Flat": False})
        assert len(group["ChildItems"]) == 6

    def test_only_those_present(self, desk: TenantClient) -> None:
        desk.send("POST", "Presence/SaveAll", by=7, json=[{"UserId": 12, "Present": False}])
        items = desk.send("GET", "ChatTopic/UserAgents?flat=true&onlyPresent=true", by=7).json()
        assert 12 not in [item["Id"] for item in items]

    def test_roles_in_a_topic(self, desk: TenantClient) -> None:
        agents = desk.agent("GetChatTopicUserAgentList", {"ChatTopicId": 4})
        roles = {agent["User"]["AssociateId"]: (agent["CanRespond"], agent["CanListen"]) for agent in agents}
        assert roles == {5: (False, True), 12: (True, True), 21: (True, True)}
        assert desk.get("ChatTopic/4/UserAgent") == agents

    def test_topics_by_name_and_for_the_caller(self, desk: TenantClient) -> None:
        topics = [(item["Id"], item["Name"]) for item in desk.get("MDOList/chatchannel")]
        assert topics == [(0, "All"), (3, "Support"), (4, "Sales")]
        named = desk.send("GET", "MDOList/chatchannel?additional=notAll%3DTrue", by=7).json()
        assert [item["Id"] for item in named] == [3, 4]
        assert [topic["ChatTopicId"] for topic in desk.agent("ChatTopicsForUser", by=7)] == [3]
