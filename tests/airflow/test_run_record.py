# SPDX-License-Identifier: Apache-2.0
"""Whose a run's record is: this DAG run's, this task's, this account's and these typed inputs', nobody else's."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_chattransfer.exceptions import RecordNotKeptError, RecordReadError
from airflow_provider_chattransfer.operators.transfer import TransferChatsOperator
from airflow_provider_chattransfer.operators.transfer_requests import NamedTransfers, Reassignment
from airflow_provider_chattransfer.tasks.retries import HAS_RETRY_POLICIES

from ..support.record_stores import TaskStateStore
from ..support.reports import outcomes
from .conftest import Sandbox, a_dag, run

UNREADABLE = (RecordReadError, AirflowFailException)
"""The latter before Airflow 3.3, where there are no retry policies."""

NINE = datetime(2026, 11, 30, 21, 0, 0, 123456, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
TRANSFERS = [{"chat_id": 1000 + each, "to": "agent:12"} for each in range(3)]


class Killed(BaseException):
    """Nothing after it is done, as after SIGKILL."""


@pytest.fixture
def chats(sandbox: Sandbox) -> Sandbox:
    sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(3)]})
    return sandbox


@contextmanager
def killed_after_sending(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

    send = Bitrix24Platform.send

    def sending(self: Any, *arguments: Any) -> Any:
        send(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Bitrix24Platform, "send", sending)
        yield


def attempt(
    store: TaskStateStore | None, *, started: datetime = NINE, clears: int = 0, max_tries: int = 1, **options: Any
) -> dict[str, Any]:
    """One try of a task; what it pushed is of no interest here."""
    task = TransferChatsOperator(
        task_id="task", **{"conn_id": "bitrix24_default", "transfers": TRANSFERS, "max_failed_ratio": 1, **options}
    )
    ti = SimpleNamespace(
        max_tries=max_tries, dag_id="dag", run_id="scheduled__1", task_id="task", map_index=-1, xcom_push=lambda **_: 0
    )
    context: Any = {"ti": ti, "dag_run": SimpleNamespace(start_date=started, clear_number=clears)}
    if store is not None:
        context["task_state_store"] = store
    return task.execute(context)


class TestARecordInEveryPlace:
    """Three places: the state store, beside the report, and under the provider's path."""

    @pytest.fixture(params=["state", "report_path", "record_path"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Return the arguments of ``attempt`` that keep the record there."""
        if request.param == "state":
            return {"store": TaskStateStore()}
        if request.param == "report_path":
            return {"store": None, "report_path": str(tmp_path / "report.json")}
        monkeypatch.setenv("AIRFLOW__CHATTRANSFER__RECORD_PATH", str(tmp_path / "records"))
        return {"store": None}

    def test_a_record_in_every_place_is_gone_on_with_by_a_retry(
        self, chats: Sandbox, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(**place)
        assert set(outcomes(attempt(**place))) == {"accepted"}
        assert len(chats.sent("bitrix24")) == 3

    def test_a_record_in_every_place_is_not_that_of_a_run_made_again_for_its_date(
        self, chats: Sandbox, place: dict[str, Any]
    ) -> None:
        assert set(outcomes(attempt(**place))) == {"accepted"}
        assert set(outcomes(attempt(**place, started=TEN))) == {"unchanged"}

    def test_a_record_in_every_place_is_gone_on_with_when_the_whole_run_was_cleared(
        self, chats: Sandbox, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(**place)
        assert set(outcomes(attempt(**place, started=TEN, clears=1, max_tries=3))) == {"accepted"}
        assert set(outcomes(attempt(**place, started=TEN, clears=1, max_tries=3))) == {"accepted"}
        assert len(chats.sent("bitrix24")) == 3

    def test_a_record_in_every_place_is_begun_anew_when_a_task_is_cleared_that_had_succeeded(
        self, chats: Sandbox, place: dict[str, Any]
    ) -> None:
        attempt(**place)
        assert set(outcomes(attempt(**place, clears=1, max_tries=3))) == {"unchanged"}

    @pytest.mark.parametrize(
        "other",
        [{"host": "localhost"}, {"login": "12", "password": "secretcode12"}],
        ids=["another portal", "another user"],
    )
    def test_a_record_in_every_place_is_not_that_of_another_account(
        self, chats: Sandbox, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
    ) -> None:
        connection = chats.connections()["bitrix24_default"]
        if "host" in other:
            other = {"host": connection["host"].replace("127.0.0.1", other["host"])}
        assert set(outcomes(attempt(**place))) == {"accepted"}
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**connection, **other}))
        assert set(outcomes(attempt(**place))) == {"unchanged"}

    def test_a_record_in_every_place_is_still_the_same_with_a_new_code_of_the_same_user(
        self, chats: Sandbox, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = chats.connections()["bitrix24_default"]
        assert set(outcomes(attempt(**place))) == {"accepted"}
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", json.dumps({**connection, "password": "othersecret"}))
        assert set(outcomes(attempt(**place))) == {"accepted"}

    @pytest.mark.parametrize(
        "other",
        [
            {"transfers": TRANSFERS[:2]},
            {"transfers": [{**each, "to": "queue:3"} for each in TRANSFERS]},
            {"transfers": [{**each, "from": "agent:8"} for each in TRANSFERS]},
            {"bot_leaves": "yes"},
        ],
    )
    def test_a_record_in_every_place_is_not_that_of_other_inputs(
        self, chats: Sandbox, place: dict[str, Any], other: dict[str, Any]
    ) -> None:
        first = attempt(**place)
        assert attempt(**place, **other)["started_at"] > first["started_at"]

    @pytest.mark.parametrize(
        "same",
        [
            {"transfers": [{"chat_id": f"chat{each['chat_id']}", "to": 12} for each in TRANSFERS]},
            {"transfers": json.dumps(TRANSFERS)},
            {"transfers": tuple(TRANSFERS)},
            {"bot_leaves": "no", "max_failed_ratio": "0.5", "poll_interval": "PT5S"},
        ],
    )
    def test_a_record_in_every_place_is_that_of_the_same_inputs_written_otherwise(
        self, chats: Sandbox, place: dict[str, Any], same: dict[str, Any]
    ) -> None:
        first = attempt(**place)
        again = attempt(**place, **same)
        assert (again["transfers"], again["started_at"]) == (first["transfers"], first["started_at"])


class TestTwoAirflowsWithOnePath:
    def test_two_airflows_with_one_path_keep_apart(self, chats: Sandbox, tmp_path: Path) -> None:
        path = str(tmp_path / "report.json")
        attempt(None, report_path=path)
        attempt(None, report_path=path, started=TEN)
        assert len(list(tmp_path.glob("report.json.ledger/*"))) == 2

    def test_two_airflows_with_one_path_go_on_each_with_its_own(
        self, chats: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = str(tmp_path / "report.json")
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(None, report_path=path)
        attempt(None, report_path=path, started=TEN)
        assert set(outcomes(attempt(None, report_path=path))) == {"accepted"}


class TestAStateThatIsDiscarded:
    """By a Clear, from Airflow 3.4 on."""

    def test_a_state_that_is_discarded_does_not_matter_with_a_record_path(
        self, chats: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CHATTRANSFER__RECORD_PATH", str(tmp_path))
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(TaskStateStore())
        assert set(outcomes(attempt(TaskStateStore()))) == {"accepted"}
        assert len(chats.sent("bitrix24")) == 3

    def test_a_state_that_is_discarded_leaves_the_state_of_the_chats_to_decide_without_one(
        self, chats: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(TaskStateStore())
        assert set(outcomes(attempt(TaskStateStore()))) <= {"unchanged", "accepted"}
        assert len(chats.sent("bitrix24")) == 3


class TestAWarning:
    @staticmethod
    def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
        return [each.getMessage() for each in caplog.records if "record_path" in each.getMessage()]

    @pytest.mark.parametrize("store", [TaskStateStore(), None], ids=["state store", "Airflow 3.1"])
    def test_a_warning_is_given_once_for_a_run_whose_record_may_be_lost(
        self,
        chats: Sandbox,
        caplog: pytest.LogCaptureFixture,
        store: TaskStateStore | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        caplog.set_level(logging.WARNING)
        with killed_after_sending(monkeypatch), pytest.raises(Killed):
            attempt(store)
        if store is not None:
            attempt(store)
        assert len(self.warned(caplog)) == 1

    def test_a_warning_is_not_given_where_it_is_kept(
        self, chats: Sandbox, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempt(TaskStateStore(), report_path=str(tmp_path / "report.json"))
        monkeypatch.setenv("AIRFLOW__CHATTRANSFER__RECORD_PATH", str(tmp_path))
        attempt(TaskStateStore())
        assert self.warned(caplog) == []


class TestARecordThatCannotBeKept:
    def test_under_the_providers_path_stops_the_task_before_it_sends(
        self, chats: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("AIRFLOW__CHATTRANSFER__RECORD_PATH", str(tmp_path / "file"))
        with pytest.raises(RecordNotKeptError, match="nothing was sent; check"):
            attempt(None)
        assert chats.sent("bitrix24") == []

    @pytest.mark.parametrize(
        "entry",
        [
            '{"plan": "x"}', '{"plan": [["1"]]}', '{"sent": [], "at": null}', '{"at": null}', "[]", "7", "{", "{}",
            '{"settled": [["1", "agent:12", null, false, "moved", null, "nothing"]], "unmoved": []}',
            '{"plan": [["1", "agnet:12", null, false]]}', '{"planned_at": "x", "of": {}}', "[" * 10_000, "\xff",
        ],
    )  # fmt: skip
    def test_since_somebody_has_changed_it_stops_the_task_before_it_sends(
        self, chats: Sandbox, tmp_path: Path, entry: str
    ) -> None:
        path = str(tmp_path / "report.json")
        attempt(None, report_path=path)
        (folder,) = tmp_path.glob("report.json.ledger/*")
        (folder / "000001.jsonl").write_text(entry + "\n", encoding="latin-1")
        sent = len(chats.sent("bitrix24"))
        with pytest.raises(UNREADABLE, match="delete it to start anew") as refused:
            attempt(None, report_path=path)
        assert str(folder) in str(refused.value)
        assert len(chats.sent("bitrix24")) == sent

    @pytest.mark.parametrize("missing", [1, 2, 3])
    def test_since_somebody_has_deleted_part_of_it_stops_the_task_before_it_sends(
        self, chats: Sandbox, tmp_path: Path, missing: int
    ) -> None:
        path, store = str(tmp_path / "report.json"), TaskStateStore()
        attempt(None, report_path=path)
        attempt(store, transfers=[{"chat_id": 1000, "to": "agent:15"}])
        (folder,) = tmp_path.glob("report.json.ledger/*")
        (folder / f"{missing:06d}.jsonl").unlink()
        del store[f"transfer record {missing}"]
        sent = len(chats.sent("bitrix24"))
        for place in ({"store": None, "report_path": path}, {"store": store}):
            with pytest.raises(RecordReadError, match=f"entry {missing} of the run's record is missing"):
                attempt(**place, transfers=[{"chat_id": 1000, "to": "agent:15"}])
        assert len(chats.sent("bitrix24")) == sent

    @pytest.mark.parametrize("what", ["folder", "fifo"])
    def test_since_something_else_is_in_its_place_stops_the_task(
        self, chats: Sandbox, tmp_path: Path, what: str
    ) -> None:
        import os

        path = str(tmp_path / "report.json")
        attempt(None, report_path=path)
        (folder,) = tmp_path.glob("report.json.ledger/*")
        (folder / "000001.jsonl").unlink()
        if what == "fifo":
            os.mkfifo(folder / "000001.jsonl")
        else:
            (folder / "000001.jsonl").mkdir()
        with pytest.raises(UNREADABLE):
            attempt(None, report_path=path)


class TestInputs:
    def test_inputs_of_a_set_are_the_same_whatever_the_hash_seed(self) -> None:
        program = (
            "from airflow_provider_chattransfer.operators.transfer_requests import Reassignment\n"
            "print(Reassignment.read(to={'agent:12', 'agent:15', 'agent:9'}, strategy='round_robin',"
            " from_agents={7, '8', 'agent:jane@example.com'}, from_queue=None, chat_ids=None).to_json())"
        )
        told = {
            subprocess.run(  # noqa: S603
                [sys.executable, "-c", program],
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.splitlines()[-1]
            for seed in ("1", "2", "3")
        }
        assert len(told) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"to": ["agent:15", "agent:12"]},
            {"from_agents": ["7"]},
            {"strategy": "least_loaded"},
            {"from_agents": None, "from_queue": 7},
            {"from_agents": None, "chat_ids": [7, 8]},
        ],
    )
    def test_inputs_that_differ_are_told_apart(self, other: dict[str, Any]) -> None:
        options: dict[str, Any] = {
            "to": ["agent:12", "agent:15"], "strategy": "round_robin", "from_agents": ["7", "8"], "from_queue": None,
            "chat_ids": None,
        }  # fmt: skip
        assert Reassignment.read(**options).to_json() != Reassignment.read(**{**options, **other}).to_json()

    def test_inputs_are_plain_json(self) -> None:
        request = NamedTransfers.read([{"chat_id": 1, "to": "queue", "from": "agent:7"}])
        assert json.loads(json.dumps(request.to_json())) == request.to_json()


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="the task state store is there since Airflow 3.3")
class TestRealTasks:
    def test_real_tasks_with_lazy_inputs_go_on_after_a_try_that_was_cut_off(
        self, chats: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The text of a lazily mapped XCom holds the address of a function, another one in each process."""
        from airflow.sdk import task

        from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

        send, tries = Bitrix24Platform.send, []

        def sending(self: Any, *arguments: Any) -> Any:
            tries.append(1)
            sent = send(self, *arguments)
            if len(tries) == 1:
                raise RuntimeError("the worker is gone")
            return sent

        monkeypatch.setattr(Bitrix24Platform, "send", sending)
        with a_dag() as dag:

            @task
            def ids() -> list[int]:
                return [1000, 1001, 1002]

            TransferChatsOperator(
                task_id="task",
                conn_id="bitrix24_default",
                transfers=ids().map(lambda each: {"chat_id": each, "to": "queue:4"}),
                retries=1,
                retry_delay=timedelta(0),
            )
        ran = run(dag)
        assert sorted(chats.sent("bitrix24")) == ["1000", "1001", "1002"]
        assert chats.audit(ran.results["task"]) == []

    @pytest.mark.parametrize("name", ["r-{{ ti.try_number }}.json", "{{ macros.uuid.uuid4() }}/r.json"])
    def test_real_tasks_whose_every_try_has_another_report_go_on_after_one_that_was_cut_off(
        self, chats: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

        send, tries = Bitrix24Platform.send, []

        def sending(self: Any, *arguments: Any) -> Any:
            tries.append(1)
            sent = send(self, *arguments)
            if len(tries) == 1:
                raise RuntimeError("the worker is gone")
            return sent

        monkeypatch.setattr(Bitrix24Platform, "send", sending)
        with a_dag() as dag:
            TransferChatsOperator(
                task_id="task",
                conn_id="bitrix24_default",
                transfers=[{**each, "to": "queue:4"} for each in TRANSFERS],
                report_path=f"{tmp_path}/{name}",
                retries=1,
                retry_delay=timedelta(0),
            )
        ran = run(dag)
        assert sorted(chats.sent("bitrix24")) == ["1000", "1001", "1002"]
        assert chats.audit(ran.results["task"]) == []
        assert len(list(tmp_path.glob("chattransfer.ledger/*"))) == 1

    @pytest.mark.parametrize("kind", [str, Path])
    def test_real_tasks_that_are_mapped_each_have_a_file_of_their_own(
        self, chats: Sandbox, tmp_path: Path, kind: Any
    ) -> None:
        path = tmp_path / "report.json"
        with a_dag() as dag:
            TransferChatsOperator.partial(task_id="task", conn_id="bitrix24_default", report_path=kind(path)).expand(
                transfers=[[each] for each in TRANSFERS]
            )
        run(dag)
        told = {file.name: json.loads(file.read_text())["transfers"] for file in tmp_path.glob("*.json")}
        assert sorted(told) == ["report.0.json", "report.1.json", "report.2.json"]
        assert [row["chat_id"] for name in sorted(told) for row in told[name]] == ["1000", "1001", "1002"]

    @pytest.mark.parametrize("template", ["{folder}/r-{{{{ ti.map_index }}}}.json", None])
    def test_real_tasks_that_name_their_own_file_have_that_one(
        self, chats: Sandbox, tmp_path: Path, template: str | None
    ) -> None:
        names = [str(tmp_path / f"r-{number}.json") for number in range(3)]
        with a_dag() as dag:
            if template:
                TransferChatsOperator.partial(
                    task_id="task", conn_id="bitrix24_default", report_path=template.format(folder=tmp_path)
                ).expand(transfers=[[each] for each in TRANSFERS])
            else:
                TransferChatsOperator.partial(task_id="task", conn_id="bitrix24_default").expand_kwargs(
                    [{"transfers": [each], "report_path": name} for each, name in zip(TRANSFERS, names, strict=True)]
                )
        run(dag)
        assert sorted(str(each) for each in tmp_path.glob("*.json")) == names
        shutil.rmtree(tmp_path)


class TestWhatPeopleSee:
    def test_what_people_see_of_a_run_is_its_estimate_and_its_progress(
        self, chats: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        store = TaskStateStore()
        attempt(store)
        assert "To move 3 chats takes about 5 requests and 1 s, limited by the service's answers" in caplog.messages
        assert store["progress"] == {
            "done": 3, "total": 3, "counts": {"accepted": 3}, "seconds_left": 0.0, "requests": 5
        }  # fmt: skip

    def test_what_people_see_of_a_dry_run_is_what_the_run_would_take(
        self, chats: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        attempt(None, dry_run=True)
        assert [each for each in caplog.messages if each.startswith("To move 3 chats takes about 5 requests")]
