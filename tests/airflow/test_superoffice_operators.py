# SPDX-License-Identifier: Apache-2.0
"""Operators on SuperOffice: real tasks, real HTTP, and for each step the identity that the service demands."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.testing.audit import audit

from ..support.answers import Given, tampered
from .conftest import Ran, Sandbox, a_dag, run, run_one

CONN = "superoffice_default"
QUICK = {"people": {"accept_after": [0.05, 0.2]}}
NOBODY = {"people": {"ignore": 1}}


do = partial(run_one, conn_id=CONN, poll_interval=0.1)


def accept(chat_id: int, *, conn_id: str = CONN) -> Ran:
    with a_dag() as dag:
        AcceptTransferOperator(task_id="task", conn_id=conn_id, chat_id=chat_id)
    return run(dag)


def only(ran: Ran) -> tuple[str, str | None]:
    """Outcome and reason of the one chat of a report."""
    (entry,) = ran.results["task"]["transfers"]
    return entry["outcome"], entry["reason"]


class TestReassign:
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_reassign_moves_all_chats_of_those_who_go_home_waits_and_reports_what_the_ledger_says(
        self, sandbox: Sandbox, deferrable: bool
    ) -> None:
        open_chats = [each for each in sandbox.chats("superoffice").values() if each["state"] == "open"]
        theirs = {each["id"] for each in open_chats if each["owner"] in ("7", "8")}
        ran = do(
            ReassignChatsOperator,
            from_agents=["7", "8"],
            to=["agent:12", "agent:15", "agent:21"],
            wait_for_acceptance=True,
            accept_within=timedelta(seconds=1),
            deferrable=deferrable,
        )
        report = ran.results["task"]
        assert ran.state == "success"
        assert {entry["chat_id"] for entry in report["transfers"]} == theirs
        assert audit(report, changes=sandbox.ledger("superoffice")) == []
        assert report["counts"]["accepted"] >= len(theirs) - 1, "all but the one that was pending before"
        assert all(count == 1 for count in Counter(sandbox.sent("superoffice")).values())

    def test_every_chat_is_sent_by_the_one_who_owns_it(self, sandbox: Sandbox) -> None:
        owners = {each["id"]: each["owner"] for each in sandbox.chats("superoffice").values()}
        do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:12"])
        sent = [each for each in sandbox.ledger("superoffice") if each["change"] == "transferred"]
        assert sent
        assert all(each["by"] == f"associate:{owners[each['chat_id']]}" for each in sent)

    def test_reassign_costs_one_request_a_chat_and_a_few_to_read(self, sandbox: Sandbox) -> None:
        sandbox.reset(superoffice={**NOBODY, "chats": [{"id": 1000 + n, "owner": 7, "queue": 3} for n in range(60)]})
        do(ReassignChatsOperator, from_agents=["7"], to=["agent:12"])
        people, listing, chunks = 1, 2, 2
        assert sandbox.state()["requests"]["superoffice"] == people + listing + 60 + chunks * 2

    def test_a_run_repeated_sends_nothing_that_is_on_its_way(self, sandbox: Sandbox) -> None:
        sandbox.reset(superoffice={**NOBODY, "chats": [{"id": 1000 + n, "owner": 7, "queue": 3} for n in range(5)]})
        options = {"chat_ids": list(range(1000, 1005)), "to": ["agent:12"]}
        do(ReassignChatsOperator, **options)
        again = do(ReassignChatsOperator, **{**options, "to": ["agent:15", "agent:12"]}).results["task"]
        assert again["counts"]["requested"] == 5
        once_more = do(ReassignChatsOperator, from_agents=["7"], to=["agent:15", "agent:12"]).results["task"]
        assert once_more["counts"]["requested"] == 5
        assert set(Counter(sandbox.sent("superoffice")).values()) == {1}


class TestOneChat:
    def test_one_chat_to_somebody_who_is_not_there_is_an_error_before_it_is_sent(self, sandbox: Sandbox) -> None:
        ran = do(TransferChatOperator, chat_id=157, to="agent:90")
        assert "to: there is no agent:90" in str(ran.errors["task"])
        assert sandbox.sent("superoffice") == []

    def test_one_chat_is_requested_until_the_receiver_accepts(self, sandbox: Sandbox) -> None:
        sandbox.reset(superoffice=NOBODY)
        assert only(do(TransferChatOperator, chat_id=157, to="agent:12")) == ("requested", None)
        chat = sandbox.chats("superoffice")["157"]
        assert (chat["owner"], chat["offered_to"]) == ("7", "12")

    def test_one_chat_is_accepted_when_waited_for(self, sandbox: Sandbox) -> None:
        ran = do(TransferChatOperator, chat_id=157, to="agent:12", wait_for_acceptance=True)
        assert only(ran) == ("accepted", None)
        assert sandbox.chats("superoffice")["157"]["owner"] == "12"

    def test_one_chat_that_is_rejected_has_failed_and_says_who_has_it(self, sandbox: Sandbox) -> None:
        sandbox.reset(superoffice={"people": {"accept_after": [0.05, 0.1], "reject": 1}})
        ran = do(TransferChatOperator, chat_id=157, to="agent:12", wait_for_acceptance=True)
        assert only(ran) == ("failed", "rejected: agent:12 did not take it, agent:7 has it still")
        assert ran.state == "failed"

    def test_one_chat_goes_back_to_its_queue(self, sandbox: Sandbox) -> None:
        ran = do(TransferChatOperator, chat_id=157, to="queue")
        assert only(ran) == ("requested", None)
        assert sandbox.chats("superoffice")["157"]["state"] == "waiting"

    def test_one_chat_that_is_closed_is_skipped(self, sandbox: Sandbox) -> None:
        assert only(do(TransferChatOperator, chat_id=159, to="agent:12")) == ("skipped", "closed")

    def test_one_chat_that_waits_in_its_queue_cannot_be_transferred(self, sandbox: Sandbox) -> None:
        outcome, reason = only(do(TransferChatOperator, chat_id=153, to="agent:12"))
        assert outcome == "failed"
        assert "it waits in its queue" in (reason or "")

    def test_one_chat_that_the_service_says_it_moved_and_did_not_has_failed(self, sandbox: Sandbox) -> None:
        outcome, reason = only(do(TransferChatsOperator, transfers=[{"chat_id": 157, "to": "agent:90"}]))
        assert (outcome, reason) == (
            "failed",
            "not performed: the service answered that all is well, and did nothing; check that agent:90 can be given "
            "chats, and that the connection may move this one",
        )

    def test_one_chat_whose_owner_has_no_connection_is_not_sent_and_says_so(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_SUPEROFFICE_AGENT_7")
        wanted = [{"chat_id": 157, "to": "agent:12"}, {"chat_id": 151, "to": "agent:15"}]
        ran = do(TransferChatsOperator, transfers=wanted, max_failed_ratio=0.5)
        first, second = ran.results["task"]["transfers"]
        assert first["outcome"] == "failed"
        assert "superoffice_agent_7" in first["reason"]
        assert second["outcome"] == "requested"

    def test_one_chat_by_a_connection_that_is_not_the_owner_is_not_performed(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = {"conn_type": "superoffice", "host": f"{sandbox.url}/Cust12345", "login": "tje0", "password": "Tje0"}
        monkeypatch.setenv("AIRFLOW_CONN_PLAIN", json.dumps(plain))
        outcome, reason = only(do(TransferChatOperator, conn_id="plain", chat_id=157, to="agent:12"))
        assert outcome == "failed"
        assert "not performed" in (reason or "")

    def test_one_chat_can_be_sent_with_an_access_token(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        token = {"access_token": "8A:Cust12345.agent7"}
        bearer = {"conn_type": "superoffice", "host": f"{sandbox.url}/Cust12345", "extra": token}
        monkeypatch.setenv("AIRFLOW_CONN_BEARER", json.dumps(bearer))
        sandbox.reset(superoffice=NOBODY)
        assert only(do(TransferChatOperator, conn_id="bearer", chat_id=157, to="agent:12"))[0] == "requested"


def tenant(host: str) -> str:
    """Return a connection as agent 7, who acts for themselves, as Airflow's environment has it."""
    connection = {"conn_type": "superoffice", "host": f"{host}/Cust12345", "login": "agent7", "password": "Secret7"}
    return json.dumps(connection)


class TestAnAnswer:
    def test_about_another_chat_moves_neither(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """999 is shown where 112 was asked for."""
        sandbox.reset(superoffice={**NOBODY, "chats": [{"id": 112, "owner": 7}, {"id": 999, "owner": 7}]})
        with tampered(sandbox.url) as answers:
            answers.tampering = lambda each: (
                {**each.answer, "ChatSessionId": 999} if each.method == "GetChatSessionEntity" else each.answer
            )
            monkeypatch.setenv("AIRFLOW_CONN_TAMPERED", tenant(answers.url))
            ran = do(TransferChatOperator, conn_id="tampered", chat_id=112, to="agent:12")
        assert ran.state == "failed"
        outcome, reason = only(ran)
        assert outcome == "failed"
        assert (reason or "").startswith("not understood: ")
        assert sandbox.ledger("superoffice") == []
        assert sandbox.sent("superoffice") == []

    def test_403_about_one_chat_of_three_is_that_chats(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        sandbox.reset(superoffice={**NOBODY, "chats": [{"id": number, "owner": 7} for number in (111, 112, 113)]})
        with tampered(sandbox.url) as answers:
            no = Given({"Message": "forbidden"}, status=403)
            answers.refusing = lambda each: no if each.asked and each.asked["ChatSessionId"] == 112 else None
            monkeypatch.setenv("AIRFLOW_CONN_TAMPERED", tenant(answers.url))
            ran = do(
                ReassignChatsOperator,
                conn_id="tampered",
                chat_ids=[111, 112, 113],
                to=["agent:12"],
                max_failed_ratio=0.5,
            )
        assert ran.state == "success"
        report = ran.results["task"]["transfers"]
        assert [each["outcome"] for each in report] == ["requested", "failed", "requested"]
        assert "the user may not do this" in report[1]["reason"]
        assert "[403]" in report[1]["reason"]
        assert sandbox.sent("superoffice") == ["111", "113"]


class TestAccept:
    def test_accept_is_done_as_the_one_who_is_asked(self, sandbox: Sandbox) -> None:
        sandbox.reset(superoffice=NOBODY)
        do(TransferChatOperator, chat_id=157, to="agent:12")
        assert only(accept(157)) == ("accepted", None)
        assert sandbox.ledger("superoffice")[-1]["by"] == "associate:12"

    def test_accept_of_a_chat_that_nobody_transfers_is_skipped(self, sandbox: Sandbox) -> None:
        outcome, reason = only(accept(157))
        assert outcome == "skipped"
        assert "not being transferred" in (reason or "")
        assert sandbox.ledger("superoffice") == []

    def test_accept_without_the_receivers_connection_fails_and_names_it(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox.reset(superoffice=NOBODY)
        do(TransferChatOperator, chat_id=157, to="agent:12")
        monkeypatch.delenv("AIRFLOW_CONN_SUPEROFFICE_AGENT_12")
        ran = accept(157)
        assert ran.state == "failed"
        assert "superoffice_agent_12" in (only(ran)[1] or "")


class TestTrouble:
    @pytest.mark.parametrize(
        "kind", ["drop_before", "drop_after", "html_502_before", "html_502_after", "html_503_after"]
    )
    @pytest.mark.parametrize("method", ["TransferChatSession", "ChatSessionsForUser"])
    def test_trouble_on_the_way_moves_every_chat_exactly_once(
        self, sandbox: Sandbox, kind: str, method: str, no_pauses: None
    ) -> None:
        sandbox.fault(service="superoffice", method=method, kind=kind, count=2)
        ran = do(ReassignChatsOperator, from_agents=["7"], to=["agent:12", "agent:15"], wait_for_acceptance=True)
        report = ran.results["task"]
        assert (ran.state, report["counts"]["accepted"]) == ("success", len(report["transfers"]))
        assert audit(report, changes=sandbox.ledger("superoffice")) == []
        assert set(Counter(sandbox.sent("superoffice")).values()) == {1}
