# SPDX-License-Identifier: Apache-2.0
"""Register the third service, and serve an account of it, while a test runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_chattransfer import services

from .sandbox import KEY, Account, serving

CONN = "helpdesk"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the one line."""
    monkeypatch.setattr(services, "SERVICE_MODULES", (*services.SERVICE_MODULES, "tests.third_platform.service"))


@pytest.fixture
def account(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Serve a fresh account, with the connection ``helpdesk`` to it."""
    with serving() as account:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", connection(account.url))
        yield account


def connection(url: str, **extra: object) -> str:
    """Return the connection as Airflow's JSON, with ``extra`` in place of its own fields."""
    parts = urlsplit(url)
    fields = {"account_id": "1", "agent_key": KEY, "requests_per_second": 1000, "burst": 1000, **extra}
    host = {"host": f"{parts.scheme}://{parts.hostname}", "port": parts.port}
    return json.dumps({"conn_type": "helpwave", **host, "extra": fields})
