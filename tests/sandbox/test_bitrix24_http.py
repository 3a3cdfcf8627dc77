# SPDX-License-Identifier: Apache-2.0
"""HTTP in the simulated Bitrix24: paths, parameters, bodies, limits, batch."""

from __future__ import annotations

import http.client
import time
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_chattransfer.sandbox.bitrix24 import php
from tests.sandbox.bitrix24_client import DIALOG, TRANSFER, PortalClient


def command(method: str, **params: Any) -> str:
    return method + "?" + "&".join(f"{key}={value}" for key, value in params.items())


def status_from(portal: PortalClient, address: str) -> int:
    """Return the status of a call that comes from another loopback address."""
    host, _, port = portal.sandbox.address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), source_address=(address, 0))
    try:
        connection.request("GET", "/rest/1/secretcode/profile")
    except OSError:
        pytest.skip(f"this machine has no loopback address {address}")
    status = connection.getresponse().status
    connection.close()
    return status


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
            ("9" * 5000, 2**63 - 1),
        ],
    )
    def test_casts_to_int(self, value: Any, number: int) -> None:
        assert php.to_int(value) == number

    @pytest.mark.parametrize(
        ("value", "text"), [(True, "1"), (False, ""), (None, ""), (5.0, "5"), (0.5, "0.5"), ([1], "Array"), ("x", "x")]
    )
    def test_casts_to_string(self, value: Any, text: str) -> None:
        assert php.to_str(value) == text

    @pytest.mark.parametrize(
        ("value", "numeric"), [("5", True), (" 5 ", True), ("5x", False), ("", False), (5, True), (True, False)]
    )
    def test_php_knows_numbers(self, value: Any, numeric: bool) -> None:
        assert php.is_numeric(value) is numeric

    @pytest.mark.parametrize("value", ["Y", True])
    def test_equals_yes(self, value: Any) -> None:
        assert php.is_yes(value)

    @pytest.mark.parametrize("value", ["y", "1", 1, "True", "true", False, None, "N"])
    def test_php_does_not_equal_yes(self, value: Any) -> None:
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

    def test_php_drops_variables_nested_deeper_than_64(self) -> None:
        assert php.parse_str(f"a{'[b]' * 64}=1&c{'[d]' * 9999}=2").keys() == {"a"}

    def test_php_counts_on_from_numbers_only(self) -> None:
        assert php.parse_str(f"a[{'9' * 5000}]=1&a[01]=2&a[3]=3&a[]=4")["a"]["4"] == "4"
        assert php.parse_str("a[]=0&a[7]=1&a[x]=2&a[]=3&a[2]=4&a[]=5")["a"] == {
            "0": "0", "7": "1", "x": "2", "8": "3", "2": "4", "9": "5",
        }  # fmt: skip

    @pytest.mark.parametrize("text", ["[" * 10**6, "a" + "[" * 10**6, "a[b" * 10**6, "a[]=1&" * 10**5])
    def test_php_takes_no_longer_than_its_length_for_any_form(self, text: str) -> None:
        began = time.process_time()
        php.parse_str(text)
        assert time.process_time() - began < 5


class TestPaths:
    def test_a_question_mark_that_is_encoded_belongs_to_the_path(self, portal: PortalClient) -> None:
        reply = portal.post("1/secretcode/profile%3Fx", params={"a": "b"})
        assert reply.json()["error"] == "ERROR_METHOD_NOT_FOUND"

    @pytest.mark.parametrize("suffix", ["", ".json", "/", ".json/", ".JSON"])
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

    @pytest.mark.parametrize(
        "body",
        [
            '{"CHAT_ID":112',
            '{"CHAT_ID":112,"x":NaN}',
            "[" * 9999,
            b"\xff\xfe{\x00}\x00",
            "7",
            '{"CHAT_ID":112,"x":"\\ud800"}',
        ],
    )
    def test_malformed_json_is_dropped_without_a_word(self, portal: PortalClient, body: Any) -> None:
        headers = {"Content-Type": "application/json"}
        reply = portal.post(f"1/secretcode/{TRANSFER}", data=body, headers=headers)
        assert (reply.status_code, reply.json()["error"]) == (400, "CHAT_ID_EMPTY")

    def test_the_body_wins_over_the_query(self, portal: PortalClient) -> None:
        reply = portal.post(f"1/secretcode/{DIALOG}?CHAT_ID=9999", json={"CHAT_ID": 112})
        assert reply.json()["result"]["id"] == 112

    def test_the_body_of_a_get_is_not_read(self, portal: PortalClient) -> None:
        url = f"{portal.sandbox.url}/rest/1/secretcode/{TRANSFER}"
        assert portal.http.get(url, json={"CHAT_ID": 112}).json()["error"] == "CHAT_ID_EMPTY"

    def test_json_of_another_type_is_read_as_a_form(self, portal: PortalClient) -> None:
        headers = {"Content-Type": "text/plain"}
        body = '{"CHAT_ID": 112}'
        assert portal.post(f"1/secretcode/{TRANSFER}", data=body, headers=headers).json()["error"] == "CHAT_ID_EMPTY"
        headers = {"Content-Type": "application/json; charset=utf-8"}
        assert portal.post(f"1/secretcode/{DIALOG}", data=body, headers=headers).json()["result"]["id"] == 112

    @pytest.mark.parametrize("path", ["", "1/secretcode", "1/secretcode/", "api/1/secretcode/profile", "1/a/b/profile"])
    def test_what_names_no_method_finds_none(self, portal: PortalClient, path: str) -> None:
        reply = portal.post(path)
        assert (reply.status_code, reply.json()["error"]) == (404, "ERROR_METHOD_NOT_FOUND")

    def test_the_name_is_tried_in_lower_case_and_then_as_given(self, portal: PortalClient) -> None:
        assert portal.result("IMOPENLINES.Dialog.GET", {"CHAT_ID": 112})["id"] == 112
        assert portal.call("imopenlines.v2.Session.list").status_code == 200
        assert portal.error("imopenlines.v2.session.list") == (404, "ERROR_METHOD_NOT_FOUND")
        assert portal.call("imopenlines.v2.Session.list.json").status_code == 200
        assert portal.error("imopenlines.v2.Session.list.JSON") == (404, "ERROR_METHOD_NOT_FOUND")


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

    def test_older_servers_count_time_in_fractions(self, portal: PortalClient) -> None:
        portal.reset(switches={"whole_seconds": False})
        time = portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]
        assert isinstance(time["start"], float)
        assert time["processing"] == 0.05

    def test_json_is_escaped_as_the_server_does_it(self, portal: PortalClient) -> None:
        assert b'"Chat ID can\\u0027t be empty"' in portal.call(TRANSFER, {}).content
        portal.reset(operators=[{"id": 7, "name": 'O\\"Neil <b>&/ Zoë'}])
        reply = portal.call("profile", webhook="7/secretcode7")
        assert "O\\\\\\u0022Neil \\u003Cb\\u003E\\u0026\\/" in reply.text
        assert reply.json()["result"]["NAME"] == 'O\\"Neil <b>&/'
        assert "Zoë" in reply.text

    def test_whole_floats_are_written_as_integers(self, portal: PortalClient) -> None:
        portal.reset(operating={"seconds": {"profile": 2.0}})
        assert '"operating":2}' in portal.call("profile").text

    def test_a_method_may_answer_in_xml(self, portal: PortalClient) -> None:
        reply = portal.post("1/secretcode/user.get.xml", json={"FILTER": {"ID": 7}})
        assert reply.headers["Content-Type"] == "text/xml; charset=utf-8"
        assert reply.text.startswith("<response><result><item><ID>7</ID>")
        assert "<ACTIVE>1</ACTIVE>" in reply.text
        assert "</result><total>1</total><time><start>" in reply.text
        by_id = portal.post("1/secretcode/im.user.list.get.xml", json={"ID": [7]})
        assert by_id.text.startswith("<response><result><item><id>7</id>")
        refusal = portal.post(f"1/secretcode/{TRANSFER}.xml")
        assert (refusal.status_code, refusal.text) == (
            400,
            "<response><error>CHAT_ID_EMPTY</error>"
            "<error_description>Chat ID can&apos;t be empty</error_description></response>",
        )

    def test_self_hosted_portals_may_omit_operating(self, portal: PortalClient) -> None:
        portal.reset(switches={"operating_in_time": False})
        assert "operating" not in portal.call("profile").json()["time"]


class TestIntensity:
    def test_above_the_burst_requests_are_refused_until_the_bucket_drains(self, portal: PortalClient) -> None:
        portal.reset(speed=0.001, rate={"per_second": 2, "burst": 5})
        statuses = [portal.call("profile").status_code for _ in range(6)]
        assert statuses == [200] * 5 + [503]
        assert portal.error("profile") == (503, "QUERY_LIMIT_EXCEEDED")
        portal.skip(1)
        assert [portal.call("profile").status_code for _ in range(3)] == [200, 200, 503]

    def test_intensity_by_default_fifty_pass_at_once(self, portal: PortalClient) -> None:
        portal.reset(speed=0.001, rate={})
        assert [portal.call("profile").status_code for _ in range(52)] == [200] * 50 + [503] * 2

    def test_each_address_has_a_bucket_of_its_own(self, portal: PortalClient) -> None:
        portal.reset(speed=0.001, rate={"per_second": 1, "burst": 2})
        assert [status_from(portal, "127.0.0.2") for _ in range(3)] == [200, 200, 503]
        assert status_from(portal, "127.0.0.3") == 200

    @pytest.mark.parametrize(("count", "passes"), [(False, True), (True, False)])
    def test_refused_requests_may_count(self, portal: PortalClient, count: bool, passes: bool) -> None:
        portal.reset(rate={"per_second": 1, "burst": 2}, switches={"refused_requests_count": count})
        for _ in range(6):
            portal.call("profile")
        portal.skip(2)
        assert (portal.call("profile").status_code == 200) is passes

    def test_the_authorisation_server_is_another_host(self, portal: PortalClient) -> None:
        portal.reset(rate={"per_second": 1, "burst": 1})
        portal.call("profile")
        assert [portal.http.get(f"{portal.sandbox.url}/oauth/token/").status_code for _ in range(3)] == [400] * 3

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

    def test_operating_time_in_a_webhooks_batch_they_may_be_billed_apart(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}}, switches={"batch_billing": "apart"})
        portal.batch({f"c{index}": command(DIALOG, CHAT_ID=112) for index in range(2)})
        assert portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]["operating"] == 6
        other = portal.call("batch", {"cmd": {"a": command(DIALOG, CHAT_ID=112)}}, webhook="8/secretcode8")
        assert other.json()["result"]["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"

    def test_or_to_the_batch_itself(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}}, switches={"batch_billing": "batch"})
        body = portal.call("batch", {"cmd": {f"c{index}": command(DIALOG, CHAT_ID=112) for index in range(3)}}).json()
        assert {time["operating"] for time in body["result"]["result_time"].values()} == {0}
        assert body["time"]["operating"] == 18
        assert portal.error("batch", {"cmd": {"a": "profile"}}) == (429, "OPERATION_TIME_LIMIT")
        assert portal.call(DIALOG, {"CHAT_ID": 112}).status_code == 200

    def test_each_webhook_and_each_method_has_a_counter_of_its_own(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 11}})
        portal.dialog(112)
        assert portal.error(DIALOG, {"CHAT_ID": 112}) == (429, "OPERATION_TIME_LIMIT")
        assert portal.call(DIALOG, {"CHAT_ID": 112}, webhook="7/secretcode7").status_code == 200

    def test_there_is_room_again_when_the_oldest_minute_drops(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {DIALOG: 6}})
        first = portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]
        portal.skip(120)
        second = portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]
        assert second["operating_reset_at"] == first["operating_reset_at"]
        portal.skip(second["operating_reset_at"] - second["start"])
        assert portal.call(DIALOG, {"CHAT_ID": 112}).json()["time"]["operating"] == 12

    def test_a_refusal_carries_no_time_and_nothing_happened(self, portal: PortalClient) -> None:
        portal.reset(operating={"limit": 10, "seconds": {TRANSFER: 11}})
        portal.transfer(112, USER_ID=12)
        body = portal.transfer(112, USER_ID=15).json()
        assert set(body) == {"error", "error_description"}
        assert portal.chat(112)["transfers"] == 1


class TestTheLengthOfARequest:
    def test_one_that_takes_a_minute_is_cut_off_after_its_effects(self, portal: PortalClient) -> None:
        portal.reset(operating={"seconds": {TRANSFER: 61}})
        reply = portal.transfer(112, USER_ID=12)
        assert (reply.status_code, reply.headers["Content-Type"]) == (504, "text/html")
        assert portal.dialog(112)["owner"] == 12

    def test_the_length_of_a_request_of_a_batch_runs_what_begins_within_the_minute(self, portal: PortalClient) -> None:
        portal.reset(operating={"seconds": {TRANSFER: 25}})
        transfers = {
            f"c{chat}": command(TRANSFER, CHAT_ID=chat, USER_ID=12, CLIENT_ID="chattransfer")
            for chat in range(101, 107)
        }
        assert portal.call("batch", {"cmd": transfers}).status_code == 504
        assert [portal.chat(chat)["transfers"] for chat in range(101, 107)] == [1, 1, 1, 0, 0, 0]

    def test_self_hosted_servers_may_be_patient(self, portal: PortalClient) -> None:
        portal.reset(operating={"seconds": {TRANSFER: 61}}, switches={"request_seconds": 0.0})
        assert portal.transfer(112, USER_ID=12).json()["time"]["duration"] == 61


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

    def test_the_older_documentation_refuses_both_as_a_whole(self, portal: PortalClient) -> None:
        portal.reset(switches={"statuses": "docs"})
        many = {f"c{index}": "profile" for index in range(51)}
        assert portal.error("batch", {"cmd": many}) == (400, "ERROR_BATCH_LENGTH_EXCEEDED")
        assert portal.error("batch", {"cmd": ["profile", "batch"]}) == (405, "ERROR_BATCH_METHOD_NOT_ALLOWED")

    @pytest.mark.parametrize("params", [{}, {"cmd": []}, {"cmd": {}}, {"cmd": "profile"}, {"cmd": None}])
    def test_batch_without_commands_there_are_five_empty_lists(self, portal: PortalClient, params: Any) -> None:
        empty: list[Any] = []
        assert portal.result("batch", params) == {
            "result": empty,
            "result_error": empty,
            "result_total": empty,
            "result_next": empty,
            "result_time": empty,
        }

    def test_the_limit_of_commands_with_halt_is_told_once(self, portal: PortalClient) -> None:
        result = portal.batch({f"c{index}": "profile" for index in range(53)}, halt=1)
        assert list(result["result_error"]) == ["c50"]

    def test_the_wrong_credentials_of_a_batch_are_those_of_any_call(self, portal: PortalClient) -> None:
        assert portal.error("batch", {"cmd": {"a": "profile"}}, webhook="1/wrong") == (401, "INVALID_CREDENTIALS")

    def test_commands_know_no_suffix(self, portal: PortalClient) -> None:
        result = portal.batch({"a": "profile.json", "b": "PROFILE"})
        assert (list(result["result"]), result["result_error"]["a"]["error"]) == (["b"], "ERROR_METHOD_NOT_FOUND")

    def test_results_of_earlier_commands_are_put_in(self, portal: PortalClient) -> None:
        result = portal.batch(
            {"a": "profile", "b": "user.get?FILTER[ID]=$result[a][ID]", "c": "user.get?FILTER[ID]=$result[b][0][ID]"}
        )
        assert [user["ID"] for user in result["result"]["b"]] == ["1"]
        assert result["result"]["c"] == result["result"]["b"]

    @pytest.mark.parametrize(
        ("text", "becomes"),
        [
            ("see $result[a][NAME] there", "see Portal there"),
            ("see $result[a][NAME]!!! there", "see Portal there"),
            ("total $total[u]", "total 7"),
            ("see $result[a][nobody] there", "see $result[a][nobody] there"),
            ("costs $result 5", "costs $result 5"),
            ("in $time[a][start]s", None),
        ],
    )
    def test_text_that_looks_like_a_reference_is_replaced(
        self, portal: PortalClient, text: str, becomes: str | None
    ) -> None:
        send = command("imopenlines.bot.session.message.send", CHAT_ID=112, NAME="DEFAULT", MESSAGE=quote(text))
        portal.batch({"a": "profile", "u": "user.get?FILTER[ACTIVE]=1", "m": send})
        items = portal.result("im.recent.get", {"ONLY_OPENLINES": "Y"}, webhook="7/secretcode7")
        last = next(item["message"]["text"] for item in items if item["chat"]["id"] == 112)
        assert last == becomes if becomes else last.startswith("in 1")

    def test_a_reference_alone_keeps_its_type(self, portal: PortalClient) -> None:
        portal.reset(chats=[{"id": 111, "owner": 7}, {"id": 112, "owner": 7, "bot": True}])
        common = {"USER_ID": 12, "CLIENT_ID": "chattransfer"}
        portal.batch(
            {
                "a": command(TRANSFER, CHAT_ID=111, **common),
                "b": command(TRANSFER, CHAT_ID=112, LEAVE="$result[a]", **common),
            }
        )
        assert portal.dialog(112)["user_counter"] == 2

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
            {"queues": [{"id": 3}, {"id": 3}]},
            {"webhooks": [{"user": 1, "code": "x", "scopes": "imopenlines"}]},
            {"apps": [{"client_id": "x", "scopes": "imopenlines"}]},
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
