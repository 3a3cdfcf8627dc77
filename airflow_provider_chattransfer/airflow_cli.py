# SPDX-License-Identifier: Apache-2.0
"""Offer our commands as ``airflow chattransfer …``, which Airflow has for providers since 3.2.

On 3.1 they are run by ``python -m airflow_provider_chattransfer``. Every ``airflow`` command imports this module, so it
imports nothing heavy.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .services import services

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_chattransfer_cli_commands() -> list[CLICommand]:
    """Return the group ``chattransfer`` with a subcommand for each command of ours."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    conn_id = Arg(("conn_id",), help="the connection's id", metavar="CONN_ID")
    commands = [
        ActionCommand(
            name="test-connection",
            help="say whether a connection works, and what it is let do",
            func=run_command,
            args=(conn_id,),
        )
    ]
    for service in services().values():
        for command in service.commands:
            options = [
                Arg((f"--{option.name}",), help=option.help, default=option.default) for option in command.options
            ]
            commands.append(
                ActionCommand(name=command.name, help=command.help, func=run_command, args=(*options, conn_id))
            )
    return [GroupCommand(name="chattransfer", help="Administer connections for chat transfers", subcommands=commands)]


def run_command(asked: argparse.Namespace) -> None:
    """Run the command as ``python -m airflow_provider_chattransfer`` does; a failure ends the process with code 1."""
    from .__main__ import main

    options = [
        f"--{option.name}={getattr(asked, option.name)}"
        for service in services().values()
        for command in service.commands
        if command.name == asked.subcommand
        for option in command.options
    ]
    if code := main([asked.subcommand, *options, asked.conn_id]):
        raise SystemExit(code)
