# SPDX-License-Identifier: Apache-2.0
"""What a retry of a task does about what an earlier try has done, with Airflow's own retries."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatsOperator

from .conftest import Ran, Sandbox, a_dag, run

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="the task state store is there since Airflow 3.3")

TRANSFER = "imopenlines.bot.session.transfer"
DIALOG = "imopenlines.dialog.get"
AGAIN = {"retries": 1, "retry_delay": timedelta(0)}


def run_again(operator: Any, **options: Any) -> Ran:
    with a_dag() as dag:
        operator(task_id="task", conn_id="bitrix24_default", **AGAIN, **options)
    return run(dag)


def chats(number: int) -> list[dict[str, Any]]:
    return [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(number)]


@pytest.fixture
def blind_after_sending(sandbox: Sandbox, no_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once chats were sent, the portal cannot be read for as long as one try looks."""
    monkeypatch.setattr("airflow_provider_chattransfer.platforms.transport.ATTEMPTS", 2)
    platform = "airflow_provider_chattransfer.platforms.bitrix24.platform.Bitrix24Platform.send"
    from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

    send = Bitrix24Platform.send
    struck: list[bool] = []

    def sending(self: Any, *arguments: Any) -> Any:
        sent = send(self, *arguments)
        if not struck:
            sandbox.fault(kind="html_502_before", service="bitrix24", method=DIALOG, count=2)
            struck.append(True)
        return sent

    monkeypatch.setattr(platform, sending)


class TestARetry:
    @pytest.mark.usefixtures("blind_after_sending")
    @pytest.mark.parametrize("kept", ["in the state store", "beside the report"])
    def test_covers_the_whole_run_and_moves_nobody_twice(self, sandbox: Sandbox, tmp_path: Path, kept: str) -> None:
        sandbox.reset(bitrix24={"chats": chats(70)})
        path = str(tmp_path / "report.json") if kept == "beside the report" else None
        ran = run_again(ReassignChatsOperator, from_agents=[7], to=["agent:12", "agent:15"], report_path=path)
        assert ran.state == "success"
        report = ran.results["task"]
        assert report["counts"]["accepted"] == 70
        assert sorted(sandbox.sent("bitrix24")) == sorted(str(1000 + each) for each in range(70))
        assert sandbox.audit(report) == []
        assert {entry["from"] for entry in report["transfers"]} == {"agent:7"}

    @pytest.mark.usefixtures("blind_after_sending")
    def test_leaves_alone_what_a_queue_has_given_to_a_person_meanwhile(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(5), "people": {"accept_after": [0, 0]}})
        transfers = [{"chat_id": 1000 + each, "to": "queue:4"} for each in range(5)]
        ran = run_again(TransferChatsOperator, transfers=transfers)
        assert ran.results["task"]["counts"]["accepted"] == 5
        assert len(sandbox.sent("bitrix24")) == 5


class Store(dict[str, Any]):
    """The task state store, which outlives every try of its task."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def execute(store: Store, *, max_tries: int = 0, **options: Any) -> dict[str, Any]:
    """One try of a task that keeps ``store``."""
    task = ReassignChatsOperator(task_id="task", conn_id="bitrix24_default", from_agents=[7], **options)
    ti = SimpleNamespace(max_tries=max_tries, dag_id="dag", run_id="run", task_id="task", map_index=-1)
    context: Any = {"ti": ti, "task_state_store": store}
    return task.execute(context)


class TestATaskThatHadSucceeded:
    """A worker may die after its task is done and before Airflow knows; or a user clears the task."""

    def test_gives_the_same_report_when_airflow_did_not_learn_of_it(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = Store()
        first = execute(store, to=["agent:12"])
        requests = sandbox.state()["requests"]["bitrix24"]
        again = execute(store, to=["agent:12"])
        assert (again["transfers"], again["started_at"]) == (first["transfers"], first["started_at"])
        assert sandbox.state()["requests"]["bitrix24"] == requests

    def test_starts_anew_when_it_was_cleared(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = Store()
        execute(store, to=["agent:12"])
        assert execute(store, to=["agent:12"], max_tries=1)["transfers"] == []
        assert len(sandbox.sent("bitrix24")) == 3

    def test_starts_anew_with_other_inputs(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = Store()
        execute(store, to=["agent:12"])
        assert execute(store, to=["agent:15"])["transfers"] == []
