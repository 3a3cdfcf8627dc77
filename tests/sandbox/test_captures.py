# SPDX-License-Identifier: Apache-2.0
"""Requests captured from other people's clients and replayed byte for byte; only the host is changed.

The clients: ``fast_bitrix24`` 1.8, ``b24pysdk`` 1.3 and ``@superoffice/webapi`` 12.4. ``real_clients/`` runs them;
these captures also work where they are not installed.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sandbox.bitrix24_client import PortalClient
from tests.sandbox.superoffice_client import TenantClient

ACCEPTED = [("transferred", "agent:12"), ("accepted", "agent:12")]
TIME = ["date_finish", "date_start", "duration", "finish", "operating", "operating_reset_at", "processing", "start"]

FAST_BITRIX24 = """\
POST /rest/{path} HTTP/1.1
Host: {host}
Accept: */*
Accept-Encoding: gzip, deflate
User-Agent: Python/3.11 aiohttp/3.14.5
Content-Length: {length}
Content-Type: application/json

{body}"""

B24PYSDK = """\
POST /rest/{path}.json HTTP/1.1
Host: {host}
User-Agent: b24-python-sdk-vendor-v-1.3.2-python-3.11.7
Accept-Encoding: gzip, deflate
Accept: application/json
Connection: keep-alive
Accept-Charset: utf-8
X-BITRIX24-PYTHON-SDK-PYTHON-VERSION: 3.11.7
X-BITRIX24-PYTHON-SDK-VERSION: 1.3.2
X-Request-ID: 01a1fbcf-97cc-7c1f-9dce-5cce1bd094b1
Content-Type: application/json
Content-Length: {length}

{body}"""

B24PYSDK_OAUTH = """\
GET /oauth/token/?grant_type=refresh_token&client_id=local.abc.1&client_secret=sec&refresh_token=OLDREF HTTP/1.1
Host: {host}
User-Agent: b24-python-sdk-vendor-v-1.3.2-python-3.11.7
Accept-Encoding: gzip, deflate
Accept: application/json
Connection: keep-alive
Accept-Charset: utf-8
X-BITRIX24-PYTHON-SDK-PYTHON-VERSION: 3.11.7
X-BITRIX24-PYTHON-SDK-VERSION: 1.3.2
X-Request-ID: 01a1fbcf-97cc-7c1f-9dce-5cce1bd094b1
Content-Type: application/x-www-form-urlencoded

"""

WEBAPI = """\
POST /Cust12345/api/v1/Agents/{path} HTTP/1.1
Accept: application/json
Content-Type: application/json
{credential}
User-Agent: SO-TS-WebApi/1.0
SO-Browser-TZ-Offset: 0
Content-Length: {length}
Accept-Encoding: gzip, compress, deflate, br
Host: {host}
Connection: keep-alive

{body}"""

WEBAPI_WITHOUT_A_BODY = """\
POST /Cust12345/api/v1/Agents/{path} HTTP/1.1
Accept: application/json
Content-Type: application/json
{credential}
User-Agent: SO-TS-WebApi/1.0
SO-Browser-TZ-Offset: 0
Accept-Encoding: gzip, compress, deflate, br
Host: {host}
Connection: keep-alive
Content-Length: 0

"""

BEARER = "Authorization: Bearer 8A:Cust12345.ABC"
BASIC = "Authorization: Basic dGplMDpUamUw"
TICKET = "Authorization: SOTicket 7T:ABC\nSO-AppToken: cs-secret"


class Answer:
    """A response as it was received."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.content_type = response.headers["Content-Type"]
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def replay(url: str, capture: str, *, body: str = "", **parts: str) -> Answer:
    """Send the bytes and read the response."""
    address = urlsplit(url)
    text = capture.format(host=address.netloc, length=len(body), body=body, **parts)
    head, _, content = text.partition("\n\n")
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + content.encode())
        response = HTTPResponse(connection)
        response.begin()
        return Answer(response)


@pytest.fixture
def portal(portal: PortalClient) -> PortalClient:
    """Return the portal that the captures refer to."""
    portal.reset(
        chats=[{"id": chat, "owner": 7, "bot": True} for chat in (112, 113, 114)],
        bots=[{"client_id": "bot token/1", "id": 80}, {"app_id": "local.abc.1", "id": 81}],
        apps=[
            {
                "client_id": "local.abc.1",
                "client_secret": "sec",
                "access_token": "OLDTOK",
                "refresh_token": "OLDREF",
            }
        ],
        people={"ignore": 1},
    )
    return portal


class TestFastBitrix24:
    def send(self, portal: PortalClient, path: str, body: str) -> Answer:
        return replay(portal.sandbox.url, FAST_BITRIX24, path=path, body=body)

    def test_a_raw_call(self, portal: PortalClient) -> None:
        body = '{"CHAT_ID": 112, "USER_ID": 12, "LEAVE": "N", "CLIENT_ID": "bot token/1"}'
        assert len(body) == 73
        answer = self.send(portal, "1/secretcode/imopenlines.bot.session.transfer", body)
        assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
        assert list(answer.json) == ["result", "time"]
        assert answer.json["result"] is True
        assert sorted(answer.json["time"]) == TIME
        assert portal.changes(112) == ACCEPTED

    def test_a_call_that_becomes_a_batch_of_one(self, portal: PortalClient) -> None:
        body = (
            '{"halt": 0, "cmd": {"order0000000000": "imopenlines.bot.session.transfer?__order=order0000000000'
            '&CHAT_ID=112&USER_ID=12&LEAVE=N&CLIENT_ID=bot%20token/1&"}}'
        )
        assert len(body) == 155
        answer = self.send(portal, "1/secretcode/batch", body)
        assert answer.status == 200
        result = answer.json["result"]
        assert sorted(result["result_time"].pop("order0000000000")) == TIME
        assert result == {
            "result": {"order0000000000": True},
            "result_error": [],
            "result_total": [],
            "result_next": [],
            "result_time": {},
        }
        assert portal.changes(112) == ACCEPTED

    def test_three_calls_whose_leave_is_text(self, portal: PortalClient) -> None:
        commands = ", ".join(
            f'"order000000000{place}": "imopenlines.bot.session.transfer?__order=order000000000{place}'
            f'&CHAT_ID={chat}&TRANSFER_ID=queue3&LEAVE=True&"'
            for place, chat in enumerate((112, 113, 114))
        )
        body = f'{{"halt": 0, "cmd": {{{commands}}}}}'
        assert len(body) == 386
        answer = self.send(portal, "1/secretcode/batch", body)
        assert answer.json["result"]["result"] == []
        errors = answer.json["result"]["result_error"]
        assert [error["error"] for error in errors.values()] == ["ACCESS_DENIED"] * 3
        portal.reset(
            chats=[{"id": chat, "owner": 7} for chat in (112, 113, 114)], switches={"client_id_required": False}
        )
        result = self.send(portal, "1/secretcode/batch", body).json["result"]
        assert result["result"] == {f"order000000000{place}": True for place in range(3)}
        assert [portal.chat(chat)["owner"] for chat in (112, 113, 114)] == [None] * 3

    def test_a_batch_of_the_callers_own(self, portal: PortalClient) -> None:
        body = (
            '{"halt": 0, "cmd": {"a": "imopenlines.bot.session.transfer?CHAT_ID=112&USER_ID=12&LEAVE=N", '
            '"b": "imopenlines.dialog.get?CHAT_ID=112", "c": "user.current"}}'
        )
        assert len(body) == 156
        result = self.send(portal, "1/secretcode/batch", body).json["result"]
        assert result["result_error"]["a"]["error"] == "ACCESS_DENIED"
        assert (result["result"]["b"]["id"], result["result"]["c"]["ID"]) == (112, "1")
        assert set(result["result_time"]) == {"b", "c"}

    def test_the_first_page_of_all_users(self, portal: PortalClient) -> None:
        body = '{"FILTER": {"ACTIVE": true}, "order": {"ID": "ASC"}}'
        assert len(body) == 52
        answer = self.send(portal, "1/secretcode/user.get", body)
        ids = [int(user["ID"]) for user in answer.json["result"]]
        assert ids == sorted(ids)
        assert answer.json["total"] == len(ids)
        assert "next" not in answer.json
        assert {type(user["ID"]) for user in answer.json["result"]} == {str}
        assert {user["ACTIVE"] for user in answer.json["result"]} == {True}

    def test_a_token_that_has_expired(self, portal: PortalClient) -> None:
        portal.skip(3601)
        body = '{"CHAT_ID": 112, "USER_ID": 12, "auth": "OLDTOK"}'
        assert len(body) == 49
        answer = self.send(portal, "imopenlines.bot.session.transfer", body)
        assert answer.status == 401
        assert answer.json == {
            "error": "expired_token",
            "error_description": "The access token provided has expired.",
        }

    def test_a_refused_transfer(self, portal: PortalClient) -> None:
        body = '{"CHAT_ID": 112, "USER_ID": 99999, "LEAVE": "N", "CLIENT_ID": "bot token/1"}'
        answer = self.send(portal, "1/secretcode/imopenlines.bot.session.transfer", body)
        assert answer.status == 400
        assert answer.json == {
            "error": "OPERATOR_WRONG",
            "error_description": "You can not redirect to this operator",
        }


class TestB24PySdk:
    def send(self, portal: PortalClient, path: str, body: str) -> Answer:
        return replay(portal.sandbox.url, B24PYSDK, path=path, body=body)

    def members(self, portal: PortalClient) -> set[int]:
        found = portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="12/secretcode12")
        return {member for member in found if member < 5000}

    def test_a_typed_transfer_to_a_user(self, portal: PortalClient) -> None:
        body = '{"CHAT_ID": 112, "LEAVE": false, "USER_ID": 12, "CLIENT_ID": "bot token/1"}'
        assert len(body) == 75
        answer = self.send(portal, "1/secretcode/imopenlines.bot.session.transfer", body)
        assert (answer.status, answer.json["result"]) == (200, True)
        assert portal.changes(112) == ACCEPTED
        assert self.members(portal) == {12, 80}

    def test_a_typed_transfer_to_a_queue_without_the_bots_id(self, portal: PortalClient) -> None:
        body = '{"CHAT_ID": 112, "LEAVE": true, "QUEUE_ID": 3}'
        assert len(body) == 46
        answer = self.send(portal, "1/secretcode/imopenlines.bot.session.transfer", body)
        assert answer.status == 403
        assert answer.json == {
            "error": "ACCESS_DENIED",
            "error_description": "Access denied! Client ID not specified.",
        }
        assert portal.changes() == []

    def test_a_plain_transfer_to_a_queue(self, portal: PortalClient) -> None:
        body = '{"CHAT_ID": 112, "TRANSFER_ID": "queue3", "LEAVE": "Y", "CLIENT_ID": "bot token/1"}'
        assert len(body) == 83
        answer = self.send(portal, "1/secretcode/imopenlines.bot.session.transfer", body)
        assert (answer.status, answer.json["result"]) == (200, True)
        assert portal.changes(112)[0] == ("transferred", "queue:3")

    def test_a_batch_whose_leave_is_text(self, portal: PortalClient) -> None:
        commands = ", ".join(
            f'"k{chat}": "imopenlines.bot.session.transfer?CHAT_ID={chat}&LEAVE=True&USER_ID=12'
            '&CLIENT_ID=bot+token%2F1"'
            for chat in (112, 113, 114)
        )
        body = f'{{"cmd": {{{commands}}}, "halt": false}}'
        assert len(body) == 330
        result = self.send(portal, "1/secretcode/batch", body).json["result"]
        assert result["result"] == {"k112": True, "k113": True, "k114": True}
        assert [portal.changes(chat) for chat in (112, 113, 114)] == [ACCEPTED] * 3
        assert self.members(portal) == {12, 80}

    def test_a_batch_of_a_list(self, portal: PortalClient) -> None:
        commands = ", ".join(f'"{place}": "imopenlines.dialog.get?CHAT_ID={112 + place}"' for place in range(3))
        body = f'{{"cmd": {{{commands}}}, "halt": true}}'
        assert len(body) == 152
        result = self.send(portal, "1/secretcode/batch", body).json["result"]
        assert [dialog["id"] for dialog in result["result"]] == [112, 113, 114]
        assert [sorted(time) for time in result["result_time"]] == [TIME] * 3

    def test_a_list_of_users(self, portal: PortalClient) -> None:
        answer = self.send(portal, "1/secretcode/user.get", '{"filter": {"ACTIVE": true}}')
        assert {user["ACTIVE"] for user in answer.json["result"]} == {True}

    def test_the_renewal_of_an_expired_token(self, portal: PortalClient) -> None:
        portal.skip(3601)
        body = '{"CHAT_ID": 112, "USER_ID": 12, "auth": "OLDTOK"}'
        refused = self.send(portal, "imopenlines.bot.session.transfer", body)
        assert (refused.status, refused.json["error"]) == (401, "expired_token")

        renewed = replay(portal.sandbox.url, B24PYSDK_OAUTH)
        assert renewed.status == 200
        assert set(renewed.json) == {
            "access_token", "expires", "expires_in", "scope", "domain", "server_endpoint", "status",
            "client_endpoint", "member_id", "user_id", "refresh_token",
        }  # fmt: skip
        assert renewed.json["client_endpoint"] == f"{portal.sandbox.url}/rest/"

        body = body.replace("OLDTOK", renewed.json["access_token"])
        assert self.send(portal, "imopenlines.bot.session.transfer", body).json["result"] is True
        assert portal.changes(112) == ACCEPTED

        again = replay(portal.sandbox.url, B24PYSDK_OAUTH)
        assert (again.status, again.json["error"]) == (400, "invalid_grant")


@pytest.fixture
def desk(desk: TenantClient) -> TenantClient:
    """Return the tenant that the captures refer to."""
    desk.reset(
        operators=[
            {"id": 5, "login": "tje0", "password": "Tje0"},
            {"id": 7, "ejuser": 5, "present": False},
            {"id": 12},
            {"id": 21, "login": "tjmd"},
        ],
        chats=[{"id": 157, "owner": 7}, {"id": 158, "owner": 21}, {"id": 159, "owner": 5}],
        tokens={"8A:Cust12345.ABC": 7, "7T:ABC": 7, "8A:Cust12345.OTHER": 21},
        application={"client_id": "cs", "client_secret": "cs-secret"},
        people={"ignore": 1},
    ).raise_for_status()
    return desk


Send = Callable[..., Answer]


class TestWebApi:
    @pytest.fixture
    def send(self, desk: TenantClient) -> Send:
        """Replay a call of the client; with ``None`` the request has no body."""

        def sent(path: str, body: str | None, credential: str = BEARER) -> Answer:
            capture = WEBAPI_WITHOUT_A_BODY if body is None else WEBAPI
            return replay(desk.server.url, capture, path=path, body=body or "", credential=credential)

        return sent

    @pytest.mark.parametrize("credential", [BEARER, TICKET], ids=["Bearer", "SOTicket"])
    def test_a_transfer(self, desk: TenantClient, send: Send, credential: str) -> None:
        body = '{"chatSessionId":157,"toAssociate":"tjmd"}'
        assert len(body) == 42
        answer = send("Chat/TransferChatSession", body, credential)
        assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
        assert len(answer.json) == 33
        assert (answer.json["ChatSessionId"], answer.json["TransferTo"]["AssociateId"]) == (157, 21)
        assert desk.held(157) == ("7", "21", 1)

    def test_a_transfer_by_a_password(self, desk: TenantClient, send: Send) -> None:
        body = '{"chatSessionId":157,"toAssociate":"tjmd"}'
        answer = send("Chat/TransferChatSession", body, BASIC)
        assert (answer.json["User"]["AssociateId"], answer.json["TransferTo"]) == (7, None)
        answer = send("Chat/TransferChatSession", body.replace("157", "159"), BASIC)
        assert answer.json["TransferTo"]["AssociateId"] == 21

    def test_a_ticket_without_the_applications_token(self, desk: TenantClient, send: Send) -> None:
        body = '{"chatSessionId":157,"toAssociate":"tjmd"}'
        answer = send("Chat/TransferChatSession", body, TICKET.partition("\n")[0])
        assert answer.status == 401
        assert desk.ledger() == []

    def test_a_transfer_with_options(self, desk: TenantClient, send: Send) -> None:
        options = "Accept-Language: en\nSO-Language: en\nSO-Culture: nb-NO\nSO-Timezone: UTC,includeTZOffset"
        body = '{"chatSessionId":157,"toAssociate":"tjmd"}'
        answer = send("Chat/TransferChatSession", body, f"{BEARER}\n{options}")
        assert answer.json["TransferTo"]["AssociateId"] == 21
        assert answer.json["WhenRequested"].endswith("Z")

    @pytest.mark.parametrize(
        ("method", "owner"),
        [("AcceptChatSessionTransfer", "7"), ("RejectChatSessionTransfer", "21"), ("ResetChatSession", None)],
        ids=["accept", "reject", "reset"],
    )
    def test_an_answer_to_a_transfer(self, desk: TenantClient, send: Send, method: str, owner: str | None) -> None:
        asked = '{"chatSessionId":158,"toAssociate":"7"}'
        send("Chat/TransferChatSession", asked, "Authorization: Bearer 8A:Cust12345.OTHER")
        answer = send(f"Chat/{method}", '{"chatSessionId":158}')
        assert (answer.status, len(answer.json), answer.json["TransferTo"]) == (200, 33, None)
        assert desk.held(158) == (owner, None, 1)

    def test_accept_where_nothing_was_asked(self, desk: TenantClient, send: Send) -> None:
        answer = send("Chat/AcceptChatSessionTransfer", '{"chatSessionId":157}')
        assert (answer.status, answer.json["User"]["AssociateId"]) == (200, 7)
        assert desk.ledger() == []

    def test_an_entity_asked_for_with_a_body_of_null(self, send: Send) -> None:
        answer = send("Chat/GetChatSessionEntity?chatSessionEntityId=157", "null")
        assert (answer.status, answer.json["ChatSessionId"]) == (200, 157)
        assert send("Chat/GetChatSessionEntity?chatSessionEntityId=9999", "null").text == "null"

    def test_a_list_asked_for_without_a_body(self, send: Send) -> None:
        answer = send("Chat/ChatSessionsForUser", None)
        assert {session["ChatSessionId"] for session in answer.json} == {157, 158, 159}
        assert {len(session) for session in answer.json} == {33}

    def test_an_archive(self, desk: TenantClient, send: Send) -> None:
        body = (
            '{"providerName":"ChatSession","columns":"chatSessionId,status,agent,chatTopic/chatTopicId",'
            '"sortOrder":"chatSessionId asc",'
            '"restrictions":"status oneOf (5,6) and associateId associateIsOneOf (21)",'
            '"entities":"chat","page":0,"pageSize":100}'
        )
        assert len(body) == 239
        (row,) = send("Archive/GetArchiveListByColumns2", body, TICKET).json
        assert (row["EntityName"], row["PrimaryKey"]) == ("chat", 158)
        assert set(row["ColumnData"]) == {"chatSessionId", "status", "agent", "chatTopic/chatTopicId"}
        for column in row["ColumnData"].values():
            assert set(column) >= {"DisplayValue", "TooltipHint", "LinkHint"}
            assert isinstance(column["DisplayValue"], str)

    def test_presence_is_saved_and_read(self, send: Send) -> None:
        saved = send("Chat/SaveChatPresence", '{"chatPresence":[{"userId":5,"present":true}]}')
        assert (saved.status, saved.text) == (204, "")
        found = {item["UserId"]: item for item in send("Chat/GetChatPresence", None).json}
        assert {"UserId", "DisplayName", "OngoingChats", "Present", "ChatTopics"} <= set(found[5])
        assert (found[5]["Present"], found[5]["OngoingChats"]) == (True, 1)

    def test_what_waits_is_picked_up(self, desk: TenantClient, send: Send) -> None:
        assert send("Chat/PickUpChatSession", '{"chatSessionId":157}').text == "null"
        assert send("Chat/PickUpFirstChatSession", None).text == "null"

    def test_agents_messages_and_a_transcript(self, send: Send) -> None:
        agents = send("Chat/GetUserAgentList", '{"flat":true,"onlyPresent":true}').json
        assert {"Id", "Name", "ChildItems", "ExtraInfo"} <= set(agents[0])
        messages = send("Chat/GetChatMessages", '{"chatSessionId":157,"after":0}').json
        assert [message["ChatSessionId"] for message in messages] == [157] * len(messages)
        transcript = send("Chat/GetChatTranscript", '{"chatSessionId":157,"html":false}')
        assert isinstance(transcript.json, str)

    def test_a_list_of_the_administration(self, send: Send) -> None:
        body = (
            '{"name":"chatuser","forceFlatList":true,"additionalInfo":"onlyPresent=True&associate=True",'
            '"onlyHistory":false}'
        )
        assert [item["Id"] for item in send("MDO/GetList", body).json] == [5, 12, 21]
