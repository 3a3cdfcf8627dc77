# SPDX-License-Identifier: Apache-2.0
"""``make airflow``: Airflow with the sandbox beside it, the connections to it and the example DAGs in it.

Airflow is at http://127.0.0.1:8080, the sandbox at http://127.0.0.1:8024. Both stop with Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import requests
from rich.console import Console

from airflow_provider_chattransfer.sandbox.command_line import PORT as SANDBOX_PORT
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .environment import ROOT, environment
from .floor import scenario

HOST = "127.0.0.1"
AIRFLOW_PORT = 8080
AIRFLOW = f"http://{HOST}:{AIRFLOW_PORT}"
PORTS = {
    SANDBOX_PORT: "the sandbox",
    AIRFLOW_PORT: "Airflow's pages",
    8793: "the logs of tasks",
    8794: "the logs of triggers",
}
"""What will listen where, as Airflow has it by default."""

STOP_SECONDS = 30.0
PASSWORDS = "simple_auth_manager_passwords.json.generated"
PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")

SETTINGS = {
    "AIRFLOW__API__HOST": HOST,
    "AIRFLOW__API__PORT": str(AIRFLOW_PORT),
    "AIRFLOW__API__BASE_URL": AIRFLOW,
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{AIRFLOW}/execution/",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
}
"""A task of Airflow 3.3 gives its API server five seconds to answer, which is too short on a slow machine."""


def main(command_line: Sequence[str] | None = None) -> int:
    """Start both, say where they are, and stop both on Ctrl-C; 1 when they cannot be started."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.standalone", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(command_line)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for port, whose in taken(PORTS):
        console.print(f"Port {port} is taken, where {whose} would be. Stop what listens there, and start again.")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with SandboxServer(scenario(), port=SANDBOX_PORT) as sandbox:
            console.print(f"Sandbox   {sandbox.url}/")
            return run_airflow(console, sandbox.url)
    except KeyboardInterrupt:
        return 0


def taken(ports: dict[int, str]) -> list[tuple[int, str]]:
    """Those of ``ports`` at which somebody listens on this machine, with what would be there."""
    found = []
    for port, whose in ports.items():
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            found.append((port, whose))
    return found


def run_airflow(console: Console, sandbox_url: str) -> int:
    """Start Airflow and wait for its end; an interruption stops it."""
    settings = {**environment(home="standalone"), **SETTINGS}
    log_file = Path(settings["AIRFLOW_HOME"], "standalone.log")
    console.print(f"Airflow   making its database; the log is in {log_file}")
    with log_file.open("w") as log:
        rows = [sys.executable, "-m", "demo.rows", sandbox_url]
        if subprocess.run(rows, cwd=ROOT, env=settings, stdout=log, stderr=subprocess.STDOUT).returncode:  # noqa: S603
            console.print(f"Airflow could not make its database:\n{log_file.read_text()[-2000:]}")
            return 1
        airflow = Path(sys.executable).with_name("airflow")
        process = subprocess.Popen(  # noqa: S603
            [str(airflow), "standalone"], env=settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            if wait_until_up(console, process):
                login(console, Path(settings["AIRFLOW_HOME"], PASSWORDS))
            code = process.wait()
            console.print(f"Airflow has ended:\n{log_file.read_text()[-2000:]}")
            return code or 1
        finally:
            console.print("Airflow   stopping …")
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End all processes of Airflow, which has a session of its own; what does not end by itself is killed."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_up(console: Console, process: subprocess.Popen[bytes]) -> bool:
    """Whether all parts of Airflow are up before it ends; says every ten seconds what is still missing."""
    started = told = time.monotonic()
    while process.poll() is None:
        if not (missing := not_up()):
            return True
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            console.print(f"Airflow   starting, {told - started:.0f} s; not up yet: {', '.join(missing)}")
        time.sleep(1)
    return False


def not_up() -> Sequence[str]:
    """Return the parts of Airflow that do not run yet, as its API server tells; that alone while it does not answer."""
    try:
        health = requests.get(f"{AIRFLOW}/api/v2/monitor/health", timeout=5).json()
    except requests.RequestException:
        return ["api_server"]
    return [part for part in PARTS if health[part]["status"] != "healthy"]


def login(console: Console, file: Path) -> None:
    """Print the address, the login that Airflow made up, and what there is to do."""
    passwords = json.loads(file.read_text()) if file.exists() else {}
    console.print(f"Airflow   {AIRFLOW}")
    for user, password in passwords.items():
        console.print(f"Login     {user} / {password}")
    console.print("Trigger   end_of_shift_bitrix24 or end_of_shift_superoffice, under Dags")
    console.print("Test      the connections, under Admin, Connections")
    console.print("Ctrl-C stops all.")


if __name__ == "__main__":
    sys.exit(main())
