# SPDX-License-Identifier: Apache-2.0
"""Trouble on request: what a test may ask to go wrong, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong. ``before`` and ``after`` tell whether the change had been applied."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HTML_502_BEFORE = "html_502_before"
    HTML_502_AFTER = "html_502_after"
    HTML_503_BEFORE = "html_503_before"
    HTML_503_AFTER = "html_503_after"
    DELAY_BEFORE = "delay_before"
    DELAY_AFTER = "delay_after"

    @property
    def applied(self) -> bool:
        """Whether the service carries out the request before it goes wrong."""
        return self.endswith("_after")


@dataclass(slots=True)
class Fault:
    """One kind of trouble for the next ``count`` requests that match. ``seconds`` is for delays."""

    kind: FaultKind
    service: str | None = None
    method: str | None = None
    count: int = 1
    seconds: float = 0.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        """A fault as ``POST /sandbox/faults`` describes it; raises ``ValueError`` for what is not one."""
        unknown = set(value) - {"kind", "service", "method", "count", "seconds"}
        if unknown:
            raise ValueError(f"unknown keys in a fault: {sorted(unknown)}")
        return cls(
            kind=FaultKind(value["kind"]),
            service=value.get("service"),
            method=value.get("method"),
            count=int(value.get("count", 1)),
            seconds=float(value.get("seconds", 0.0)),
        )

    def matches(self, service: str, methods: Iterable[str]) -> bool:
        """Whether this fault is meant for a request to ``service`` that invokes ``methods``."""
        if self.count <= 0 or self.service not in (None, service):
            return False
        return self.method is None or self.method.lower() in {method.lower() for method in methods}


class Faults:
    """The faults that are waiting for a request."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arm ``fault``."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Disarm all."""
        self._waiting.clear()

    def take(self, service: str, methods: Iterable[str]) -> Fault | None:
        """The first armed fault for this request, used up by one; ``None`` when all is well."""
        methods = list(methods)
        for fault in self._waiting:
            if fault.matches(service, methods):
                fault.count -= 1
                return fault
        return None
