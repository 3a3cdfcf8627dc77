# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests of one's own DAGs.

In ``conftest.py``: ``pytest_plugins = ["airflow_provider_chattransfer.testing.pytest_plugin"]``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..sandbox.server import SandboxServer
from .connections import as_environment
from .sandbox import ChatSandbox


@pytest.fixture(scope="session")
def chat_sandbox_server() -> Iterator[SandboxServer]:
    """One sandbox for the whole session, on a free port. Use ``chat_sandbox`` to have it fresh."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def chat_sandbox(chat_sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> ChatSandbox:
    """Both services, freshly reset to the default scenario with people who answer at once.

    While the test runs, Airflow's connections ``bitrix24_default``, ``superoffice_default`` and
    ``superoffice_agent_7`` and so on lead to it.
    """
    sandbox = ChatSandbox(url=chat_sandbox_server.url)
    sandbox.reset()
    for name, value in as_environment(sandbox.connections()).items():
        monkeypatch.setenv(name, value)
    return sandbox
