# SPDX-License-Identifier: Apache-2.0
"""A real Airflow with a home and ports of its own, for tests in the browser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import requests

from tests.support.ports import free_ports

START_SECONDS = 240.0
STOP_SECONDS = 60.0


class RunningAirflow:
    """Airflow for as long as the block lasts; whoever opens a page is an administrator.

    ``command`` starts it: ``standalone`` all of it, ``api-server`` its pages alone. ``database`` is copied.
    ``settings`` are further environment variables. ``url`` is where it listens, ``log`` what it has printed.
    """

    def __init__(self, command: str, *, database: Path, **settings: str) -> None:
        self._command = command
        self._database = database
        self._settings = settings

    def __enter__(self) -> RunningAirflow:
        self._folder = tempfile.TemporaryDirectory(prefix="chattransfer-ui-", ignore_cleanup_errors=True)
        home = Path(self._folder.name)
        web, worker_logs, trigger_logs = free_ports(3)
        self.url = f"http://127.0.0.1:{web}"
        self._log = home / "standalone.log"
        (home / "dags").mkdir()
        shutil.copy(self._database, home / "airflow.db")
        settings = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(web),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            **self._settings,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "airflow", self._command],
                cwd=home,
                env={**_inherited(os.environ), **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_up()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def log(self) -> str:
        """Return what Airflow has printed so far."""
        return self._log.read_text(errors="replace")

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/api/v2/monitor/health", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"Airflow did not start:\n{self.log[-4000:]}")

    def _stop(self) -> None:
        """Stop Airflow, and kill what is left of its processes."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the settings of another Airflow."""
    return {name: value for name, value in environment.items() if not name.startswith("AIRFLOW_")}
