# SPDX-License-Identifier: Apache-2.0
"""Clients of both services, each on a fresh sandbox."""

from __future__ import annotations

import pytest

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from .bitrix24_client import PortalClient
from .superoffice_client import TenantClient


@pytest.fixture
def portal(sandbox_server: SandboxServer) -> PortalClient:
    client = PortalClient(sandbox_server)
    client.reset()
    return client


@pytest.fixture
def desk(sandbox_server: SandboxServer) -> TenantClient:
    return TenantClient(sandbox_server)
