# SPDX-License-Identifier: Apache-2.0
"""``make demo``: the end of a shift on both services, shown as it happens and checked afterwards."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.live import Live

from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.testing.audit import audit
from airflow_provider_chattransfer.testing.connections import sandbox_connections

from . import show
from .environment import ROOT, environment
from .floor import LEAVING, scenario

HAND_OVERS = {"bitrix24": "end_of_shift_bitrix24", "superoffice": "end_of_shift_superoffice"}
ACCEPT_WITHIN = 25.0
"""Seconds that the receivers get here, instead of the ten minutes in the example DAGs."""


def main(command_line: Sequence[str] | None = None) -> int:
    """Run both hand-overs; 0 when every report equals the sandbox's ledger."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--figure", type=Path, help="also draw what came out into this SVG file")
    arguments = parser.parse_args(command_line)
    console = Console(width=None if sys.stdout.isatty() else 110)
    figure = Console(width=96, record=True, file=StringIO(), force_terminal=True)
    with SandboxServer(scenario()) as sandbox:
        console.print(f"The sandbox serves both services at {sandbox.url}.", highlight=False)
        agreed = [hand_over([console, figure], sandbox.url, service) for service in HAND_OVERS]
    if arguments.figure:
        arguments.figure.write_text(show.picture(figure, title="make demo"))
    return 0 if all(agreed) else 1


def hand_over(consoles: list[Console], url: str, service: str) -> bool:
    """Run the example DAG of ``service`` and check its report; whether it agrees with the ledger.

    The first console shows all, the others what came out.
    """
    screen = consoles[0]
    for console in consoles:
        console.rule(f"[bold]{HAND_OVERS[service]}")
    state = sandbox_says(url, "state")
    before = show.holders(state[service])
    leaving = " and ".join(f"agent:{agent}" for agent in LEAVING)
    screen.print(show.floor(state[service], title=f"Before: {leaving} go home"), "")
    started = time.monotonic()
    report, succeeded = run_dag(screen, url, service, before)
    seconds = time.monotonic() - started
    if report is None:
        screen.print("[red]The DAG returned no report.[/red]")
        return False
    state = sandbox_says(url, "state")
    problems = audit(report, changes=sandbox_says(url, "ledger")["changes"])
    problems += left_behind(report, state[service])
    made = state["requests"][service]
    for console in consoles:
        console.print(show.floor(state[service], before=before, title="After"), "")
        show.outcomes(console, report)
        show.verdict(console, problems, chats=len(report["transfers"]), requests=made, seconds=seconds)
    return succeeded and not problems


def run_dag(console: Console, url: str, service: str, before: Any) -> tuple[Any, bool]:
    """Run the DAG in a process of its own while showing the floor; its report, and whether it succeeded."""
    with tempfile.TemporaryDirectory() as directory:
        report_file, log_file = Path(directory, "report.json"), Path(directory, "airflow.log")
        with log_file.open("w") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "demo.run_dag", HAND_OVERS[service], str(report_file), str(ACCEPT_WITHIN)],
                cwd=ROOT,
                env=environment(home="demo", connections=sandbox_connections(url)),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            watch(console, url, service, before, process)
        if process.returncode or not report_file.exists():
            console.print(log_file.read_text()[-4000:], markup=False, highlight=False)
        report = json.loads(report_file.read_text()) if report_file.exists() else None
        return report, process.returncode == 0


def watch(console: Console, url: str, service: str, before: Any, process: subprocess.Popen[bytes]) -> None:
    """Show the floor while ``process`` runs: redrawn on a terminal, a line now and then in a log."""
    if not console.is_terminal:
        while process.poll() is None:
            state = sandbox_says(url, "state")
            console.print(show.line(state[service], state["requests"][service]), highlight=False)
            time.sleep(5)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while process.poll() is None:
            state = sandbox_says(url, "state")
            title = "Airflow runs the DAG …"
            live.update(show.progress(state[service], state["requests"][service], before=before, title=title))
            time.sleep(0.25)


def left_behind(report: Any, service: Any) -> list[str]:
    """Chats of those who went home that the report does not know."""
    known = {entry["chat_id"] for entry in report["transfers"]}
    gone = {str(agent) for agent in LEAVING}
    return [
        f"chat {chat['id']} is with agent:{chat['owner']}, who went home, and is not in the report"
        for chat in service["chats"]
        if chat["state"] != "closed" and chat["owner"] in gone and chat["id"] not in known
    ]


def sandbox_says(url: str, what: str) -> Any:
    """Return the sandbox's state or ledger."""
    return requests.get(f"{url}/sandbox/{what}", timeout=10).json()


if __name__ == "__main__":
    sys.exit(main())
