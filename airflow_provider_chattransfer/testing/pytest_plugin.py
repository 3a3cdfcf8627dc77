# SPDX-License-Identifier: Apache-2.0
"""Pytest fixtures for tests of your own DAGs.

In ``conftest.py``: ``pytest_plugins = ["airflow_provider_chattransfer.testing.pytest_plugin"]``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .connections import as_environment
from .process import SandboxProcess
from .sandbox import ChatSandbox


@pytest.fixture(scope="session")
def chat_sandbox_server() -> Iterator[SandboxProcess]:
    """Run one sandbox for the whole session, as a separate process on a free port; ``chat_sandbox`` resets it."""
    with SandboxProcess() as sandbox:
        yield sandbox


@pytest.fixture
def chat_sandbox(chat_sandbox_server: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> ChatSandbox:
    """Reset both services to the default scenario with people who answer at once.

    While the test runs, Airflow's connections ``bitrix24_default``, ``superoffice_default`` and ``superoffice_agent_7``
    and so on lead to it.
    """
    sandbox = ChatSandbox(url=chat_sandbox_server.url)
    sandbox.reset()
    for name, value in as_environment(sandbox.connections()).items():
        monkeypatch.setenv(name, value)
    return sandbox
