# SPDX-License-Identifier: Apache-2.0
"""The whole sandbox: both services under one clock, one ledger and one list of faults."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from .bitrix24 import Portal
from .clock import Clock
from .faults import Faults
from .ledger import Ledger
from .superoffice import Tenant
from .wire import Call, Service

SCENARIO_KEYS = {"seed", "speed", "bitrix24", "superoffice"}


class Floor:
    """Both contact centres. ``reset`` builds them anew from a scenario."""

    def __init__(self, scenario: Mapping[str, Any] | None = None) -> None:
        self.reset(scenario or {})

    def reset(self, scenario: Mapping[str, Any]) -> None:
        """Forget everything and start from ``scenario`` (see ``docs/sandbox.md``); same seed, same people.

        Raises ``ValueError`` for a scenario that is not one; the old state then stays.
        """
        unknown = set(scenario) - SCENARIO_KEYS
        if unknown:
            raise ValueError(f"unknown keys in the scenario: {sorted(unknown)}")
        seed = int(scenario.get("seed", 1))
        clock = Clock(speed=float(scenario.get("speed", 1.0)))
        ledger = Ledger()
        services: list[Service] = [
            kind(scenario.get(name, {}), clock=clock, ledger=ledger, rng=random.Random(f"{seed}-{name}"))
            for name, kind in (("bitrix24", Portal), ("superoffice", Tenant))
        ]
        self.clock = clock
        self.ledger = ledger
        self.faults = Faults()
        self.services = services
        self.requests = {service.name: 0 for service in services}

    def number_of_next_request(self) -> int:
        """The number that the next request gets, counted over all services from 1."""
        return sum(self.requests.values()) + 1

    def service_at(self, path: str) -> Service | None:
        """The service that answers at ``path``."""
        return next((service for service in self.services if service.serves(path)), None)

    def advance(self) -> None:
        """Let everything happen that is due."""
        for service in self.services:
            service.advance()

    def count(self, service: Service, call: Call) -> None:
        """Note that ``call`` came in for ``service``."""
        self.requests[service.name] += 1

    def state(self) -> dict[str, Any]:
        """Everything that ``GET /sandbox/state`` shows."""
        self.advance()
        return {
            "time": self.clock.utc().isoformat(timespec="milliseconds"),
            "speed": self.clock.speed,
            "requests": dict(self.requests),
            **{service.name: service.state() for service in self.services},
        }
