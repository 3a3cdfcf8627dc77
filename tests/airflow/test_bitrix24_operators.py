# SPDX-License-Identifier: Apache-2.0
"""Operators on Bitrix24: real tasks, real HTTP."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.sdk import task

from airflow_provider_chattransfer.exceptions import ChatsNotTransferredError
from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.testing.audit import audit

from ..support.answers import Exchange, tampered
from ..support.reports import outcome_by_chat, reason_by_chat
from .conftest import Sandbox, a_dag, run, run_one

CONN = "bitrix24_default"
QUICK = {"people": {"accept_after": [0.05, 0.2]}, "rate": None}


do = partial(run_one, conn_id=CONN, poll_interval=0.1)


def members(sandbox: Sandbox, chat_id: int) -> list[int]:
    """Who is in a chat, as agent 12 sees it."""
    url = f"{sandbox.url}/rest/12/secretcode12/im.chat.user.list"
    found: list[int] = requests.post(url, json={"CHAT_ID": chat_id}, timeout=10).json()["result"]
    return found


class TestReassignFromAgents:
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_reassign_from_agents_moves_all_their_chats_waits_and_reports_what_the_ledger_says(
        self, sandbox: Sandbox, deferrable: bool
    ) -> None:
        theirs = {
            each["id"]
            for each in sandbox.chats("bitrix24").values()
            if {"7", "8"} & {each["owner"], each["offered_to"]}
        }
        ran = do(
            ReassignChatsOperator,
            from_agents=["7", "8"],
            to=["agent:12", "agent:15", "queue:3"],
            wait_for_acceptance=True,
            accept_within=timedelta(seconds=20),
            deferrable=deferrable,
        )
        report = ran.results["task"]
        assert ran.state == "success"
        assert set(outcome_by_chat(report)) == theirs
        assert report["counts"]["accepted"] == len(theirs)
        assert audit(report, changes=sandbox.ledger("bitrix24")) == []
        given = Counter(entry["to"] for entry in report["transfers"])
        assert max(given.values()) - min(given.values()) <= 1

    def test_reassign_from_agents_without_waiting_chats_in_a_queue_are_requested(self, sandbox: Sandbox) -> None:
        report = do(ReassignChatsOperator, from_agents=["8"], to=["queue:4"]).results["task"]
        assert set(outcome_by_chat(report).values()) == {"requested"}
        assert audit(report, changes=sandbox.ledger("bitrix24")) == []

    def test_reassign_from_agents_takes_along_chats_that_only_ring_at_somebody_who_goes_home(
        self, sandbox: Sandbox
    ) -> None:
        offered = {each["id"] for each in sandbox.chats("bitrix24").values() if each["offered_to"] == "7"}
        report = do(ReassignChatsOperator, from_agents=["7"], to=["agent:12"]).results["task"]
        assert offered
        assert offered <= set(outcome_by_chat(report))
        assert all(sandbox.chats("bitrix24")[chat_id]["owner"] == "12" for chat_id in offered)

    def test_reassign_from_agents_of_an_agent_without_chats_is_an_empty_success(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 1000, "owner": 7, "queue": 3}]})
        ran = do(ReassignChatsOperator, from_agents=["15"], to=["agent:12"])
        assert (ran.state, ran.results["task"]["transfers"]) == ("success", [])

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"from_agents": ["121"], "to": ["agent:12"]}, "from_agents: there is no user 121"),
            ({"from_agents": ["7"], "to": ["agent:121"]}, "to: there is no user 121"),
            ({"from_agents": ["7"], "to": ["queue:99"]}, "to: there is no open line 99"),
            ({"from_queue": 99, "to": ["agent:12"]}, "from_queue: there is no open line 99"),
            (
                {"from_agents": ["agent:nobody@example.com"], "to": ["agent:12"]},
                "from_agents: there is no agent:nobody",
            ),
        ],
    )
    def test_reassign_from_agents_of_somebody_who_is_not_there_is_an_error_and_no_retry(
        self, sandbox: Sandbox, options: dict[str, Any], words: str
    ) -> None:
        ran = do(ReassignChatsOperator, **options, retries=2, retry_delay=timedelta(0))
        assert isinstance(ran.errors["task"], ValueError)
        assert words in str(ran.errors["task"])
        assert sandbox.sent("bitrix24") == []

    def test_reassign_from_agents_costs_three_requests_for_fifty_chats_and_two_to_look_around(
        self, sandbox: Sandbox
    ) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(100)]
        sandbox.reset(bitrix24={**QUICK, "chats": chats})
        do(ReassignChatsOperator, from_agents=["7"], to=["agent:12"])
        listing, users = 1, 2
        assert sandbox.state()["requests"]["bitrix24"] == listing + users + 2 * 3

    def test_spreads_by_load_when_asked(self, sandbox: Sandbox) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(6)]
        busy = [{"id": 2000 + number, "owner": 12, "queue": 3} for number in range(6)]
        sandbox.reset(bitrix24={**QUICK, "chats": chats + busy})
        do(ReassignChatsOperator, from_agents=["7"], to=["agent:12", "agent:15"], strategy="least_loaded")
        owners = Counter(each["owner"] for each in sandbox.chats("bitrix24").values())
        assert owners == {"12": 6, "15": 6}

    def test_reassign_from_agents_keeps_one_customers_chats_together_when_asked(self, sandbox: Sandbox) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3, "customer": 5001 + number // 3} for number in range(12)]
        sandbox.reset(bitrix24={**QUICK, "chats": chats})
        do(ReassignChatsOperator, from_agents=["7"], to=["agent:12", "agent:15"], strategy="keep_together")
        owners: dict[str, set[str]] = {}
        for chat in sandbox.chats("bitrix24").values():
            owners.setdefault(chat["customer"], set()).add(chat["owner"])
        assert all(len(each) == 1 for each in owners.values())
        assert {owner for each in owners.values() for owner in each} == {"12", "15"}


class TestReassignOtherwise:
    def test_reassign_otherwise_takes_what_waits_in_a_queue_and_leaves_what_somebody_has(
        self, sandbox: Sandbox
    ) -> None:
        waiting = {
            each["id"]
            for each in sandbox.chats("bitrix24").values()
            if each["state"] == "waiting" and each["queue"] == "3"
        }
        report = do(ReassignChatsOperator, from_queue=3, to=["agent:12"]).results["task"]
        assert set(outcome_by_chat(report)) == waiting
        assert set(outcome_by_chat(report).values()) == {"accepted"}
        assert audit(report, changes=sandbox.ledger("bitrix24")) == []

    def test_named_chats_keep_their_order_and_those_at_a_receiver_stay(self, sandbox: Sandbox) -> None:
        sandbox.reset(
            bitrix24={
                **QUICK,
                "chats": [{"id": each, "owner": owner} for each, owner in ((11, 7), (12, 12), (13, 15), (14, 8))],
            }
        )
        report = do(ReassignChatsOperator, chat_ids=[14, "12", 13, 11], to=["agent:12", "agent:15"]).results["task"]
        assert outcome_by_chat(report) == {"14": "accepted", "12": "unchanged", "13": "unchanged", "11": "accepted"}
        assert list(outcome_by_chat(report)) == ["14", "12", "13", "11"]
        assert sorted(sandbox.sent("bitrix24")) == ["11", "14"]

    def test_a_second_run_over_the_same_chats_moves_nothing(self, sandbox: Sandbox) -> None:
        options = {"chat_ids": [101, 102, 103], "to": ["agent:12", "agent:15"]}
        do(ReassignChatsOperator, **options)
        again = do(ReassignChatsOperator, **options).results["task"]
        assert set(outcome_by_chat(again).values()) == {"unchanged"}
        assert Counter(sandbox.sent("bitrix24")) == {"101": 1, "102": 1, "103": 1}


class TestOneChat:
    def test_one_chat_goes_to_an_agent(self, sandbox: Sandbox) -> None:
        report = do(TransferChatOperator, chat_id=112, to="agent:12").results["task"]
        assert report["transfers"] == [
            {"chat_id": "112", "from": "agent:7", "to": "agent:12", "outcome": "accepted", "reason": None}
        ]
        assert sandbox.chats("bitrix24")["112"]["owner"] == "12"

    def test_one_chat_goes_back_to_its_own_queue(self, sandbox: Sandbox) -> None:
        report = do(TransferChatOperator, chat_id="112", to="queue").results["task"]
        assert outcome_by_chat(report) == {"112": "requested"}
        assert sandbox.chats("bitrix24")["112"]["queue"] == "3"

    def test_one_chat_that_is_closed_is_skipped_and_never_reopened(self, sandbox: Sandbox) -> None:
        closed = next(each for each in sandbox.chats("bitrix24").values() if each["state"] == "closed")
        ran = do(TransferChatOperator, chat_id=closed["id"], to="agent:12")
        assert (ran.state, outcome_by_chat(ran.results["task"])) == ("success", {closed["id"]: "skipped"})
        assert sandbox.chats("bitrix24")[closed["id"]] == closed
        assert sandbox.ledger("bitrix24") == []

    def test_one_chat_that_is_not_there_fails_the_task_with_its_number(self, sandbox: Sandbox) -> None:
        ran = do(TransferChatOperator, chat_id=999_999, to="agent:12")
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        assert "999999" in str(ran.errors["task"])
        assert outcome_by_chat(ran.results["task"]) == {"999999": "failed"}

    def test_one_chat_can_be_given_by_params_of_the_run(self, sandbox: Sandbox) -> None:
        with a_dag() as dag:
            dag.params.update({"chat_id": 112, "to": "agent:15"})
            TransferChatOperator(task_id="task", conn_id=CONN, chat_id="{{ params.chat_id }}", to="{{ params.to }}")
        run(dag)
        assert sandbox.chats("bitrix24")["112"]["owner"] == "15"

    def test_one_chat_on_a_server_that_asks_the_operator_first_waits_until_he_accepts(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={**QUICK, "switches": {"accept_mode": "pending"}})
        report = do(TransferChatOperator, chat_id=112, to="agent:12").results["task"]
        assert outcome_by_chat(report) == {"112": "requested"}
        report = do(TransferChatOperator, chat_id=113, to="agent:12", wait_for_acceptance=True).results["task"]
        assert outcome_by_chat(report) == {"113": "accepted"}

    def test_one_chat_that_nobody_accepts_is_requested_when_the_time_is_over(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"rate": None, "people": {"ignore": 1}})
        ran = do(
            TransferChatOperator,
            chat_id=112,
            to="queue:4",
            wait_for_acceptance=True,
            accept_within=timedelta(seconds=0.3),
        )
        assert (ran.state, outcome_by_chat(ran.results["task"])) == ("success", {"112": "requested"})

    def test_one_chat_that_is_waited_for_longer_than_the_task_may_run_leaves_its_report(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"rate": None, "people": {"ignore": 1}})
        ran = do(
            TransferChatOperator,
            chat_id=112,
            to="queue:4",
            wait_for_acceptance=True,
            execution_timeout=timedelta(seconds=1),
        )
        assert (ran.state, outcome_by_chat(ran.results["task"])) == ("failed", {"112": "requested"})

    def test_one_chat_that_is_locked_for_a_moment_is_tried_again(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={**QUICK, "chats": [{"id": 112, "owner": 7, "locked_for": 1.5}]})
        report = do(TransferChatOperator, chat_id=112, to="agent:12").results["task"]
        assert outcome_by_chat(report) == {"112": "accepted"}
        assert sandbox.sent("bitrix24") == ["112"]


class TestManyChats:
    def test_each_goes_to_its_own_target(self, sandbox: Sandbox) -> None:
        wanted = [
            {"chat_id": 101, "to": "agent:12"},
            {"chat_id": "102", "to": "agent:15"},
            {"chat_id": 103, "to": "queue:4"},
        ]
        report = do(TransferChatsOperator, transfers=wanted).results["task"]
        assert outcome_by_chat(report) == {"101": "accepted", "102": "accepted", "103": "requested"}
        assert audit(report, changes=sandbox.ledger("bitrix24")) == []

    def test_the_same_chat_twice_with_the_same_target_is_sent_and_reported_once(self, sandbox: Sandbox) -> None:
        report = do(TransferChatsOperator, transfers=[{"chat_id": 101, "to": "agent:12"}] * 2).results["task"]
        assert outcome_by_chat(report) == {"101": "accepted"}
        assert len(report["transfers"]) == 1
        assert sandbox.sent("bitrix24") == ["101"]

    def test_many_chats_can_be_mapped(self, sandbox: Sandbox) -> None:
        with a_dag() as dag:
            TransferChatOperator.partial(task_id="one", conn_id=CONN, to="agent:12").expand(chat_id=[101, 102])
            TransferChatsOperator.partial(task_id="many", conn_id=CONN).expand(
                transfers=[[{"chat_id": 103, "to": "agent:12"}], [{"chat_id": 104, "to": "agent:15"}]]
            )
        assert run(dag).state == "success"
        assert sorted(sandbox.sent("bitrix24")) == ["101", "102", "103", "104"]

    def test_a_refused_target_fails_that_chat_alone(self, sandbox: Sandbox) -> None:
        wanted = [
            {"chat_id": 101, "to": "agent:90"},
            {"chat_id": 102, "to": "agent:12"},
            {"chat_id": 103, "to": "queue:99"},
        ]
        ran = do(TransferChatsOperator, transfers=wanted, max_failed_ratio=0.7)
        assert ran.state == "success"
        assert outcome_by_chat(ran.results["task"]) == {"101": "failed", "102": "accepted", "103": "failed"}
        assert reason_by_chat(ran.results["task"]) == {
            "101": "user 90 is dismissed",
            "103": "there is no open line 99",
        }

    def test_more_failures_than_allowed_fail_the_task_and_its_report_is_there(self, sandbox: Sandbox) -> None:
        wanted = [{"chat_id": 101, "to": "agent:90"}, {"chat_id": 102, "to": "agent:12"}]
        ran = do(TransferChatsOperator, transfers=wanted)
        assert ran.state == "failed"
        assert "1 of 2 chats were not moved: chat 101: user 90 is dismissed" in str(ran.errors["task"])
        assert outcome_by_chat(ran.results["task"]) == {"101": "failed", "102": "accepted"}

    def test_all_failed_is_failure_whatever_is_allowed(self, sandbox: Sandbox) -> None:
        ran = do(TransferChatsOperator, transfers=[{"chat_id": 101, "to": "agent:90"}], max_failed_ratio=1.0)
        assert ran.state == "failed"

    def test_a_dry_run_sends_nothing(self, sandbox: Sandbox) -> None:
        closed = next(each["id"] for each in sandbox.chats("bitrix24").values() if each["state"] == "closed")
        wanted = [{"chat_id": 101, "to": "agent:12"}, {"chat_id": closed, "to": "agent:12"}]
        report = do(TransferChatsOperator, transfers=wanted, dry_run=True).results["task"]
        assert outcome_by_chat(report) == {"101": "planned", closed: "skipped"}
        assert report["dry_run"] is True
        assert sandbox.ledger("bitrix24") == []

    def test_the_report_is_written_where_asked(self, sandbox: Sandbox, tmp_path: Path) -> None:
        path = tmp_path / "reports" / "shift.json"
        wanted = [{"chat_id": 101, "to": "agent:12"}]
        report = do(TransferChatsOperator, transfers=wanted, report_path=f"file://{path}").results["task"]
        assert report["report_path"] == f"file://{path}"
        assert json.loads(path.read_text()) == report

    def test_the_bot_leaves_when_told(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={**QUICK, "chats": [{"id": each, "owner": 7, "bot": True} for each in (11, 12)]})
        do(TransferChatOperator, chat_id=11, to="agent:12", bot_leaves=True)
        do(TransferChatOperator, chat_id=12, to="agent:12")
        assert [80 in members(sandbox, chat_id) for chat_id in (11, 12)] == [False, True]


class TestTheHookInATask:
    @pytest.mark.parametrize(
        ("destination", "outcome"),
        [({"user_id": 12}, "accepted"), ({"transfer_id": "queue3"}, "requested"), ({"transfer_id": 15}, "accepted")],
    )
    def test_the_hook_in_a_task_moves_a_chat_by_the_names_of_the_rest_method(
        self, sandbox: Sandbox, destination: dict[str, Any], outcome: str
    ) -> None:
        with a_dag() as dag:

            @task
            def move() -> Any:
                return Bitrix24Hook(CONN).transfer(chat_id=112, leave=True, **destination)

            move()
        assert run(dag).results["move"]["outcome"] == outcome
        assert sandbox.sent("bitrix24") == ["112"]

    @pytest.mark.parametrize("destination", [{}, {"user_id": 12, "queue_id": 3}, {"transfer_id": "Queue3"}])
    def test_the_hook_in_a_task_takes_exactly_one_destination(
        self, sandbox: Sandbox, destination: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"exactly one of|TRANSFER_ID"):
            Bitrix24Hook(CONN).transfer(chat_id=112, **destination)


class TestTrouble:
    @pytest.mark.parametrize(
        "kind", ["drop_before", "drop_after", "html_502_before", "html_502_after", "html_503_after"]
    )
    @pytest.mark.parametrize("method", ["imopenlines.bot.session.transfer", "imopenlines.dialog.get"])
    def test_trouble_on_the_way_moves_every_chat_exactly_once(
        self, sandbox: Sandbox, kind: str, method: str, no_pauses: None
    ) -> None:
        sandbox.fault(service="bitrix24", method=method, kind=kind, count=2)
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12", "queue:4"])
        report = ran.results["task"]
        assert ran.state == "success"
        assert audit(report, changes=sandbox.ledger("bitrix24")) == []
        assert set(Counter(sandbox.sent("bitrix24")).values()) == {1}
        assert report["counts"]["accepted"] + report["counts"]["requested"] == len(report["transfers"])

    def test_trouble_with_the_bot_stops_the_run_at_the_first_chunk(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chats = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(120)]
        sandbox.reset(bitrix24={**QUICK, "chats": chats, "bots": []})
        ran = do(ReassignChatsOperator, from_agents=["7"], to=["agent:12"])
        report = ran.results["task"]
        assert report["counts"]["failed"] == 120
        assert "bot_client_id" in reason_by_chat(report)["1000"]
        assert reason_by_chat(report)["1119"].startswith("not sent")
        assert sandbox.state()["requests"]["bitrix24"] <= 6

    def test_trouble_with_the_webhook_is_an_error_that_says_where_to_look(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = {"conn_type": "bitrix24", "host": sandbox.url, "login": "1", "password": "wrongcode"}
        wrong["extra"] = {"bot_client_id": "chattransfer"}  # type: ignore[assignment]
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
        ran = do(ReassignChatsOperator, conn_id="wrong", from_agents=["7"], to=["agent:12"])
        assert "check login and password of the connection" in str(ran.errors["task"])
        assert "wrongcode" not in str(ran.errors["task"])


def connection(host: str, *, user: str = "1", code: str = "secretcode") -> str:
    """Return a connection by webhook, as Airflow's environment has it."""
    extra = {"bot_client_id": "chattransfer"}
    return json.dumps({"conn_type": "bitrix24", "host": host, "login": user, "password": code, "extra": extra})


class TestAnAnswerAboutAnotherChat:
    """999 is shown where 112 was asked for: nobody touches 999, and 112 is a chat that failed."""

    CHATS = ({"id": 112, "owner": 7}, {"id": 999, "queue": 3, "state": "waiting", "offered_to": 12})

    @staticmethod
    def shown(exchange: Exchange) -> Any:
        if exchange.method == "imopenlines.dialog.get":
            exchange.answer["result"] |= {"id": 999}
        return exchange.answer

    def test_an_answer_about_another_chat_is_transferred_to_nobody(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox.reset(bitrix24={**QUICK, "chats": self.CHATS})
        with tampered(sandbox.url) as answers:
            answers.tampering = self.shown
            monkeypatch.setenv("AIRFLOW_CONN_TAMPERED", connection(answers.url))
            ran = run_one(TransferChatOperator, conn_id="tampered", chat_id=112, to="agent:15")
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        assert outcome_by_chat(ran.results["task"]) == {"112": "failed"}
        assert reason_by_chat(ran.results["task"])["112"].startswith("not understood: ")
        assert sandbox.sent("bitrix24") == []

    def test_an_answer_about_another_chat_is_taken_over_by_nobody(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox.reset(bitrix24={**QUICK, "people": {"ignore": 1.0}, "chats": self.CHATS})
        with tampered(sandbox.url) as answers:
            answers.tampering = self.shown
            monkeypatch.setenv("AIRFLOW_CONN_TAMPERED", connection(answers.url, user="12", code="secretcode12"))
            ran = run_one(AcceptTransferOperator, conn_id="tampered", chat_id=112)
        assert outcome_by_chat(ran.results["task"]) == {"112": "failed"}
        assert "imopenlines.operator.answer" not in answers.asked()
        assert sandbox.chats("bitrix24")["999"]["owner"] is None


class TestAccept:
    def test_accept_answers_as_the_webhooks_user(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MINE", connection(sandbox.url, user="12", code="secretcode12"))
        chats = [{"id": 11, "queue": 3, "state": "waiting", "offered_to": 12}, {"id": 13, "owner": 15, "queue": 3}]
        sandbox.reset(bitrix24={**QUICK, "chats": chats})
        with a_dag() as dag:
            AcceptTransferOperator(task_id="waiting", conn_id="mine", chat_id=11)
            AcceptTransferOperator(task_id="taken", conn_id="mine", chat_id=13)
        ran = run(dag)
        assert ran.results["waiting"]["transfers"][0] | {"from": None} == {
            "chat_id": "11",
            "from": None,
            "to": "agent:12",
            "outcome": "accepted",
            "reason": None,
        }
        assert outcome_by_chat(ran.results["taken"]) == {"13": "skipped"}
        assert sandbox.chats("bitrix24")["11"]["owner"] == "12"
