# SPDX-License-Identifier: Apache-2.0
"""Real Airflow tasks: a database, DAGs made by tests, and what came of their runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_chattransfer.hooks.time_limit import THREAD_NAME
from airflow_provider_chattransfer.hooks.token_stores import VARIABLE_PREFIX
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.testing.connections import as_environment
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from ..support.quick_airflow import quick_schedule, quicken

if TYPE_CHECKING:
    from airflow.sdk import DAG


@pytest.fixture(autouse=True)
def migrated(database: Path) -> None:
    """Every test here may ask Airflow's metadata database."""


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Wait for connection checks that took too long.

    They would speak for the task of the next test, since an in-process Airflow has one way to its supervisor.
    """
    yield
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(timeout=20)


class Sandbox(ChatSandbox):
    """The sandbox that ships for tests, and the server behind it."""

    def __init__(self, server: SandboxServer) -> None:
        super().__init__(url=server.url)
        self.server = server

    def sent(self, service: str) -> list[str]:
        """Return the chats that were moved by a request, one entry for each time."""
        moves = ("transferred", "reset")
        return [each["chat_id"] for each in self.ledger(service) if each["request"] and each["change"] in moves]


@pytest.fixture
def sandbox(database: Path, sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return a fresh sandbox with quick people, connections to it, and no token left of another one."""
    sandbox = Sandbox(sandbox_server)
    sandbox.reset()
    forget_tokens()
    for name, value in as_environment(sandbox.connections()).items():
        monkeypatch.setenv(name, value)
    return sandbox


def forget_tokens() -> None:
    """Delete the Variables in which connections keep their tokens."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Variable).where(Variable.key.startswith(VARIABLE_PREFIX)))


@dataclass
class Ran:
    """What came of a DAG run: states, results and errors by task id."""

    state: str
    states: dict[str, str]
    results: dict[str, Any]
    errors: dict[str, BaseException] = field(default_factory=dict)


RunDag = Callable[..., Ran]


@contextmanager
def a_dag() -> Iterator[DAG]:
    """Yield a DAG for tasks of a test."""
    from airflow.sdk import DAG

    with DAG(dag_id=f"test_{datetime.now(UTC).timestamp():.6f}", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        yield dag


def run(dag: DAG, **conf: Any) -> Ran:
    """Run ``dag`` with real tasks and return what came of it."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    quicken()
    publish(dag)
    with noted_errors() as errors, quick_schedule():
        dag_run = dag.test(run_conf=conf or None)
    with create_session() as session:
        tasks = dag_run.get_task_instances(session=session)
        states = {each.task_id: str(each.state) for each in tasks}
        found = XComModel.get_many(run_id=dag_run.run_id, dag_ids=[dag.dag_id], key="return_value")
        rows: Any = session.scalars(found).all()
        results = {each.task_id: XComModel.deserialize_value(each) for each in rows}
    return Ran(state=str(dag_run.state), states=states, results=results, errors=errors)


@contextmanager
def noted_errors() -> Iterator[dict[str, BaseException]]:
    """Yield the errors with which tasks end, by task id; a failure callback is not told them before Airflow 3.3.

    Without retry policies, an error that a retry would meet again is the cause of an ``AirflowFailException``.
    """
    from airflow.sdk.execution_time import task_runner

    errors: dict[str, BaseException] = {}
    finalize = task_runner.finalize

    def noting(ti: Any, state: Any, context: Any, log: Any, error: BaseException | None = None) -> None:
        if error is not None:
            errors[ti.task_id] = (error.__cause__ or error) if isinstance(error, AirflowFailException) else error
        finalize(ti, state, context, log, error)

    with patch.object(task_runner, "finalize", noting):
        yield errors


def run_one(operator: Callable[..., Any], **options: Any) -> Ran:
    """Run a DAG of one task, called ``task``."""
    with a_dag() as dag:
        operator(task_id="task", **options)
    return run(dag)


def publish(dag: DAG) -> None:
    """Put a DAG that is in no file into the database, as the DAG processor would."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
        session.flush()
        update_dag_parsing_results_in_db(
            bundle_name="testing",
            bundle_version=None,
            dags=[LazyDeserializedDAG.from_dag(dag)],
            import_errors={},
            parse_duration=None,
            warnings=set(),
            session=session,
        )


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their pauses."""
    monkeypatch.setattr("airflow_provider_chattransfer.chats.run.PAUSES_SECONDS", (0.0, 0.01, 0.02, 0.03))
    monkeypatch.setattr("airflow_provider_chattransfer.chats.run.MAX_REQUEST_SECONDS", 0.0)
    monkeypatch.setattr("airflow_provider_chattransfer.platforms.transport._pause", lambda _: 0.01)
