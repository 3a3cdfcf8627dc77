# SPDX-License-Identifier: Apache-2.0
"""A task leaves no secret and nothing of a customer, whatever happens to it.

Every operator, sensor and trigger runs on both services, through success, refusals, every kind of fault, wrong
connections and a crash, with all loggers at DEBUG.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.sandbox.faults import FaultKind
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.testing.connections import as_environment
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from .canaries import connections, leaks, planted, scenario

ROOT = Path(__file__).parents[2]
TO_BE_MASKED = "MaskSecret(value="
"""How ``dag.test``, at DEBUG, logs what it is told to mask; the supervisor of a worker omits it (Airflow's source,
``ActivitySubprocess._handle_request``)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a process with many tasks left: files in ``folder``, and what became of each task."""

    folder: Path
    words: frozenset[str]
    told: dict[str, Any]

    def text(self, name: str) -> str:
        """One of the files."""
        return (self.folder / name).read_text()

    def states(self, story: str) -> dict[str, str]:
        """Return the states of a story's tasks."""
        states: dict[str, str] = self.told[story]["states"]
        return states


@pytest.fixture(scope="module")
def left(sandbox_server: SandboxServer, database: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Run the tasks."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "temporary").mkdir()
    shutil.copy(database, folder / "airflow.db")
    sandbox = ChatSandbox(url=sandbox_server.url)
    sandbox.reset(**scenario())
    words = planted(sandbox.url)
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tests.chaos.canary_tasks", str(folder), sandbox.url],
        cwd=ROOT,
        env=environment(folder, sandbox.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    lines = run.stdout.splitlines(keepends=True)
    (folder / "output.txt").write_text("".join(line for line in lines if TO_BE_MASKED not in line))
    return Left(folder, words, json.loads((folder / "told.json").read_text()))


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return a private Airflow that logs all it can, in the form of a task's log file."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {
        **others,
        **as_environment(connections(url)),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__JSON_LOGS": "True",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder / "temporary"),
    }


class TestNothingLeaks:
    def test_nothing_secret_leaks_into_anything_that_a_task_leaves(self, left: Left) -> None:
        assert leaks(left.words, within=left.folder) == []


class TestTheSearch:
    """What makes an empty list mean something."""

    def test_the_search_looks_for_secrets_and_for_what_the_services_tell_of_people(self, left: Left) -> None:
        assert {"canaryWebhook1", "canary-bot-2", "8A:Cust12345.canaryToken4"} <= left.words
        assert len([word for word in left.words if word.endswith("@customer.example")]) > 20
        assert len(left.words) > 250

    @pytest.mark.parametrize("text", ["{}", '{{"a": "{}"}}', "https://portal/rest/1/{}/batch"])
    def test_the_search_finds_each_word_wherever_it_stands(self, left: Left, tmp_path: Path, text: str) -> None:
        for number, word in enumerate(sorted(left.words)):
            (tmp_path / f"{number}.txt").write_text(text.format(word))
        found = {line.partition(": ")[2] for line in leaks(left.words, within=tmp_path)}
        assert found == left.words

    def test_the_search_finds_a_password_in_a_header(self, tmp_path: Path) -> None:
        from airflow_provider_chattransfer.platforms.superoffice.auth import Basic

        for login in ("a", "ab", "abc"):
            (tmp_path / login).write_text(str(Basic(login, "canaryPassword3").authenticate().headers))
        found = leaks(frozenset({"canaryPassword3"}), within=tmp_path)
        assert found == [f"{login}: canaryPassword3" for login in ("a", "ab", "abc")]

    def test_the_search_sees_the_logs_at_debug(self, left: Left) -> None:
        output = left.text("output.txt")
        for told in ("batch: HTTP 200", "Agents/Chat/TransferChatSession: HTTP 200", '"exc_type":"RuntimeError"'):
            assert told in output
        assert output.count('"level":"debug"') > 1000

    def test_the_search_sees_rows_reports_ledgers_triggers_events_errors_and_objects(self, left: Left) -> None:
        rows = left.text("database.txt")
        assert all(f"\n{table}: " in rows for table in ("xcom", "task_instance", "rendered_task_instance_fields"))
        reports = list((left.folder / "reports").glob("*.json"))
        assert len(reports) > len(FaultKind)
        assert list((left.folder / "reports").glob("*.ledger/*/*.jsonl"))
        assert "AcceptTransferTrigger" in left.text("triggers.txt")
        assert "'error': None" in left.text("events.txt")
        assert "INVALID_CREDENTIALS" in left.text("events.txt")
        assert "ChatsNotTransferredError" in left.text("errors.txt")
        assert "Request(" in left.text("objects.txt")
        assert "Response(" in left.text("objects.txt")

    def test_the_search_follows_tasks_through_success_refusal_and_wrong_connections(self, left: Left) -> None:
        assert set(left.states("everyday").values()) == {"success"}
        assert set(left.states("refused").values()) == {"failed"}
        wrong = left.states("wrong_connections")
        assert {state for task, state in wrong.items() if not task.endswith("_wait")} == {"failed"}
        assert set(left.states("crash").values()) == {"success"}

    @pytest.mark.parametrize("kind", FaultKind)
    def test_the_search_follows_tasks_through_each_fault(self, left: Left, kind: FaultKind) -> None:
        assert left.told[kind]["struck"] > 0
