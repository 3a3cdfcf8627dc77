# SPDX-License-Identifier: Apache-2.0
"""Transfers on Bitrix24: what goes over the wire, and what is made of each answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.chats.model import Chat, Result, Target, TransferReport, UnreadableChat
from airflow_provider_chattransfer.chats.reconciliation import Answered, OutcomeUnknown, Refused
from airflow_provider_chattransfer.chats.run import Move, Sent, run_acceptance, run_transfers
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    PlatformError,
    RequestRefusedError,
    UnexpectedResponseError,
)
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform, parse_transfer_id
from airflow_provider_chattransfer.platforms.polling import poll_until_done
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.testing.audit import audit

from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, Script, Scripted, report, to

TRANSFER = "imopenlines.bot.session.transfer"
DIALOG = "imopenlines.dialog.get"
USERS = "im.user.list.get"


def owned(number: int, *, owner: int = 7, first: int = 101) -> list[dict[str, Any]]:
    """Return that many open chats of one operator."""
    return [{"id": first + index, "owner": owner} for index in range(number)]


def batched(stage: ClockedSandbox, number: int) -> list[tuple[str, dict[str, str]]]:
    """Return the commands in the batch that was the request of this number."""
    body = json.loads(stage.calls[number].body)
    pairs = [command.partition("?") for command in body["cmd"].values()]
    return [(method, dict(parse_qsl(query))) for method, _, query in pairs]


class TestTheWire:
    @pytest.mark.parametrize(
        ("target", "destination"),
        [("agent:12", {"USER_ID": 12}), ("queue:4", {"QUEUE_ID": 4}), ("queue", {"QUEUE_ID": 3})],
    )
    def test_one_transfer_has_upper_case_names_and_exactly_one_destination(
        self, stage: ClockedSandbox, target: str, destination: dict[str, int]
    ) -> None:
        stage.run_to_end(stage.bitrix24(), to(target, "101"))
        sent = [json.loads(call.body) for call in stage.calls if call.path.endswith(TRANSFER)]
        assert sent == [{"CHAT_ID": 101, **destination, "LEAVE": "N", "CLIENT_ID": "chattransfer"}]

    def test_a_batch_of_transfers_has_the_same_parameters(self, stage: ClockedSandbox) -> None:
        stage.run_to_end(stage.bitrix24(), [*to("agent:12", "101"), *to("queue:4", "102")], bot_leaves=True)
        commands = next(
            batched(stage, number) for number, call in enumerate(stage.calls) if TRANSFER.encode() in call.body
        )
        both = {"LEAVE": "Y", "CLIENT_ID": "chattransfer"}
        assert commands == [
            (TRANSFER, {"CHAT_ID": "101", "USER_ID": "12", **both}),
            (TRANSFER, {"CHAT_ID": "102", "QUEUE_ID": "4", **both}),
        ]

    def test_a_batch_does_not_halt_at_an_error(self, stage: ClockedSandbox) -> None:
        stage.bitrix24().read_chats(["1", "101"])
        assert json.loads(stage.calls[0].body)["halt"] == 0

    def test_a_client_id_keeps_its_special_characters(self, stage: ClockedSandbox) -> None:
        bot = "a&b=c#d+e f%20?"
        stage.reset(bitrix24={"bots": [{"client_id": bot, "id": 80}]})
        results = stage.run_to_end(stage.bitrix24(bot=bot), to("agent:12", "101", "102"))
        assert outcomes_of(results) == ["accepted"] * 2

    @pytest.mark.parametrize("mark", ["$result[c0]", "x$error", "$total"])
    def test_a_client_id_that_a_batch_would_replace_is_an_error(self, mark: str) -> None:
        with pytest.raises(ValueError, match="bot_client_id"):
            Webhook(portal="https://example.com", user_id="1", code="abc", bot_client_id=mark)

    def test_fifty_chats_are_read_sent_and_read_back_in_three_requests(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(50)})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", *map(str, range(101, 151))))
        assert outcomes_of(results) == ["accepted"] * 50
        assert stage.asked() == ["batch", USERS, USERS, "batch", "batch"], "owners and receivers are looked up once"

    def test_several_hundred_chats_are_moved_without_another_look_up(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(320)})
        chat_ids = [str(number) for number in range(101, 421)]
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", *chat_ids))
        assert outcomes_of(results) == ["accepted"] * 320
        assert stage.moved("bitrix24") == chat_ids
        assert stage.asked().count("batch") == 3 * 7
        assert stage.asked().count(USERS) == 2

    def test_more_than_fifty_commands_are_no_batch(self, stage: ClockedSandbox) -> None:
        with pytest.raises(ValueError, match="50 commands, not 51"):
            stage.webhook().batch([Command(DIALOG, {})] * 51, repeatable=True)


class TestThePhpArraysOfABatch:
    def batch(self, script: Script, portal: Bitrix24Client, **maps: Any) -> list[Any]:
        body = {"result": [], "result_error": [], "result_total": [], "result_next": [], "result_time": [], **maps}
        script.play(Scripted.json({"result": body, "time": {}}))
        return portal.batch([Command("one", {}), Command("two", {})], repeatable=False)

    def test_all_good_has_no_errors(self, script: Script, portal: Bitrix24Client) -> None:
        assert self.batch(script, portal, result={"c0": True, "c1": False}) == [True, False]

    def test_all_bad_has_an_empty_list_of_results(self, script: Script, portal: Bitrix24Client) -> None:
        error = {"error": "OPERATOR_WRONG", "error_description": "no"}
        results = self.batch(script, portal, result_error={"c0": error, "c1": error})
        assert [(type(result), result.code) for result in results] == [(RequestRefusedError, "OPERATOR_WRONG")] * 2

    def test_what_is_left_out_may_have_been_carried_out(self, script: Script, portal: Bitrix24Client) -> None:
        good, missing = self.batch(script, portal, result={"c0": True})
        assert good is True
        assert isinstance(missing, UnexpectedResponseError)

    def test_a_null_is_a_result(self, script: Script, portal: Bitrix24Client) -> None:
        assert self.batch(script, portal, result={"c0": None, "c1": []}) == [None, []]

    def test_an_answer_without_maps_is_not_understood(self, script: Script, portal: Bitrix24Client) -> None:
        script.play(Scripted.json({"result": True}))
        with pytest.raises(UnexpectedResponseError):
            portal.batch([Command("one", {})] * 2, repeatable=False)

    @pytest.mark.parametrize("body", [[], "text", None, {"time": {}}, 7])
    def test_an_answer_without_a_result_is_not_understood(
        self, script: Script, portal: Bitrix24Client, body: Any
    ) -> None:
        script.play(Scripted.json(body))
        with pytest.raises(UnexpectedResponseError):
            portal.call(Command("one", {}), repeatable=False)

    def test_a_limit_inside_a_batch_of_reads_is_waited_out_for_all(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"operating": {"limit": 3.0, "seconds": {DIALOG: 2.0}}})
        client = stage.webhook()
        for chat_ids in ((101, 102), (103, 104)):
            stage.calls.clear()
            results: list[Any] = client.batch(
                [Command(DIALOG, {"CHAT_ID": each}) for each in chat_ids], repeatable=True
            )
            assert [result["id"] for result in results] == list(chat_ids)
        assert stage.asked() == ["batch", "batch"]

    def test_a_limit_inside_a_batch_of_transfers_lets_only_the_rest_be_sent_again(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"operating": {"limit": 3.0, "seconds": {TRANSFER: 2.0}}})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", "101", "102", "103"))
        assert outcomes_of(results) == ["accepted"] * 3
        assert stage.moved("bitrix24") == ["101", "102", "103"]
        assert stage.asked().count(TRANSFER) == 1, "the third chat, alone, when the time had come"


REFUSALS: list[tuple[dict[str, Any], str, type[PlatformError]]] = [
    ({"CHAT_ID": 0}, "CHAT_ID_EMPTY", RequestRefusedError),
    ({"USER_ID": 0}, "USER_ID_EMPTY", RequestRefusedError),
    ({"USER_ID": None, "QUEUE_ID": 0}, "QUEUE_ID_EMPTY", RequestRefusedError),
    ({"USER_ID": None}, "TRANSFER_ID_EMPTY", RequestRefusedError),
    ({"USER_ID": 90}, "OPERATOR_WRONG", RequestRefusedError),
    ({"CHAT_ID": 999999}, "OPERATOR_WRONG", RequestRefusedError),
    ({"CLIENT_ID": "nobody"}, "BOT_ID_ERROR", CredentialsError),
    ({"CLIENT_ID": None}, "ACCESS_DENIED", CredentialsError),
]


class TestARefusal:
    @pytest.mark.parametrize(("change", "code", "kind"), REFUSALS)
    def test_a_refusal_is_typed_by_its_code_alone_and_in_a_batch(
        self, stage: ClockedSandbox, change: dict[str, Any], code: str, kind: type[PlatformError]
    ) -> None:
        usual = {"CHAT_ID": 101, "USER_ID": 12, "LEAVE": "N", "CLIENT_ID": "chattransfer"}
        params = {name: value for name, value in {**usual, **change}.items() if value is not None}
        client = stage.webhook()
        with pytest.raises(kind) as alone:
            client.call(Command(TRANSFER, params), repeatable=False)
        in_batch = client.batch([Command(TRANSFER, params)] * 2, repeatable=False)
        assert alone.value.code == code
        assert [(type(error), error.code) for error in in_batch] == [(kind, code)] * 2
        assert stage.moved("bitrix24") == []

    @pytest.mark.parametrize("code", ["OPERATOR_WRONG", "WRONG_CHAT"])
    def test_a_refusal_that_may_pass_is_tried_again(self, stage: ClockedSandbox, code: str) -> None:
        chats = [{"id": 101, "owner": 7, "locked_for": 11}, {"id": 102, "owner": 7}]
        stage.reset(bitrix24={"chats": chats, "switches": {"wrong_target": code}})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", "101", "102"))
        assert outcomes_of(results) == ["accepted", "accepted"]
        assert stage.slept == [2.0, 10.0]
        assert stage.moved("bitrix24") == ["102", "101"]

    @pytest.mark.parametrize("code", ["OPERATOR_WRONG", "WRONG_CHAT"])
    def test_a_refusal_that_does_not_pass_fails_that_chat_alone(self, stage: ClockedSandbox, code: str) -> None:
        chats = [{"id": 101, "owner": 7, "broken": True}, {"id": 102, "owner": 7}]
        stage.reset(bitrix24={"chats": chats, "switches": {"wrong_target": code}})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", "101", "102"))
        assert outcomes_of(results) == ["failed", "accepted"]
        assert code in (results[0].reason or "")

    @pytest.mark.parametrize(
        ("target", "why"),
        [
            ("agent:90", "user 90 is dismissed"),
            ("agent:80", "user 80 is a bot"),
            ("agent:91", "user 91 is an extranet user"),
            ("agent:5001", "user 5001 is an extranet user|a customer"),
            ("agent:4711", "there is no user 4711"),
            ("queue:99", "there is no open line 99"),
        ],
    )
    def test_a_refusal_of_a_wrong_target_is_foreseen_and_nothing_is_sent(
        self, stage: ClockedSandbox, target: str, why: str
    ) -> None:
        results = stage.run_to_end(stage.bitrix24(), [*to(target, "101"), *to("agent:12", "102")])
        assert outcomes_of(results) == ["failed", "accepted"]
        assert any(part in (results[0].reason or "") for part in why.split("|"))
        assert stage.moved("bitrix24") == ["102"]

    def test_a_refusal_of_the_account_stops_the_run_and_accounts_for_every_chat(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(120)})
        results = stage.run_to_end(stage.bitrix24(bot="nobody"), to("agent:12", *map(str, range(101, 221))))
        assert outcomes_of(results) == ["failed"] * 120
        assert all("BOT_ID_ERROR" in (result.reason or "") for result in results)
        assert stage.asked().count("batch") == 2, "one read, one send"
        assert stage.slept == []

    def test_a_refusal_of_one_chat_alone_for_the_account_is_the_same(self, stage: ClockedSandbox) -> None:
        results = stage.run_to_end(stage.bitrix24(bot="nobody"), to("agent:12", "101"))
        assert outcomes_of(results) == ["failed"]
        assert "BOT_ID_ERROR" in (results[0].reason or "")
        assert stage.asked().count(TRANSFER) == 1

    def test_a_refusal_of_the_webhook_stops_before_anything_is_sent(self, stage: ClockedSandbox) -> None:
        results = stage.run_to_end(stage.bitrix24(code="wrongcode"), to("agent:12", "101", "102"))
        assert outcomes_of(results) == ["failed"] * 2
        assert "INVALID_CREDENTIALS" in (results[0].reason or "")
        assert stage.asked() == ["batch"]


class TestAnAnswer:
    @pytest.mark.parametrize(
        ("result", "answer"),
        [
            (True, Answered),
            (False, OutcomeUnknown),
            ([], OutcomeUnknown),
            (None, OutcomeUnknown),
            (1, OutcomeUnknown),
        ],
    )
    def test_other_than_true_is_unclear(
        self, script: Script, portal: Bitrix24Client, result: Any, answer: type[object]
    ) -> None:
        script.play(Scripted.json({"result": {"12": {"id": 12}}}), Scripted.json({"result": result}))
        move = Move(to("agent:12", "101")[0], Chat(id="101", owner="7"))
        sent = Bitrix24Platform(portal).send([move], SendOptions())
        assert isinstance(sent.answers["101"], answer)

    @pytest.mark.parametrize(
        ("code", "status", "answer"),
        [
            ("OPERATOR_WRONG", 400, Refused),
            ("QUEUE_ID_EMPTY", 400, Refused),
            ("INTERNAL_SERVER_ERROR", 500, OutcomeUnknown),
            ("ERROR_UNEXPECTED_ANSWER", 500, OutcomeUnknown),
        ],
    )
    def test_an_answer_with_an_error_says_whether_it_may_have_been_carried_out(
        self, script: Script, portal: Bitrix24Client, code: str, status: int, answer: type[object]
    ) -> None:
        error = {"error": code, "error_description": "trouble"}
        script.play(Scripted.json({"result": {"12": {"id": 12}}}), Scripted.json(error, status=status))
        platform = Bitrix24Platform(portal)
        move = Move(to("agent:12", "101")[0], Chat(id="101", owner="7"))
        assert isinstance(platform.send([move], SendOptions()).answers["101"], answer)

    def test_left_out_of_a_batch_means_that_nobody_knows(self, script: Script, portal: Bitrix24Client) -> None:
        maps = {"result": {"c0": True}, "result_error": []}
        script.play(Scripted.json({"result": {"12": {"id": 12}}}), Scripted.json({"result": maps}))
        moves = [Move(transfer, Chat(id=transfer.chat_id, owner="7")) for transfer in to("agent:12", "101", "102")]
        sent = Bitrix24Platform(portal).send(moves, SendOptions())
        assert isinstance(sent.answers["101"], Answered)
        assert isinstance(sent.answers["102"], OutcomeUnknown)


class TestWhoHasAChat:
    def test_who_has_a_chat_that_is_closed_is_skipped_and_never_reopened(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "owner": 7, "state": "closed"}, {"id": 102, "owner": 7}]})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", "101", "102"))
        assert outcomes_of(results) == ["skipped", "accepted"]
        assert "reopened" not in [change["change"] for change in stage.ledger("bitrix24")]

    def test_who_has_a_chat_that_a_bot_leads_is_nobody(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "owner": 80}, {"id": 102, "owner": 7}]})
        chats = stage.bitrix24().read_chats(["101", "102"])
        assert [_owner(chats[each]) for each in ("101", "102")] == [None, "7"]

    def test_who_has_a_chat_that_a_bot_leads_can_be_handed_over(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "owner": 80}]})
        assert outcomes_of(stage.run_to_end(stage.bitrix24(), to("agent:12", "101"))) == ["accepted"]

    @pytest.mark.parametrize("missing_scope", ["insufficient_scope", "not_found"])
    @pytest.mark.parametrize("chat_ids", [["101"], ["101", "102"]])
    def test_who_has_a_chat_is_read_and_moved_by_a_webhook_that_may_not_ask_about_users(
        self, stage: ClockedSandbox, missing_scope: str, chat_ids: list[str]
    ) -> None:
        webhook = {"user": 1, "code": "narrow", "scopes": ["imopenlines", "imbot"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"missing_scope": missing_scope}})
        results = stage.run_to_end(stage.bitrix24(code="narrow"), to("agent:12", *chat_ids))
        assert outcomes_of(results) == ["accepted"] * len(chat_ids)
        assert stage.asked().count(USERS) == 1, "it is not asked again once it was refused"

    def test_who_has_a_chat_that_is_not_there_or_no_dialogue_of_a_line_is_not_read(self, stage: ClockedSandbox) -> None:
        chats = stage.bitrix24().read_chats(["999999", "101"])
        assert isinstance(chats["999999"], UnreadableChat)
        assert "ACCESS_ERROR" in chats["999999"].reason
        assert _owner(chats["101"]) == "7"

    def test_who_has_a_chat_shows_nothing_of_the_customer(self, stage: ClockedSandbox) -> None:
        chats = stage.bitrix24().read_chats(["101", "102", "103"])
        data = stage.server.sandbox.services[0]._data  # type: ignore[attr-defined]
        for chat in data.chats.values():
            customer = data.users[chat.customer]
            for secret in (customer.name, customer.email, customer.phone, chat.last_text, chat.title):
                assert secret not in str(chats)

    def test_who_has_a_chat_that_nobody_took_though_the_portal_said_true_is_requested(
        self, stage: ClockedSandbox
    ) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "owner": 7, "answer_locked_for": 60}]})
        assert outcomes_of(stage.run_to_end(stage.bitrix24(), to("agent:12", "101"))) == ["requested"]


class TestAPortal:
    def test_a_portal_that_asks_the_receiver_first_gives_requested_and_then_accepted(
        self, stage: ClockedSandbox
    ) -> None:
        people = {"accept_after": [20, 40]}
        stage.reset(bitrix24={"switches": {"accept_mode": "pending"}, "people": people})
        platform = stage.bitrix24()
        results = stage.run_to_end(platform, to("agent:12", "101", "102", source="agent:7"))
        assert outcomes_of(results) == ["requested"] * 2
        assert outcomes_of(_wait(stage, platform, results).results) == ["accepted"] * 2

    def test_a_portal_whose_receiver_never_answers_ends_the_wait_with_requested(self, stage: ClockedSandbox) -> None:
        people = {"accept_after": [20, 40], "agents": {"12": {"ignore": 1.0}}}
        stage.reset(bitrix24={"switches": {"accept_mode": "pending"}, "people": people})
        platform = stage.bitrix24()
        waited = _wait(stage, platform, stage.run_to_end(platform, to("agent:12", "101")))
        assert outcomes_of(waited.results) == ["requested"]

    @pytest.mark.parametrize("habit", ["accept", "ignore", "reject"])
    @pytest.mark.parametrize("mode", ["auto", "pending"])
    @pytest.mark.parametrize("lag", [0, 30, 10**6])
    def test_a_portal_whose_log_lags_moves_a_chat_once_when_the_answer_is_lost(
        self, stage: ClockedSandbox, mode: str, habit: str, lag: int
    ) -> None:
        """That the log has no row of the transfer is not taken for a no, whoever has the chat by then."""
        habits = {habit: 1.0} if habit != "accept" else {}
        people = {"accept_after": [3, 30], "agents": {"12": habits}}
        switches = {"accept_mode": mode, "reports_lag": lag}
        stage.reset(bitrix24={"chats": owned(10), "people": people, "switches": switches})
        stage.fault(kind="drop_after", method=TRANSFER)
        chat_ids = [str(each["id"]) for each in owned(10)]
        platform = stage.bitrix24()
        results = stage.run_to_end(platform, to("agent:12", *chat_ids, source="agent:7"))
        assert Counter(stage.moved("bitrix24")) == Counter(chat_ids)
        assert audit(report(platform, results), changes=stage.ledger("bitrix24")) == []
        assert {(each.reason or "not known").partition(":")[0] for each in results} <= {"not known", "not accepted"}

    def test_a_portal_whose_log_lags_moves_a_chat_once_though_its_receiver_has_given_it_back(
        self, stage: ClockedSandbox
    ) -> None:
        """The log shows how the chat began, and not yet that it was transferred; its owner is the one from before."""
        stage.reset(bitrix24={"chats": owned(2), "switches": {"reports_lag": 300}})
        stage.sleep(600)
        stage.fault(kind="drop_after", method=TRANSFER)
        platform = stage.bitrix24()
        run = run_transfers(to("agent:12", "101", "102", source="agent:7"), chunk=platform.chunk)

        def given_back(moves: Sequence[Move], options: SendOptions) -> Sent:
            sent = Bitrix24Platform.send(platform, moves, options)
            back = {"CHAT_ID": 101, "TRANSFER_ID": 7}
            rest = f"{stage.url}/rest/12/secretcode12/imopenlines.operator.transfer"
            assert requests.post(rest, json=back, timeout=10).json()["result"]
            return sent

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(platform, "send", given_back)
            results = run_to_end(run, platform, sleep=stage.sleep).results
        assert stage.chats("bitrix24")["101"]["owner"] == "7"
        assert outcomes_of(results) == ["failed", "accepted"]
        assert (results[0].reason or "").startswith("not known: ")
        assert Counter(stage.moved("bitrix24")) == {"101": 2, "102": 1}, "the second of 101 is its receiver's"

    def test_a_portal_that_knows_no_client_id_takes_transfers(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"switches": {"client_id_required": False}})
        assert outcomes_of(stage.run_to_end(stage.bitrix24(), to("agent:12", "101", "102"))) == ["accepted"] * 2

    def test_queue_is_left_by_the_operator_who_accepts(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"people": {"accept_after": [20, 40]}})
        platform = stage.bitrix24()
        results = stage.run_to_end(platform, to("queue:4", "101", source="agent:7"))
        assert outcomes_of(results) == ["requested"]
        assert stage.chats("bitrix24")["101"]["queue"] == "4"
        assert outcomes_of(_wait(stage, platform, results).results) == ["accepted"]

    def test_a_portal_lets_the_webhooks_user_accept_a_chat(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "offered_to": 7}], "people": {"ignore": 1.0}})
        platform = stage.bitrix24(user=7, code="secretcode7")
        assert platform.receiver_of(Chat(id="101")) == Target.agent("7")
        results = run_to_end(run_acceptance(to("agent:7", "101")[0]), platform, sleep=stage.sleep).results
        assert outcomes_of(results) == ["accepted"]
        assert stage.chats("bitrix24")["101"]["owner"] == "7"


class TestATransferId:
    @pytest.mark.parametrize(("text", "target"), [("12", "agent:12"), (12, "agent:12"), ("queue3", "queue:3")])
    def test_a_transfer_id_names_a_user_or_a_line(self, text: object, target: str) -> None:
        assert parse_transfer_id(text) == Target.parse(target)

    @pytest.mark.parametrize("text", ["", "queue", "queue:3", "queue0", "agent12", "0", "-1", None, "12abc"])
    def test_a_transfer_id_that_is_neither_is_an_error(self, text: object) -> None:
        with pytest.raises(ValueError, match="TRANSFER_ID"):
            parse_transfer_id(text)


def _owner(chat: object) -> str | None:
    assert isinstance(chat, Chat)
    return chat.owner


def _wait(stage: ClockedSandbox, platform: Bitrix24Platform, results: list[Result]) -> TransferReport:
    """Wait ten minutes at the most, looking every fifteen seconds."""
    begin = stage.server.sandbox.clock.utc()
    report = TransferReport("bitrix24", "test", tuple(results), started_at=begin, finished_at=begin)
    poller = AcceptancePoller(report, deadline=(begin + timedelta(minutes=10)).timestamp())
    return poll_until_done(poller, platform, interval=15.0, now=stage.server.sandbox.clock.utc, sleep=stage.sleep)
