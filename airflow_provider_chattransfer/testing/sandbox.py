# SPDX-License-Identifier: Apache-2.0
"""A client of the sandbox's control plane, for tests: set up, read state and ledger, audit a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from .audit import audit
from .connections import sandbox_connections

FAST_PEOPLE = {"people": {"accept_after": [0.05, 0.2]}}
"""People who answer at once, so that a test need not wait for them."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {"bitrix24": {**FAST_PEOPLE, "rate": None}, "superoffice": FAST_PEOPLE}
"""What each service has in a test unless its scenario says otherwise: fast people, no limit of requests."""

TIMEOUT_SECONDS = 10
"""How long the control plane may take to answer."""


class ChatSandbox:
    """A running sandbox, reached through its control plane.

    ``url`` is where it listens, ``http://127.0.0.1:8024``. Every method raises ``requests.HTTPError``, with the reason,
    for what the sandbox refuses.
    """

    def __init__(self, *, url: str) -> None:
        self.url = url

    def reset(self, **scenario: Any) -> None:
        """Start anew from a scenario (``docs/sandbox.md``), with ``DEFAULTS`` for what a service leaves out."""
        services = {name: {**defaults, **scenario.get(name, {})} for name, defaults in DEFAULTS.items()}
        self._post("reset", {**scenario, **services})

    def fault(self, **fault: Any) -> None:
        """Arm a fault: ``fault(kind="drop_after", service="bitrix24")``."""
        self._post("faults", fault)

    def skip(self, seconds: float) -> None:
        """Move the sandbox's time forward by ``seconds`` at once."""
        self._post("clock", {"skip": seconds})

    def state(self) -> dict[str, Any]:
        """Return agents, queues and chats of both services, the sandbox's time and the number of requests."""
        state: dict[str, Any] = self._get("state")
        return state

    def chats(self, service: str) -> dict[str, dict[str, Any]]:
        """Return the chats of a service by id."""
        return {chat["id"]: chat for chat in self.state()[service]["chats"]}

    def ledger(self, service: str | None = None) -> list[dict[str, Any]]:
        """Return every change of every chat since the reset, in order; of one service if it is named."""
        changes: list[dict[str, Any]] = self._get("ledger")["changes"]
        return [change for change in changes if service in (None, change["service"])]

    def audit(self, report: Mapping[str, Any]) -> list[str]:
        """Return the contradictions between ``report`` and the ledger, one sentence for each; see ``testing.audit``."""
        return audit(report, changes=self.ledger())

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return Airflow connections to both services by id, with a limit of requests that no test reaches."""
        connections = sandbox_connections(self.url)
        for conn_id in ("bitrix24_default", "superoffice_default"):
            connections[conn_id]["extra"] |= {"requests_per_second": 1000, "burst": 1000}
        return connections

    def _get(self, what: str) -> Any:
        return _read(requests.get(f"{self.url}/sandbox/{what}", timeout=TIMEOUT_SECONDS))

    def _post(self, what: str, body: Mapping[str, Any]) -> Any:
        return _read(requests.post(f"{self.url}/sandbox/{what}", json=body, timeout=TIMEOUT_SECONDS))


def _read(reply: requests.Response) -> Any:
    if reply.ok:
        return reply.json()
    raise requests.HTTPError(f"the sandbox refused: {reply.text}", response=reply)
