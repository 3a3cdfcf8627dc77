# SPDX-License-Identifier: Apache-2.0
"""``make airflow``: Airflow with the sandbox beside it, both connections and the example DAGs in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests
from rich.console import Console

from airflow_provider_chattransfer.sandbox.__main__ import PORT as SANDBOX_PORT
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .environment import environment
from .floor import scenario

AIRFLOW = "http://127.0.0.1:8080"
PASSWORDS = "simple_auth_manager_passwords.json.generated"


def main() -> int:
    """Start both, say where they are, and stop both on Ctrl-C."""
    console = Console()
    with SandboxServer(scenario(), port=SANDBOX_PORT) as sandbox:
        settings = environment(sandbox.url, home="standalone")
        log_file = Path(settings["AIRFLOW_HOME"], "standalone.log")
        console.print(f"Sandbox   {sandbox.url}/", highlight=False)
        console.print(f"Airflow   starting, its log is in {log_file} …", highlight=False)
        airflow = Path(sys.executable).with_name("airflow")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with log_file.open("w") as log:
            process = subprocess.Popen(  # noqa: S603
                [str(airflow), "standalone"], env=settings, stdout=log, stderr=subprocess.STDOUT
            )
            try:
                if wait_until_up(process):
                    login(console, Path(settings["AIRFLOW_HOME"], PASSWORDS))
                return process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
                return 0


def wait_until_up(process: subprocess.Popen[bytes]) -> bool:
    """Whether Airflow answers, before it ends."""
    while process.poll() is None:
        try:
            if requests.get(f"{AIRFLOW}/api/v2/monitor/health", timeout=2).ok:
                return True
        except requests.RequestException:
            pass
        time.sleep(1)
    return False


def login(console: Console, file: Path) -> None:
    """Print the address and the login that Airflow made up."""
    passwords = json.loads(file.read_text()) if file.exists() else {}
    console.print(f"Airflow   {AIRFLOW}", highlight=False)
    for user, password in passwords.items():
        console.print(f"Login     {user} / {password}", highlight=False, markup=False)
    console.print("The DAGs end_of_shift_bitrix24 and end_of_shift_superoffice are ready to trigger; Ctrl-C stops all.")


if __name__ == "__main__":
    sys.exit(main())
