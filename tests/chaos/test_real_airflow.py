# SPDX-License-Identifier: Apache-2.0
"""Processes of a real Airflow are killed in the run and in the wait, and Airflow goes on by itself."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.testing.audit import MOVES
from airflow_provider_chattransfer.testing.connections import as_environment
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from .canaries import connections, leaks, planted, scenario
from .cluster import PATIENCE, Cluster, Run, is_alive, missing, parent_of, wait_for

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(missing() is not None, reason=f"no real Airflow here: {missing()}"),
]

CHUNK = 50
CHUNKS = 24
CHATS = CHUNKS * CHUNK
PACE = PATIENCE / (CHUNKS - 4)
"""Seconds for each chunk, so that the first try is not done when Airflow starts the next, however long that takes."""

TRANSFER = {"service": "bitrix24", "method": "imopenlines.bot.session.transfer"}

IN_THE_STORE, BESIDE_THE_REPORT = "bitrix24", "bitrix24_with_a_report"
"""DAGs by where the record of their run is kept."""


@pytest.fixture(scope="module")
def cluster(sandbox_server: SandboxServer) -> Iterator[Cluster]:
    with Cluster(as_environment(connections(sandbox_server.url))) as cluster:
        yield cluster


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> ChatSandbox:
    return ChatSandbox(url=sandbox_server.url)


@pytest.fixture(autouse=True)
def what_airflow_said(cluster: Cluster) -> Iterator[None]:
    """Is shown where a test fails."""
    before = {component: len(cluster.log(component)) for component in ("scheduler", "triggerer")}
    yield
    for component, length in before.items():
        print(f"--- {component}\n{cluster.log(component)[length:][-20_000:]}")


def reset(sandbox: ChatSandbox, **services: dict[str, Any]) -> None:
    """Start anew, with canaries for secrets."""
    sandbox.reset(**{name: {**planting, **services.get(name, {})} for name, planting in scenario().items()})


def moves(sandbox: ChatSandbox) -> Counter[str]:
    """How often a request has moved each chat."""
    return Counter(each["chat_id"] for each in sandbox.ledger() if each["request"] and each["change"] in MOVES)


def start(cluster: Cluster, sandbox: ChatSandbox, dag_id: str) -> Run:
    """Return a run under way, of which two chunks are done; each further one takes seconds."""
    reset(sandbox, bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(CHATS)]})
    sandbox.fault(kind="delay_after", count=2, seconds=0, **TRANSFER)
    sandbox.fault(kind="delay_after", count=CHATS, seconds=PACE, **TRANSFER)
    run = cluster.trigger(dag_id)
    wait_for("the third chunk", lambda: moves(sandbox).total() > 2 * CHUNK)
    return run


def wait_for_next_try(sandbox: ChatSandbox, run: Run, *, after: int) -> None:
    """Return when Airflow has started another try than number ``after``, and there is still something to do for it."""
    wait_for("the next try", lambda: run.task["try_number"] > after and run.task["state"] == "running")
    assert 2 * CHUNK < moves(sandbox).total() < CHATS, "the first try was done before the next began"


def finish(sandbox: ChatSandbox, run: Run) -> None:
    """See the run to its end, at full speed: each chat was moved once, and the report tells of all."""
    requests.delete(f"{sandbox.url}/sandbox/faults", timeout=10).raise_for_status()
    assert run.wait_until("success", "failed")["state"] == "success"
    assert moves(sandbox) == Counter(str(1000 + each) for each in range(CHATS))
    assert run.report["counts"]["accepted"] == CHATS
    assert sandbox.audit(run.report) == []


def kill_task(process: int) -> None:
    """Kill the task's own process, which its worker sees."""
    os.kill(process, signal.SIGKILL)


def kill_worker(process: int) -> None:
    """Kill the whole machine: nothing is heard of the task any more."""
    os.kill(parent_of(process), signal.SIGKILL)
    os.kill(process, signal.SIGKILL)


def orphan_task(process: int) -> None:
    """Kill the worker, and leave the task at work."""
    os.kill(parent_of(process), signal.SIGKILL)


class TestInTheRun:
    @pytest.mark.parametrize(
        ("kill", "dag_id"),
        [
            (kill_task, IN_THE_STORE),
            (kill_worker, IN_THE_STORE),
            (orphan_task, IN_THE_STORE),
            (orphan_task, BESIDE_THE_REPORT),
        ],
    )
    def test_airflow_misses_the_worker_and_its_next_try_goes_on(
        self, cluster: Cluster, sandbox: ChatSandbox, kill: Callable[[int], None], dag_id: str
    ) -> None:
        run = start(cluster, sandbox, dag_id)
        task = run.task
        kill(task["pid"])
        wait_for_next_try(sandbox, run, after=task["try_number"])
        finish(sandbox, run)
        wait_for("the end of the first try", lambda: not is_alive(task["pid"]))

    @pytest.mark.parametrize("dag_id", [IN_THE_STORE, BESIDE_THE_REPORT])
    def test_another_scheduler_starts_the_task_again_while_it_is_at_work(
        self, cluster: Cluster, sandbox: ChatSandbox, dag_id: str
    ) -> None:
        run = start(cluster, sandbox, dag_id)
        task = run.task
        cluster.kill("scheduler")
        cluster.start("scheduler")
        wait_for_next_try(sandbox, run, after=task["try_number"])
        finish(sandbox, run)
        wait_for("the end of the first try", lambda: not is_alive(task["pid"]))

    def test_a_restart_of_the_api_server_loses_nothing(self, cluster: Cluster, sandbox: ChatSandbox) -> None:
        """Whether Airflow gives the task up meanwhile depends on how long the restart takes."""
        run = start(cluster, sandbox, IN_THE_STORE)
        cluster.kill("api-server")
        cluster.start("api-server")
        wait_for("two more chunks", lambda: moves(sandbox).total() > 4 * CHUNK)
        finish(sandbox, run)


class TestInTheWait:
    def test_another_triggerer_goes_on_waiting(self, cluster: Cluster, sandbox: ChatSandbox) -> None:
        chats = [{"id": 1000 + each, "owner": 7} for each in range(20)]
        when = {"12": {"accept_after": 1000}, "15": {"accept_after": 2000}}
        reset(sandbox, superoffice={"chats": chats, "people": {"agents": when}})
        run = cluster.trigger("superoffice")
        first = self.triggerer_that_looks(run, sandbox)

        cluster.kill("triggerer")
        sandbox.skip(1100)
        cluster.start("triggerer")
        assert self.triggerer_that_looks(run, sandbox, other_than=first) != first
        sandbox.skip(1000)

        task = run.wait_until("success", "failed")
        assert (task["state"], task["try_number"]) == ("success", 1)
        assert moves(sandbox) == Counter(str(1000 + each) for each in range(20))
        assert run.report["counts"]["accepted"] == 20
        assert sandbox.audit(run.report) == []

    def triggerer_that_looks(self, run: Run, sandbox: ChatSandbox, *, other_than: int = 0) -> int:
        """Return the id of the triggerer that waits for the task, once it has looked twice."""

        def its_id() -> int | None:
            job: dict[str, Any] = run.task["triggerer_job"] or {}
            return job.get("id") if job.get("id") != other_than else None

        found = wait_for("a triggerer", its_id)
        seen = self.requests(sandbox)
        wait_for("two looks", lambda: self.requests(sandbox) >= seen + 2)
        assert run.task["state"] == "deferred"
        assert found is not None
        return found

    @staticmethod
    def requests(sandbox: ChatSandbox) -> int:
        count: int = sandbox.state()["requests"]["superoffice"]
        return count


class TestNothingLeaks:
    """Into logs at DEBUG, rows and reports: of a worker that is killed, of a wait, and of all other tests here."""

    def test_no_secret_and_no_customer_leaks_from_a_real_airflow(self, cluster: Cluster, sandbox: ChatSandbox) -> None:
        run = start(cluster, sandbox, BESIDE_THE_REPORT)
        words = planted(sandbox.url, chats=20)
        task = run.task
        kill_task(task["pid"])
        wait_for_next_try(sandbox, run, after=task["try_number"])
        cluster.leave_rows()
        finish(sandbox, run)

        chats = [{"id": 1000 + each, "owner": 7} for each in range(20)]
        reset(sandbox, superoffice={"chats": chats, "people": {"accept_after": 1000}})
        words |= planted(sandbox.url)
        run = cluster.trigger("superoffice")
        wait_for("a wait", lambda: run.task["state"] == "deferred")
        cluster.leave_rows()
        sandbox.skip(1000)
        assert run.wait_until("success", "failed")["state"] == "success"
        cluster.leave_rows()

        self.check_that_all_is_there(cluster, words)
        assert leaks(words, within=cluster.left) == []

    @staticmethod
    def check_that_all_is_there(cluster: Cluster, words: frozenset[str]) -> None:
        assert {"canaryWebhook1", "canaryPassword5"} <= words
        assert len([word for word in words if word.endswith("@customer.example")]) > 20
        files = [file for file in cluster.left.rglob("*") if file.is_file()]
        tasks = "".join(file.read_text() for file in files if "hand_over" in str(file.relative_to(cluster.left)))
        for told in ("batch: HTTP 200", "Agents/Chat/TransferChatSession: HTTP 200", '"level":"debug"'):
            assert told in tasks
        rows = (cluster.left / "rows.txt").read_text()
        for table in ("xcom", "task_instance", "rendered_task_instance_fields", "trigger", "log"):
            assert f"\n{table}: " in rows
        assert any("superoffice_default" in row for row in rows.splitlines() if row.startswith("trigger: "))
        assert {"scheduler.log", "triggerer.log", "api-server.log"} <= {file.name for file in files}
        assert any(file.suffix == ".jsonl" for file in files)
