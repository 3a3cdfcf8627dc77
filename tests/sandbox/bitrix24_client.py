# SPDX-License-Identifier: Apache-2.0
"""A minimal client for the tests of the simulated Bitrix24: plain requests, no rules of its own."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_chattransfer.sandbox.server import SandboxServer

TRANSFER = "imopenlines.bot.session.transfer"
DIALOG = "imopenlines.dialog.get"


class PortalClient:
    """Calls the portal as the webhook of user 1, and reads the sandbox's own state."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()

    def reset(self, *, speed: float = 1.0, **scenario: Any) -> None:
        """Start a new portal; without a limit of requests unless the scenario has one."""
        reply = self.reset_reply(speed=speed, **{"rate": None, **scenario})
        assert reply.status_code == 200, reply.text

    def reset_reply(self, *, speed: float = 1.0, **scenario: Any) -> requests.Response:
        """Return the reply to a reset."""
        return self.http.post(f"{self.sandbox.url}/sandbox/reset", json={"speed": speed, "bitrix24": scenario})

    def post(self, path: str, **options: Any) -> requests.Response:
        """Send a POST to a path below ``/rest/``."""
        return self.http.post(f"{self.sandbox.url}/rest/{path}", **options)

    def call(self, method: str, params: Any = None, *, webhook: str = "1/secretcode") -> requests.Response:
        """Call a method with JSON parameters."""
        return self.post(f"{webhook}/{method}", json=params or {})

    def result(self, method: str, params: Any = None, *, webhook: str = "1/secretcode") -> Any:
        """Return the result of a call that must succeed."""
        reply = self.call(method, params, webhook=webhook)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    def error(self, method: str, params: Any = None, *, webhook: str = "1/secretcode") -> tuple[int, str]:
        """Return status and code of a call that must fail."""
        reply = self.call(method, params, webhook=webhook)
        assert "error" in reply.json(), reply.text
        return reply.status_code, reply.json()["error"]

    def batch(self, cmd: Any, **params: Any) -> dict[str, Any]:
        """Return the result of a batch."""
        result = self.result("batch", {"cmd": cmd, **params})
        assert isinstance(result, dict)
        return result

    def transfer(self, chat_id: int, **params: Any) -> requests.Response:
        """Request a transfer as the bot ``chattransfer``."""
        return self.call(TRANSFER, {"CHAT_ID": chat_id, "CLIENT_ID": "chattransfer", **params})

    def dialog(self, chat_id: int) -> dict[str, Any]:
        """Return the chat as the API shows it."""
        result = self.result(DIALOG, {"CHAT_ID": chat_id})
        assert isinstance(result, dict)
        return result

    def session_of(self, chat_id: int) -> int:
        """Return the session id in ``entity_data_1``."""
        return int(self.dialog(chat_id)["entity_data_1"].split("|")[5])

    def chat(self, chat_id: int) -> dict[str, Any]:
        """Return the chat as the sandbox knows it."""
        return next(chat for chat in self.chats() if chat["id"] == str(chat_id))

    def chats(self) -> list[dict[str, Any]]:
        """Return all chats as the sandbox knows them."""
        chats: list[dict[str, Any]] = self.http.get(f"{self.sandbox.url}/sandbox/state").json()["bitrix24"]["chats"]
        return chats

    def requests(self) -> int:
        """Return how many requests the portal has received."""
        return int(self.http.get(f"{self.sandbox.url}/sandbox/state").json()["requests"]["bitrix24"])

    def changes(self, chat_id: int | None = None) -> list[tuple[str, str | None]]:
        """Return the changes in the ledger, each with the new holder."""
        changes = self.http.get(f"{self.sandbox.url}/sandbox/ledger").json()["changes"]
        return [(change["change"], change["after"]) for change in changes if chat_id in (None, int(change["chat_id"]))]

    def skip(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self.sandbox.sandbox.clock.skip(seconds)
