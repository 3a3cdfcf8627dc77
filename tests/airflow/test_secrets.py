# SPDX-License-Identifier: Apache-2.0
"""Nothing secret, and nothing of a customer, leaves: planted on both sides, looked for afterwards."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

from .conftest import Sandbox, a_dag, run

BITRIX24 = {"code": "canarycode1", "bot": "canarybot2"}
SUPEROFFICE = {"password": "canarypassword3", "token": "8A:Cust12345.canarytoken4"}


@pytest.fixture
def planted(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Secrets in both connections; everything that must not be found anywhere."""
    agents = [{"id": 5, "login": "tje0", "password": SUPEROFFICE["password"]}, *({"id": each} for each in (7, 12))]
    sandbox.reset(
        bitrix24={
            "rate": None,
            "people": {"accept_after": [0.05, 0.1]},
            "webhooks": [{"user": 1, "code": BITRIX24["code"]}],
            "bots": [{"client_id": BITRIX24["bot"], "id": 80}],
        },
        superoffice={
            "operators": agents,
            "queues": [{"id": 3}],
            "chats": 10,
            "tokens": {SUPEROFFICE["token"]: 7},
            "people": {"accept_after": [0.05, 0.1]},
        },
    )
    bitrix24 = {"conn_type": "bitrix24", "host": sandbox.url, "login": "1", "password": BITRIX24["code"]}
    superoffice = {"conn_type": "superoffice", "host": f"{sandbox.url}/Cust12345"}
    connections: dict[str, dict[str, Any]] = {
        "BITRIX24_DEFAULT": {**bitrix24, "extra": {"bot_client_id": BITRIX24["bot"]}},
        "SUPEROFFICE_DEFAULT": {
            **superoffice,
            "login": "tje0",
            "password": SUPEROFFICE["password"],
            "extra": {"agent_conn_id": "superoffice_agent_{agent}"},
        },
        "SUPEROFFICE_AGENT_7": {**superoffice, "extra": {"access_token": SUPEROFFICE["token"]}},
    }
    for name, value in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))
    return [*BITRIX24.values(), *SUPEROFFICE.values(), *customers(sandbox)]


def customers(sandbox: Sandbox) -> list[str]:
    """What the services know of some customers, by asking them."""
    url = f"{sandbox.url}/rest/1/{BITRIX24['code']}/imopenlines.dialog.get"
    names = [requests.post(url, json={"CHAT_ID": chat}, timeout=10).json()["result"]["name"] for chat in (101, 102)]
    found = [name.split(" - ")[0] for name in names]
    url = f"{sandbox.url}/Cust12345/api/v1/Agents/Chat/ChatSessionsForUser"
    sessions = requests.post(url, auth=("tje0", SUPEROFFICE["password"]), timeout=10).json()
    fields = ("CustomerName", "CustomerEmail", "CustomerPhone", "LastMessage", "SessionKey")
    found += [session[field] for session in sessions[:5] for field in fields]
    assert len(found) > 10
    return [each for each in found if each]


class TestNothingLeaks:
    def test_into_a_log_an_xcom_a_trigger_or_an_error(
        self,
        sandbox: Sandbox,
        planted: list[str],
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger

        triggers: list[Any] = []
        serialize = AcceptTransferTrigger.serialize

        def note(trigger: AcceptTransferTrigger) -> Any:
            triggers.append(serialize(trigger))
            return triggers[-1]

        monkeypatch.setattr(AcceptTransferTrigger, "serialize", note)
        caplog.set_level(logging.DEBUG)
        options: dict[str, Any] = {"wait_for_acceptance": True, "deferrable": True, "poll_interval": 0.1}
        options["accept_within"] = timedelta(seconds=2)
        with a_dag() as dag:
            good = [
                ReassignChatsOperator(task_id=f"{conn_id}_good", conn_id=conn_id, from_agents=["7"], to=to, **options)
                for conn_id, to in (
                    ("bitrix24_default", ["agent:12", "queue:3"]),
                    ("superoffice_default", ["agent:12"]),
                )
            ]
            for hand_over in good:
                AcceptTransferSensor(
                    task_id=f"{hand_over.conn_id}_wait",
                    conn_id=hand_over.conn_id,
                    transfers=hand_over.output,
                    accept_within=timedelta(seconds=1),
                    poll_interval=0.1,
                )
        ran = run(dag)
        assert ran.state == "success", ran.errors
        assert triggers
        captured = capfd.readouterr()
        logged = "\n".join(record.getMessage() for record in caplog.records)
        found = {"output": captured.out + captured.err, "log": logged, "xcom": json.dumps(ran.results)}
        found["trigger"] = json.dumps([arguments for _, arguments in triggers])
        assert "accepted" in found["xcom"]
        assert "dialog.get" in found["log"] or "chats done" in found["log"]
        leaks = [(place, secret) for place, text in found.items() for secret in planted if secret in text]
        assert leaks == []

    def test_into_the_error_of_a_task_that_fails_on_the_way(
        self, sandbox: Sandbox, planted: list[str], monkeypatch: pytest.MonkeyPatch, no_pauses: None
    ) -> None:
        for kind in ("drop_before", "html_502_before"):
            sandbox.fault(service="bitrix24", kind=kind, count=20)
        sandbox.fault(service="superoffice", kind="drop_before", count=40)
        with a_dag() as dag:
            for conn_id in ("bitrix24_default", "superoffice_default"):
                ReassignChatsOperator(task_id=conn_id, conn_id=conn_id, from_agents=["7"], to=["agent:12"])
        ran = run(dag)
        assert set(ran.errors) == {"bitrix24_default", "superoffice_default"}
        for error in ran.errors.values():
            chain = [error, error.__cause__, error.__context__]
            text = " ".join(f"{each!r} {each}" for each in chain)
            assert not [secret for secret in planted if secret in text]
