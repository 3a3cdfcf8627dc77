# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at every step of the protocol, for every piece of a run, and then the task's retry.

Each try is a process of its own. In the light kind it runs the operator's ``execute`` with a state store in files;
``TestARealTask`` goes through Airflow's database, its scheduler's decision and its own task state store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .harness import Ended, Harness, Task
from .judge import Case, Wanted, judge
from .kills import HALVES, Kill, Point
from .schedules import LAG, SLOW

CHATS = 9
CHUNK = 4
PIECES = 3
NUMBERS = [str(1001 + each) for each in range(CHATS)]
TARGETS = {"bitrix24": ["agent:12", "queue:4"], "superoffice": ["agent:12", "queue"]}
CASES = [(service, target) for service, targets in TARGETS.items() for target in targets]
CASES_IN_BOTH_STORES = [(*case, beside_report) for beside_report in (False, True) for case in CASES]
LEFT_TO_CHAOS = [
    (service, target, beside_report)
    for service, target, beside_report in CASES_IN_BOTH_STORES
    if target.startswith("queue") == (beside_report == (service == "superoffice"))
]
"""Half of the cases; in the other half each service, each kind of target and each place of the record is met twice."""
ONCE = {Point.BEFORE_PLAN, Point.AFTER_PLAN, Point.BEFORE_END, Point.AFTER_END}
"""Points that a run passes once; the others it passes at least once for each piece."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Harness]:
    with Harness() as stage:
        yield stage


def a_task(stage: Harness, service: str, target: str, *, beside_report: bool = False, **more: Any) -> Task:
    """Return a task that hands over chats of agent 7, in three pieces, with people who answer at once."""
    chats = [{"id": int(number), "owner": 7, "queue": 3} for number in NUMBERS]
    stage.sandbox.reset(**{service: {"chats": chats, "people": {"accept_after": [0, 1]}}})
    task = stage.task(service, "ReassignChatsOperator", chunk=CHUNK, **more)
    task.set(from_agents=[7], to=[target])
    return task.keep_beside_report() if beside_report else task


def violations(stage: Harness, service: str, ended: Ended) -> list[str]:
    """Return what the three witnesses disagree on, and chats that were not moved at all."""
    assert ended.well, ended.error
    assert ended.report is not None
    changes = stage.sandbox.ledger(service)
    found = judge(Case(Wanted(NUMBERS, named=True), ended.report, changes, ended.record, ended=True))
    moved = {entry["chat_id"] for entry in ended.report["transfers"] if entry["outcome"] in ("accepted", "requested")}
    return found + [f"chat {number} was not moved" for number in NUMBERS if number not in moved]


def kills(*, beside_report: bool) -> list[Kill]:
    """Every point in every piece; of files only the points at which they are written, since the rest is the same."""
    of_files = [point for point in Point if "record" in point or point in HALVES]
    points = of_files if beside_report else [point for point in Point if point not in HALVES]
    return [Kill(point, nth) for point in points for nth in range(1, 2 if point in ONCE else PIECES + 1)]


class TestAWorkerThatIsKilled:
    @pytest.mark.parametrize(
        ("service", "target", "beside_report"),
        [
            pytest.param(
                *case,
                id="-".join((*case[:2], "files" if case[2] else "state store")),
                marks=[pytest.mark.chaos] if case in LEFT_TO_CHAOS else [],
            )
            for case in CASES_IN_BOTH_STORES
        ],
    )
    def test_a_worker_that_is_killed_loses_no_chat_and_moves_none_twice(
        self, stage: Harness, service: str, target: str, beside_report: bool
    ) -> None:
        wrong = {}
        for kill in kills(beside_report=beside_report):
            task = a_task(stage, service, target, beside_report=beside_report)
            assert task.attempt(kill).killed, f"the run never came to: {kill}"
            if found := violations(stage, service, task.attempt()):
                wrong[str(kill)] = found
        assert wrong == {}

    @pytest.mark.parametrize(("service", "target"), CASES)
    def test_a_worker_may_be_killed_again_and_again(self, stage: Harness, service: str, target: str) -> None:
        task = a_task(stage, service, target)
        for point in (Point.AFTER_INTENT, Point.SENT, Point.CARRIED_OUT, Point.BEFORE_OUTCOME, Point.AFTER_READ):
            assert task.attempt(Kill(point)).killed
        assert violations(stage, service, task.attempt()) == []

    @pytest.mark.parametrize("service", TARGETS)
    def test_a_retry_does_not_send_again_what_the_service_still_works_on(self, stage: Harness, service: str) -> None:
        """The request is carried out fifty seconds later, when the retry has long begun."""
        task = a_task(stage, service, "agent:12", lag=LAG)
        stage.sandbox.fault(kind="delay_before", service=service, seconds=SLOW * LAG, method=SENDS[service])
        assert task.attempt(Kill(Point.SENT)).killed
        ended = task.attempt()
        time.sleep(SLOW * LAG)
        assert violations(stage, service, ended) == []


SENDS = {"bitrix24": "imopenlines.bot.session.transfer", "superoffice": "TransferChatSession"}


@pytest.fixture(scope="module")
def airflow(database: Path) -> Iterator[Harness]:
    pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="no task state store before Airflow 3.3")
    with Harness(database=database) as stage:
        yield stage


class TestARealTask:
    """Through Airflow: its database, its retries, its task state store."""

    @pytest.mark.parametrize(
        ("service", "beside_report"),
        [
            pytest.param("bitrix24", False, id="bitrix24-state store"),
            pytest.param("superoffice", True, id="superoffice-files"),
            pytest.param("bitrix24", True, id="bitrix24-files", marks=pytest.mark.chaos),
            pytest.param("superoffice", False, id="superoffice-state store", marks=pytest.mark.chaos),
        ],
    )
    def test_a_real_task_goes_on_where_it_was_killed(self, airflow: Harness, service: str, beside_report: bool) -> None:
        task = a_task(airflow, service, "agent:12", beside_report=beside_report, airflow=True)
        for point in STEPS:
            assert task.attempt(Kill(point)).killed, f"the run never came to: {point}"
        assert violations(airflow, service, task.attempt()) == []


STEPS = (
    Point.AFTER_PLAN,
    Point.BEFORE_SEND,
    Point.CARRIED_OUT,
    Point.BEFORE_OUTCOME,
    Point.AFTER_OUTCOME,
    Point.BEFORE_END,
)
"""One try after the other is killed at these."""
