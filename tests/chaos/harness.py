# SPDX-License-Identifier: Apache-2.0
"""A sandbox and a worker as processes of their own, and a task that is tried in the one against the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from airflow_provider_chattransfer.testing.connections import as_environment
from airflow_provider_chattransfer.testing.process import SandboxProcess
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from .kills import Kill
from .worker import Try

ROOT = Path(__file__).parent.parent.parent
CLIENT_TIMEOUT = 0.8
"""Seconds for which a worker waits for an answer; a fault that hangs costs that much."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a try ended: killed, with an error (its traceback), or well.

    ``report`` is what it returned or pushed, ``record`` the entries of its journal by then.
    """

    killed: bool = False
    report: dict[str, Any] | None = None
    error: str | None = None
    record: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cause(self) -> str:
        """The last line of the error."""
        return self.error.rstrip().splitlines()[-1] if self.error else ""

    @property
    def well(self) -> bool:
        """Whether the task has succeeded."""
        return not self.killed and self.error is None


class Harness:
    """A sandbox and a worker for as long as the block lasts. ``database``, migrated, is for real tasks."""

    def __init__(self, *, database: Path | None = None) -> None:
        self._database = database

    def __enter__(self) -> Harness:
        self.folder = Path(tempfile.mkdtemp(prefix="chattransfer-chaos-"))
        self._sandbox = SandboxProcess().__enter__()
        self.sandbox = ChatSandbox(url=self._sandbox.url)
        environment = {**os.environ, **_airflow_home(self.folder), **as_environment(self._connections())}
        if self._database:
            shutil.copy(self._database, self.folder / "airflow.db")
        self._worker = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.chaos.worker", *(["--airflow"] if self._database else [])],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "worker.log").open("w"),
            text=True,
        )
        assert self._answer() == {"ready": True}, self.log()
        self._tried = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._worker.stdin is not None
        self._worker.stdin.close()
        self._worker.wait(timeout=60)
        self._sandbox.__exit__(kind, error, traceback)
        shutil.rmtree(self.folder, ignore_errors=True)

    def task(self, service: str, operator: str, *, chunk: int, **more: Any) -> Task:
        """Return a task that nobody has tried yet; ``more`` is the rest of a ``Try``."""
        self._tried += 1
        name = f"task-{self._tried}"
        return Task(
            stage=self,
            name=name,
            first=Try(
                url=self.sandbox.url,
                folder=str(self.folder),
                task=name,
                service=service,
                operator=operator,
                options={},
                chunk=chunk,
                environment=as_environment(self._connections()),
                **more,
            ),
        )

    def run(self, this: Try) -> Ended:
        """Let the worker make a try; returns when its process has ended."""
        this.said.unlink(missing_ok=True)
        assert self._worker.stdin is not None
        self._worker.stdin.write(this.to_json() + "\n")
        self._worker.stdin.flush()
        code = self._answer()["code"]
        if code == -9:
            return Ended(killed=True)
        assert code == 0, f"the worker's process ended with {code}:\n{self.log()}"
        said = json.loads(this.said.read_text())
        return Ended(report=said["report"], error=said["error"], record=said["record"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that were armed since the reset, with how often each has struck."""
        faults: list[dict[str, Any]] = requests.get(f"{self.sandbox.url}/sandbox/faults", timeout=10).json()["faults"]
        return faults

    def log(self) -> str:
        """Return the end of what the worker wrote."""
        return (self.folder / "worker.log").read_text()[-6000:]

    def _connections(self) -> dict[str, Any]:
        """Return connections to the sandbox that wait for no answer long."""
        connections = self.sandbox.connections()
        for conn_id in ("bitrix24_default", "superoffice_default"):
            connections[conn_id]["extra"]["timeout"] = CLIENT_TIMEOUT
        return connections

    def _answer(self) -> dict[str, Any]:
        assert self._worker.stdout is not None
        for line in self._worker.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"the worker has ended:\n{self.log()}")


@dataclass(slots=True)
class Task:
    """A task of one operator on one service, and its tries so far."""

    stage: Harness
    name: str
    first: Try

    def set(self, **options: Any) -> Task:
        """Return the same task with these arguments of its operator."""
        self.first = replace(self.first, options={**self.first.options, **options})
        return self

    def keep_beside_report(self) -> Task:
        """Return the same task with its record in files, not in the state store."""
        return self.set(report_path=str(self.stage.folder / f"{self.name}.report.json"))

    def attempt(self, kill: Kill | None = None) -> Ended:
        """Return the next try."""
        return self.stage.run(replace(self.first, kill=kill))


def _airflow_home(folder: Path) -> dict[str, str]:
    """Return an Airflow that nobody else uses."""
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
