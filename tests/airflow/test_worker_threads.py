# SPDX-License-Identifier: Apache-2.0
"""Whatever speaks to Airflow for a worker thread of a run does so on the task's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import airflow.providers.common.compat.sdk as compat
import pytest
from airflow.sdk import Connection

from airflow_provider_chattransfer.hooks import connections, masking, superoffice, token_stores
from airflow_provider_chattransfer.platforms.task_thread import Event, TaskThread
from airflow_provider_chattransfer.platforms.tokens.manager import Entry

CONNECTION = Connection(conn_id="superoffice_agent_7", conn_type="superoffice", login="agent7", password="Secret7")
STORE = token_stores.VariableStore("name", account="portal")

ERRANDS: dict[str, Callable[[], Any]] = {
    "a connection is read": lambda: connections.get_connection("superoffice_agent_7"),
    "a token is loaded": lambda: STORE.load(Entry.TOKEN),
    "a token is saved": lambda: STORE.save(Entry.TOKEN, "text"),
    "a secret is masked": lambda: masking.hide("a new secret"),
}


@pytest.mark.parametrize("errand", ERRANDS.values(), ids=ERRANDS)
def test_airflow_is_spoken_to_on_the_tasks_thread(errand: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    spoken: list[int] = []

    def airflow(*_: object, **__: object) -> Connection:
        spoken.append(threading.get_ident())
        return CONNECTION

    monkeypatch.setattr(compat.BaseHook, "get_connection", airflow)
    monkeypatch.setattr(token_stores, "read_variable", airflow)
    monkeypatch.setattr(token_stores, "write_variable", airflow)
    monkeypatch.setattr(compat, "mask_secret", airflow, raising=False)
    events: SimpleQueue[Event] = SimpleQueue()
    with ThreadPoolExecutor(1) as pool, TaskThread(events) as task_thread:
        future = pool.submit(task_thread.bound(errand))
        future.add_done_callback(lambda _: events.put(task_thread_wakes))
        while not future.done():
            events.get(timeout=5.0).run()
    future.result()
    assert spoken
    assert set(spoken) == {threading.get_ident()}


def test_threads_that_need_one_agent_at_the_same_moment_get_the_same_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clients of an agent would have two tokens, and try a wrong password twice."""
    together = threading.Barrier(4, timeout=10)

    def get_connection(conn_id: str) -> Connection:
        together.wait()
        return Connection(conn_id=conn_id, conn_type="superoffice", login="agent7", password="Secret7")

    monkeypatch.setattr(superoffice, "get_connection", get_connection)
    task = Connection(conn_id="task", conn_type="superoffice", host="https://so.example", login="a", password="b")
    extra = {"agent_conn_id": "superoffice_agent_{agent}"}
    with superoffice.SuperOfficeHook.platform(task, extra) as platform, ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(platform._acting_as, ["7"] * 4))) == 1


class _Nothing:
    def run(self) -> None:
        """Do nothing: the loop looks again whether it is done."""


task_thread_wakes = _Nothing()
