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

from .commands import commands
from .services import services

PROGRAM = "python -m airflow_provider_chattransfer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what ``arguments`` say, print what came of it, and return the exit code."""
    asked = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = asked.run
    return run(asked)


def _parser() -> argparse.ArgumentParser:
    names = " and ".join(service.form.name for service in services().values())
    parser = argparse.ArgumentParser(prog=PROGRAM, description=f"Administer connections to {names}.")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands():
        own = parsers.add_parser(command.name, help=command.help)
        own.set_defaults(run=command.run)
        for option in command.options:
            own.add_argument(f"--{option.name}", default=option.default, help=f"{option.help} (%(default)s)")
        own.add_argument("conn_id", metavar="CONN_ID", help="the connection's id")
    return parser


if __name__ == "__main__":
    sys.exit(main())
