# SPDX-License-Identifier: Apache-2.0
"""SuperOffice's official JavaScript client, ``@superoffice/webapi``, unchanged, against the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.sandbox.superoffice_client import TenantClient

from .javascript import JavaScript, RejectedError

SignIn = Mapping[str, list[str]]
IGNORED = {"ignore": 1}
"""Nobody accepts anything by himself, so that only the client moves chats."""

TJMD = 21
OPERATORS = [{"id": 7}, {"id": 12}, {"id": TJMD, "login": "tjmd"}]
CHATS = [{"id": 157, "owner": 7}, {"id": 158, "owner": 12}, {"id": 159, "queue": 3}, {"id": 160, "owner": 7}]


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who has signed in with the client."""

    javascript: JavaScript
    desk: TenantClient
    sign_in: SignIn

    def chat(self, method: str, *arguments: Any) -> Any:
        """Call a method of the chat agent."""
        return self.agent("Chat", method, *arguments)

    def agent(self, agent: str, method: str, *arguments: Any) -> Any:
        """Call a method of any agent."""
        base = self.desk.api.removesuffix("/api/v1")
        return self.javascript.call(base, self.sign_in, agent, method, *arguments)


@pytest.fixture
def desk(desk: TenantClient) -> TenantClient:
    """Return a tenant with few chats and passive people."""
    desk.reset(operators=OPERATORS, chats=CHATS, people=IGNORED).raise_for_status()
    return desk


def token(name: str) -> SignIn:
    return {"authenticateWithToken": [f"8A:Cust12345.{name}"]}


@pytest.fixture
def sender(javascript: JavaScript, desk: TenantClient) -> Colleague:
    """Agent 7, who owns chat 157."""
    return Colleague(javascript, desk, token("agent7"))


@pytest.fixture
def receiver(javascript: JavaScript, desk: TenantClient) -> Colleague:
    """Agent 12."""
    return Colleague(javascript, desk, token("agent12"))


class TestATransfer:
    def test_a_transfer_is_pending_until_the_receiver_accepts(
        self, desk: TenantClient, sender: Colleague, receiver: Colleague
    ) -> None:
        asked = sender.chat("transferChatSessionAsync", 157, "12")
        assert (asked["user"]["associateId"], asked["transferTo"]["associateId"]) == (7, 12)
        assert desk.held(157) == ("7", "12", 1)

        accepted = receiver.chat("acceptChatSessionTransferAsync", 157)
        assert (accepted["user"]["associateId"], accepted["transferTo"]) == (12, None)
        assert desk.held(157) == ("12", None, 1)
        assert [change["by"] for change in desk.ledger()] == ["associate:7", "associate:12"]

    def test_a_transfer_takes_the_login_name_of_the_receiver(self, desk: TenantClient, sender: Colleague) -> None:
        assert sender.chat("transferChatSessionAsync", 157, "tjmd")["transferTo"]["associateId"] == TJMD

    def test_a_transfer_of_a_colleagues_chat_does_nothing(self, desk: TenantClient, sender: Colleague) -> None:
        unchanged = sender.chat("transferChatSessionAsync", 158, str(TJMD))
        assert (unchanged["user"]["associateId"], unchanged["transferTo"]) == (12, None)
        assert desk.ledger() == []

    def test_a_transfer_of_no_chat_is_null(self, sender: Colleague) -> None:
        assert sender.chat("transferChatSessionAsync", 9999, "12") is None

    def test_a_transfer_is_not_accepted_by_somebody_else(
        self, desk: TenantClient, sender: Colleague, javascript: JavaScript
    ) -> None:
        sender.chat("transferChatSessionAsync", 157, "12")
        third = Colleague(javascript, desk, {"authenticateWithPassword": ["tjmd", "Secret21"]})
        assert third.chat("acceptChatSessionTransferAsync", 157)["user"]["associateId"] == 7
        assert desk.held(157) == ("7", "12", 1)

    def test_a_transfer_that_is_rejected_leaves_a_message(
        self, desk: TenantClient, sender: Colleague, receiver: Colleague
    ) -> None:
        sender.chat("transferChatSessionAsync", 157, "12")
        before = sender.chat("getChatMessagesAsync", 157, 0)[-1]["chatMessageId"]
        rejected = receiver.chat("rejectChatSessionTransferAsync", 157)
        assert (rejected["user"]["associateId"], rejected["transferTo"]) == (7, None)
        assert desk.verbs()[-1] == "rejected"
        (message,) = sender.chat("getChatMessagesAsync", 157, before)
        assert (message["type"], message["specialType"]) == ("Special", "TransferRejected")

    def test_a_transfer_that_is_accepted_leaves_a_message(self, sender: Colleague, receiver: Colleague) -> None:
        before = sender.chat("getChatMessagesAsync", 157, 0)[-1]["chatMessageId"]
        sender.chat("transferChatSessionAsync", 157, "12")
        receiver.chat("acceptChatSessionTransferAsync", 157)
        found = sender.chat("getChatMessagesAsync", 157, before)
        assert "TransferedSession" in [message["specialType"] for message in found]


class TestTheQueue:
    def test_a_reset_puts_a_chat_back_for_somebody_to_pick_up(
        self, desk: TenantClient, sender: Colleague, receiver: Colleague
    ) -> None:
        reset = sender.chat("resetChatSessionAsync", 157)
        assert (reset["status"], reset["user"]) == ("InQueue", None)
        assert desk.held(157)[0] is None
        assert receiver.chat("pickUpChatSessionAsync", 157)["user"]["associateId"] == 12
        assert desk.held(157)[0] == "12"

    def test_what_is_not_in_the_queue_is_not_picked_up(self, desk: TenantClient, receiver: Colleague) -> None:
        assert receiver.chat("pickUpChatSessionAsync", 157) is None
        assert desk.ledger() == []

    def test_the_first_of_the_queue_is_picked_up(self, desk: TenantClient, receiver: Colleague) -> None:
        assert receiver.chat("pickUpFirstChatSessionAsync")["chatSessionId"] == 159
        assert receiver.chat("pickUpFirstChatSessionAsync") is None


class TestReading:
    def test_a_chat_by_its_id(self, sender: Colleague) -> None:
        found = sender.chat("getChatSessionEntityAsync", 157)
        assert (found["chatSessionId"], found["topicId"], found["user"]["name"]) == (157, 3, "agent7")
        assert found["status"] in ("CustomerLast", "UserLast")

    def test_a_chat_that_is_not_there_is_null(self, sender: Colleague) -> None:
        assert sender.chat("getChatSessionEntityAsync", 9999) is None

    def test_a_date_that_is_empty_is_in_the_year_one(self, sender: Colleague) -> None:
        found = sender.chat("getChatSessionEntityAsync", 157, {"timezone": "UTC", "timezoneInclude": True})
        assert found["whenEnded"].startswith("0001-01-01T00:00:00")

    def test_a_date_is_the_same_moment_with_and_without_its_offset(self, desk: TenantClient, sender: Colleague) -> None:
        desk.reset(operators=OPERATORS, chats=CHATS, people=IGNORED, time_zone="UTC")
        plain = sender.chat("getChatSessionEntityAsync", 157, {"timezone": "UTC", "timezoneInclude": True})
        other = sender.chat("getChatSessionEntityAsync", 157, {"timezone": "Europe/Oslo", "timezoneInclude": True})
        assert plain["whenRequested"] == other["whenRequested"]

    def test_the_chats_of_my_topics_also_those_of_colleagues(self, receiver: Colleague) -> None:
        found = receiver.chat("chatSessionsForUserAsync")
        assert {chat["chatSessionId"] for chat in found} == {157, 158, 159, 160}

    def test_my_topics(self, sender: Colleague, receiver: Colleague) -> None:
        assert [topic["name"] for topic in sender.chat("chatTopicsForUserAsync")] == ["Support"]
        assert [topic["name"] for topic in receiver.chat("chatTopicsForUserAsync")] == ["Support", "Sales"]


class TestSaving:
    def test_a_chat_as_it_was_read_with_one_change(self, desk: TenantClient, sender: Colleague) -> None:
        found = sender.chat("getChatSessionEntityAsync", 157)
        saved = sender.chat("saveChatSessionEntityAsync", {**found, "customerAlias": "Pia"})
        assert (saved["customerAlias"], saved["user"]["associateId"]) == ("Pia", 7)
        assert sender.chat("getChatSessionEntityAsync", 157)["customerAlias"] == "Pia"
        assert self.holders(desk) == [("saved", "agent:7", "agent:7")]

    def test_another_owner_is_a_transfer_without_a_question(self, desk: TenantClient, sender: Colleague) -> None:
        found = sender.chat("getChatSessionEntityAsync", 157)
        receiver = sender.chat("getChatSessionEntityAsync", 158)["user"]
        sender.chat("saveChatSessionEntityAsync", {**found, "user": receiver})
        assert self.holders(desk) == [("saved", "agent:7", "agent:12")]

    def test_a_message_is_read_by_the_others(self, sender: Colleague, receiver: Colleague) -> None:
        message = {"chatSessionId": 157, "type": "ToCustomer", "message": "Good morning"}
        written = sender.chat("addChatMessageAsync", 157, message)["chatMessageId"]
        (found,) = receiver.chat("getChatMessagesAsync", 157, written - 1)
        assert (found["message"], found["type"]) == ("Good morning", "ToCustomer")
        assert "Good morning" in receiver.chat("getChatTranscriptAsync", 157, False)

    def test_a_chat_is_deleted(self, desk: TenantClient, sender: Colleague) -> None:
        sender.chat("deleteChatSessionEntityAsync", 157)
        assert sender.chat("getChatSessionEntityAsync", 157) is None
        assert desk.verbs() == ["deleted"]

    def holders(self, desk: TenantClient) -> list[tuple[str, str, str]]:
        return [(change["change"], change["before"], change["after"]) for change in desk.ledger()]


class TestPresence:
    def test_presence_is_read_with_the_number_of_chats(self, sender: Colleague) -> None:
        found = {item["displayName"]: item for item in sender.chat("getChatPresenceAsync")}
        mine = found[sender.chat("getChatSessionEntityAsync", 157)["user"]["fullName"]]
        assert (mine["present"], mine["ongoingChats"]) == (True, 2)

    def test_presence_is_saved_without_an_answer(self, desk: TenantClient, sender: Colleague) -> None:
        me = sender.chat("getChatSessionEntityAsync", 157)["user"]
        assert not sender.chat("saveChatPresenceAsync", [{"userId": me["ejUserId"], "present": False}])
        assert [agent["id"] for agent in desk.state()["agents"] if not agent["present"]] == ["7"]
        present = sender.chat("getUserAgentListAsync", True, True)
        assert me["ejUserId"] not in [item["id"] for item in present]


class TestLists:
    def test_lists_of_agents_have_the_ids_of_users_or_of_associates(self, sender: Colleague) -> None:
        users = sender.agent("MDO", "getListAsync", "chatuser", True, "", False)
        associates = sender.agent("MDO", "getListAsync", "chatuser", True, "onlyPresent=True&associate=True", False)
        assert [item["id"] for item in associates] == [7, 12, 21]
        assert [item["id"] for item in users] == [12, 17, 26]

    def test_lists_of_topics_and_of_status_texts(self, sender: Colleague) -> None:
        topics = sender.agent("MDO", "getListAsync", "chatchannel", True, "notAll=true", False)
        assert [(item["id"], item["name"]) for item in topics] == [(3, "Support"), (4, "Sales")]
        texts = sender.agent("MDO", "getListAsync", "chatsessionstatus", True, "", False)
        assert ("Waiting", "InQueue") in [(item["name"], item["extraInfo"]) for item in texts]

    def test_lists_of_sessions_by_restrictions_in_a_string(self, sender: Colleague) -> None:
        rows = sender.agent(
            "Archive", "getArchiveListByColumns2Async", "ChatSession",
            "chatSessionId,status,agent,chatTopic/chatTopicId", "chatSessionId asc",
            "status oneOf (5,6) and associateId associateIsOneOf (7)", "chat", 0, 100,
        )  # fmt: skip
        assert [row["primaryKey"] for row in rows] == [157, 160]
        assert {row["entityName"] for row in rows} == {"chat"}
        assert set(rows[0]["columnData"]) == {"chatSessionId", "status", "agent", "chatTopic/chatTopicId"}
        assert rows[0]["columnData"]["status"]["displayValue"].startswith("Waiting for ")

    def test_lists_of_sessions_page_by_page(self, sender: Colleague) -> None:
        pages = [self.columns(sender, self.active(), page=page) for page in range(3)]
        assert pages == [[157, 158], [160], []]

    def test_a_restriction_that_is_not_active_restricts_nothing(self, sender: Colleague) -> None:
        assert self.columns(sender, {**self.active(), "isActive": False}) == [157, 158]
        assert self.columns(sender, {**self.active(), "isActive": False}, page=1) == [159, 160]

    def active(self) -> dict[str, Any]:
        return {"name": "status", "operator": "oneOf", "values": ["5", "6"], "isActive": True}

    def columns(self, colleague: Colleague, restriction: dict[str, Any], *, page: int = 0) -> list[int]:
        order = [{"name": "chatSessionId", "direction": "ASC"}]
        arguments = ["ChatSession", ["chatSessionId"], order, [restriction], ["chat"], page, 2]
        return [row["primaryKey"] for row in colleague.agent("Archive", "getArchiveListByColumnsAsync", *arguments)]


class TestSigningIn:
    @pytest.mark.parametrize(
        "sign_in",
        [
            token("agent7"),
            {"authenticateWithPassword": ["agent7", "Secret7"]},
            {"authenticateWithTicket": ["7T:Cust12345.agent7"], "applicationToken": ["sandbox-secret"]},
        ],
        ids=["token", "password", "ticket"],
    )
    def test_signing_in_by_each_scheme_is_the_same_agent(
        self, desk: TenantClient, javascript: JavaScript, sign_in: SignIn
    ) -> None:
        Colleague(javascript, desk, sign_in).chat("transferChatSessionAsync", 157, "12")
        assert desk.held(157) == ("7", "12", 1)

    @pytest.mark.parametrize(
        "sign_in",
        [
            token("nobody"),
            {"authenticateWithPassword": ["agent7", "wrong"]},
            {"authenticateWithTicket": ["7T:Cust12345.agent7"]},
            {"authenticateWithTicket": ["7T:Cust12345.agent7"], "applicationToken": ["another"]},
            {},
        ],
        ids=["token", "password", "ticket alone", "ticket of another app", "nothing"],
    )
    def test_signing_in_with_wrong_credentials_is_401(
        self, desk: TenantClient, javascript: JavaScript, sign_in: SignIn
    ) -> None:
        with pytest.raises(RejectedError) as caught:
            Colleague(javascript, desk, sign_in).chat("transferChatSessionAsync", 157, "12")
        assert (caught.value.name, caught.value.status) == ("AxiosError", 401)
        assert desk.ledger() == []

    @pytest.mark.parametrize("status", [401, 403])
    def test_signing_in_with_a_token_that_has_expired_is_refused_until_it_is_renewed(
        self, desk: TenantClient, javascript: JavaScript, status: int
    ) -> None:
        desk.reset(operators=OPERATORS, chats=CHATS, people=IGNORED, switches={"expired_token_status": status})
        first = Colleague(javascript, desk, self.renewed(desk))
        assert first.chat("getChatSessionEntityAsync", 157)["chatSessionId"] == 157
        desk.skip(3601)
        with pytest.raises(RejectedError) as caught:
            first.chat("transferChatSessionAsync", 157, "12")
        assert caught.value.status == status
        second = Colleague(javascript, desk, self.renewed(desk))
        assert second.chat("transferChatSessionAsync", 157, "12")["transferTo"]["associateId"] == 12

    def renewed(self, desk: TenantClient) -> SignIn:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": "refresh-agent7",
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
        }
        reply = requests.post(f"{desk.server.url}/login/common/oauth/tokens", data=form, timeout=10)
        return {"authenticateWithToken": [reply.json()["access_token"]]}


class TestErrors:
    def test_a_tenant_in_maintenance_is_unavailable(self, desk: TenantClient, sender: Colleague) -> None:
        desk.reset(operators=OPERATORS, chats=CHATS, tenant_state="OfflineMaintenance")
        with pytest.raises(RejectedError) as caught:
            sender.chat("chatSessionsForUserAsync")
        assert caught.value.status == 503

    def test_an_unknown_target_can_be_an_error_with_its_type(self, desk: TenantClient, sender: Colleague) -> None:
        desk.reset(operators=OPERATORS, chats=CHATS, switches={"unknown_target": "error"})
        with pytest.raises(RejectedError) as caught:
            sender.chat("transferChatSessionAsync", 157, "ducimus")
        assert caught.value.status == 400
        assert caught.value.body["ErrorType"] == "SoInvalidArgumentException"
