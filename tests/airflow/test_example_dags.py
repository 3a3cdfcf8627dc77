# SPDX-License-Identifier: Apache-2.0
"""The example DAGs: they parse without a connection, and run as they stand against the sandbox."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.testing.audit import audit

from .conftest import Ran, Sandbox, run

FILES = sorted((Path(__file__).parent.parent.parent / "example_dags").glob("*.py"))


def load(dag_id: str) -> Any:
    """Return the DAG of a file, its waits shortened."""
    here = "airflow.dag_processing.dagbag" if find_spec("airflow.dag_processing.dagbag") else "airflow.models.dagbag"
    file = next(file for file in FILES if file.stem == dag_id)
    bag = import_module(here).DagBag(dag_folder=str(file))
    assert bag.import_errors == {}
    dag = bag.dags[dag_id]
    task: Any
    for task in dag.tasks:
        if hasattr(task, "accept_within"):
            task.accept_within = timedelta(seconds=2)
            task.poll_interval = 0.1
    return dag


class TestParsing:
    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_parsing_needs_no_connection(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("BITRIX24_DEFAULT", "SUPEROFFICE_DEFAULT"):
            monkeypatch.delenv(f"AIRFLOW_CONN_{name}", raising=False)
        assert load(file.stem).dag_id == file.stem

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_parsing_shows_tasks_that_a_dead_worker_does_not_end_and_that_wait_without_one(self, file: Path) -> None:
        for task in load(file.stem).tasks:
            if hasattr(task, "conn_id") or task.task_id == "register":
                assert (task.retries, task.retry_delay <= timedelta(minutes=1)) == (2, True), task.task_id
            if getattr(task, "wait_for_acceptance", hasattr(task, "soft_fail")):
                assert task.deferrable is True, task.task_id

    @pytest.mark.parametrize(
        ("param", "spelling"),
        [
            *(("chat_id", each) for each in (112, "112", "chat112", "session:332", "crm:deal:42")),
            *(("to", each) for each in (12, "12", "agent:12", "agent:Jane Doe", "queue:3", "queue:Support", "queue")),
        ],
    )
    def test_one_chat_by_hand_may_be_spelled_as_the_operator_takes_it(self, param: str, spelling: str | int) -> None:
        assert load("transfer_one_chat").params.get_param(param).resolve(spelling) == spelling


class TestRunning:
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_the_end_of_a_shift_leaves_nobody_with_those_who_went_home(self, sandbox: Sandbox, service: str) -> None:
        ran = run(load(f"end_of_shift_{service}"))
        report = ran.results["hand_over"]
        assert ran.state == "success"
        assert report["counts"]["accepted"] > 10
        assert audit(report, changes=sandbox.ledger(service)) == []
        waiting = [entry["chat_id"] for entry in report["transfers"] if entry["outcome"] in ("requested", "failed")]
        assert ran.results.get("needs_a_human", []) == waiting

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_the_end_of_a_shift_without_a_report_says_so(
        self, sandbox: Sandbox, service: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(f"AIRFLOW_CONN_{service.upper()}_DEFAULT")
        ran = run(load(f"end_of_shift_{service}"))
        assert (ran.state, ran.states["hand_over"]) == ("failed", "failed")
        assert str(ran.errors["needs_a_human"]).startswith("hand_over left no report. Its log says why")

    def test_one_chat_by_hand_takes_its_params(self, sandbox: Sandbox) -> None:
        ran = run(load("transfer_one_chat"), conn_id="superoffice_default", chat_id=157, to="agent:15")
        assert ran.state == "success"
        assert sandbox.sent("superoffice") == ["157"]

    def test_the_bot_is_registered_once_without_a_shell(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"bots": []})
        first, again = (run(load("register_bot")).results["register"] for _ in range(2))
        assert first.startswith("The bot chattransfer is registered now; it is user ")
        assert again == first.replace("is registered now", "was there already, and is as it was")

    def test_waiting_branches_to_the_supervisor_when_somebody_does_not_accept(self, sandbox: Sandbox) -> None:
        assert self.branch(run(load("wait_and_branch"))) == "all_accepted"
        sandbox.reset(bitrix24={"people": {"ignore": 1}, "rate": None})
        assert self.branch(run(load("wait_and_branch"))) == "call_the_supervisor"

    @staticmethod
    def branch(ran: Ran) -> str:
        return next(task for task in ("call_the_supervisor", "all_accepted") if ran.states[task] == "success")
