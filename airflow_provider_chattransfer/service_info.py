# SPDX-License-Identifier: Apache-2.0
"""Define what a service says of itself to Airflow."""

from __future__ import annotations

from dataclasses import dataclass

from .connection_forms import ConnectionForm


@dataclass(frozen=True, slots=True)
class CommandOption:
    """An option of a ``Command``: ``name`` is written as ``--name``, and its value is text."""

    name: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command for an administrator that only one service has: ``register-bot``.

    It calls ``method`` of the service's hook with its options by name, and prints what that returns.
    """

    name: str
    help: str
    method: str
    options: tuple[CommandOption, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What Airflow and our own commands know of a service before any code that speaks to it is imported.

    ``integration`` is the service's name in Airflow's list of integrations, ``docs_url`` its documentation, ``hook``
    the dotted name of its hook class. ``commands`` are beside ``test-connection``, which every service has.
    """

    integration: str
    docs_url: str
    hook: str
    form: ConnectionForm
    commands: tuple[Command, ...] = ()

    @property
    def conn_type(self) -> str:
        """Return the connection type, which is also the service's name in reports."""
        return self.form.connection_type
