# SPDX-License-Identifier: Apache-2.0
"""Run what an administrator does at a machine of Airflow: test a connection, register the bot that transfers need.

    python -m airflow_provider_chattransfer test-connection CONN_ID
    python -m airflow_provider_chattransfer register-bot CONN_ID

Commands that only one service has are in its ``service.py``.

Connections are found as Airflow's services find them: in the environment, a secrets backend, or the database. The exit
code is 0 when all is well, and 1 when it is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .airflow_internals import act_as_server
from .service_info import Command, ServiceInfo
from .services import services

PROGRAM = "python -m airflow_provider_chattransfer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what ``arguments`` say, print what came of it, and return the exit code."""
    asked = _parser().parse_args(arguments)
    act_as_server()
    from .exceptions import TransferError

    command: Callable[[argparse.Namespace], tuple[bool, str]] = asked.command
    try:
        good, told = command(asked)
    except (ValueError, TransferError) as problem:
        good, told = False, str(problem)
    print(told, file=sys.stdout if good else sys.stderr)
    return 0 if good else 1


def test_connection(asked: argparse.Namespace) -> tuple[bool, str]:
    """Tell what the button Test says of a connection; also where ``[core] test_connection`` switches that off."""
    from .hooks.connections import get_connection
    from .hooks.dispatch import hook_for

    return hook_for(get_connection(asked.conn_id))(asked.conn_id).test_connection()


def run_command(asked: argparse.Namespace) -> tuple[bool, str]:
    """Run the command of one service by its hook; raises ``ValueError`` or a ``PlatformError``."""
    from .hooks.dispatch import hook_of

    service: ServiceInfo = asked.service
    command: Command = asked.service_command
    options = {option.name: getattr(asked, option.name) for option in command.options}
    return True, str(getattr(hook_of(service)(asked.conn_id), command.method)(**options))


def _parser() -> argparse.ArgumentParser:
    names = " and ".join(service.form.name for service in services().values())
    parser = argparse.ArgumentParser(prog=PROGRAM, description=f"Administer connections to {names}.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    test = commands.add_parser("test-connection", help="say whether a connection works, and what it is let do")
    test.set_defaults(command=test_connection)
    test.add_argument("conn_id", metavar="CONN_ID", help="the connection's id")
    for service in services().values():
        for command in service.commands:
            own = commands.add_parser(command.name, help=command.help)
            own.set_defaults(command=run_command, service=service, service_command=command)
            for option in command.options:
                own.add_argument(f"--{option.name}", default=option.default, help=f"{option.help} (%(default)s)")
            own.add_argument("conn_id", metavar="CONN_ID", help="the connection's id")
    return parser


if __name__ == "__main__":
    sys.exit(main())
