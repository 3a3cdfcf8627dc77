# SPDX-License-Identifier: Apache-2.0
"""Run the commands for administrators, whichever command line they come from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .airflow_internals import act_as_server
from .service_info import Command, CommandOption, ServiceInfo
from .services import services


@dataclass(frozen=True, slots=True)
class AdminCommand:
    """A command as both command lines offer it: besides its ``options``, it takes a ``conn_id``.

    ``run`` does what the parsed arguments say, prints what came of it, and returns the exit code.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    options: Sequence[CommandOption] = ()


def commands() -> Iterator[AdminCommand]:
    """Yield ``test-connection``, which every service has, and the commands that only one has."""
    what = "say whether a connection works, and what it is let do"
    yield AdminCommand("test-connection", what, partial(_run, _test_connection))
    for service in services().values():
        for command in service.commands:
            run = partial(_run, partial(_call_hook, service, command))
            yield AdminCommand(command.name, command.help, run, command.options)


def _run(act: Callable[[argparse.Namespace], tuple[bool, str]], asked: argparse.Namespace) -> int:
    act_as_server()
    from .exceptions import TransferError

    try:
        good, told = act(asked)
    except (ValueError, TransferError) as problem:
        good, told = False, str(problem)
    print(told, file=sys.stdout if good else sys.stderr)
    return 0 if good else 1


def _test_connection(asked: argparse.Namespace) -> tuple[bool, str]:
    """Tell what the button Test says of a connection; also where ``[core] test_connection`` switches that off."""
    from .hooks.connections import get_connection
    from .hooks.dispatch import hook_for

    return hook_for(get_connection(asked.conn_id))(asked.conn_id).test_connection()


def _call_hook(service: ServiceInfo, command: Command, asked: argparse.Namespace) -> tuple[bool, str]:
    """Call the method of the service's hook that the command names; raises ``ValueError`` or a ``PlatformError``."""
    from .hooks.dispatch import hook_of

    options = {option.name: getattr(asked, option.name) for option in command.options}
    return True, str(getattr(hook_of(service)(asked.conn_id), command.method)(**options))
