# SPDX-License-Identifier: Apache-2.0
"""What an administrator does at a machine of Airflow: test a connection, and register the bot that transfers need.

    python -m airflow_provider_chattransfer test-connection CONN_ID
    python -m airflow_provider_chattransfer register-bot CONN_ID

Connections are found as Airflow's services find them: in the environment, a secrets backend, or the database. The exit
code is 0 when all is well, and 1 when it is not.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

PROGRAM = "python -m airflow_provider_chattransfer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what ``arguments`` say, print what came of it, and return the exit code."""
    asked = _parser().parse_args(arguments)
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")  # as Airflow's own commands, to find all connections
    from .exceptions import TransferError

    command: Callable[[argparse.Namespace], tuple[bool, str]] = asked.command
    try:
        good, told = command(asked)
    except (ValueError, TransferError) as problem:
        good, told = False, str(problem)
    print(told, file=sys.stdout if good else sys.stderr)
    return 0 if good else 1


def test_connection(asked: argparse.Namespace) -> tuple[bool, str]:
    """What the button Test says of a connection; also where ``[core] test_connection`` switches that off."""
    from .hooks.connections import get_connection
    from .hooks.dispatch import hook_for

    return hook_for(get_connection(asked.conn_id))(asked.conn_id).test_connection()


def register_bot(asked: argparse.Namespace) -> tuple[bool, str]:
    """Register the bot, or find the one that is there; raises ``ValueError`` or a ``PlatformError``."""
    from .hooks.bitrix24 import Bitrix24Hook

    return True, str(Bitrix24Hook(asked.conn_id).register_bot(code=asked.code, name=asked.name))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Administer connections to Bitrix24 and SuperOffice.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    test = commands.add_parser("test-connection", help="say whether a connection works, and what it is let do")
    test.set_defaults(command=test_connection)

    bot = commands.add_parser("register-bot", help="register the bot that transfers on Bitrix24 need, once")
    bot.add_argument("--code", default="chattransfer", help="the bot's code, which names it for good (%(default)s)")
    bot.add_argument("--name", default="Chat transfer", help="the bot's name, as operators see it (%(default)s)")
    bot.set_defaults(command=register_bot)

    for command in (test, bot):
        command.add_argument("conn_id", metavar="CONN_ID", help="the connection's id")
    return parser


if __name__ == "__main__":
    sys.exit(main())
