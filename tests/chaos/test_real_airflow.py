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

from .cluster import Cluster, Run, is_alive, missing, parent_of, wait_for

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(missing() is not None, reason=f"no real Airflow here: {missing()}"),
]

CHUNK = 50
CHATS = 24 * CHUNK
"""So many that the first try is not done, at its pace, when Airflow starts the second."""

TRANSFER = {"service": "bitrix24", "method": "imopenlines.bot.session.transfer"}

IN_THE_STORE, BESIDE_THE_REPORT = "bitrix24", "bitrix24_with_a_report"
"""DAGs by where the record of their run is kept."""


@pytest.fixture(scope="module")
def cluster(sandbox_server: SandboxServer) -> Iterator[Cluster]:
    with Cluster(as_environment(ChatSandbox(url=sandbox_server.url).connections())) as cluster:
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


def moves(sandbox: ChatSandbox) -> Counter[str]:
    """How often a request has moved each chat."""
    return Counter(each["chat_id"] for each in sandbox.ledger() if each["request"] and each["change"] in MOVES)


def start(cluster: Cluster, sandbox: ChatSandbox, dag_id: str) -> Run:
    """A run under way, of which two chunks are done; each further one takes seconds."""
    sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(CHATS)]})
    sandbox.fault(kind="delay_after", count=2, seconds=0, **TRANSFER)
    sandbox.fault(kind="delay_after", count=CHATS, seconds=2, **TRANSFER)
    run = cluster.trigger(dag_id)
    wait_for("the third chunk", lambda: moves(sandbox).total() > 2 * CHUNK)
    return run


def wait_for_second_try(sandbox: ChatSandbox, run: Run) -> None:
    """Return when Airflow has started the next try by itself, and there is still something to do for it."""
    wait_for("the second try", lambda: run.task["try_number"] == 2 and run.task["state"] == "running")
    assert 2 * CHUNK < moves(sandbox).total() < CHATS, "the first try was done before the second began"


def finish(sandbox: ChatSandbox, run: Run) -> None:
    """See the run to its end, at full speed: each chat was moved once, and the report tells of all."""
    requests.delete(f"{sandbox.url}/sandbox/faults", timeout=10).raise_for_status()
    assert run.wait_until("success", "failed")["state"] == "success"
    assert moves(sandbox) == Counter(str(1000 + each) for each in range(CHATS))
    assert run.report["counts"]["accepted"] == CHATS
    assert sandbox.audit(run.report) == []


def kill_task(process: int) -> None:
    """The task's own process is gone, and its worker sees it."""
    os.kill(process, signal.SIGKILL)


def kill_worker(process: int) -> None:
    """The whole machine is gone: nothing is heard of the task any more."""
    os.kill(parent_of(process), signal.SIGKILL)
    os.kill(process, signal.SIGKILL)


def orphan_task(process: int) -> None:
    """The worker is gone, and the task still at work."""
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
        process = run.task["pid"]
        kill(process)
        wait_for_second_try(sandbox, run)
        finish(sandbox, run)
        wait_for("the end of the first try", lambda: not is_alive(process))

    @pytest.mark.parametrize("dag_id", [IN_THE_STORE, BESIDE_THE_REPORT])
    def test_another_scheduler_starts_the_task_again_while_it_is_at_work(
        self, cluster: Cluster, sandbox: ChatSandbox, dag_id: str
    ) -> None:
        run = start(cluster, sandbox, dag_id)
        process = run.task["pid"]
        cluster.kill("scheduler")
        cluster.start("scheduler")
        wait_for_second_try(sandbox, run)
        finish(sandbox, run)
        wait_for("the end of the first try", lambda: not is_alive(process))

    def test_a_restart_of_the_api_server_loses_nothing(self, cluster: Cluster, sandbox: ChatSandbox) -> None:
        """Whether Airflow gives the task up meanwhile depends on how long the restart takes."""
        run = start(cluster, sandbox, IN_THE_STORE)
        cluster.kill("api-server")
        cluster.start("api-server")
        wait_for("two more chunks", lambda: moves(sandbox).total() > 5 * CHUNK)
        finish(sandbox, run)


class TestInTheWait:
    def test_another_triggerer_goes_on_waiting(self, cluster: Cluster, sandbox: ChatSandbox) -> None:
        chats = [{"id": 1000 + each, "owner": 7} for each in range(20)]
        when = {"12": {"accept_after": 1000}, "15": {"accept_after": 2000}}
        sandbox.reset(superoffice={"chats": chats, "people": {"agents": when}})
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
        """The id of the triggerer that waits for the task, once it has looked twice."""

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
