# SPDX-License-Identifier: Apache-2.0
"""Bad input: each a clear error that names the argument and the value, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor

from .conftest import Sandbox, a_dag, run

Operator = Callable[..., Any]
one, many, share, wait, accept = (
    TransferChatOperator,
    TransferChatsOperator,
    ReassignChatsOperator,
    AcceptTransferSensor,
    AcceptTransferOperator,
)
FROM_7 = {"from_agents": ["7"]}
TO_12 = {"to": ["agent:12"]}
CASES: list[tuple[Operator, dict[str, Any], str]] = [
    (one, {"chat_id": 112, "to": "agnet:12"}, "to: 'agnet:12' is not a target"),
    (one, {"chat_id": 112, "to": "agent:"}, "to: 'agent:'"),
    (one, {"chat_id": 112, "to": "queue:"}, "to: 'queue:'"),
    (one, {"chat_id": "chat", "to": "agent:12"}, "chat_id: 'chat'"),
    (one, {"chat_id": 0, "to": "agent:12"}, "chat_id: 0"),
    (one, {"chat_id": 1, "to": "agent:12", "max_failed_ratio": 2}, "max_failed_ratio: 2"),
    (one, {"chat_id": 1, "to": "agent:12", "accept_within": timedelta(0)}, "accept_within: "),
    (one, {"chat_id": 1, "to": "agent:12", "accept_within": timedelta.max}, "accept_within: "),
    (one, {"chat_id": 1, "to": "agent:12", "accept_within": "soon"}, "accept_within: 'soon'"),
    (one, {"chat_id": 1, "to": "agent:12", "poll_interval": 0}, "poll_interval: 0"),
    (many, {"transfers": "112"}, "transfers: '112'"),
    (many, {"transfers": [{"chat_id": 1}]}, "transfers[0]"),
    (many, {"transfers": [{"chat_id": 1, "to": "agent:1"}, {"chat_id": "1", "to": "agent:2"}]}, "transfers[1]: chat 1"),
    (many, {"transfers": [{"chat_id": 1, "to": "agnet:1"}]}, "transfers[0]: to: 'agnet:1'"),
    (share, {**TO_12, "from_agents": "78"}, "from_agents: '78'"),
    (share, {**TO_12, "from_agents": ["agent seven"]}, "from_agents[0]: 'agent seven'"),
    (share, {**TO_12, "chat_ids": ["1", "x"]}, "chat_ids[1]: 'x'"),
    (share, {**TO_12, "from_queue": "support"}, "from_queue: 'support'"),
    (share, {**TO_12, **FROM_7, "chat_ids": [1]}, "not from_agents and chat_ids"),
    (share, TO_12, "exactly one of from_agents, from_queue, chat_ids"),
    (share, {**FROM_7, "to": []}, "to: the list is empty"),
    (share, {**FROM_7, "to": "agent:12"}, "to: 'agent:12' is text, not a list"),
    (share, {**FROM_7, "to": ["agent:12", "agent:7"]}, "to: agent:7 is also the one whose chats are to be taken"),
    (share, {**FROM_7, **TO_12, "strategy": "roundrobin"}, "strategy: 'roundrobin'"),
    (
        share,
        {**FROM_7, "conn_id": "superoffice_default", "to": ["queue:3"]},
        "to: queue:3 is not possible on SuperOffice",
    ),
    (one, {"chat_id": 1, "conn_id": "superoffice_default", "to": "queue:3"}, "to: queue:3 is not possible"),
    (share, {**TO_12, "conn_id": "superoffice_default", "from_queue": 3}, "from_queue: queue:3 is not possible"),
    (one, {"chat_id": 1, "to": "agent:12", "conn_id": "mistyped"}, "conn_id: there is no connection 'mistyped'"),
    (one, {"chat_id": 1, "to": "agent:12", "conn_id": "other"}, "connection 'other' is of type 'http'"),
    (accept, {"chat_id": "x"}, "chat_id: 'x'"),
    (accept, {"chat_id": 1, "conn_id": "mistyped"}, "conn_id: there is no connection 'mistyped'"),
    (wait, {"transfers": {"platform": "bitrix24"}}, "not a transfer report"),
    (wait, {"transfers": [{"chat_id": 1, "to": "agnet:12"}]}, "transfers[0]: to: 'agnet:12'"),
    (wait, {"transfers": [{"chat_id": 1, "to": "agent:12"}], "conn_id": "mistyped"}, "no connection 'mistyped'"),
]
CONNECTIONS: list[tuple[dict[str, Any], str]] = [
    ({"extra": {}}, "connection 'wrong': Webhook: client id of the bot (bot_client_id): missing"),
    (
        {"host": "http://portal.example.com/rest/1/secretcode/"},
        "Portal (host): 'http://portal.example.com' is plain http",
    ),
    ({"host": "https://portal.example.com/rest/2/secretcode/"}, "(login): "),
    ({"host": "https://portal.example.com/rest/1/othersecretcode/"}, "(password): "),
    ({"schema": "crm"}, "schema: 'crm' is neither http nor https"),
    ({"host": ""}, "Portal (host): empty"),
    ({"host": "portal.example.com/?x=1"}, "Portal (host): "),
    ({"host": "https://me:secretcode@portal.example.com"}, "must not contain a login"),
    ({"login": "admin"}, "(login): the webhook's user id is missing, or is not"),
    ({"password": ""}, "(password): the webhook's code is missing"),
    ({"extra": {"bot_client_id": "x", "requests_per_second": "fast"}}, "(requests_per_second): 'fast'"),
    ({"extra": {"bot_client_id": "x", "timeout": -1}}, "(timeout): -1"),
    (
        {"conn_type": "superoffice", "login": None, "password": None},
        "On-site: user (login) and On-site: password (password)",
    ),
    ({"conn_type": "superoffice", "extra": {"access_token": "8A:x"}}, "both are there"),
    ({"conn_type": "superoffice", "extra": {"agent_conn_id": "agent"}}, "(agent_conn_id): 'agent'"),
]


class TestBadInput:
    def test_bad_input_of_every_kind_is_an_error_that_names_it_and_nothing_is_sent(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": "example.com"}))
        with a_dag() as dag:
            for number, (operator, options, _) in enumerate(CASES):
                operator(task_id=f"case_{number}", **{"conn_id": "bitrix24_default", **options})
        ran = run(dag)
        for number, (_, options, words) in enumerate(CASES):
            error = ran.errors.get(f"case_{number}")
            assert isinstance(error, ValueError), f"{options}: {error!r}"
            assert words in str(error)
        assert sandbox.state()["requests"] == {"bitrix24": 0, "superoffice": 0}

    def test_bad_input_in_a_connection_names_the_connection_and_the_field_and_no_secret(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good = {
            "conn_type": "bitrix24",
            "host": sandbox.url,
            "login": "1",
            "password": "secretcode",
            "extra": {"bot_client_id": "chattransfer"},
        }
        for number, (wrong, _) in enumerate(CONNECTIONS):
            monkeypatch.setenv(f"AIRFLOW_CONN_WRONG{number}", json.dumps({**good, **wrong}))
        with a_dag() as dag:
            for number in range(len(CONNECTIONS)):
                TransferChatOperator(task_id=f"case_{number}", conn_id=f"wrong{number}", chat_id=112, to="agent:12")
        ran = run(dag)
        for number, (wrong, words) in enumerate(CONNECTIONS):
            error = ran.errors.get(f"case_{number}")
            assert isinstance(error, ValueError), f"{wrong}: {error!r}"
            assert words.replace("'wrong'", f"'wrong{number}'") in str(error)
            assert "secretcode" not in str(error)
        assert sandbox.state()["requests"] == {"bitrix24": 0, "superoffice": 0}
