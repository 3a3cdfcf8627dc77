# SPDX-License-Identifier: Apache-2.0
"""Define what a service says of itself to Airflow."""

from __future__ import annotations

from dataclasses import dataclass

from .connection_forms import ConnectionForm


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What Airflow and our own commands know of a service before any code that speaks to it is imported.

    ``integration`` is the service's name in Airflow's list of integrations, ``docs_url`` its documentation, ``hook``
    the dotted name of its hook class.
    """

    integration: str
    docs_url: str
    hook: str
    form: ConnectionForm

    @property
    def conn_type(self) -> str:
        """Return the connection type, which is also the service's name in reports."""
        return self.form.connection_type
