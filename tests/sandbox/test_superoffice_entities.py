# SPDX-License-Identifier: Apache-2.0
"""What can be done with whole sessions, topics and roles: create, replace, patch, delete; and what an answer holds."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.superoffice_client import SUPERVISOR, TenantClient

SESSION = {
    "ChatSessionId", "TopicId", "User", "Person", "CustomerAlias", "CustomerHost", "CustomerName", "CustomerEmail",
    "CustomerPhone", "CustomerConsented", "CustomerCompanyName", "Status", "FirstMessage", "LastMessage",
    "WhenRequested", "WhenStarted", "WhenEnded", "WhenIdle", "WhenFetched", "SessionKey", "InitialQueuePos",
    "AlertLevel", "Rank", "Flags", "Contact", "Project", "Sale", "Ticket", "TransferTo", "ChatbotIsActive", "Rating",
    "TableRight", "FieldProperties",
}  # fmt: skip
ASSOCIATE = {
    "AssociateId", "Name", "PersonId", "Rank", "Tooltip", "Type", "GroupIdx", "FullName", "FormalName", "Deleted",
    "EjUserId", "UserName", "ExtraFields", "CustomFields", "TableRight", "FieldProperties",
}  # fmt: skip
PRESENCE = {"UserId", "DisplayName", "OngoingChats", "Present", "ChatTopics", "TableRight", "FieldProperties"}
TOPIC_AGENT = {"TopicId", "User", "CanListen", "CanRespond", "CanManage", "CanNotify"}
MESSAGE = {
    "ChatMessageId", "ChatSessionId", "Type", "Message", "Author", "ReadByCustomer", "SpecialType", "SpecialParam",
    "WhenPosted",
}  # fmt: skip
LIST_ITEM = {
    "Id", "Name", "ToolTip", "Deleted", "Rank", "Type", "ChildItems", "IconHint", "ColorBlock", "ExtraInfo",
    "StyleHint", "FullName", "TableRight", "FieldProperties",
}  # fmt: skip
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def patch(desk: TenantClient, changes: Any, path: str = "ChatSession/157", **headers: str) -> requests.Response:
    return desk.send("PATCH", path, by=7, json=changes, headers=headers)


class TestTheCarriers:
    """The members that the reference lists, in PascalCase, and no others."""

    def test_the_carriers_of_a_session_and_the_associates_in_it(self, desk: TenantClient) -> None:
        entity = desk.session(151)
        assert set(entity) == SESSION
        assert (set(entity["User"]), set(entity["TransferTo"])) == (ASSOCIATE, ASSOCIATE)

    def test_the_carriers_of_presence_roles_messages_and_list_items(self, desk: TenantClient) -> None:
        (first, *_) = desk.agent("GetChatPresence")
        (role, *_) = desk.agent("GetChatTopicUserAgentList", {"ChatTopicId": 3})
        (message, *_) = desk.agent("GetChatMessages", {"ChatSessionId": 157})
        (item, *_) = desk.get("MDOList/chatuser")
        assert (set(first), set(role), set(message), set(item)) == (PRESENCE, TOPIC_AGENT, MESSAGE, LIST_ITEM)
        assert set(item["ChildItems"][0]) == LIST_ITEM

    def test_the_carriers_name_the_members_of_enums(self, desk: TenantClient) -> None:
        entity, messages = desk.session(151), desk.agent("GetChatMessages", {"ChatSessionId": 151})
        assert (entity["Status"], entity["User"]["Type"]) == ("CustomerLast", "InternalAssociate")
        assert entity["Flags"] == "CustomerIsTyping", "the name of zero"
        assert [(each["Type"], each["SpecialType"]) for each in messages][:2] == [
            ("Special", "NewSession"),
            ("ToUser", "None"),
        ]
        assert {type(each["ReadByCustomer"]) for each in messages} == {int}


class TestWhatMustNotLeak:
    """An answer holds a customer's data and the session's key, as SuperOffice's does, so that a leak is seen here."""

    def test_a_session_has_all_that_the_customer_told_and_the_key(self, desk: TenantClient) -> None:
        for entity in desk.agent("ChatSessionsForUser"):
            told = [entity[f"Customer{name}"] for name in ("Alias", "Host", "Name", "Email", "Phone")]
            assert all(told), entity
            assert len(entity["SessionKey"]) == 32
            assert entity["FirstMessage"]
            assert entity["Person"] is None or entity["Person"]["Email"] == entity["CustomerEmail"]
        assert len({entity["SessionKey"] for entity in desk.agent("ChatSessionsForUser")}) == 30

    def test_messages_and_lists_have_what_he_wrote(self, desk: TenantClient) -> None:
        (row,) = desk.get("ChatSession", select="firstMessage,personId", filter="chatSessionId eq 157")["value"]
        assert row["firstMessage"] == desk.session(157)["FirstMessage"]
        assert row["firstMessage"] in desk.agent("GetChatTranscript", {"ChatSessionId": 157})


class TestABlankEntity:
    @pytest.mark.parametrize(
        ("method", "resource", "key"),
        [
            ("CreateDefaultChatSessionEntity", "ChatSession/default", "ChatSessionId"),
            ("CreateDefaultChatTopicEntity", "ChatTopic/default", "ChatTopicId"),
        ],
    )
    def test_a_blank_entity_is_the_same_in_both_flavours_and_is_not_stored(
        self, desk: TenantClient, method: str, resource: str, key: str
    ) -> None:
        blank = desk.agent(method)
        assert (blank[key], blank) == (0, desk.get(resource))
        assert len(desk.state()["chats"]) == 30

    def test_a_blank_entity_can_be_filled_in_and_saved(self, desk: TenantClient) -> None:
        blank = desk.agent("CreateDefaultChatTopicEntity")
        saved = desk.agent("SaveChatTopicEntity", {**blank, "Name": "Returns"})
        assert (saved["ChatTopicId"], saved["Name"]) == (5, "Returns")
        assert desk.agent("GetChatTopicEntity?chatTopicEntityId=5") == saved

    def test_a_blank_entity_of_a_role_has_none(self, desk: TenantClient) -> None:
        role = desk.agent("CreateDefaultChatTopicAgent")
        assert role == {**dict.fromkeys(TOPIC_AGENT, False), "TopicId": 0, "User": None}


class TestSavingASession:
    def test_creates_one_for_the_id_0(self, desk: TenantClient) -> None:
        body = {"TopicId": 4, "Status": "InQueue", "CustomerName": "Nora Moen", "WhenRequested": "2026-01-02T03:04:05"}
        entity = desk.agent("SaveChatSessionEntity", body)
        assert (entity["ChatSessionId"], entity["CustomerName"]) == (180, "Nora Moen")
        assert entity["WhenRequested"] == "2026-01-02T03:04:05.0000004"
        assert desk.session(180) == entity
        assert desk.get("ChatSession", filter="chatSessionId eq 180")["value"][0]["status"] == "Waiting"

    def test_what_was_read_changes_nothing_when_it_is_saved(self, desk: TenantClient) -> None:
        for headers in ({}, {"SO-TimeZone": "US-NY,includeTZOffset"}):
            read = desk.send("GET", "ChatSession/157", by=7, headers=headers).json()
            assert desk.send("PUT", "ChatSession/157", by=7, json=read, headers=headers).json() == read
        assert desk.ledger() == []

    def test_replaces_the_whole_entity(self, desk: TenantClient) -> None:
        reply = desk.send("PUT", "ChatSession/157", by=7, json={"TopicId": 3, "Status": "userlast"})
        entity = reply.json()
        assert (entity["User"], entity["Status"], entity["CustomerName"]) == (None, "UserLast", None)
        assert entity["SessionKey"], "without a key it would not be a session"

    def test_another_user_is_a_move_that_nobody_is_told_of(self, desk: TenantClient) -> None:
        entity = {**desk.session(157), "User": {"associateId": 12}}
        desk.agent("SaveChatSessionEntity", entity, by=8)
        (change,) = desk.ledger()
        assert (change["change"], change["before"], change["after"]) == ("saved", "agent:7", "agent:12")
        assert (change["by"], change["method"]) == ("associate:8", "SaveChatSessionEntity")
        assert len(desk.agent("GetChatMessages", {"ChatSessionId": 157})) == 4

    def test_another_receiver_is_offered_it_without_being_asked(self, desk: TenantClient) -> None:
        patch(desk, {"TransferTo": {"AssociateId": 12}}, **MERGE_PATCH)
        assert desk.held(157) == ("7", "12", 0)
        assert desk.ledger()[0]["after"] == "agent:12"
        desk.skip(3600)
        assert desk.held(157)[:2] == ("7", "12"), "the simulated people do not react"
        desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": 157}, by=12)
        assert desk.held(157)[0] == "12"

    def test_saving_a_session_takes_dates_in_the_zone_of_the_caller(self, desk: TenantClient) -> None:
        entity = desk.session(157)
        zone = {"SO-TimeZone": "US-NY"}
        desk.send("PUT", "ChatSession/157", by=7, json={**entity, "WhenEnded": "2026-03-01T12:00:00"}, headers=zone)
        assert desk.session(157)["WhenEnded"].startswith("2026-03-01T18:00:00")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"TopicId": 77},
            {"User": {"AssociateId": 77}},
            {"TransferTo": {"AssociateId": 77}},
            {"Person": {"PersonId": 7}},
        ],
    )
    def test_refers_to_what_there_is(self, desk: TenantClient, wrong: dict[str, Any]) -> None:
        for by_put in (True, False):
            body = {**desk.session(157), **wrong}
            path = "ChatSession/157" if by_put else "ChatSession"
            reply = desk.send("PUT" if by_put else "POST", path, by=7, json=body)
            assert (reply.status_code, reply.json()["ErrorType"]) == (400, "SoInvalidArgumentException")
        assert desk.ledger() == []

    @pytest.mark.parametrize(
        "wrong",
        [{"Rank": "1"}, {"Rating": 1.5}, {"Status": "Active"}, {"WhenEnded": "soon"}, {"User": 7}, {"CustomerName": 1},
         {"User": {"AssociateId": [12]}}, {"TransferTo": {"AssociateId": 12.0}}, {"Person": {"PersonId": "5003"}}],
    )  # fmt: skip
    def test_binds_only_values_of_their_type(self, desk: TenantClient, wrong: dict[str, Any]) -> None:
        reply = desk.send("PUT", "ChatSession/157", by=7, json={**desk.session(157), **wrong})
        assert (reply.status_code, reply.json()["Message"]) == (400, "The request is invalid.")
        assert desk.ledger() == []

    @pytest.mark.parametrize("wrong", [{"User": {"AssociateId": 77}}, {"WhenEnded": "soon"}, {"Status": "Active"}])
    def test_saving_a_session_leaves_nothing_of_a_new_one_that_is_refused(
        self, desk: TenantClient, wrong: dict[str, Any]
    ) -> None:
        before = desk.state()["chats"]
        assert desk.send("POST", "ChatSession", by=7, json={"TopicId": 4, **wrong}).status_code == 400
        assert desk.state()["chats"] == before
        assert desk.ledger() == []

    @pytest.mark.parametrize(("verb", "path"), [("PUT", "ChatSession/157"), ("POST", "ChatSession")])
    def test_over_rest_wants_an_entity(self, desk: TenantClient, verb: str, path: str) -> None:
        reply = desk.send(verb, path, by=7, data=b"null", headers={"Content-Type": "application/json"})
        assert reply.status_code == 400
        assert reply.json()["Message"] == "Bad request. Entity to save is not in request body."

    def test_the_id_in_the_path_counts(self, desk: TenantClient) -> None:
        entity = {**desk.session(157), "ChatSessionId": 158, "Rank": 9}
        assert desk.send("PUT", "ChatSession/157", by=7, json=entity).json()["ChatSessionId"] == 157
        assert desk.session(158)["Rank"] != 9


class TestPatching:
    @pytest.mark.parametrize("path", ["/CustomerName", "CustomerName", "customername", "/CUSTOMERNAME"])
    def test_patching_by_operations_whatever_the_case_of_the_path(self, desk: TenantClient, path: str) -> None:
        reply = patch(desk, [{"op": "replace", "path": path, "value": "Ivo"}], **JSON_PATCH)
        assert (reply.status_code, reply.json()["CustomerName"]) == (200, "Ivo")
        assert reply.json()["_Links"]["Self"].endswith("/ChatSession/157/")
        assert desk.session(157)["User"]["AssociateId"] == 7, "the rest stays"

    def test_patching_by_merging(self, desk: TenantClient) -> None:
        entity = patch(desk, {"customerName": "Ivo", "Person": None, "user": {"associateId": 12}}, **MERGE_PATCH).json()
        assert (entity["CustomerName"], entity["Person"], entity["User"]["AssociateId"]) == ("Ivo", None, 12)

    def test_adds_and_removes(self, desk: TenantClient) -> None:
        operations = [
            {"op": "add", "path": "TransferTo", "value": {"AssociateId": 12}},
            {"op": "replace", "path": "User/AssociateId", "value": 8},
            {"op": "remove", "path": "CustomerPhone"},
        ]
        entity = patch(desk, operations).json()
        assert (entity["TransferTo"]["AssociateId"], entity["User"]["AssociateId"]) == (12, 8)
        assert entity["CustomerPhone"] is None

    def test_a_test_that_fails_is_a_conflict_and_changes_nothing(self, desk: TenantClient) -> None:
        operations = [
            {"op": "replace", "path": "Rank", "value": 9},
            {"op": "test", "path": "User/AssociateId", "value": 8},
        ]
        assert patch(desk, operations).status_code == 409
        assert desk.ledger() == []
        operations[1]["value"] = 7
        assert patch(desk, operations).json()["Rank"] == 9

    @pytest.mark.parametrize(
        "changes",
        [
            [{"op": "move", "from": "Rank", "path": "Rating"}],
            [{"op": "copy", "from": "Rank", "path": "Rating"}],
            [{"op": "replace", "path": "Owner", "value": 8}],
            {"Owner": 8},
            ["Rank"],
            "Rank",
        ],
    )
    def test_patching_knows_no_other_operations_and_members(self, desk: TenantClient, changes: Any) -> None:
        assert patch(desk, changes).status_code == 400
        assert desk.ledger() == []

    def test_patching_is_refused_when_the_session_has_changed_meanwhile(self, desk: TenantClient) -> None:
        unless = {"If-Unmodified-Since": "Fri, 19 Jan 2001 00:00:00 GMT"}
        assert patch(desk, {"Rank": 9}, **unless).status_code == 412
        assert desk.session(157)["Rank"] != 9
        assert patch(desk, {"Rank": 9}, **{"If-Unmodified-Since": "Fri, 19 Jan 2125 00:00:00 GMT"}).status_code == 200
        assert patch(desk, {"Rank": 9}, **{"If-Unmodified-Since": "yesterday"}).status_code == 400

    def test_patching_of_what_is_missing_is_404(self, desk: TenantClient) -> None:
        assert patch(desk, {"Rank": 9}, "ChatSession/99999").status_code == 404
        assert patch(desk, {"Name": "X"}, "ChatTopic/77").status_code == 404

    def test_patching_of_a_topic(self, desk: TenantClient) -> None:
        assert patch(desk, [{"op": "replace", "path": "name", "value": "Help"}], "ChatTopic/3").json()["Name"] == "Help"
        assert [agent["CanRespond"] for agent in desk.get("ChatTopic/3/UserAgent")].count(True) == 5


class TestDeletingASession:
    @pytest.mark.parametrize(
        ("verb", "path"),
        [("DELETE", "ChatSession/157"), ("POST", "Agents/Chat/DeleteChatSessionEntity?ChatSessionEntityId=157")],
    )
    def test_deleting_a_session_takes_it_away(self, desk: TenantClient, verb: str, path: str) -> None:
        reply = desk.send(verb, path, by=7)
        assert (reply.status_code, reply.content) == (204, b"")
        assert desk.session(157) is None
        assert desk.send("GET", "ChatSession/157", by=7).status_code == 404
        assert [(change["change"], change["after"]) for change in desk.ledger()] == [("deleted", None)]

    def test_deleting_a_session_gives_its_number_to_no_other(self, desk: TenantClient) -> None:
        desk.send("DELETE", "ChatSession/179", by=7)
        assert desk.agent("CreateChatSessionForTopic", {"ChatTopicId": 3})["ChatSessionId"] == 180

    def test_deleting_a_session_ends_a_transfer_that_was_under_way(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.send("DELETE", "ChatSession/157", by=7)
        desk.skip(3600)
        assert desk.verbs() == ["transferred", "deleted"]


class TestANewSessionOfATopic:
    @pytest.mark.parametrize("rest", [True, False])
    def test_a_new_session_of_a_topic_waits_in_its_queue(self, desk: TenantClient, rest: bool) -> None:
        if rest:
            entity = desk.send("POST", "ChatTopic/4/Sessions", by=7).json()
        else:
            entity = desk.agent("CreateChatSessionForTopic", {"ChatTopicId": 4})
        assert (entity["Status"], entity["TopicId"], entity["User"], entity["Person"]) == ("InQueue", 4, None, None)
        assert entity["InitialQueuePos"] == 2, "163 waits there already"
        assert desk.verbs() == ["queued"]
        picked = desk.agent("PickUpChatSession", {"ChatSessionId": entity["ChatSessionId"]}, by=12)
        assert picked["User"]["AssociateId"] == 12


class TestMessages:
    def test_messages_are_added_by_either_flavour(self, desk: TenantClient) -> None:
        said = {
            "Type": "ToCustomer",
            "Message": "I am looking.",
            "ChatMessageId": 1,
            "WhenPosted": "2001-01-01T00:00:00",
        }
        first = desk.agent("AddChatMessage", {"ChatSessionId": 157, "Message": said}, by=7)
        second = desk.send("POST", "ChatSession/157/Messages", by=7, json={"type": "tocustomer", "message": "Found."})
        assert (first["Message"], first["Author"]) == ("I am looking.", desk.session(157)["User"]["FullName"])
        assert first["ChatMessageId"] > 9000, "its number and time are the server's"
        assert not first["WhenPosted"].startswith("2001")
        read = desk.agent("GetChatMessages", {"ChatSessionId": 157, "After": first["ChatMessageId"]})
        assert read == [second.json()]
        assert desk.verbs() == ["wrote", "wrote"]

    @pytest.mark.parametrize(("kind", "status"), [("ToCustomer", "UserLast"), ("ToUser", "CustomerLast")])
    def test_messages_tell_who_wrote_last(self, desk: TenantClient, kind: str, status: str) -> None:
        desk.agent("AddChatMessage", {"ChatSessionId": 157, "Message": {"Type": kind, "Message": "Hm."}})
        entity = desk.session(157)
        assert (entity["Status"], entity["LastMessage"]) == (status, "Hm.")

    def test_messages_have_types_that_exist(self, desk: TenantClient) -> None:
        for wrong in ({"Type": "Loud"}, {"Type": 4}, {"SpecialType": "TransferredSession"}, {"SpecialType": 4}):
            reply = desk.send("POST", "ChatSession/157/Messages", by=7, json=wrong)
            assert reply.status_code == 400
        assert desk.ledger() == []

    @pytest.mark.parametrize(
        ("number", "name"), [(0, "None"), (3, "Block"), (5, "NewSession"), (6, "TransferedSession"),
                             (13, "TransferRejected"), (18, "IllegalFileType")],
    )  # fmt: skip
    def test_messages_have_types_by_number_too(self, desk: TenantClient, number: int, name: str) -> None:
        said = desk.send("POST", "ChatSession/157/Messages", by=7, json={"Type": 3, "SpecialType": number}).json()
        assert (said["Type"], said["SpecialType"]) == ("Special", name)

    def test_messages_make_a_transcript_as_text_or_html(self, desk: TenantClient) -> None:
        desk.agent("AddChatMessage", {"ChatSessionId": 157, "Message": {"Type": "ToUser", "Message": "1 < 2"}})
        plain = desk.agent("GetChatTranscript", {"ChatSessionId": 157, "Html": False})
        assert plain.splitlines()[-1].endswith("1 < 2")
        html = desk.send("POST", "ChatSession/157/Transcript?html=true", by=7).json()
        assert html.startswith("<p>")
        assert "1 &lt; 2</p>" in html


class TestTopics:
    def test_topics_keep_what_was_saved(self, desk: TenantClient) -> None:
        body = {"Name": "Returns", "BotEnabled": True, "SecondsPrAccept": 90, "Language": {"Name": "no"}}
        topic = desk.send("POST", "ChatTopic", by=7, json=body).json()
        assert (topic["BotEnabled"], topic["SecondsPrAccept"], topic["Language"]) == (True, 90, None)
        assert topic["_Links"]["Self"] == f"{desk.api}/ChatTopic/5/"
        assert desk.get("ChatTopic/5/UserAgent") == []
        assert (5, "Returns") in [(item["Id"], item["Name"]) for item in desk.get("MDOList/chatchannel")]

    def test_topics_that_were_deleted_are_found_no_more(self, desk: TenantClient) -> None:
        assert desk.send("DELETE", "ChatTopic/4", by=7).status_code == 204
        assert desk.agent("GetChatTopicEntity?chatTopicEntityId=4") is None
        assert desk.agent("CreateChatSessionForTopic", {"ChatTopicId": 4}) is None
        assert desk.send("GET", "ChatTopic/4/Sessions", by=7).status_code == 404
        assert [topic["ChatTopicId"] for topic in desk.agent("ChatTopicsForUser", by=12)] == [3]
        assert desk.session(163)["TopicId"] == 4, "its sessions stay"

    def test_topics_are_open_in_their_opening_hours(self, desk: TenantClient) -> None:
        def is_open(**hours: Any) -> bool:
            desk.send("PUT", "ChatTopic/3", by=7, json={"Name": "Support", **hours})
            found = desk.agent("IsWithinOpeningHours", {"ChatTopicId": 3})
            assert desk.get("ChatTopic/3/IsOpen") is found
            return found is True

        days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        always = {f"{day}{name}": value for day in days
                  for name, value in (("Enabled", True), ("Start", "00:00"), ("Stop", "24:00"))}  # fmt: skip
        assert is_open()
        assert is_open(OpeningHoursEnabled=True, OpeningHours=always)
        assert not is_open(OpeningHoursEnabled=True, OpeningHours={})
        assert not is_open(OpeningHoursEnabled=True, OpeningHours={f"{day}Enabled": True for day in days})
        lunch = {"UseLunchHours": True, "LunchStart": "00:00", "LunchStop": "24:00"}
        assert not is_open(OpeningHoursEnabled=True, OpeningHours={**always, **lunch})
        assert is_open(OpeningHoursEnabled=False, OpeningHours={})


class TestRoles:
    def roles(self, desk: TenantClient, topic: int = 4) -> dict[int, list[str]]:
        return {
            agent["User"]["AssociateId"]: [name for name in sorted(TOPIC_AGENT) if agent[name] is True]
            for agent in desk.get(f"ChatTopic/{topic}/UserAgent")
        }

    def test_roles_are_added_to_those_that_are_there(self, desk: TenantClient) -> None:
        added = {"User": {"AssociateId": 7}, "CanRespond": True}
        answer = desk.agent("AddChatTopicUserAgent", {"ChatTopicId": 4, "Useragent": added})
        assert (answer["TopicId"], answer["User"]["Name"], answer["CanNotify"]) == (4, "agent7", False)
        assert self.roles(desk)[7] == ["CanRespond"]
        assert sorted(self.roles(desk)) == [5, 7, 12, 21]
        assert [topic["ChatTopicId"] for topic in desk.agent("ChatTopicsForUser", by=7)] == [3, 4]

    def test_roles_are_changed_by_name_or_id(self, desk: TenantClient) -> None:
        for name in ("12", "AGENT12"):
            reply = desk.send("PUT", f"ChatTopic/4/UserAgent/{name}", by=7, json={"canManage": True})
            assert reply.json()["CanManage"] is True
        assert self.roles(desk)[12] == ["CanManage"]

    def test_roles_are_replaced_as_a_whole(self, desk: TenantClient) -> None:
        useragents = [{"User": {"Name": "agent8"}, "CanListen": True}, {"User": {"AssociateId": 77}}]
        answer = desk.agent("UpdateChatTopicUserAgents", {"ChatTopicId": 4, "Useragents": useragents})
        assert [agent["User"]["AssociateId"] for agent in answer] == [8]
        assert self.roles(desk) == {8: ["CanListen"]}

    def test_roles_are_taken_away(self, desk: TenantClient) -> None:
        assert desk.send("DELETE", "ChatTopic/4/UserAgent/agent12", by=7).status_code == 204
        body = {"ChatTopicId": 4, "Username": "21"}
        assert desk.send("POST", "Agents/Chat/DeleteChatTopicUserAgent", by=7, json=body).status_code == 204
        assert sorted(self.roles(desk)) == [5]
        assert desk.send("GET", "ChatTopic/4/UserAgent/agent12", by=7).status_code == 404

    @pytest.mark.parametrize(
        "user", [{"AssociateId": 77}, {"AssociateId": 90}, {"AssociateId": 99}, {"Name": "x"}, None]
    )
    def test_roles_are_for_those_who_can_chat(self, desk: TenantClient, user: Any) -> None:
        role = {"User": user, "CanRespond": True}
        assert desk.agent("AddChatTopicUserAgent", {"ChatTopicId": 4, "Useragent": role}) is None
        assert desk.send("POST", "ChatTopic/4/UserAgent", by=SUPERVISOR, json=role).status_code == 404
        assert sorted(self.roles(desk)) == [5, 12, 21]

    def test_roles_count_for_transfers(self, desk: TenantClient) -> None:
        desk.reset(switches={"manager_may_transfer": True})
        desk.transfer(157, 12, by=8)
        assert desk.held(157)[1] is None
        desk.send("PUT", "ChatTopic/3/UserAgent/8", by=7, json={"CanManage": True})
        desk.transfer(157, 12, by=8)
        assert desk.held(157)[1] == "12"
