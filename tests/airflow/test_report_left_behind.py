# SPDX-License-Identifier: Apache-2.0
"""A task that has sent something leaves its report, whatever ends it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

try:
    from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout
except ImportError:  # Airflow 3.1
    from airflow.exceptions import TaskDeferralError, TaskDeferralTimeout  # type: ignore[no-redef]

from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.exceptions import RecordReadError, UnreachableError
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import TransferChatsOperator
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger

from ..support.record_stores import TaskStateStore
from .conftest import Sandbox, a_dag, run
from .under_way import NEVER, SuperOfficeDesk

CHATS = [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(120)]
TRANSFERS = [{"chat_id": each["id"], "to": "agent:12"} for each in CHATS]

PENDING = {"accept_mode": "pending"}

ENDS: list[BaseException] = [
    OverflowError("date value out of range"), RecursionError(), KeyError("x"), TypeError(), AttributeError("get"),
    MemoryError(), OSError(28, "No space left on device"), UnicodeError(), AssertionError(), ArithmeticError(),
    AirflowException("of Airflow"), AirflowTaskTimeout("out of time"), KeyboardInterrupt(), SystemExit(1),
]  # fmt: skip


def context(store: TaskStateStore | None, pushed: list[Any], **ti: Any) -> Any:
    ids = {"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1, "max_tries": 1}
    task = SimpleNamespace(**ids, xcom_push=lambda key, value: pushed.append((key, value)), **ti)
    return {"ti": task} if store is None else {"ti": task, "task_state_store": store}


def told(report: dict[str, Any]) -> dict[str, int]:
    """Return the outcomes, and of those that failed how their reasons begin."""
    words = [
        each["outcome"] if each["reason"] is None else each["reason"].partition(":")[0] for each in report["transfers"]
    ]
    return dict(Counter(words))


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, str, int, BaseException], None]:
    """Let the ``nth`` call of a method do what it does, and then raise."""

    def arranged(owner: type, method: str, nth: int, error: BaseException) -> None:
        original, calls = getattr(owner, method), []

        def called(self: Any, *arguments: Any, **options: Any) -> Any:
            calls.append(1)
            answer = original(self, *arguments, **options)
            if len(calls) == nth:
                raise error
            return answer

        monkeypatch.setattr(owner, method, called)

    return arranged


class TestWhateverEndsARun:
    @pytest.fixture(autouse=True)
    def three_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the run send fifty chats at a time, however well that goes."""
        monkeypatch.setattr(Bitrix24Platform, "max_chunk", Bitrix24Platform.chunk)

    @pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
    def test_whatever_ends_a_run_after_the_second_batch_of_three_leaves_the_report_of_every_chat(
        self, sandbox: Sandbox, ends: Any, tmp_path: Path, end: BaseException
    ) -> None:
        sandbox.reset(bitrix24={"chats": CHATS})
        ends(Bitrix24Platform, "send", 2, end)
        path = tmp_path / "report.json"
        pushed: list[Any] = []
        task = TransferChatsOperator(
            task_id="task", conn_id="bitrix24_default", transfers=TRANSFERS, report_path=str(path)
        )
        with pytest.raises(type(end)) as raised:
            task.execute(context(TaskStateStore(), pushed))
        assert raised.value is end
        ((key, report),) = pushed
        assert key == "return_value"
        assert told(report) == {"accepted": 50, "not known": 50, "not attempted": 20}
        assert [each["chat_id"] for each in report["transfers"]] == [str(each["id"]) for each in CHATS]
        assert json.loads(path.read_text())["transfers"] == report["transfers"]
        assert sandbox.audit(report) == []

    @pytest.mark.parametrize("method", ["read_chats", "send"])
    @pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
    def test_whatever_ends_a_run_at_any_point_leaves_a_report_that_is_true(
        self, sandbox: Sandbox, ends: Any, method: str, nth: int
    ) -> None:
        sandbox.reset(bitrix24={"chats": CHATS})
        ends(Bitrix24Platform, method, nth, KeyError("x"))
        pushed: list[Any] = []
        task = TransferChatsOperator(task_id="task", conn_id="bitrix24_default", transfers=TRANSFERS)
        if method == "send" and nth > 3:
            return
        with pytest.raises(KeyError):
            task.execute(context(TaskStateStore(), pushed))
        ((_, report),) = pushed
        assert len(report["transfers"]) == len(CHATS)
        assert sandbox.audit(report) == []

    def test_whatever_ends_a_run_before_there_is_a_plan_leaves_none(self, sandbox: Sandbox, ends: Any) -> None:
        ends(Bitrix24Platform, "resolve", 1, KeyError("x"))
        pushed: list[Any] = []
        task = TransferChatsOperator(task_id="task", conn_id="bitrix24_default", transfers=TRANSFERS)
        with pytest.raises(KeyError):
            task.execute(context(TaskStateStore(), pushed))
        assert pushed == []

    def test_whatever_ends_a_run_does_not_hide_the_error_when_the_report_cannot_be_left(
        self, sandbox: Sandbox, ends: Any, tmp_path: Path
    ) -> None:
        sandbox.reset(bitrix24={"chats": CHATS[:3]})
        end = KeyError("x")
        ends(Bitrix24Platform, "send", 1, end)
        task = TransferChatsOperator(
            task_id="task", conn_id="bitrix24_default", transfers=TRANSFERS[:3], report_path=str(tmp_path / "r.json")
        )
        broken = context(TaskStateStore(), [])
        broken["ti"].xcom_push = None
        with pytest.raises(KeyError) as raised:
            task.execute(broken)
        assert raised.value is end
        assert told(json.loads((tmp_path / "r.json").read_text())) == {"not known": 3}


class TestWhateverEndsAWait:
    @pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
    def test_whatever_ends_a_wait_of_an_operator_leaves_its_report(
        self, sandbox: Sandbox, ends: Any, end: BaseException
    ) -> None:
        sandbox.reset(bitrix24={"chats": CHATS[:3], "switches": PENDING, "people": NEVER})
        ends(AcceptancePoller, "observe", 1, end)
        pushed: list[Any] = []
        task = TransferChatsOperator(
            task_id="task", conn_id="bitrix24_default", transfers=TRANSFERS[:3], wait_for_acceptance=True
        )
        with pytest.raises(type(end)):
            task.execute(context(TaskStateStore(), pushed))
        assert told(pushed[-1][1]) == {"requested": 3}

    @pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
    def test_whatever_ends_a_wait_of_a_sensor_leaves_its_report(
        self, sandbox: Sandbox, ends: Any, end: BaseException
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)
        ends(AcceptancePoller, "observe", 1, end)
        pushed: list[Any] = []
        sensor = AcceptTransferSensor(task_id="task", conn_id=desk.conn_id, transfers=transfers, poll_interval=0.01)
        with pytest.raises(type(end)):
            sensor.execute(context(TaskStateStore(), pushed))
        assert told(pushed[-1][1]) == {"accepted": 1, "requested": 1}

    @pytest.mark.parametrize(
        ("options", "error"), [({}, UnreachableError), ({"never_fail": True}, AirflowSkipException)]
    )
    def test_whatever_ends_a_wait_of_a_sensor_that_cannot_even_look_up_a_name_leaves_its_report(
        self, sandbox: Sandbox, ends: Any, options: dict[str, Any], error: type[BaseException]
    ) -> None:
        ends(Bitrix24Platform, "resolve", 1, UnreachableError("away", method="user.search"))
        pushed: list[Any] = []
        rows = [{"chat_id": 1000, "to": "agent:12"}, {"chat_id": 1001, "to": "agent:12", "outcome": "accepted"}]
        sensor = AcceptTransferSensor(task_id="task", conn_id="bitrix24_default", transfers=rows, **options)
        with pytest.raises(error):
            sensor.execute(context(TaskStateStore(), pushed))
        assert told(pushed[-1][1]) == {"requested": 1, "accepted": 1}
        assert pushed[-1][1]["platform"] == "bitrix24"

    def test_whatever_ends_a_wait_of_a_sensor_asks_for_a_name_only_once(self, sandbox: Sandbox, ends: Any) -> None:
        """A service that is away when the sensor looks again is waited for."""
        sandbox.reset(bitrix24={"chats": CHATS[:1], "switches": PENDING, "people": NEVER})
        rows = [{"chat_id": 1000, "to": "agent:12"}]
        TransferChatsOperator(task_id="sends", conn_id="bitrix24_default", transfers=rows).execute(
            context(TaskStateStore(), [])
        )
        store = TaskStateStore()
        ends(Bitrix24Platform, "resolve", 2, UnreachableError("away", method="user.search"))
        for _ in range(2):
            sensor = AcceptTransferSensor(
                task_id="task", conn_id="bitrix24_default", transfers=rows, accept_within=0.01, poll_interval=0.01
            )
            assert told(sensor.execute(context(store, []))) == {"requested": 1}

    @pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
    def test_whatever_ends_a_wait_of_an_acceptance_leaves_its_report(
        self, sandbox: Sandbox, ends: Any, end: BaseException
    ) -> None:
        from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

        desk = SuperOfficeDesk(sandbox)
        desk.open([12], **NEVER)
        ends(SuperOfficePlatform, "accept", 1, end)
        pushed: list[Any] = []
        task = AcceptTransferOperator(task_id="task", conn_id=desk.conn_id, chat_id=201)
        with pytest.raises(type(end)):
            task.execute(context(TaskStateStore(), pushed))
        assert told(pushed[-1][1]) == {"not known": 1}


class TestATriggerThatFails:
    """Airflow then resumes the task with ``__fail__`` and never calls ``execute_complete``."""

    @pytest.fixture
    def deferred(self, sandbox: Sandbox, tmp_path: Path) -> tuple[Any, TaskStateStore, Path]:
        sandbox.reset(bitrix24={"chats": CHATS[:3], "switches": PENDING, "people": NEVER})
        path, store = tmp_path / "report.json", TaskStateStore()
        pushed: list[Any] = []
        task = TransferChatsOperator(
            task_id="task",
            conn_id="bitrix24_default",
            transfers=TRANSFERS[:3],
            wait_for_acceptance=True,
            deferrable=True,
            report_path=str(path),
        )
        with pytest.raises(TaskDeferred):
            task.execute(context(store, pushed))
        assert told(pushed[-1][1]) == told(json.loads(path.read_text())) == {"requested": 3}
        return task, store, path

    @pytest.mark.parametrize(
        ("kwargs", "error"),
        [
            ({"error": "Trigger timeout"}, TaskDeferralTimeout),
            ({"error": "Trigger failure", "traceback": ["ModuleNotFoundError"]}, TaskDeferralError),
            ({}, TaskDeferralError),
            (None, TaskDeferralError),
        ],
    )
    def test_a_trigger_that_fails_leaves_the_report_on_record(
        self, deferred: tuple[Any, TaskStateStore, Path], kwargs: Any, error: type[BaseException]
    ) -> None:
        task, store, path = deferred
        path.unlink()
        pushed: list[Any] = []
        with pytest.raises(error):
            task.resume_execution("__fail__", kwargs, context(store, pushed))
        assert told(pushed[-1][1]) == told(json.loads(path.read_text())) == {"requested": 3}
        assert pushed[-1][1]["platform"] == "bitrix24"

    @pytest.mark.parametrize(
        "event", [None, {}, [], "done", {"report": []}, {"report": {"transfers": ["x"]}}, {"status": "success"}]
    )
    def test_or_sends_what_is_no_event_leaves_the_report_on_record(
        self, deferred: tuple[Any, TaskStateStore, Path], event: Any
    ) -> None:
        task, store, _ = deferred
        pushed: list[Any] = []
        with pytest.raises((ValueError, AirflowFailException), match="not an event of AcceptTransferTrigger"):
            task.resume_execution("execute_complete", {"event": event}, context(store, pushed))
        assert told(pushed[-1][1]) == {"requested": 3}

    @pytest.mark.parametrize("fault", ["report_path", "record"])
    def test_a_trigger_that_fails_is_not_told_by_what_is_older_when_nothing_else_can_be_read(
        self, deferred: tuple[Any, TaskStateStore, Path], fault: str
    ) -> None:
        """The event is the newest that is known."""
        task, store, path = deferred
        pushed: list[Any] = []
        report = json.loads(path.read_text())
        report["transfers"][0]["outcome"] = "accepted"
        event = {"report": report, "error": None}
        if fault == "report_path":
            path.unlink()
            path.mkdir()
        else:
            (file,) = path.parent.glob("report.json.ledger/*/000001.jsonl")
            file.write_text("{")
            file.with_name("000002.jsonl").write_text("7\n")
        with pytest.raises((ValueError if fault == "report_path" else RecordReadError, AirflowFailException)):
            task.resume_execution("execute_complete", {"event": event}, context(store, pushed))
        assert told(pushed[-1][1]) == {"accepted": 1, "requested": 2}

    def test_a_trigger_that_fails_of_a_sensor_tells_its_chats_by_their_numbers(self, sandbox: Sandbox) -> None:
        """However they were written, so that what was settled is found on record."""
        sandbox.reset(bitrix24={"chats": CHATS[:2], "switches": PENDING, "people": NEVER})
        sessions = {str(each["id"]): each["session"] for each in sandbox.state()["bitrix24"]["chats"]}
        rows = [{"chat_id": f"session:{sessions[chat]}", "to": "agent:12"} for chat in ("1000", "1001")]
        TransferChatsOperator(task_id="sends", conn_id="bitrix24_default", transfers=TRANSFERS[:2]).execute(
            context(TaskStateStore(), [])
        )
        store, pushed = TaskStateStore(), list[Any]()
        sensor = AcceptTransferSensor(
            task_id="task", conn_id="bitrix24_default", transfers=[*rows, TRANSFERS[0]], deferrable=True
        )
        with pytest.raises(TaskDeferred):
            sensor.execute(context(store, pushed))
        assert [each["chat_id"] for each in pushed.pop()[1]["transfers"]] == ["1000", "1001"]
        with pytest.raises(AirflowException):
            sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, context(store, pushed))
        assert [each["chat_id"] for each in pushed.pop()[1]["transfers"]] == ["1000", "1001"]

    def test_a_trigger_that_fails_of_a_sensor_tells_its_event_though_the_upstream_report_is_gone(
        self, sandbox: Sandbox
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        transfers, store = desk.open([12], **NEVER), TaskStateStore()
        pushed: list[Any] = []
        sensor = AcceptTransferSensor(
            task_id="task", conn_id=desk.conn_id, transfers=transfers, deferrable=True, accept_within=600
        )
        with pytest.raises(TaskDeferred) as deferred:
            sensor.execute(context(store, pushed))
        sensor.transfers = "gone"
        report = sensor.resume_execution(
            "execute_complete", {"event": {"report": deferred.value.trigger.report}}, context(store, pushed)
        )
        assert told(report) == {"requested": 1}

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({}, AirflowException),
            ({"soft_fail": True}, AirflowSkipException),
            ({"never_fail": True}, AirflowSkipException),
        ],
    )
    def test_a_trigger_that_fails_of_a_sensor_leaves_its_report_and_obeys_soft_fail(
        self, sandbox: Sandbox, options: dict[str, Any], error: type[BaseException]
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        transfers, store = desk.open([12, 15], **NEVER), TaskStateStore()
        pushed: list[Any] = []
        desk.accept(201, 12)
        sensor = AcceptTransferSensor(
            task_id="task", conn_id=desk.conn_id, transfers=transfers, deferrable=True, **options
        )
        with pytest.raises(TaskDeferred):
            sensor.execute(context(store, pushed))
        pushed.clear()
        with pytest.raises(error):
            sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, context(store, pushed))
        assert told(pushed[-1][1]) == {"accepted": 1, "requested": 1}


class TestAnExecutionTimeout:
    @pytest.mark.parametrize("kind", ["operator", "sensor"])
    def test_bounds_a_deferral(self, sandbox: Sandbox, kind: str) -> None:
        sandbox.reset(bitrix24={"chats": CHATS[:3], "switches": PENDING, "people": NEVER})
        options: dict[str, Any] = {
            "task_id": "task", "conn_id": "bitrix24_default", "transfers": TRANSFERS[:3], "deferrable": True,
            "poll_interval": 0.1, "accept_within": timedelta(seconds=30), "execution_timeout": timedelta(seconds=5),
        }  # fmt: skip
        with a_dag() as dag:
            if kind == "operator":
                TransferChatsOperator(wait_for_acceptance=True, **options)
            else:
                TransferChatsOperator(task_id="sends", conn_id="bitrix24_default", transfers=TRANSFERS[:3])
                dag.get_task("sends") >> AcceptTransferSensor(**options)
        ran = run(dag)
        assert ran.states["task"] == "failed"
        assert isinstance(ran.errors["task"], AirflowTaskTimeout)
        assert told(ran.results["task"]) == {"requested": 3}

    def test_an_execution_timeout_tells_airflow_how_long_the_deferral_may_take(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": CHATS[:1], "switches": PENDING, "people": NEVER})
        task = TransferChatsOperator(
            task_id="task",
            conn_id="bitrix24_default",
            transfers=TRANSFERS[:1],
            wait_for_acceptance=True,
            deferrable=True,
            execution_timeout=timedelta(minutes=10),
        )
        started_at = datetime.now(UTC) - timedelta(minutes=4)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context(TaskStateStore(), [], start_date=started_at))
        assert timedelta(minutes=6) < deferred.value.timeout < timedelta(minutes=7)
        trigger = deferred.value.trigger
        assert isinstance(trigger, AcceptTransferTrigger)
        assert trigger.ends_at == pytest.approx((started_at + timedelta(minutes=10)).timestamp())

    def test_an_execution_timeout_that_is_over_already_defers_nothing_and_leaves_the_report(
        self, sandbox: Sandbox
    ) -> None:
        sandbox.reset(bitrix24={"chats": CHATS[:1], "switches": PENDING, "people": NEVER})
        pushed: list[Any] = []
        task = TransferChatsOperator(
            task_id="task",
            conn_id="bitrix24_default",
            transfers=TRANSFERS[:1],
            wait_for_acceptance=True,
            deferrable=True,
            execution_timeout=timedelta(minutes=1),
        )
        with pytest.raises(AirflowTaskTimeout):
            task.execute(context(TaskStateStore(), pushed, start_date=datetime.now(UTC) - timedelta(minutes=4)))
        assert told(pushed[-1][1]) == {"requested": 1}
