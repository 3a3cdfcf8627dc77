# SPDX-License-Identifier: Apache-2.0
"""Offer our commands as ``airflow chattransfer …``, which Airflow has for providers since 3.2.

On 3.1 they are run by ``python -m airflow_provider_chattransfer``. Every ``airflow`` command imports this module, so it
imports nothing heavy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .commands import AdminCommand, commands

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_chattransfer_cli_commands() -> list[CLICommand]:
    """Return the group ``chattransfer`` with a subcommand for each command of ours."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    conn_id = Arg(("conn_id",), help="the connection's id", metavar="CONN_ID")

    def action(command: AdminCommand) -> ActionCommand:
        options = [Arg((f"--{option.name}",), help=option.help, default=option.default) for option in command.options]
        run = partial(_exit_on_failure, command.run)
        return ActionCommand(name=command.name, help=command.help, func=run, args=(*options, conn_id))

    group = "Administer connections for chat transfers"
    return [GroupCommand(name="chattransfer", help=group, subcommands=list(map(action, commands())))]


def _exit_on_failure(run: Callable[[argparse.Namespace], int], asked: argparse.Namespace) -> None:
    """Run a command; a failure ends the process with its exit code, since Airflow drops what a command returns."""
    if code := run(asked):
        raise SystemExit(code)
