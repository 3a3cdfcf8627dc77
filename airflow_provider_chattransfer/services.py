# SPDX-License-Identifier: Apache-2.0
"""List the services: the one place that names them all. ``docs/add-a-platform.md`` tells how to add one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .connection_forms import ConnectionForm
from .service_info import ServiceInfo

SERVICE_MODULES = (
    "airflow_provider_chattransfer.platforms.bitrix24.service",
    "airflow_provider_chattransfer.platforms.superoffice.service",
)
"""The modules whose ``SERVICE`` describes a service, one line each.

Every process of Airflow imports them, so they import nothing heavy.
"""


def services() -> Mapping[str, ServiceInfo]:
    """Return each service by its connection type, in the order in which they are listed."""
    found: list[ServiceInfo] = [import_module(module).SERVICE for module in SERVICE_MODULES]
    return {service.conn_type: service for service in found}


def forms() -> Mapping[str, ConnectionForm]:
    """Return the form of each connection type."""
    return {conn_type: service.form for conn_type, service in services().items()}
