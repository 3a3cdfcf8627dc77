# SPDX-License-Identifier: Apache-2.0
"""Fixtures for other people's clients: the sandbox behind TLS, and SuperOffice's JavaScript client in a process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_chattransfer.sandbox.server import SandboxServer
from tests.sandbox.bitrix24_client import PortalClient
from tests.sandbox.certificates import self_signed

from .javascript import JavaScript

HERE = Path(__file__).parent
WEBAPI = HERE / "node_modules/@superoffice/webapi"


@pytest.fixture(scope="module")
def https_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """Run a sandbox behind TLS that everything built on ``requests`` trusts."""
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as environment, SandboxServer(certificate=certificate, key=key) as server:
        environment.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        yield server


@pytest.fixture
def https_portal(https_server: SandboxServer) -> Iterator[PortalClient]:
    """Return the portal behind TLS, freshly reset."""
    client = PortalClient(https_server)
    client.reset()
    yield client
    client.http.close()


@pytest.fixture(scope="module")
def javascript() -> Iterator[JavaScript]:
    """Run a process with SuperOffice's own client."""
    node = shutil.which("node")
    if node is None or not WEBAPI.is_dir():
        pytest.skip("needs Node.js and SuperOffice's client: npm install --prefix tests/sandbox/real_clients")
    command = [node, str(HERE / "superoffice_webapi.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield JavaScript(process)
        process.communicate(timeout=10)
