# SPDX-License-Identifier: Apache-2.0
"""The connections that the documentation shows, read from it and led to the sandbox: they sign in and do their work."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from tests.support.documented_connections import examples, fields, with_a_key
from tests.support.ways_of_signing_in import WAYS, Way

from .conftest import Sandbox, a_dag, run

PROMPT = {"accept_after": [0.05, 0.1]}
QUICK = {"requests_per_second": 1000, "burst": 1000}


@pytest.fixture(autouse=True)
def _no_tenant_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants, "_locations", {})


def prepare(sandbox: Sandbox, way: Way) -> None:
    """Set the sandbox up with the credentials of the page, and two chats."""
    known = fields(way.name)
    chats = [{"id": 150, "owner": 7, "queue": 3}, {"id": 151, "owner": 8, "queue": 3}]
    services: dict[str, dict[str, Any]] = {
        "bitrix24": {
            "people": PROMPT,
            "chats": chats,
            "webhooks": [{"user": 1, "code": known.get("password", "another")}],
            "bots": [
                {"client_id": known.get("bot_client_id", "another"), "id": 80},
                {"app_id": known.get("oauth_client_id", "another"), "id": 81},
            ],
            "apps": [
                {
                    "client_id": known.get("oauth_client_id", "another"),
                    "client_secret": known.get("oauth_client_secret", "another"),
                    "refresh_token": known.get("oauth_refresh_token", "another"),
                    "user": 1,
                }
            ],
        },
        "superoffice": {
            "people": PROMPT,
            "chats": chats,
            "operators": [
                {"id": 7, "login": known.get("login", "handover"), "password": known.get("password", "another")},
                *({"id": agent} for agent in (8, 12)),
                {"id": 99, "login": "system", "type": "SystemAssociate"},
            ],
            "tokens": {known[name]: 7 for name in ("ticket", "access_token") if name in known},
            "refresh_tokens": {known[name]: 7 for name in ("refresh_token",) if name in known},
            "application": {
                name: known[key]
                for name, key in (
                    ("client_id", "client_id"),
                    ("client_secret", "client_secret"),
                    ("system_token", "system_user_token"),
                )
                if key in known
            },
            **way.settings.get("superoffice", {}),
        },
    }
    sandbox.reset(**{way.conn_type: services[way.conn_type]})


@pytest.fixture
def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Make the connection ``shown``: what Airflow reads from an example, with the sandbox as its host."""

    def connect(way: Way) -> None:
        from airflow.sdk import Connection

        monkeypatch.setenv("AIRFLOW_CONN_OF_THE_PAGE", examples()[way.name]["uri"])
        read = Connection.get("of_the_page")
        parts = urlsplit(sandbox.url)
        extra = with_a_key(read.extra_dejson) | QUICK | {"token_store": "file", "token_store_at": str(tmp_path)}
        if way.conn_type == "bitrix24":
            extra |= {"oauth_host": sandbox.url}
        shown = {
            "conn_type": read.conn_type,
            "host": f"{parts.scheme}://{parts.hostname}{way.path}",
            "port": parts.port,
            "login": read.login,
            "password": read.password,
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_SHOWN", json.dumps(shown))

    return connect


def transfer_by_agent_8(sandbox: Sandbox) -> None:
    """Transfer his chat to agent 12, as he would."""
    url = f"{sandbox.url}/Cust12345/api/v1/Agents/Chat/TransferChatSession"
    body = {"ChatSessionId": 151, "ToAssociate": "12"}
    requests.post(url, json=body, auth=("agent8", "Secret8"), timeout=10).raise_for_status()


class TestAnExampleOfThePage:
    """As a URI: in all forms it is the same, see ``TestConnectionsPage`` in ``tests/unit/test_docs.py``."""

    @pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.name))
    def test_lists_transfers_and_waits(self, sandbox: Sandbox, connect: Any, way: Way) -> None:
        connect(way)
        prepare(sandbox, way)
        if not way.moves:
            transfer_by_agent_8(sandbox)
        with a_dag() as dag:
            moved = ReassignChatsOperator(
                task_id="moved", conn_id="shown", from_agents=["7"], to=["agent:12"], dry_run=not way.moves
            )
            waited = AcceptTransferSensor(
                task_id="waited",
                conn_id="shown",
                transfers=moved.output if way.moves else [{"chat_id": 151, "to": "agent:12"}],
                accept_within=timedelta(seconds=30),
                poll_interval=0.05,
                trigger_rule="all_done",
            )
            moved >> waited
        ran = run(dag)
        assert ran.states == {"moved": "success" if way.moves else "failed", "waited": "success"}, ran.errors
        assert [entry["chat_id"] for entry in ran.results["moved"]["transfers"]] == ["150"]
        assert ran.results["waited"]["counts"]["accepted"] == 1
        assert sandbox.sent(way.conn_type) == (["150"] if way.moves else ["151"])
