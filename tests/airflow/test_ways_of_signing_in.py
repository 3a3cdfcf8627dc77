# SPDX-License-Identifier: Apache-2.0
"""What becomes of a run when what it signs in with ends in the middle, and cannot be renewed.

What renews itself is in ``test_bitrix24_connections.py`` and ``test_superoffice_connections.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.superoffice import platform as superoffice_platform
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.retry_decision import decide
from tests.support.ways_of_signing_in import WAYS, Way

from .conftest import Ran, Sandbox, run_one

BY_NAME = {way.name: way for way in WAYS}
CHUNK = 50
CHATS = [{"id": 1000 + number, "owner": 7, "queue": 3} for number in range(CHUNK + 10)]
FIRST = [str(chat["id"]) for chat in CHATS[:CHUNK]]
A_DAY = 86400.0
NONE: Mapping[str, Any] = MappingProxyType({})

ENDING: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "bitrix24-webhook": ({"webhooks": [{"user": 1, "code": "secretcode", "expires_in": 3600}]}, {}),
    "superoffice-ticket": ({}, {"ticket": "7T:Cust12345.ends"}),
    "superoffice-access-token": ({}, {"access_token": "8A:Cust12345.ends"}),
    "superoffice-online-ticket": ({}, {"ticket": "7T:Cust12345.ends"}),
}
"""What ends within the hour: what the scenario of the service has more, and the fields that are others."""


@pytest.fixture
def run_transfers(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Move all chats of agent 7; a day passes when the first fifty are sent."""
    monkeypatch.setattr(tenants, "_locations", {})
    for platform in (Bitrix24Platform, SuperOfficePlatform):
        sends: list[int] = []
        send: Any = platform.send

        def sending(self: Any, moves: Any, options: Any, sends: Any = sends, send: Any = send) -> Any:
            sends.append(len(moves))
            if len(sends) == 2:
                sandbox.skip(A_DAY)
            return send(self, moves, options)

        monkeypatch.setattr(platform, "send", sending)

    def run_transfers(way: Way, *, scenario: Mapping[str, Any] = NONE, fields: Mapping[str, str] = NONE) -> Ran:
        own = way.settings.get(way.conn_type, {})
        tokens = {value: {"associate": 7, "expires_in": 3600} for value in fields.values()}
        more = {"tokens": tokens} if tokens else {}
        sandbox.reset(**{way.conn_type: {"people": {"ignore": 1}, "chats": CHATS, **own, **scenario, **more}})
        connection = way.connection(sandbox.url, user="agent7", requests_per_second=1000, burst=1000, **fields)
        monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
        return run_one(ReassignChatsOperator, conn_id="ours", from_agents=["7"], to=["agent:12"])

    return run_transfers


class TestWhatEndsMidRun:
    @pytest.mark.parametrize("name", ENDING)
    def test_and_cannot_be_renewed_stops_the_run_which_says_so(
        self, sandbox: Sandbox, run_transfers: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """One request at a time, so that it is known which chats were sent."""
        way = BY_NAME[name]
        scenario, fields = ENDING[name]
        monkeypatch.setattr(superoffice_platform, "MAX_AT_ONCE", 1)
        ran = run_transfers(way, scenario=scenario, fields=fields)
        error = ran.errors["task"]
        assert decide(error).permanent
        assert next(iter(way.wrong)) in str(error)
        assert [secret for secret in {*way.secrets(), *fields.values()} if secret in str(error)] == []
        assert sandbox.sent(way.conn_type) == FIRST
        told = {entry["chat_id"]: entry["outcome"] for entry in ran.results["task"]["transfers"]}
        assert len(told) == len(CHATS)
        assert {told[chat_id] for chat_id in told.keys() - set(FIRST)} == {"failed"}


class TestWhatDoesNotEnd:
    @pytest.mark.parametrize("name", ["bitrix24-webhook", "superoffice-basic"])
    def test_serves_a_run_to_its_end(self, sandbox: Sandbox, run_transfers: Callable[..., Ran], name: str) -> None:
        ran = run_transfers(BY_NAME[name])
        assert ran.state == "success", ran.errors
        assert len(sandbox.sent(BY_NAME[name].conn_type)) == len(CHATS)
