# SPDX-License-Identifier: Apache-2.0
"""The wire of the simulated Bitrix24: paths, parameters, credentials, errors, limits, batch."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_chattransfer.sandbox.bitrix24 import php
from tests.sandbox.bitrix24_client import DIALOG, TRANSFER, PortalClient


def command(method: str, **params: Any) -> str:
    return method + "?" + "&".join(f"{key}={value}" for key, value in params.items())


class TestPhp:
    @pytest.mark.parametrize(
        ("value", "number"),
        [
            ("112", 112),
            ("112abc", 112),
            ("abc", 0),
            ("chat112", 0),
            (" 7", 7),
            (None, 0),
            (True, 1),
            ("-3", -3),
            (12.9, 12),
            ("1e2", 100),
            ("1e999", 0),
            (float("inf"), 0),
            ("9" * 30, 2**63 - 1),
            ("9007199254740993", 2**53 + 1),
            ([], 0),
            ([5], 1),
        ],
    )
    def test_casts_to_int(self, value: Any, number: int) -> None:
        assert php.to_int(value) == number

    @pytest.mark.parametrize("value", ["Y", True])
    def test_equals_yes(self, value: Any) -> None:
        assert php.is_yes(value)

    @pytest.mark.parametrize("value", ["y", "1", 1, "True", "true", False, None, "N"])
    def test_does_not_equal_yes(self, value: Any) -> None:
        assert not php.is_yes(value)

    @pytest.mark.parametrize(
        ("keys", "encoded"),
        [
            ([], []),
            (["0", "1"], ["v0", "v1"]),
            (["1"], {"1": "v1"}),
            (["a"], {"a": "va"}),
            (["1", "0"], {"1": "v1", "0": "v0"}),
        ],
    )
    def test_encodes_arrays(self, keys: list[str], encoded: Any) -> None:
        assert php.array({key: f"v{key}" for key in keys}) == encoded

    def test_parses_query_strings(self) -> None:
        assert php.parse_str("a=1+2%203&b[c]=x&b[d][]=1&b[d][]=2&__order=o&&e.f=g") == {
            "a": "1 2 3",
            "b": {"c": "x", "d": ["1", "2"]},
            "__order": "o",
            "e_f": "g",
        }


class TestPaths:
    @pytest.mark.parametrize("suffix", ["", ".json", "/", ".json/"])
    def test_a_method_answers_with_and_without_suffix_and_slash(self, portal: PortalClient, suffix: str) -> None:
        assert portal.post(f"1/secretcode/{DIALOG}{suffix}", json={"CHAT_ID": 112}).json()["result"]["id"] == 112

    def test_parameters_come_from_query_form_json_and_multipart(self, portal: PortalClient) -> None:
        path = f"1/secretcode/{DIALOG}"
        url = f"{portal.sandbox.url}/rest/{path}"
        replies = [
            portal.http.get(url, params={"CHAT_ID": "112"}),
            portal.post(path, data={"CHAT_ID": "112"}),
            portal.post(path, json={"CHAT_ID": 112}),
            portal.post(path, files={"CHAT_ID": (None, "112")}),
        ]
        assert [reply.json()["result"]["id"] for reply in replies] == [112] * 4

    def test_malformed_json_is_dropped_without_a_word(self, portal: PortalClient) -> None:
        headers = {"Content-Type": "application/json"}
        reply = portal.post(f"1/secretcode/{TRANSFER}", data='{"CHAT_ID":112', headers=headers)
        assert (reply.status_code, reply.json()["error"]) == (400, "CHAT_ID_EMPTY")

    def test_the_name_is_tried_in_lower_case_and_then_as_given(self, portal: PortalClient) -> None:
        assert portal.result("IMOPENLINES.Dialog.GET", {"CHAT_ID": 112})["id"] == 112
        assert portal.call("imopenlines.v2.Session.list").status_code == 200
        assert portal.error("imopenlines.v2.session.list") == (404, "ERROR_METHOD_NOT_FOUND")


class TestCredentials:
    def test_an_unknown_method_is_noticed_before_wrong_credentials(self, portal: PortalClient) -> None:
        assert portal.error("no.such.method", webhook="1/wrong") == (404, "ERROR_METHOD_NOT_FOUND")
        assert portal.error(DIALOG, webhook="1/wrong") == (401, "INVALID_CREDENTIALS")

    def test_statuses_may_be_those_of_the_documentation(self, portal: PortalClient) -> None:
        portal.reset(switches={"statuses": "docs"})
        assert portal.error(DIALOG, webhook="1/wrong") == (403, "INVALID_CREDENTIALS")

    def test_without_a_webhook_and_a_token_there_is_no_auth(self, portal: PortalClient) -> None:
        reply = portal.post(DIALOG, json={"CHAT_ID": 112})
        assert (reply.status_code, reply.json()["error"]) == (401, "NO_AUTH_FOUND")

    def test_a_dismissed_users_webhook_is_dead(self, portal: PortalClient) -> None:
        assert portal.error("profile", webhook="90/secretcode90") == (401, "INVALID_CREDENTIALS")

    def test_a_webhook_is_bound_to_its_scopes(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "narrow", "scopes": ["imopenlines"]}])
        assert portal.error("user.current", webhook="1/narrow") == (401, "insufficient_scope")
        assert portal.result("profile", webhook="1/narrow")["ID"] == "1"
        assert portal.result("scope", webhook="1/narrow") == ["imopenlines"]

    def test_plain_http_can_be_refused(self, portal: PortalClient) -> None:
        portal.reset(switches={"https_required": True})
        assert portal.error("profile") == (401, "INVALID_REQUEST")


class TestOAuth:
    def refresh(self, portal: PortalClient, token: str, **changed: str) -> tuple[int, dict[str, Any]]:
        params = {
            "grant_type": "refresh_token",
            "client_id": "local.chattransfer",
            "client_secret": "appsecret",
            "refresh_token": token,
            **changed,
        }
        reply = portal.http.get(f"{portal.sandbox.url}/oauth/token/", params=params)
        return reply.status_code, reply.json()

    def test_a_refresh_token_works_once_and_brings_the_next(self, portal: PortalClient) -> None:
        _, first = self.refresh(portal, "refresh-1")
        assert self.refresh(portal, "refresh-1") == (
            400,
            {"error": "invalid_grant", "error_description": "Refresh token is invalid"},
        )
        _, second = self.refresh(portal, first["refresh_token"])
        assert second["access_token"] != first["access_token"]
        assert second["client_endpoint"] == f"{portal.sandbox.url}/rest/"

    def test_a_token_is_taken_from_body_query_and_header(self, portal: PortalClient) -> None:
        token = self.refresh(portal, "refresh-1")[1]["access_token"]
        assert portal.post("profile", json={"auth": token}).status_code == 200
        assert portal.post("profile", params={"access_token": token}).status_code == 200
        assert portal.post("profile", headers={"Authorization": f"Bearer {token}"}).status_code == 200

    def test_a_token_expires_after_an_hour(self, portal: PortalClient) -> None:
        token = self.refresh(portal, "refresh-1")[1]["access_token"]
        portal.skip(3601)
        reply = portal.post("profile", json={"auth": token})
        assert (reply.status_code, reply.json()["error"]) == (401, "expired_token")

    def test_a_token_that_nobody_issued_is_invalid(self, portal: PortalClient) -> None:
        reply = portal.post("profile", json={"auth": "guess"})
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_token")

    def test_a_wrong_client_is_an_error_with_status_200(self, portal: PortalClient) -> None:
        status, body = self.refresh(portal, "refresh-1", client_id="nobody")
        assert (status, body["error"]) == (200, "wrong_client")

    def test_an_app_transfers_with_its_own_bot_and_without_client_id(self, portal: PortalClient) -> None:
        token = self.refresh(portal, "refresh-1")[1]["access_token"]
        reply = portal.post(TRANSFER, json={"CHAT_ID": 112, "USER_ID": 12, "auth": token})
        assert reply.json()["result"] is True
        assert portal.dialog(112)["owner"] == 12


class TestBodies:
    def test_success_carries_time_with_a_whole_start(self, portal: PortalClient) -> None:
        time = portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]
        assert isinstance(time["start"], int)
        assert time["operating_reset_at"] >= time["start"]
        assert set(time) == {
            "start",
            "finish",
            "duration",
            "processing",
            "date_start",
            "date_finish",
            "operating_reset_at",
            "operating",
        }

    def test_an_error_carries_code_and_text_only(self, portal: PortalClient) -> None:
        assert portal.call(TRANSFER, {}).json() == {
            "error": "CHAT_ID_EMPTY",
            "error_description": "Chat ID can't be empty",
        }

    def test_self_hosted_portals_may_omit_operating(self, portal: PortalClient) -> None:
        portal.reset(switches={"operating_in_time": False})
        assert "operating" not in portal.call("profile").json()["time"]


class TestIntensity:
    def test_above_the_burst_requests_are_refused_until_the_bucket_drains(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 2, "burst": 5})
        statuses = [portal.call("profile").status_code for _ in range(6)]
        assert statuses == [200] * 5 + [503]
        assert portal.error("profile") == (503, "QUERY_LIMIT_EXCEEDED")
        portal.skip(1)
        assert [portal.call("profile").status_code for _ in range(3)] == [200, 200, 503]

    def test_a_refused_transfer_did_not_happen(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 1, "burst": 1})
        portal.call("profile")
        assert portal.transfer(112, USER_ID=12).status_code == 503
        assert portal.changes() == []

    def test_a_batch_counts_as_one(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 1, "burst": 2})
        portal.batch({f"c{index}": "profile" for index in range(50)})
        assert portal.call("profile").status_code == 200


class TestOperatingTime:
    def test_a_method_is_blocked_above_its_limit_until_the_oldest_minute_drops(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}})
        assert portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]["operating"] == 6
        portal.dialog(112)
        assert portal.error(DIALOG, {"CHAT_ID": 112}) == (429, "OPERATION_TIME_LIMIT")
        assert portal.call("profile").status_code == 200
        portal.skip(601)
        assert portal.call(DIALOG, {"CHAT_ID": 112}).status_code == 200

    def test_calls_up_to_a_tenth_of_a_second_are_free(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 1, "seconds": {DIALOG: 0.1}})
        for _ in range(12):
            portal.dialog(112)

    def test_commands_of_a_batch_are_billed_one_by_one(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}})
        result = portal.batch({f"c{index}": command(DIALOG, CHAT_ID=112) for index in range(3)})
        assert result["result_time"]["c1"]["operating"] == 12
        assert result["result_error"]["c2"]["error"] == "OPERATION_TIME_LIMIT"

    def test_or_to_the_batch_itself(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}}, switches={"batch_billing": "batch"})
        portal.batch({f"c{index}": command(DIALOG, CHAT_ID=112) for index in range(2)})
        assert portal.error("batch", {"cmd": {"a": "profile"}}) == (429, "OPERATION_TIME_LIMIT")
        assert portal.call(DIALOG, {"CHAT_ID": 112}).status_code == 200


class TestBatch:
    def test_failures_stand_apart_and_the_rest_runs(self, portal: PortalClient) -> None:
        result = portal.batch({"a": command(DIALOG, CHAT_ID=9999), "b": command(DIALOG, CHAT_ID=112), "c": "nix"})
        assert set(result["result"]) == set(result["result_time"]) == {"b"}
        assert {key: value["error"] for key, value in result["result_error"].items()} == {
            "a": "ACCESS_ERROR",
            "c": "ERROR_METHOD_NOT_FOUND",
        }
        assert result["result_total"] == result["result_next"] == []

    def test_numeric_keys_become_a_list_unless_one_fails(self, portal: PortalClient) -> None:
        good, bad = command(DIALOG, CHAT_ID=112), command(DIALOG, CHAT_ID=9999)
        assert isinstance(portal.batch([good, good])["result"], list)
        gap = portal.batch([bad, good])
        assert list(gap["result"]) == ["1"]
        assert isinstance(gap["result_error"], list)

    def test_fifty_run_and_every_further_one_is_an_error(self, portal: PortalClient) -> None:
        result = portal.batch({f"c{index}": "profile" for index in range(52)})
        assert len(result["result"]) == 50
        assert {key: value["error"] for key, value in result["result_error"].items()} == {
            "c50": "ERROR_BATCH_LENGTH_EXCEEDED",
            "c51": "ERROR_BATCH_LENGTH_EXCEEDED",
        }

    @pytest.mark.parametrize(("halt", "stops"), [(0, False), ("0", False), (False, False), (1, True), ("N", True)])
    def test_halt_is_true_the_way_php_sees_it(self, portal: PortalClient, halt: Any, stops: bool) -> None:
        result = portal.batch({"a": "nix", "b": "profile"}, halt=halt)
        assert ("b" not in result["result"]) is stops
        assert "b" not in result["result_error"]

    def test_nesting_is_not_allowed_and_what_is_no_string_vanishes(self, portal: PortalClient) -> None:
        result = portal.batch({"a": "batch?cmd[x]=profile", "b": 5, "c": "profile"})
        assert result["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
        assert "b" not in result["result"]
        assert "b" not in result["result_error"]

    def test_results_of_earlier_commands_are_put_in(self, portal: PortalClient) -> None:
        result = portal.batch({"a": "profile", "b": "user.get?FILTER[ID]=$result[a][ID]"})
        assert [user["ID"] for user in result["result"]["b"]] == ["1"]

    def test_totals_and_next_pages_stand_beside(self, portal: PortalClient) -> None:
        portal.reset(operators=60)
        result = portal.batch({"u": "user.get"})
        assert (result["result_total"]["u"], result["result_next"]["u"]) == (63, 50)

    def test_a_missing_scope_has_no_text(self, portal: PortalClient) -> None:
        portal.reset(webhooks=[{"user": 1, "code": "secretcode", "scopes": ["imopenlines"]}])
        assert portal.batch({"u": "user.current"})["result_error"]["u"] == {
            "error": "insufficient_scope",
            "error_description": "",
        }

    def test_booleans_are_strings_so_leave_true_is_no(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 112, "owner": 7, "bot": True}, {"id": 113, "owner": 7, "bot": True}])
        common = {"USER_ID": 12, "CLIENT_ID": "chattransfer"}
        portal.batch(
            {
                "a": command(TRANSFER, CHAT_ID=112, LEAVE="True", **common),
                "b": command(TRANSFER, CHAT_ID=113, LEAVE="Y", **common),
            }
        )
        assert (portal.dialog(112)["user_counter"], portal.dialog(113)["user_counter"]) == (3, 2)

    def test_outer_keys_may_be_lower_or_upper_case(self, portal: PortalClient) -> None:
        assert portal.result("batch", {"CMD": {"a": "profile"}, "HALT": 1})["result"]["a"]["ID"] == "1"

    @pytest.mark.parametrize(
        "query",
        [
            "__order=order0000000000&CHAT_ID=112&USER_ID=12&LEAVE=N&CLIENT_ID=bot%20token/1&",
            "CHAT_ID=112&LEAVE=True&USER_ID=12&CLIENT_ID=bot+token%2F1",
        ],
        ids=["fast_bitrix24", "b24pysdk"],
    )
    def test_commands_as_the_known_clients_write_them(self, portal: PortalClient, query: str) -> None:
        portal.reset(bots=[{"client_id": "bot token/1", "id": 80}])
        assert portal.batch({"order0000000000": f"{TRANSFER}?{query}"})["result"] == {"order0000000000": True}

    def test_a_form_may_carry_the_commands(self, portal: PortalClient) -> None:
        reply = portal.post("1/secretcode/batch.json", data={"cmd[a]": "profile", "halt": "0"})
        assert reply.json()["result"]["result"]["a"]["ID"] == "1"


class TestFaults:
    def test_a_fault_finds_a_method_inside_a_batch(self, portal: PortalClient) -> None:
        fault = {"kind": "html_502_after", "service": "bitrix24", "method": TRANSFER}
        portal.http.post(f"{portal.sandbox.url}/sandbox/faults", json=fault)
        assert portal.call("profile").status_code == 200
        cmd = {"a": command(TRANSFER, CHAT_ID=112, USER_ID=12, CLIENT_ID="chattransfer")}
        assert portal.call("batch", {"cmd": cmd}).status_code == 502
        assert portal.dialog(112)["owner"] == 12


class TestScenario:
    @pytest.mark.parametrize(
        "scenario",
        [
            {"nonsense": 1},
            {"switches": {"nonsense": 1}},
            {"switches": {"plan_has_reports": "yes"}},
            {"switches": {"accept_mode": "sometimes"}},
            {"operators": 0},
            {"queues": 0},
            {"rate": {"per_minute": 1}},
            {"chats": [{"id": 1, "owner": 4711}]},
            {"chats": [{"id": 1, "state": "open", "owner": None}]},
            {"chats": [{"id": 1, "state": "waiting", "owner": 7}]},
            {"chats": [{"id": 1, "queue": 99}]},
            {"chats": [{"id": 1, "colour": "red"}]},
            {"chats": [{"id": 1}, {"id": 1}]},
            {"queues": [{"id": 3, "members": [4711]}]},
            {"webhooks": [{"user": 4711, "code": "x"}]},
        ],
    )
    def test_what_is_not_a_scenario_is_refused(self, portal: PortalClient, scenario: dict[str, Any]) -> None:
        assert portal.reset_reply(**scenario).status_code == 400

    def test_the_default_one_has_the_shift_that_goes_home(self, portal: PortalClient) -> None:
        chats = portal.http.get(f"{portal.sandbox.url}/sandbox/state").json()["bitrix24"]["chats"]
        assert [chat["owner"] for chat in chats].count("7") == 14
        assert [chat["state"] for chat in chats].count("closed") == 3
        assert [chat["offered_to"] for chat in chats].count("7") == 2
        assert portal.chat(112) | {"messages": 0} == {
            "id": "112",
            "state": "open",
            "owner": "7",
            "offered_to": None,
            "queue": "3",
            "customer": "5012",
            "transfers": 0,
            "messages": 0,
            "session": "343",
        }

    def test_the_same_seed_makes_the_same_portal(self, portal: PortalClient) -> None:
        first = portal.dialog(112)["name"]
        portal.reset()
        assert portal.dialog(112)["name"] == first

    def test_numbers_generate(self, portal: PortalClient) -> None:
        portal.reset(operators=10, queues=3, chats=2000)
        state = portal.http.get(f"{portal.sandbox.url}/sandbox/state").json()["bitrix24"]
        assert (len(state["queues"]), len(state["chats"])) == (3, 2000)
        assert sum(agent["active"] for agent in state["agents"]) == 10
