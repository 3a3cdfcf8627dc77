# SPDX-License-Identifier: Apache-2.0
"""A private Airflow for the tests, made before anything imports Airflow; each of several processes makes its own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

HOME = Path(tempfile.mkdtemp(prefix="chattransfer-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
TEMPORARY = HOME / "tmp"
TEMPORARY.mkdir()
EXAMPLES = Path(__file__).parent.parent / "example_dags"
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "NO_PROXY": "127.0.0.1,localhost",
        "TMPDIR": str(TEMPORARY),
    }
)
tempfile.tempdir = None  # Locks of accounts lie there: no process takes turns with another one.

from airflow_provider_chattransfer.sandbox.server import SandboxServer  # noqa: E402

from .redis_server import RedisServer, running_redis  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests whose ids hold an address in memory, which differs between the processes of ``make test``."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give the values of parametrize ids that are always the same")


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """One sandbox for the whole session; use ``sandbox`` to have it fresh."""
    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis server for the whole session."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server
