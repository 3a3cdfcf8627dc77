# SPDX-License-Identifier: Apache-2.0
"""A private Airflow for the tests, made before anything imports Airflow; each of several processes makes its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.register_profile("chaos", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("patient")

HOME = Path(tempfile.mkdtemp(prefix="chattransfer-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
TEMPORARY = HOME / "tmp"
NO_FILES = HOME / "dags"
for folder in (TEMPORARY, NO_FILES):
    folder.mkdir()
TESTS = Path(__file__).parent
LONGEST_FIRST = {folder: place for place, folder in enumerate(("ui", "chaos", "airflow"))}
EXAMPLES = TESTS.parent / "example_dags"
MADE_BY_TESTS = "testing"
BUNDLES = [
    {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(path), "refresh_interval": 0},
    }
    for name, path in {"dags-folder": EXAMPLES, MADE_BY_TESTS: NO_FILES}.items()
]
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__API_AUTH__JWT_SECRET": "secret of the tests",  # without one, tasks cannot run on Airflow 3.2
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "NO_PROXY": "127.0.0.1,localhost",
    }
)

from airflow_provider_chattransfer.sandbox.server import SandboxServer  # noqa: E402

from .support.postgres import PostgresServer, running_postgres  # noqa: E402
from .support.quick_airflow import forget_secrets, quicken  # noqa: E402
from .support.redis_server import RedisServer, running_redis  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that the processes of ``make test`` end at about the same time.

    Tests whose ids hold an address in memory, which differs between the processes, are refused.
    """
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give the values of parametrize ids that are always the same")
    items.sort(key=lambda item: LONGEST_FIRST.get(item.path.relative_to(TESTS).parts[0], len(LONGEST_FIRST)))


@pytest.fixture(scope="session", autouse=True)
def temporary() -> None:
    """Give each process that runs tests its own folder for temporary files, and so its own account locks.

    A process that only starts others keeps the usual folder: in a folder within a folder, a browser finds the paths of
    its sockets too long.
    """
    os.environ["TMPDIR"] = tempfile.tempdir = str(TEMPORARY)


@pytest.fixture(autouse=True)
def locks(temporary: None) -> Path:
    """Empty the folder of this host's locks, so that no chat is claimed by the run of another test."""
    folder = TEMPORARY / f"chattransfer-{os.geteuid()}"
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)
    return folder


@pytest.fixture(autouse=True)
def no_secret_known() -> None:
    """Mask no secret of another test."""
    forget_secrets()


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """One sandbox for the whole session; use ``sandbox`` to have it fresh."""
    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="session")
def database() -> Path:
    """Airflow's metadata database, migrated; the value is a copy as it was then, for an Airflow of a test's own."""
    from airflow.utils.db import initdb

    quicken()
    initdb()
    empty = HOME / "empty.db"
    with closing(sqlite3.connect(HOME / "airflow.db")) as source, closing(sqlite3.connect(empty)) as copy:
        source.backup(copy)
    return empty


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis server for the whole session."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One Postgres server for the whole session."""
    with running_postgres() as server:
        yield server
