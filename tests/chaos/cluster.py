# SPDX-License-Identifier: Apache-2.0
"""An Airflow as people run it: API server, scheduler, DAG processor and triggerer as processes, on Postgres."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import requests
from sqlalchemy import create_engine

from tests.support import postgres
from tests.support.ports import free_port

from . import keeper
from .canaries import write_rows

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).parent / "dags"
COMPONENTS = ("api-server", "dag-processor", "scheduler", "triggerer")
SERVE_LOGS = ("scheduler", "triggerer")
"""Components that serve logs on a fixed port, which is not theirs to take."""

LEFT = "left"
"""The folder of a cluster for its logs and reports."""

LOST_AFTER = 6
"""Seconds without a sign of life after which Airflow gives up a task, a triggerer or a scheduler."""

PATIENCE = 180.0
"""Seconds for anything to happen: many times what it takes on two busy cores."""

Found = TypeVar("Found")


def missing() -> str | None:
    """Return what this machine lacks for a cluster, or ``None``."""
    if not Path("/proc/self/environ").exists():
        return "processes are found in /proc, as Linux has it"
    if postgres.programs() is None:
        return "there is no Postgres server (Debian: apt install postgresql)"
    drivers = [name for name in ("psycopg2", "asyncpg") if find_spec(name) is None]
    return f"Airflow needs {' and '.join(drivers)} to use Postgres" if drivers else None


def wait_for(what: str, look: Callable[[], Found | None]) -> Found:
    """Return the first true thing that ``look`` finds; raises ``TimeoutError`` when ``what`` does not come."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.1)
    return found


class Cluster:
    """A running Airflow with the DAGs of ``dags/``, for as long as the block lasts.

    ``settings`` are more environment variables, such as Airflow's connections. All logs, at DEBUG, and the reports lie
    below ``left``. Nothing of it outlives this process.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._components: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        self.home = Path(tempfile.mkdtemp(prefix="chattransfer-cluster-"))
        self.home.chmod(0o711)
        self.left = self.home / LEFT
        self.left.mkdir()
        self._keeper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.chaos.keeper", str(self.home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes and remove all files."""
        self._keeper.communicate()

    def start(self, component: str) -> None:
        """Start one of ``COMPONENTS``."""
        options = ["--skip-serve-logs"] if component in SERVE_LOGS else []
        self._components[component] = self._airflow(component, *options)

    def kill(self, component: str) -> None:
        """SIGKILL the component's own process."""
        process = self._components.pop(component)
        process.kill()
        process.wait()

    def trigger(self, dag_id: str) -> Run:
        """Start a run of a DAG with a single task."""
        started = self.ask("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None})
        return Run(self, dag_id, started["dag_run_id"])

    def ask(self, verb: str, path: str, **options: Any) -> Any:
        """Return what Airflow's REST API answers, once it does; raises ``requests.HTTPError`` for a refusal."""
        (reply,) = wait_for("the API server", lambda: self._reply(verb, path, **options))
        reply.raise_for_status()
        return reply.json()

    def log(self, component: str) -> str:
        """Return what the component has said."""
        return self._log(component).read_text()

    def leave_rows(self) -> None:
        """Add every row of every table to a file below ``left``."""
        engine = create_engine(self._database)
        with engine.connect() as connection, (self.left / "rows.txt").open("a") as file:
            write_rows(connection, file)
        engine.dispose()

    def _start_all(self) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._database = postgres.start(self.home / "postgres")
        self._environment = _environment(self.home, port, self._database, self._settings)
        if self._airflow("db", "migrate").wait():
            raise RuntimeError(f"Airflow could not make its database:\n{self.log('db')}")
        for component in COMPONENTS:
            self.start(component)
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {wait_for('the API server', self._token)}"
        wait_for("a healthy Airflow", self._is_healthy)
        wait_for("the DAGs", lambda: self.ask("GET", "dags")["total_entries"])

    def _reply(self, verb: str, path: str, **options: Any) -> tuple[requests.Response] | None:
        """Return a reply, in a tuple since a refusal is false; ``None`` while nobody listens."""
        try:
            return (self._session.request(verb, f"{self._url}/api/v2/{path}", timeout=PATIENCE, **options),)
        except requests.ConnectionError:
            return None

    def _token(self) -> str | None:
        if self._components["api-server"].poll() is not None:
            raise RuntimeError(f"the API server did not start:\n{self.log('api-server')}")
        try:
            reply = requests.get(f"{self._url}/auth/token", timeout=PATIENCE)
        except requests.ConnectionError:
            return None
        return str(reply.json()["access_token"])

    def _is_healthy(self) -> bool:
        return all(each["status"] == "healthy" for each in self.ask("GET", "monitor/health").values())

    def _airflow(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log(arguments[0]).open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "airflow", *arguments],
                env=self._environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, component: str) -> Path:
        return self.left / f"{component}.log"


@dataclass(frozen=True)
class Run:
    """A run of a DAG whose only task is ``hand_over``."""

    cluster: Cluster
    dag_id: str
    run_id: str

    @property
    def task(self) -> dict[str, Any]:
        """The task as it stands: its ``state``, its ``pid``, its ``try_number``."""
        task: dict[str, Any] = self.cluster.ask("GET", self._path)
        return task

    @property
    def report(self) -> dict[str, Any]:
        """What the task has returned."""
        report: dict[str, Any] = self.cluster.ask("GET", f"{self._path}/xcomEntries/return_value")["value"]
        return report

    def wait_until(self, *states: str) -> dict[str, Any]:
        """Return the task once it is in one of ``states``."""

        def look() -> dict[str, Any] | None:
            task = self.task
            return task if task["state"] in states else None

        return wait_for(f"a task that is {' or '.join(states)}", look)

    @property
    def _path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/hand_over"


def parent_of(process: int) -> int:
    """Return the id of the process that started ``process``."""
    return int(_state(process)[1])


def is_alive(process: int) -> bool:
    """Whether ``process`` is there and has not ended; one whose end nobody has asked for is still listed."""
    try:
        return _state(process)[0] != "Z"
    except OSError:
        return False


def _state(process: int) -> list[str]:
    """Return what Linux says of a process after its name, which may hold anything."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _environment(home: Path, port: int, database: str, settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    options = {
        "core__executor": "LocalExecutor",
        "core__parallelism": 4,
        "core__dags_folder": DAGS,
        "core__load_examples": False,
        "core__dags_are_paused_at_creation": False,
        "core__fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "core__simple_auth_manager_all_admins": True,
        "core__execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
        "database__sql_alchemy_conn": database,
        "api__host": "127.0.0.1",
        "api__port": port,
        "api__secret_key": secrets.token_hex(),
        "api_auth__jwt_secret": secrets.token_hex(),
        "logging__base_log_folder": home / LEFT / "tasks",
        "logging__logging_level": "DEBUG",
        "scheduler__job_heartbeat_sec": 1,
        "scheduler__scheduler_heartbeat_sec": 1,
        "scheduler__scheduler_health_check_threshold": LOST_AFTER,
        "scheduler__orphaned_tasks_check_interval": 1,
        "scheduler__task_instance_heartbeat_timeout": LOST_AFTER,
        "scheduler__task_instance_heartbeat_timeout_detection_interval": 1,
        "workers__min_heartbeat_interval": 1,
        "triggerer__job_heartbeat_sec": 1,
        "triggerer__triggerer_health_check_threshold": LOST_AFTER,
    }
    return {
        **inherited,
        **{f"AIRFLOW__{name.upper()}": str(value) for name, value in options.items()},
        **settings,
        "AIRFLOW_HOME": str(home),
        "REPORTS": str(home / LEFT),
        keeper.HOME: str(home),
        "SPT_NOENV": "1",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1,localhost",
    }
