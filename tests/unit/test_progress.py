# SPDX-License-Identifier: Apache-2.0
"""What is told of a run while it goes on, in the log and in the task state store."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Outcome
from airflow_provider_chattransfer.tasks.progress import PROGRESS_KEY, RunProgress
from tests.support.record_stores import TaskStateStore


class Watch:
    """A clock that tests turn, and the requests that a run has made."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.requests = 7

    def progress(self, store: Any, *, done: int = 0) -> RunProgress:
        return RunProgress(done=done, requests=lambda: self.requests, store=store, clock=lambda: self.now)


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Watch:
    caplog.set_level(logging.INFO)
    return Watch()


class TestProgress:
    def test_progress_is_told_every_few_seconds(self, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
        writes: list[Any] = []

        class Store(TaskStateStore):
            def set(self, key: str, value: Any) -> None:
                writes.append((key, value))

        progress = watch.progress(Store())
        for done in range(1, 101):
            watch.now += 0.2
            watch.requests += 3
            progress(done * 50, 10_000, {Outcome.ACCEPTED: done * 50})
        assert [value["done"] for _, value in writes] == [1250, 2500, 3750, 5000]
        assert writes[-1] == (
            PROGRESS_KEY,
            {"done": 5000, "total": 10_000, "counts": {"accepted": 5000}, "seconds_left": 20.0, "requests": 300},
        )
        assert caplog.messages[-1] == "5000 of 10000 chats done: 5000 accepted; about 20 s left"
        assert len(caplog.messages) == 4

    def test_progress_tells_the_end_at_once_and_once(self, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
        store = TaskStateStore()
        progress = watch.progress(store)
        for _ in range(3):
            progress(2, 2, {Outcome.FAILED: 1, Outcome.ACCEPTED: 1, Outcome.SKIPPED: 0})
        assert caplog.messages == ["2 of 2 chats done: 1 accepted, 1 failed"]
        assert store[PROGRESS_KEY]["seconds_left"] == 0.0

    def test_progress_is_measured_by_the_last_minute_and_without_earlier_tries(self, watch: Watch) -> None:
        store = TaskStateStore()
        progress = watch.progress(store, done=5000)
        done = 5000
        for step in (100, *[10] * 11):
            watch.now += 5
            done += step
            progress(done, 6000, {Outcome.ACCEPTED: done})
        assert store[PROGRESS_KEY]["seconds_left"] == round((6000 - done) * 60 / 210, 1)
        watch.now += 5
        progress(done + 10, 6000, {Outcome.ACCEPTED: done + 10})
        assert store[PROGRESS_KEY]["seconds_left"] == round((6000 - done - 10) / 2, 1)

    def test_progress_without_any_has_no_end_in_sight(self, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
        store = TaskStateStore()
        progress = watch.progress(store)
        watch.now += 60
        progress(0, 10, {})
        assert caplog.messages == ["0 of 10 chats done: none settled"]
        assert store[PROGRESS_KEY]["seconds_left"] is None

    def test_progress_of_a_run_without_a_store_is_in_the_log_alone(
        self, watch: Watch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watch.progress(None)(1, 1, {Outcome.ACCEPTED: 1})
        assert caplog.messages == ["1 of 1 chats done: 1 accepted"]

    def test_progress_that_cannot_be_kept_stops_no_run(self, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
        asked: list[str] = []

        class Broken(TaskStateStore):
            def set(self, key: str, value: Any) -> None:
                asked.append(key)
                raise ConnectionError("secret")

        progress = watch.progress(Broken())
        for done in (1, 2):
            watch.now += 5
            progress(done, 3, {})
        assert asked == [PROGRESS_KEY]
        assert "secret" not in caplog.text
        assert "cannot be kept in the task state store: ConnectionError" in caplog.text
