# SPDX-License-Identifier: Apache-2.0
"""``fast_bitrix24``, the most used client, unmodified, against the sandbox over plain http."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
from aiohttp import ClientResponseError
from fast_bitrix24 import Bitrix, BitrixAsync
from fast_bitrix24.server_response import ErrorInServerResponseException

from tests.sandbox.bitrix24_client import DIALOG, TRANSFER, PortalClient

BOT = {"CLIENT_ID": "chattransfer"}
TO_12 = {"USER_ID": 12, "LEAVE": "N", **BOT}
ACCEPTED = [("transferred", "agent:12"), ("accepted", "agent:12")]


def arm(portal: PortalClient, **fault: Any) -> None:
    portal.http.post(f"{portal.sandbox.url}/sandbox/faults", json=fault).raise_for_status()


@pytest.fixture
def client(portal: PortalClient) -> Bitrix:
    """Return the client as the webhook of the administrator."""
    return Bitrix(f"{portal.sandbox.url}/rest/1/secretcode/", verbose=False)


class TestCalls:
    def test_a_raw_call_moves_a_chat(self, portal: PortalClient, client: Bitrix) -> None:
        assert client.call(TRANSFER, {"CHAT_ID": 112, **TO_12}, raw=True)["result"] is True
        assert portal.changes(112) == ACCEPTED

    def test_a_usual_call_is_a_batch_of_one(self, portal: PortalClient, client: Bitrix) -> None:
        assert client.call(TRANSFER, {"CHAT_ID": 112, **TO_12}) is True
        assert portal.changes(112) == ACCEPTED

    def test_a_list_is_one_batch(self, portal: PortalClient, client: Bitrix) -> None:
        assert client.call(TRANSFER, [{"CHAT_ID": chat, **TO_12} for chat in (112, 113, 114)]) == (True, True, True)
        assert [portal.changes(chat) for chat in (112, 113, 114)] == [ACCEPTED] * 3
        assert portal.requests() == 1

    def test_calls_leave_as_a_boolean_reaches_the_server_as_text_and_the_bot_stays(
        self, portal: PortalClient, client: Bitrix
    ) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}])
        client.call(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12, "LEAVE": True, **BOT})
        assert 80 in portal.result("im.chat.user.list", {"CHAT_ID": 112}, webhook="12/secretcode12")

    def test_a_dialogue_is_read_by_its_id(self, client: Bitrix) -> None:
        found = client.get_by_ID(DIALOG, [112, 113], ID_field_name="CHAT_ID")
        assert {chat: dialog["id"] for chat, dialog in found.items()} == {"112": 112, "113": 113}

    def test_the_running_time_of_a_method_is_taken_over(self, portal: PortalClient, client: Bitrix) -> None:
        portal.reset(operating={"default_seconds": 2})
        for _ in range(2):
            client.call(DIALOG, {"CHAT_ID": 112}, raw=True)
        throttler = client.srh.method_throttlers[DIALOG]
        assert [record.duration for record in throttler._request_history] == [4, 2]

    def test_calls_names_are_sent_in_lower_case_so_the_statistics_are_out_of_its_reach(self, client: Bitrix) -> None:
        with pytest.raises(ClientResponseError) as caught:
            client.call("imopenlines.v2.Session.list", {"status": "answered"}, raw=True)
        assert caught.value.status == 404


class TestABatch:
    def test_a_batch_answers_by_key(self, portal: PortalClient, client: Bitrix) -> None:
        transfer = f"{TRANSFER}?CHAT_ID=112&USER_ID=12&LEAVE=N&CLIENT_ID=chattransfer"
        commands = {"a": transfer, "b": f"{DIALOG}?CHAT_ID=112", "c": "user.current"}
        found = client.call_batch({"halt": 0, "cmd": commands})
        assert (found["a"], found["b"]["owner"], found["c"]["ID"]) == (True, 12, "1")
        assert portal.changes(112) == ACCEPTED

    def test_reaches_the_statistics(self, client: Bitrix) -> None:
        command = "imopenlines.v2.Session.list?operatorId=7&status=answered&limit=200"
        found = client.call_batch({"halt": 0, "cmd": {"mine": command}})
        assert {session["operatorId"] for session in found["mine"]["sessions"]} == {7}

    def test_a_batch_may_use_what_an_earlier_command_answered(self, client: Bitrix) -> None:
        commands = {"who": "user.get?ID=7", "again": "user.get?ID=$result[who][0][ID]"}
        found = client.call_batch({"halt": 0, "cmd": commands})
        assert found["again"][0]["ID"] == "7"

    def test_a_batch_of_more_than_fifty_is_cut_up_by_the_client(self, portal: PortalClient, client: Bitrix) -> None:
        portal.reset(chats=120)
        found = client.call(DIALOG, [{"CHAT_ID": chat} for chat in range(101, 221)])
        assert {dialog["id"] for dialog in found} == set(range(101, 221))
        assert portal.requests() == 3


class TestErrors:
    def test_a_refused_call_is_a_400_without_its_code(self, portal: PortalClient, client: Bitrix) -> None:
        with pytest.raises(ClientResponseError) as caught:
            client.call(TRANSFER, {"CHAT_ID": 112, "USER_ID": 99999, **BOT}, raw=True)
        assert caught.value.status == 400
        assert portal.changes(112) == []

    def test_a_refused_command_spoils_the_batch_but_not_the_others(self, portal: PortalClient, client: Bitrix) -> None:
        with pytest.raises(ErrorInServerResponseException) as caught:
            client.call(TRANSFER, [{"CHAT_ID": chat, **TO_12} for chat in (112, 99999)])
        (error,) = caught.value.args[0].values()
        assert error["error"] == "OPERATOR_WRONG"
        assert portal.changes(112) == ACCEPTED

    def test_a_busy_portal_is_asked_again(self, portal: PortalClient, client: Bitrix) -> None:
        arm(portal, kind="html_503_before", service="bitrix24")
        assert client.call(TRANSFER, {"CHAT_ID": 112, **TO_12}, raw=True)["result"] is True
        assert portal.changes(112) == ACCEPTED

    def test_a_lost_answer_makes_it_transfer_twice(self, portal: PortalClient, client: Bitrix) -> None:
        arm(portal, kind="html_502_after", service="bitrix24", method=TRANSFER)
        assert client.call(TRANSFER, {"CHAT_ID": 112, **TO_12}, raw=True)["result"] is True
        assert portal.changes(112) == ACCEPTED * 2


class TestPaging:
    @pytest.fixture(autouse=True)
    def many_operators(self, portal: PortalClient) -> None:
        """Reset to operators for three pages; those below 220 have left."""
        portal.reset(operators=[{"id": number, "active": number >= 220} for number in range(200, 330)], chats=0)

    def operators(self, found: list[dict[str, Any]]) -> list[int]:
        return sorted(int(user["ID"]) for user in found if int(user["ID"]) >= 200)

    def test_collects_all_pages(self, portal: PortalClient, client: Bitrix) -> None:
        assert self.operators(client.get_all("user.get")) == list(range(200, 330))
        assert portal.requests() == 2

    def test_a_filter_by_a_boolean_holds_on_all_pages(self, client: Bitrix) -> None:
        found = client.get_all("user.get", params={"FILTER": {"ACTIVE": True}})
        assert self.operators(found) == list(range(220, 330))

    def test_collects_the_activities_of_the_open_dialogues(self, portal: PortalClient, client: Bitrix) -> None:
        portal.reset(chats=[{"id": 101 + place, "owner": 7} for place in range(120)])
        condition = {"PROVIDER_ID": "IMOPENLINES_SESSION", "COMPLETED": "N", "RESPONSIBLE_ID": 7}
        assert len(client.get_all("crm.activity.list", params={"filter": condition})) == 120


class TestOAuth:
    @pytest.fixture
    def first(self, portal: PortalClient) -> str:
        """Return an access token that has just expired."""
        portal.reset(apps=[{"client_id": "local.chattransfer", "access_token": "first"}])
        portal.skip(3601)
        return "first"

    def test_a_token_that_has_expired_is_asked_for_again(self, portal: PortalClient, first: str) -> None:
        given: list[str] = []

        async def token() -> str:
            given.append(self.renewed(portal) if given else first)
            return given[-1]

        client = BitrixAsync(f"{portal.sandbox.url}/rest/", token_func=token, verbose=False)
        assert asyncio.run(client.call(TRANSFER, {"CHAT_ID": 112, "USER_ID": 12}, raw=True))["result"] is True
        assert len(given) == 2
        assert portal.changes(112) == ACCEPTED

    def renewed(self, portal: PortalClient) -> str:
        application: dict[str, Any] = {"client_id": "local.chattransfer", "client_secret": "appsecret"}
        form = {"grant_type": "refresh_token", "refresh_token": "refresh-1", **application}
        return str(requests.get(f"{portal.sandbox.url}/oauth/token/", params=form, timeout=10).json()["access_token"])
