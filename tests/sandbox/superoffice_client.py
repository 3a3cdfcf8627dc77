# SPDX-License-Identifier: Apache-2.0
"""A bare client for the tests of the SuperOffice sandbox: it sends what it is told and judges nothing."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_chattransfer.sandbox.server import SandboxServer

SUPERVISOR = ("tje0", "Tje0")
Caller = int | tuple[str, str]
PROMPT = {"accept_after": [1, 2]}
"""Habits of agents who accept; the tests skip time instead of waiting."""


class TenantClient:
    """One running sandbox, freshly reset, and who calls it."""

    def __init__(self, server: SandboxServer, **scenario: Any) -> None:
        self.server = server
        self.api = f"{server.url}/Cust12345/api/v1"
        self.reset(**scenario)

    def reset(self, **scenario: Any) -> requests.Response:
        """Start anew from a scenario of SuperOffice alone; agents are prompt unless it says otherwise."""
        setup = {"superoffice": {"people": PROMPT, **scenario}, "bitrix24": {"chats": 0}}
        return requests.post(f"{self.server.url}/sandbox/reset", json=setup, timeout=10)

    def send(self, verb: str, path: str, *, by: Caller | None = None, **options: Any) -> requests.Response:
        """Any call of the WebAPI, by an agent's number or a login and a password."""
        login = (f"agent{by}", f"Secret{by}") if isinstance(by, int) else by
        return requests.request(verb, f"{self.api}/{path}", auth=login, timeout=10, **options)

    def agent(self, method: str, body: Any = None, *, by: Caller = SUPERVISOR, **options: Any) -> Any:
        """Return the answer of `POST Agents/Chat/{method}`, which must be 200."""
        reply = self.send("POST", f"Agents/Chat/{method}", by=by, json=body, **options)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def get(self, path: str, *, by: Caller = SUPERVISOR, **query: Any) -> Any:
        """Return the answer of a `GET`, which must be 200; `top=5` stands for `$top=5`."""
        reply = self.send("GET", path, by=by, params={f"${name}": value for name, value in query.items()})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def transfer(self, chat: int, to: int | str, *, by: Caller) -> Any:
        """TransferChatSession, as the documents write it."""
        return self.agent("TransferChatSession", {"ChatSessionId": chat, "ToAssociate": str(to)}, by=by)

    def session(self, chat: int) -> Any:
        """Return the entity as it is now."""
        return self.agent(f"GetChatSessionEntity?chatSessionEntityId={chat}")

    def held(self, chat: int) -> tuple[str | None, str | None, int]:
        """Owner, who was asked, and the number of transfers, as the sandbox itself knows them."""
        found = next(entry for entry in self.state()["chats"] if entry["id"] == str(chat))
        return found["owner"], found["offered_to"], found["transfers"]

    def state(self) -> Any:
        """Return the sandbox's own view of SuperOffice."""
        return requests.get(f"{self.server.url}/sandbox/state", timeout=10).json()["superoffice"]

    def ledger(self) -> list[dict[str, Any]]:
        """All changes so far."""
        changes: list[dict[str, Any]] = requests.get(f"{self.server.url}/sandbox/ledger", timeout=10).json()["changes"]
        return changes

    def verbs(self) -> list[str]:
        """Return what happened so far, in one word each."""
        return [change["change"] for change in self.ledger()]

    def skip(self, seconds: float = 60) -> None:
        """Let time pass."""
        self.server.sandbox.clock.skip(seconds)
