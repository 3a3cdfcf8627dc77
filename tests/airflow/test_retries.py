# SPDX-License-Identifier: Apache-2.0
"""What a retry of a task does about what an earlier try has done, with Airflow's own retries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import RecordTakenOverError, RecordWriteError
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatsOperator
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

from ..support.record_stores import TaskStateStore
from .conftest import Ran, Sandbox, a_dag, run
from .under_way import SOON, SuperOfficeDesk

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
    monkeypatch.setattr("airflow_provider_chattransfer.platforms.transport.MAX_ATTEMPTS", 2)
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
    def test_a_retry_leaves_alone_what_a_queue_has_given_to_a_person_meanwhile(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(5), "people": {"accept_after": [0, 0]}})
        transfers = [{"chat_id": 1000 + each, "to": "queue:4"} for each in range(5)]
        ran = run_again(TransferChatsOperator, transfers=transfers)
        assert ran.results["task"]["counts"]["accepted"] == 5
        assert len(sandbox.sent("bitrix24")) == 5


def execute(store: TaskStateStore, *, max_tries: int = 0, **options: Any) -> dict[str, Any]:
    """One try of a task that keeps ``store``."""
    task = ReassignChatsOperator(task_id="task", conn_id="bitrix24_default", from_agents=[7], **options)
    ti = SimpleNamespace(max_tries=max_tries, dag_id="dag", run_id="run", task_id="task", map_index=-1)
    context: Any = {"ti": ti, "task_state_store": store}
    return task.execute(context)


class TestATaskThatHadSucceeded:
    """A worker may die after its task is done and before Airflow knows; or a user clears the task."""

    def test_a_task_that_had_succeeded_gives_the_same_report_when_airflow_did_not_learn_of_it(
        self, sandbox: Sandbox
    ) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = TaskStateStore()
        first = execute(store, to=["agent:12"])
        requests = sandbox.state()["requests"]["bitrix24"]
        again = execute(store, to=["agent:12"])
        assert (again["transfers"], again["started_at"]) == (first["transfers"], first["started_at"])
        assert sandbox.state()["requests"]["bitrix24"] == requests

    def test_a_task_that_had_succeeded_starts_anew_when_it_was_cleared(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = TaskStateStore()
        execute(store, to=["agent:12"])
        assert execute(store, to=["agent:12"], max_tries=1)["transfers"] == []
        assert len(sandbox.sent("bitrix24")) == 3

    def test_a_task_that_had_succeeded_starts_anew_with_other_inputs(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        store = TaskStateStore()
        execute(store, to=["agent:12"])
        assert execute(store, to=["agent:15"])["transfers"] == []


class FullStore(TaskStateStore):
    """A store that takes only so many entries."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def set(self, key: str, value: Any) -> None:
        if len(self) >= self.room:
            raise ConnectionError("a word of the store that is not ours to repeat")
        super().set(key, value)


class TestARecordThatCannotBeWritten:
    """Nothing is sent without it. What is known is told, since there may be no retry."""

    PLANNED, INTENDED, FIRST_DONE, INTENDED_AGAIN, ALL_DONE = range(2, 7)

    @pytest.mark.parametrize(
        ("room", "sent", "told"),
        [
            (0, 0, {"not attempted": 70}),
            (PLANNED, 0, {"not attempted": 70}),
            (INTENDED, 50, {"accepted": 50, "not attempted": 20}),
            (FIRST_DONE, 50, {"accepted": 50, "not attempted": 20}),
            (INTENDED_AGAIN, 70, {"accepted": 70}),
            (ALL_DONE, 70, {"accepted": 70}),
        ],
    )
    def test_a_record_that_cannot_be_written_stops_the_task_which_tells_of_every_chat(
        self, sandbox: Sandbox, room: int, sent: int, told: dict[str, int]
    ) -> None:
        sandbox.reset(bitrix24={"chats": chats(70)})
        store = FullStore(room)
        pushed = self.fails(store, ReassignChatsOperator, from_agents=[7], to=["agent:12"])
        assert len(sandbox.sent("bitrix24")) == sent
        assert self.words(pushed) == told
        assert sandbox.audit(pushed) == []

        store.room = 10**6
        again = self.execute(store, ReassignChatsOperator, from_agents=[7], to=["agent:12"])
        assert again["counts"]["accepted"] == 70
        assert sorted(sandbox.sent("bitrix24")) == [str(1000 + each) for each in range(70)]

    def test_a_record_that_cannot_be_written_of_a_wait_keeps_what_was_seen(self, sandbox: Sandbox) -> None:
        desk = SuperOfficeDesk(sandbox)
        transfers = desk.open([12, 15], **SOON)
        pushed = self.fails(
            FullStore(self.PLANNED), AcceptTransferSensor, conn_id=desk.conn_id, transfers=transfers, poll_interval=0.05
        )
        assert pushed["counts"]["accepted"] > 0

    def test_a_record_that_cannot_be_written_of_an_acceptance_says_what_was_read_back(self, sandbox: Sandbox) -> None:
        desk = SuperOfficeDesk(sandbox)
        desk.open([12], ignore=1.0)
        pushed = self.fails(FullStore(self.INTENDED), AcceptTransferOperator, conn_id=desk.conn_id, chat_id=201)
        assert self.words(pushed) == {"accepted": 1}

    def test_beside_the_report_does_not_hide_the_outcome_of_a_run_that_is_done(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        task, pushed = self.task(ReassignChatsOperator, from_agents=[7], to=["agent:12"])
        task.report_path = str(tmp_path / "report.json")
        self.while_it_plans(task, (tmp_path / "report.json").mkdir)
        with pytest.raises(RecordWriteError):
            task.execute(self.context(TaskStateStore(), pushed))
        assert self.words(pushed[-1]) == {"accepted": 3}

    def test_since_another_try_has_it_pushes_nothing_over_its_report(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.reset(bitrix24={"chats": chats(3)})
        task, pushed = self.task(ReassignChatsOperator, from_agents=[7], to=["agent:12"])
        task.report_path = str(tmp_path / "report.json")

        def another_try_begins() -> None:
            (owner,) = tmp_path.glob("report.json.ledger/*/owner")
            owner.write_text("another")

        self.while_it_plans(task, another_try_begins)
        with pytest.raises(RecordTakenOverError):
            task.execute(self.context(TaskStateStore(), pushed))
        assert pushed == []
        assert sandbox.sent("bitrix24") == []

    def fails(self, store: TaskStateStore, operator: Any, **options: Any) -> dict[str, Any]:
        """Return the report that a try has pushed before it failed."""
        task, pushed = self.task(operator, **options)
        with pytest.raises(RecordWriteError) as error:
            task.execute(self.context(store, pushed))
        assert "could not be written" in str(error.value)
        assert "A retry goes on from what is on record" in str(error.value)
        assert "not ours to repeat" not in str(error.value)
        assert not error.value.permanent
        return pushed[-1]

    def execute(self, store: TaskStateStore, operator: Any, **options: Any) -> dict[str, Any]:
        task, pushed = self.task(operator, **options)
        report: dict[str, Any] = task.execute(self.context(store, pushed))
        return report

    @staticmethod
    def while_it_plans(task: Any, happens: Callable[[], Any]) -> None:
        request = task.request()

        class Planned(type(request)):  # type: ignore[misc]
            def plan(self, platform: Any) -> Any:
                happens()
                return super().plan(platform)

        changed = Planned(**{each.name: getattr(request, each.name) for each in fields(request)})
        task.request = lambda: changed

    @staticmethod
    def task(operator: Any, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
        return operator(task_id="task", **{"conn_id": "bitrix24_default", **options}), []

    @staticmethod
    def context(store: TaskStateStore, pushed: list[dict[str, Any]]) -> Any:
        def push(key: str, value: dict[str, Any]) -> None:
            assert key == "return_value"
            pushed.append(value)

        ti = SimpleNamespace(max_tries=0, dag_id="dag", run_id="run", task_id="task", map_index=-1, xcom_push=push)
        return {"ti": ti, "task_state_store": store}

    @staticmethod
    def words(report: dict[str, Any]) -> dict[str, int]:
        """Return the outcomes, and for those that failed how their reasons begin."""
        told = [(each["reason"] or "").partition(":")[0] or each["outcome"] for each in report["transfers"]]
        return dict(Counter(told))
