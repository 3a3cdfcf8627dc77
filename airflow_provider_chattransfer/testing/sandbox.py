# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a test talks to it: set up, look behind the services, judge a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from .audit import audit
from .connections import sandbox_connections

PROMPT = {"people": {"accept_after": [0.05, 0.2]}}
"""People who answer at once, so that a test need not wait for them."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {"bitrix24": {**PROMPT, "rate": None}, "superoffice": PROMPT}
"""What each service has in a test unless its scenario says otherwise: prompt people, no limit of requests."""

TIMEOUT = 10
"""Seconds for an answer of the control plane."""


class ChatSandbox:
    """A running sandbox, by its control plane.

    ``url`` is where it listens, ``http://127.0.0.1:8024``. Every method raises ``requests.HTTPError`` for what the
    sandbox refuses, with its reason.
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
        """Let the sandbox's time pass at once."""
        self._post("clock", {"skip": seconds})

    def state(self) -> dict[str, Any]:
        """Agents, queues and chats of both services, the sandbox's time and the requests so far."""
        state: dict[str, Any] = self._get("state")
        return state

    def chats(self, service: str) -> dict[str, dict[str, Any]]:
        """The chats of a service by id."""
        return {chat["id"]: chat for chat in self.state()[service]["chats"]}

    def ledger(self, service: str | None = None) -> list[dict[str, Any]]:
        """Every change of every chat since the reset, in order; of one service, when named."""
        changes: list[dict[str, Any]] = self._get("ledger")["changes"]
        return [change for change in changes if service in (None, change["service"])]

    def audit(self, report: Mapping[str, Any]) -> list[str]:
        """What ``report`` says and the ledger does not, one sentence for each; see ``testing.audit``."""
        return audit(report, changes=self.ledger())

    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow connections to both services by id, with a limit of requests that no test reaches."""
        connections = sandbox_connections(self.url)
        for conn_id in ("bitrix24_default", "superoffice_default"):
            connections[conn_id]["extra"] |= {"requests_per_second": 1000, "burst": 1000}
        return connections

    def _get(self, what: str) -> Any:
        return _read(requests.get(f"{self.url}/sandbox/{what}", timeout=TIMEOUT))

    def _post(self, what: str, body: Mapping[str, Any]) -> Any:
        return _read(requests.post(f"{self.url}/sandbox/{what}", json=body, timeout=TIMEOUT))


def _read(reply: requests.Response) -> Any:
    if reply.ok:
        return reply.json()
    raise requests.HTTPError(f"the sandbox refused: {reply.text}", response=reply)
