# SPDX-License-Identifier: Apache-2.0
"""The whole sandbox: both services with one clock, one ledger and one list of faults."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from .bitrix24 import Portal
from .clock import Clock
from .faults import Faults
from .ledger import Ledger
from .scheduler import Scheduler
from .service import HttpRequest, Service
from .superoffice import Tenant
from .validation import MAX_NUMBER, validate_scenario, whole_number

SERVICES: Mapping[str, type[Portal] | type[Tenant]] = {"bitrix24": Portal, "superoffice": Tenant}
SCENARIO_KEYS = {"seed", "speed", *SERVICES}


class Sandbox:
    """Both simulated services. ``reset`` builds them from a scenario; ``epoch`` counts the resets, from 1."""

    def __init__(self, scenario: Mapping[str, Any] | None = None) -> None:
        self.epoch = 0
        self.reset({} if scenario is None else scenario)

    def reset(self, scenario: Mapping[str, Any]) -> None:
        """Discard everything and start from ``scenario`` (see ``docs/sandbox.md``).

        The same seed gives the same behavior. Raises ``ValueError`` for an invalid scenario; the old state then stays.
        """
        if not isinstance(scenario, Mapping):
            raise ValueError("the scenario must be a JSON object")
        validate_scenario(scenario, services=tuple(SERVICES))
        try:
            self._build(scenario)
        except KeyError as problem:
            raise ValueError(f"the scenario lacks {problem}") from problem
        except (TypeError, AttributeError, OverflowError) as problem:
            raise ValueError(f"the scenario has a value of the wrong kind: {problem}") from problem

    def _build(self, scenario: Mapping[str, Any]) -> None:
        if unknown := set(scenario) - SCENARIO_KEYS:
            raise ValueError(f"unknown keys in the scenario: {sorted(unknown)}")
        seed = whole_number(scenario.get("seed", 1), "seed", least=-MAX_NUMBER)
        clock = Clock(speed=scenario.get("speed", 1.0))
        scheduler = Scheduler(clock)
        ledger = Ledger()
        services: list[Service] = [
            kind(
                scenario.get(name, {}),
                clock=clock,
                scheduler=scheduler,
                ledger=ledger,
                rng=random.Random(f"{seed}-{name}"),
            )
            for name, kind in SERVICES.items()
        ]
        self.epoch += 1
        self.clock = clock
        self.scheduler = scheduler
        self.ledger = ledger
        self.services = services
        self.requests = {service.name: 0 for service in services}
        self.faults = Faults(clock=clock, rng=random.Random(f"{seed}-faults"), services=list(self.requests))

    def next_request_number(self) -> int:
        """Return the number of the next request, counted over all services from 1."""
        return sum(self.requests.values()) + 1

    def service_at(self, path: str) -> Service | None:
        """Return the service that answers at ``path``, or ``None``."""
        return next((service for service in self.services if service.serves(path)), None)

    def advance(self) -> None:
        """Run every scheduled action that is due."""
        self.scheduler.run()

    def count(self, service: Service, request: HttpRequest) -> None:
        """Count ``request`` as one that came in for ``service``."""
        self.requests[service.name] += 1

    def time(self) -> dict[str, Any]:
        """Return what ``POST /sandbox/clock`` answers."""
        return {"time": self.clock.utc().isoformat(timespec="milliseconds"), "speed": self.clock.speed}

    def state(self) -> dict[str, Any]:
        """Return what ``GET /sandbox/state`` answers."""
        self.advance()
        return {
            "epoch": self.epoch,
            **self.time(),
            "requests": dict(self.requests),
            **{service.name: service.state() for service in self.services},
        }
