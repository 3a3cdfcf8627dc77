# SPDX-License-Identifier: Apache-2.0
"""Bitrix24's official Python client, unmodified, against the sandbox behind TLS, as it uses https only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook
from b24pysdk.api.requesters.bitrix_oauth_requester import BitrixOAuthRequester
from b24pysdk.client import BaseClient
from b24pysdk.errors import (
    BitrixAPIBadRequest,
    BitrixAPIForbidden,
    BitrixAPIInsufficientScope,
    BitrixAPIInvalidCredentials,
    BitrixAPIOperationTimeLimit,
    BitrixAPIQueryLimitExceeded,
)
from b24pysdk.errors.oauth import BitrixOAuthInvalidGrant

from tests.sandbox.bitrix24_client import TRANSFER, PortalClient

BOT = "chattransfer"
APP = {"client_id": "local.chattransfer", "access_token": "first", "refresh_token": "refresh-1"}
ACCEPTED = [("transferred", "agent:12"), ("accepted", "agent:12")]


def webhook(portal: PortalClient, *, of: str = "1/secretcode") -> BitrixWebhook:
    return BitrixWebhook(domain=portal.sandbox.address, webhook_token=of)


@pytest.fixture
def portal(https_portal: PortalClient) -> PortalClient:
    """Return the portal behind TLS in place of the fixture of the other tests."""
    return https_portal


@pytest.fixture
def client(portal: PortalClient) -> BaseClient:
    """Return the client as the webhook of the administrator."""
    return webhook(portal).get_client()


class TestOneTransfer:
    def test_one_transfer_to_a_user_is_accepted_at_once(self, portal: PortalClient, client: BaseClient) -> None:
        request = client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, leave=False, client_id=BOT)
        assert request.result is True
        assert portal.changes(112) == ACCEPTED
        assert client.imopenlines.dialog.get(chat_id=112).result["owner"] == 12

    def test_one_transfer_to_a_queue_is_offered_and_not_owned(self, portal: PortalClient, client: BaseClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7}], people={"ignore": 1})
        assert client.imopenlines.bot.session.transfer(chat_id=112, queue_id=3, client_id=BOT).result is True
        assert portal.changes(112)[0] == ("transferred", "queue:3")
        assert client.imopenlines.dialog.get(chat_id=112).result["owner"] == 0

    def test_one_transfer_may_name_a_queue_as_the_documents_do(self, portal: PortalClient) -> None:
        values = {"CHAT_ID": 112, "TRANSFER_ID": "queue4", "LEAVE": "Y", "CLIENT_ID": BOT}
        assert webhook(portal).call_method(TRANSFER, values)["result"] is True
        assert portal.chat(112)["queue"] == "4"

    def test_one_transfer_comes_with_times_that_the_client_can_read(
        self, portal: PortalClient, client: BaseClient
    ) -> None:
        portal.reset(operating={"seconds": {TRANSFER: 2.5}})
        time = client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, client_id=BOT).response.time
        assert (time.operating, time.duration) == (2.5, 2.5)
        assert time.date_start <= time.date_finish < time.operating_reset_at
        assert type(time.start) is int

    def test_one_transfer_leave_as_a_boolean_of_json_takes_the_bot_away(
        self, portal: PortalClient, client: BaseClient
    ) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}])
        transfer = client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, leave=True, client_id=BOT)
        assert transfer.result is True
        assert self.colleagues(portal) == {12}

    def test_one_transfer_leave_inside_a_batch_is_text_and_the_bot_stays(
        self, portal: PortalClient, client: BaseClient
    ) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}])
        transfer = client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, leave=True, client_id=BOT)
        assert client.call_batch([transfer]).result.result == [True]
        assert self.colleagues(portal) == {12, 80}

    def colleagues(self, portal: PortalClient) -> set[int]:
        """Return who is in the chat besides the customer, as the new owner sees it."""
        members = webhook(portal, of="12/secretcode12").get_client().im.chat.user.list(chat_id=112).result
        return {member for member in members if member < 5000}


class TestTheBot:
    def test_the_bot_is_registered_and_then_moves_chats(self, portal: PortalClient, client: BaseClient) -> None:
        mine = {"code": "shift", "botToken": "shift-token", "type": "bot", "properties": {"name": "Shift"}}
        bots = [client.imbot.v2.bot.register(mine).result["bot"]["id"] for _ in range(2)]
        assert bots[0] == bots[1]
        assert client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, client_id="shift-token").result is True
        assert portal.changes(112) == ACCEPTED

    def test_closes_a_chat(self, portal: PortalClient, client: BaseClient) -> None:
        assert client.imopenlines.bot.session.finish(chat_id=112, client_id=BOT).result is True
        assert portal.chat(112)["state"] == "closed"
        assert [change for change, _ in portal.changes(112)] == ["accepted", "closed"]

    def test_writes_a_message(self, client: BaseClient) -> None:
        before = client.imopenlines.dialog.get(chat_id=112).result["message_count"]
        sent = client.imopenlines.bot.session.message.send(chat_id=112, message="One moment", name="DEFAULT")
        assert sent.result is True
        assert client.imopenlines.dialog.get(chat_id=112).result["message_count"] == before + 1


class TestAnOperator:
    def test_an_operator_answers_an_offered_chat(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "offered_to": 7}], people={"ignore": 1})
        operator = webhook(portal, of="7/secretcode7").get_client()
        assert operator.imopenlines.operator.answer(112).result is True
        assert portal.chat(112)["owner"] == "7"

    def test_transfers_their_own_chat(self, portal: PortalClient) -> None:
        operator = webhook(portal, of="7/secretcode7").get_client()
        assert operator.imopenlines.operator.transfer(chat_id=112, transfer_id=12).result is True
        assert portal.changes(112)[0] == ("transferred", "agent:12")

    def test_sees_their_own_chats(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7}, {"id": 113, "owner": 8}])
        operator = webhook(portal, of="7/secretcode7").get_client()
        found = operator.im.recent.get(only_openlines=True).result
        assert [row["chat_id"] for row in found] == [112]


class TestErrors:
    def test_a_refused_transfer_has_the_code_of_the_server(self, portal: PortalClient, client: BaseClient) -> None:
        with pytest.raises(BitrixAPIBadRequest, match="can not redirect") as caught:
            client.imopenlines.bot.session.transfer(chat_id=112, user_id=99999, client_id=BOT).response  # noqa: B018
        assert (caught.value.error, caught.value.status_code) == ("OPERATOR_WRONG", 400)
        assert portal.changes(112) == []

    def test_a_webhook_without_its_bot_is_forbidden(self, client: BaseClient) -> None:
        with pytest.raises(BitrixAPIForbidden) as caught:
            client.imopenlines.bot.session.transfer(chat_id=112, user_id=12).response  # noqa: B018
        assert caught.value.error == "ACCESS_DENIED"

    def test_a_wrong_webhook_is_recognised(self, portal: PortalClient) -> None:
        with pytest.raises(BitrixAPIInvalidCredentials):
            webhook(portal, of="1/wrong").get_client().user.current().response  # noqa: B018

    def test_a_missing_scope_is_recognised(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "narrow", "scopes": ["imopenlines"]}])
        with pytest.raises(BitrixAPIInsufficientScope):
            webhook(portal, of="1/narrow").get_client().user.current().response  # noqa: B018

    def test_too_many_requests_are_repeated_and_then_recognised(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 0.001, "burst": 1})
        token = webhook(portal)
        assert token.call_method("profile")["result"]["ID"] == "1"
        with pytest.raises(BitrixAPIQueryLimitExceeded):
            token.call_method("profile", max_retries=3, initial_retry_delay=0.01, retry_delay_increment=0)
        assert portal.requests() == 4
        portal.skip(1000)
        assert token.call_method("profile")["result"]["ID"] == "1"

    def test_a_blocked_method_is_not_repeated_and_opens_again(self, portal: PortalClient, client: BaseClient) -> None:
        portal.reset(operating={"limit": 10, "default_seconds": 6})
        for _ in range(2):
            assert client.imopenlines.dialog.get(chat_id=112).result["id"] == 112
        with pytest.raises(BitrixAPIOperationTimeLimit):
            client.imopenlines.dialog.get(chat_id=112).response  # noqa: B018
        assert portal.requests() == 3
        portal.skip(660)
        assert client.imopenlines.dialog.get(chat_id=112).result["id"] == 112


class TestABatch:
    def test_a_batch_moves_several_chats(self, portal: PortalClient, client: BaseClient) -> None:
        transfer = client.imopenlines.bot.session.transfer
        requests = {f"k{chat}": transfer(chat_id=chat, user_id=12, client_id=BOT) for chat in (112, 113, 114)}
        found = client.call_batch(requests).result
        assert found.result == {"k112": True, "k113": True, "k114": True}
        assert found.result_error == []
        assert set(found.result_time) == {"k112", "k113", "k114"}
        assert [portal.changes(chat) for chat in (112, 113, 114)] == [ACCEPTED] * 3

    def test_a_batch_tells_the_failed_command_from_the_others(self, portal: PortalClient, client: BaseClient) -> None:
        transfer = client.imopenlines.bot.session.transfer
        found = client.call_batch(
            {
                "good": transfer(chat_id=112, user_id=12, client_id=BOT),
                "bad": transfer(chat_id=113, user_id=99999, client_id=BOT),
                "last": transfer(chat_id=114, user_id=12, client_id=BOT),
            }
        ).result
        assert found.result == {"good": True, "last": True}
        assert set(found.result_time) == {"good", "last"}
        assert found.result_error["bad"]["error"] == "OPERATOR_WRONG"
        assert portal.changes(113) == []

    def test_a_batch_in_a_list_is_answered_in_lists(self, client: BaseClient) -> None:
        chats = [client.imopenlines.dialog.get(chat_id=chat) for chat in (112, 113, 114)]
        assert [chat["id"] for chat in client.call_batch(chats).result.result] == [112, 113, 114]

    def test_a_batch_in_a_list_with_a_gap_is_answered_in_objects(self, client: BaseClient) -> None:
        chats = [client.imopenlines.dialog.get(chat_id=chat) for chat in (112, 99999, 114)]
        found = client.call_batch(chats).result
        assert set(found.result) == {"0", "2"}
        assert set(found.result_error) == {"1"}

    def test_halts_at_the_first_error(self, client: BaseClient) -> None:
        chats = [client.imopenlines.dialog.get(chat_id=chat) for chat in (112, 99999, 114)]
        found = client.call_batch(chats, halt=True).result
        assert [chat["id"] for chat in found.result] == [112]
        assert set(found.result_error) == {"1"}

    def test_a_batch_of_more_than_fifty_is_cut_up_by_the_client(self, portal: PortalClient, client: BaseClient) -> None:
        portal.reset(chats=120)
        chats = {str(chat): client.imopenlines.dialog.get(chat_id=chat) for chat in range(101, 221)}
        assert len(client.call_batches(chats).result.result) == 120
        assert portal.requests() == 3


class TestPaging:
    @pytest.fixture(autouse=True)
    def many_operators(self, portal: PortalClient) -> None:
        """Reset to operators for three pages; those below 220 have left."""
        portal.reset(operators=[{"id": number, "active": number >= 220} for number in range(200, 330)], chats=0)

    def operators(self, found: Iterable[dict[str, Any]]) -> list[int]:
        return [number for number in (int(user["ID"]) for user in found) if number >= 200]

    def test_collects_all_pages(self, client: BaseClient) -> None:
        found = client.user.get(filter={"ACTIVE": True}).as_list().result
        assert self.operators(found) == list(range(220, 330))

    @pytest.mark.parametrize("descending", [False, True])
    def test_collects_all_pages_by_the_last_id(self, client: BaseClient, descending: bool) -> None:
        found = client.user.get(filter={"ACTIVE": True}).as_list_fast(descending=descending).result
        assert self.operators(found) == sorted(range(220, 330), reverse=descending)

    def test_paging_knows_the_total_and_the_next_page(self, client: BaseClient) -> None:
        response = client.user.get().response
        assert (len(response.result), response.next) == (50, 50)
        assert response.total >= 130

    def test_becomes_typed_objects(self, client: BaseClient) -> None:
        users = client.user.get(filter={"ID": [219, 220]}).values
        assert [(int(user.bitrix_pk), user.active) for user in users] == [(219, False), (220, True)]


class TestStatistics:
    def test_lists_the_open_sessions_of_an_operator(self, portal: PortalClient, client: BaseClient) -> None:
        found = client.imopenlines.v2.session.list(operator_id=7, status="answered", limit=200).result
        owned = [chat for chat in portal.chats() if chat["owner"] == "7"]
        assert {str(session["chatId"]) for session in found["sessions"]} == {chat["id"] for chat in owned}
        assert found["hasNextPage"] is False

    def test_statistics_counts_the_chats_of_an_operator(self, portal: PortalClient, client: BaseClient) -> None:
        found = client.imopenlines.v2.operator.list(user_id=7, status="online").result["operators"]
        assert [(row["userId"], row["configId"]) for row in found] == [(7, 3)]
        assert found[0]["activeSessions"] >= 14

    def test_statistics_takes_a_flag_as_y_or_n(self, client: BaseClient) -> None:
        free = client.imopenlines.v2.operator.list(has_free_slots=True).result["operators"]
        none = client.imopenlines.v2.operator.list(has_free_slots=False).result["operators"]
        assert free
        assert none == []

    def test_lists_the_transfers_of_a_session(self, portal: PortalClient, client: BaseClient) -> None:
        session = portal.session_of(112)
        client.imopenlines.bot.session.transfer(chat_id=112, user_id=12, client_id=BOT).response  # noqa: B018
        rows = client.imopenlines.v2.session.transfer.list([session]).result["transfers"]
        assert [(row["toOperatorId"], row["mode"]) for row in rows] == [(7, "AUTO"), (12, "BOT")]

    def test_measures_a_session_and_the_portal(self, portal: PortalClient, client: BaseClient) -> None:
        session = portal.session_of(112)
        result = client.imopenlines.v2.session.stat.get([session]).result
        (row,) = result.get("sessions") or result["stats"]
        assert row["sessionId"] == session
        now, day = datetime.now(UTC), timedelta(days=1)
        totals = client.imopenlines.v2.stat.get(
            date_from=(now - day).isoformat(timespec="seconds"), date_to=(now + day).isoformat(timespec="seconds")
        ).result
        assert totals["totalSessions"] == 40


class TestOAuth:
    @pytest.fixture
    def token(self, portal: PortalClient, monkeypatch: pytest.MonkeyPatch) -> BitrixToken:
        """Return the app's token, whose access token has just expired."""
        monkeypatch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{portal.sandbox.url}/oauth/token/")
        portal.reset(apps=[APP])
        portal.skip(3601)
        app = BitrixApp(client_id="local.chattransfer", client_secret="appsecret")
        return BitrixToken(domain=portal.sandbox.address, auth_token="first", refresh_token="refresh-1", bitrix_app=app)

    def transfer(self, token: BitrixToken, chat: int) -> Any:
        return token.get_client().imopenlines.bot.session.transfer(chat_id=chat, user_id=12).result

    def test_an_expired_token_is_renewed_and_the_call_repeated(self, portal: PortalClient, token: BitrixToken) -> None:
        assert self.transfer(token, 112) is True
        assert portal.changes(112) == ACCEPTED
        assert token.auth_token != "first"
        assert token.expires_in == 3600

    def test_the_refresh_token_is_a_new_one_and_works_in_its_turn(
        self, portal: PortalClient, token: BitrixToken
    ) -> None:
        self.transfer(token, 112)
        second = token.refresh_token
        assert second != "refresh-1"
        portal.skip(3601)
        assert self.transfer(token, 113) is True
        assert token.refresh_token not in ("refresh-1", second)

    def test_a_refresh_token_that_was_used_is_refused(self, portal: PortalClient, token: BitrixToken) -> None:
        self.transfer(token, 112)
        token.auth_token, token.refresh_token = "first", "refresh-1"
        with pytest.raises(BitrixOAuthInvalidGrant):
            self.transfer(token, 113)
        assert portal.changes(113) == []

    def test_the_first_token_comes_for_a_code(self, portal: PortalClient, token: BitrixToken) -> None:
        address = f"{portal.sandbox.url}/oauth/authorize/"
        params = {"client_id": "local.chattransfer", "redirect_uri": "https://app.example/", "state": "here"}
        answer = portal.http.get(address, params=params, allow_redirects=False)
        (code,) = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
        token.oauth_token = token.get_oauth_token(code).oauth_token
        assert self.transfer(token, 112) is True

    def test_the_token_says_who_it_is_for(self, token: BitrixToken) -> None:
        renewed = token.refresh_oauth_token()
        assert renewed.client_endpoint == f"https://{token.domain}/rest/"
        assert {"imopenlines", "imbot"} <= set(renewed.scope)
        assert renewed.user_id == 1
