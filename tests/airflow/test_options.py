# SPDX-License-Identifier: Apache-2.0
"""Every option is typed, whoever writes it: a DAG author, a template, an upstream task."""

from __future__ import annotations

import inspect
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.tasks.options import TransferOptions, WaitOptions, record_beside

from .conftest import Sandbox, a_dag, run

SWITCHES = ("bot_leaves", "wait_for_acceptance", "deferrable", "dry_run")
NO_SWITCH: list[Any] = ["", "maybe", 2, 1.0, None, [], {}, "{{ params.dry }}", "x" * 10_000]
NO_TIME: list[Any] = [
    "",
    "soon",
    0,
    -1,
    "-1",
    True,
    "nan",
    float("nan"),
    float("inf"),
    1e300,
    "PT0S",
    timedelta.max,
    timedelta(0),
    [],
]
NO_SHARE: list[Any] = ["", "half", -0.1, 1.1, "nan", float("nan"), True, None, "{{ x }}", []]
NO_PATH: list[Any] = [
    b"x",
    3,
    [],
    "~/report.json",
    "s4://bucket/report.json",
    "/proc/x/report.json",
    "/",
    "a\nb",
    "{{ x }}",
    " ",
    "/tmp/" + "x" * 300,  # noqa: S108
    "/dev/full",
    b"/tmp/x",
]
NO_CONNECTION: list[Any] = [None, 1, "", [], "{{ conn }}", "a\nb", "a\x00b", "\ud800", "x" * 251, "{{ x }}" * 100]
WRONG: dict[str, list[Any]] = {
    **dict.fromkeys(SWITCHES, NO_SWITCH),
    "poll_interval": [*NO_TIME, None, "P2D"],
    "accept_within": NO_TIME,
    "max_failed_ratio": NO_SHARE,
    "report_path": NO_PATH,
    "conn_id": NO_CONNECTION,
}

CONTEXT: Any = {"ti": SimpleNamespace(map_index=-1)}


def options(**given: Any) -> TransferOptions:
    task = TransferChatOperator(task_id="task", **{"conn_id": "bitrix24_default", "chat_id": 1, "to": "1", **given})
    return TransferOptions.read(task, CONTEXT)


class TestAnOption:
    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name, values in WRONG.items() for value in values],
        ids=lambda value: str(value)[:20],
    )
    def test_an_option_that_is_wrong_is_an_error_of_few_letters_that_names_it(self, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=f"^{name}: ") as refused:
            options(**{name: value})
        assert len(str(refused.value)) < 300

    @pytest.mark.parametrize("name", SWITCHES)
    @pytest.mark.parametrize(
        ("written", "meant"), [("True", True), ("False", False), ("no", False), ("yes", True), ("0", False), (1, True)]
    )
    def test_an_option_that_is_a_switch_means_what_it_says(self, name: str, written: Any, meant: bool) -> None:
        read = options(**{name: written})
        found = read.switches.get(name, getattr(read.wait if name == "deferrable" else read, name, None))
        assert found is meant

    def test_an_option_that_is_a_time_may_be_written_in_every_way(self) -> None:
        read = options(accept_within="PT15M", poll_interval="5")
        assert read.wait == WaitOptions(accept_within=900.0, poll_interval=5.0, deferrable=False)
        assert options(accept_within=timedelta(hours=1)).wait.accept_within == 3600.0
        assert options(accept_within=600).wait.accept_within == 600.0

    @pytest.mark.parametrize("name", ["accept_within", "poll_interval", "deferrable"])
    def test_an_option_of_the_sensor_is_read_alike(self, sandbox: Sandbox, name: str) -> None:
        sensor = AcceptTransferSensor(task_id="task", conn_id="bitrix24_default", transfers=[], **{name: "soon"})
        with pytest.raises((ValueError, AirflowFailException), match=f"^{name}: 'soon'"):
            sensor.execute(CONTEXT)

    @pytest.mark.parametrize(
        "operator",
        [
            TransferChatOperator,
            TransferChatsOperator,
            ReassignChatsOperator,
            AcceptTransferOperator,
            AcceptTransferSensor,
        ],
    )
    def test_an_option_of_every_operator_is_templated(self, operator: Any) -> None:
        ours = {
            name
            for kind in operator.__mro__
            if kind.__module__.startswith("airflow_provider_chattransfer") and "__init__" in vars(kind)
            for name in inspect.signature(kind.__init__).parameters
        }
        options = {"dry_run_only" if name == "dry_run" else name for name in ours - {"self", "kwargs"}}
        assert options == set(operator.template_fields)


class TestAReportPath:
    def test_a_report_path_that_is_a_folder_is_refused_before_anything_is_sent(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"report_path: .* is a folder"):
            options(report_path=str(tmp_path))

    def test_a_report_path_in_an_object_store_that_is_not_there_says_what_to_look_for(self) -> None:
        with pytest.raises(ValueError, match=r"^report_path: 's3x://b/r.json' cannot be written: .*object store"):
            options(report_path="s3x://b/r.json")

    @pytest.mark.parametrize("what", ["pipe", "dangling link", "circle of links"])
    def test_a_report_path_that_would_not_take_a_report_is_refused_before_anything_is_sent(
        self, tmp_path: Path, what: str
    ) -> None:
        path = tmp_path / "report.json"
        if what == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(path if what == "circle of links" else tmp_path / "nowhere" / "report.json")
        with pytest.raises(ValueError, match=r"^report_path: "):
            options(report_path=str(path))

    @pytest.mark.parametrize(
        ("written", "rendered", "beside"),
        [
            ("/data/r.json", "/data/r.json", "/data/r.json"),
            ("/data/{{ ds }}/r-{{ ti.try_number }}.json", "/data/2026-11-30/r-2.json", "/data/chattransfer"),
            ("s3://bucket/r-{{ ti.try_number }}.json", "s3://bucket/r-2.json", "s3://bucket/chattransfer"),
            ("r-{{ ti.try_number }}.json", "r-2.json", "chattransfer"),
            ("{{ params.path }}", "/data/r.json", "/data/r.json"),
            ("s3://{{ params.bucket }}/r.json", "s3://bucket/r.json", "s3://bucket/r.json"),
            ("/{{ params.path }}", "/data/r.json", "/data/r.json"),
            ("{{ params.path }}/{{ ti.try_number }}.json", "/data/2.json", None),
            ("s3://{{ params.bucket }}/{{ macros.uuid.uuid4() }}", "s3://bucket/2.json", None),
            ("{{ macros.datetime.utcnow() }}.json", "2026.json", None),
            (None, "/data/r.json", "/data/r.json"),
        ],
    )
    def test_a_report_path_does_not_lose_the_record_when_each_try_has_another(
        self, written: Any, rendered: str, beside: str | None
    ) -> None:
        assert record_beside(written, rendered) == beside

    def test_a_report_path_may_be_a_path_object_and_its_folder_is_made(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "report.json"
        assert options(report_path=path).report_path == str(path)
        assert path.parent.is_dir()

    def test_a_report_path_that_may_not_be_written_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Root may write everything, so that the system's answer is made up."""
        monkeypatch.setattr("os.access", lambda *_: False)
        with pytest.raises(ValueError, match=r"report_path: .* may not be written"):
            options(report_path=str(tmp_path / "report.json"))


class TestRealTasks:
    def test_real_tasks_are_given_what_templates_and_upstream_tasks_say(self, sandbox: Sandbox) -> None:
        """A dry run that is asked for in text sends nothing; one that is not sends."""
        from airflow.sdk import task

        sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(4)]})
        with a_dag() as dag:

            @task
            def dry() -> bool:
                return True

            common: dict[str, Any] = {"conn_id": "bitrix24_default", "to": "agent:12"}
            TransferChatOperator(task_id="text", chat_id=1000, dry_run="{{ 'True' }}", **common)
            TransferChatOperator(task_id="upstream", chat_id="{{ 1001 }}", dry_run=dry(), **common)
            TransferChatOperator(task_id="sends", chat_id=1002, dry_run="{{ 1 > 2 }}", **common)
            TransferChatOperator(task_id="unsaid", chat_id=1003, dry_run="{{ params.get('dry', '') }}", **common)
            ReassignChatsOperator(
                task_id="lists", conn_id="bitrix24_default", chat_ids="{{ [1000, 1001] }}", to="{{ ['agent:12', 15] }}",
                dry_run="yes",
            )  # fmt: skip
        ran = run(dag)
        assert sandbox.sent("bitrix24") == ["1002"]
        assert ran.results["text"]["counts"]["planned"] == 1
        assert ran.results["upstream"]["dry_run"] is True
        assert ran.results["sends"]["counts"]["accepted"] == 1
        assert "dry_run: ''" in str(ran.errors["unsaid"])
        assert [each["to"] for each in ran.results["lists"]["transfers"]] == ["agent:12", "agent:15"]


class TestAChatThatIsNotThere:
    @pytest.mark.parametrize(
        ("kind", "given", "option"),
        [
            (TransferChatOperator, {"chat_id": "session:9", "to": 12}, "chat_id"),
            (TransferChatsOperator, {"transfers": [{"chat_id": "crm:deal:9", "to": 12}]}, "transfers"),
            (ReassignChatsOperator, {"chat_ids": ["session:9"], "to": [12]}, "chat_ids"),
            (AcceptTransferOperator, {"chat_id": "session:9"}, "chat_id"),
            (AcceptTransferSensor, {"transfers": [{"chat_id": "session:9", "to": 12}]}, "transfers"),
        ],
    )
    def test_a_chat_that_is_not_there_is_an_error_that_names_the_option(
        self, sandbox: Sandbox, kind: Any, given: dict[str, Any], option: str
    ) -> None:
        pushed: list[Any] = []
        ti = SimpleNamespace(map_index=-1, max_tries=0, xcom_push=lambda **pushing: pushed.append(pushing))
        with pytest.raises(ValueError, match=f"^{option}: "):
            kind(task_id="task", conn_id="bitrix24_default", **given).execute({"ti": ti})


class TestNothingToDo:
    """From an upstream task that found nothing: an empty report, and success."""

    def test_nothing_to_do_is_no_failure_and_no_request(self, sandbox: Sandbox) -> None:
        with a_dag() as dag:
            common: dict[str, Any] = {"conn_id": "bitrix24_default"}
            TransferChatsOperator(task_id="transfers", transfers=[], **common)
            TransferChatsOperator(task_id="text", transfers="{{ [] }}", **common)
            ReassignChatsOperator(task_id="chat_ids", chat_ids=[], to=["agent:12"], **common)
            ReassignChatsOperator(task_id="from_agents", from_agents=(), to=["agent:12"], **common)
            ReassignChatsOperator(task_id="nobody", from_agents=[], to=[], **common)
            ReassignChatsOperator(task_id="dry", chat_ids=[], to=["agent:12"], dry_run=True, **common)
            AcceptTransferSensor(task_id="sensor", transfers=[], **common)
            AcceptTransferSensor(task_id="deferred", transfers=[], deferrable=True, **common)
            dag.get_task("transfers") >> AcceptTransferSensor(
                task_id="of_a_report", transfers=dag.get_task("transfers").output, **common
            )
        ran = run(dag)
        assert set(ran.states.values()) == {"success"}
        assert all(each["transfers"] == [] and not any(each["counts"].values()) for each in ran.results.values())
        assert sandbox.state()["requests"]["bitrix24"] == 0


class TestTheSensor:
    def test_the_sensor_takes_the_reports_of_mapped_tasks(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(3)]})
        with a_dag() as dag:
            sends = TransferChatOperator.partial(task_id="sends", conn_id="bitrix24_default", to="agent:12").expand(
                chat_id=[1000, 1001, 1002]
            )
            AcceptTransferSensor(task_id="waits", conn_id="bitrix24_default", transfers=sends.output)
        ran = run(dag)
        assert [each["chat_id"] for each in ran.results["waits"]["transfers"]] == ["1000", "1001", "1002"]
        assert ran.results["waits"]["counts"]["accepted"] == 3

    def test_the_sensor_takes_reports_of_several_tasks_mapped_or_not_in_one_list(self, sandbox: Sandbox) -> None:
        """Of those that failed before there was a plan, there is none."""
        sandbox.reset(bitrix24={"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(3)]})
        common: dict[str, Any] = {"conn_id": "bitrix24_default", "to": "agent:12"}
        with a_dag() as dag:
            mapped = TransferChatOperator.partial(task_id="mapped", **common).expand(chat_id=[1000, "none", 1001])
            one = TransferChatOperator(task_id="one", chat_id=1002, **common)
            AcceptTransferSensor(
                task_id="waits",
                conn_id="bitrix24_default",
                transfers=[one.output, mapped.output, None],
                trigger_rule="all_done",
            )
        assert [each["chat_id"] for each in run(dag).results["waits"]["transfers"]] == ["1002", "1000", "1001"]

    def test_the_sensor_of_dry_runs_says_that_nothing_was_sent(self, sandbox: Sandbox) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 1000, "owner": 7, "queue": 3}]})
        with a_dag() as dag:
            dry = TransferChatOperator(
                task_id="dry", conn_id="bitrix24_default", chat_id=1000, to="agent:12", dry_run=True
            )
            AcceptTransferSensor(task_id="waits", conn_id="bitrix24_default", transfers=dry.output)
        report = run(dag).results["waits"]
        assert (report["dry_run"], report["counts"]["planned"]) == (True, 1)

    def test_the_sensor_leaves_rows_as_they_are_that_are_settled(self, sandbox: Sandbox) -> None:
        rows = [
            {"chat_id": 1, "to": "agent:12", "from": "agent:7", "outcome": "failed", "reason": "why"},
            {"chat_id": 2, "to": "agent:12", "outcome": "skipped"},
        ]
        with a_dag() as dag:
            AcceptTransferSensor(task_id="waits", conn_id="bitrix24_default", transfers=rows)
        report = run(dag).results["waits"]
        assert [(each["outcome"], each["reason"], each["from"]) for each in report["transfers"]] == [
            ("failed", "why", "agent:7"),
            ("skipped", None, None),
        ]
        assert sandbox.state()["requests"]["bitrix24"] == 0
