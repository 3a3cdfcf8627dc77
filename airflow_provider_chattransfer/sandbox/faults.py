# SPDX-License-Identifier: Apache-2.0
"""The faults that a test has armed: what goes wrong, where and how often. `fault_effects` carries them out."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any

from .clock import Clock
from .service import HttpRequest, Service
from .validation import MAX_NUMBER, shown

MAX_FAULTS = 1_000
"""Faults at a time: each request is compared with all of them."""

MAX_DELAY_SECONDS = 86_400
"""The longest delay or hang of a fault."""

DEFAULT_HANG_SECONDS = 3600.0
"""How long a connection hangs unless the fault says otherwise: longer than any client waits."""


class FaultKind(StrEnum):
    """What goes wrong. ``before`` and ``after`` tell whether the service had applied the change."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HTML_502_BEFORE = "html_502_before"
    HTML_502_AFTER = "html_502_after"
    HTML_503_BEFORE = "html_503_before"
    HTML_503_AFTER = "html_503_after"
    ERROR_503 = "error_503"
    ERROR_429 = "error_429"
    DELAY_BEFORE = "delay_before"
    DELAY_AFTER = "delay_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    TRUNCATED_JSON = "truncated_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    TOKEN_EXPIRED = "token_expired"

    @property
    def applied(self) -> bool:
        """Whether the service executes the request before the fault strikes."""
        return self.endswith("_after") or self in (FaultKind.TRUNCATED_JSON, FaultKind.WRONG_CONTENT_TYPE)

    @property
    def default_seconds(self) -> float | None:
        """The ``seconds`` of a fault that leaves the key out; ``None`` for kinds that have no such key."""
        if self.startswith("delay_"):
            return 0.0
        return DEFAULT_HANG_SECONDS if self.startswith("hang_") else None


@dataclass(slots=True)
class Fault:
    """A fault for all requests that match; it strikes as long as ``count``, ``share`` and ``until`` all allow it.

    ``count`` is the highest number of strikes, ``None`` for no limit. ``share`` is the share of matching requests that
    it strikes, ``None`` for all. ``until`` is its end in seconds since the epoch, by the sandbox's clock. ``seconds``
    is the real duration of a delay or a hang. ``struck`` counts the strikes.
    """

    kind: FaultKind
    service: str | None
    method: str | None
    count: int | None
    share: float | None
    for_seconds: float | None
    seconds: float | None
    until: float
    struck: int = 0

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, services: Collection[str], now: float) -> Fault:
        """Return the fault that the body of ``POST /sandbox/faults`` describes, armed at ``now``.

        ``null`` means the same as a key that is left out. Raises ``ValueError``.
        """
        given = {key: setting for key, setting in value.items() if setting is not None}
        if unknown := set(given) - KEYS:
            raise ValueError(f"a fault has no {_names(unknown)}; it has {_names(KEYS)}")
        if "kind" not in given:
            raise ValueError("a fault needs a 'kind'")
        kind = FaultKind(_one_of(given["kind"], "kind", set(FaultKind)))
        for_seconds = _number(given, "for_seconds", expected="above 0", holds=lambda value: 0 < value <= MAX_NUMBER)
        share = _number(given, "share", expected="from 0 to 1", holds=lambda value: 0 <= value <= 1)
        seconds = _number(
            given,
            "seconds",
            expected=f"from 0 to {MAX_DELAY_SECONDS}",
            holds=lambda value: 0 <= value <= MAX_DELAY_SECONDS,
        )
        if seconds is not None and kind.default_seconds is None:
            raise ValueError(f"'seconds' is for delays and hangs, not for {kind.value!r}")
        return cls(
            kind=kind,
            service=_one_of(given["service"], "service", services) if "service" in given else None,
            method=_text(given, "method"),
            count=_count(given, default=1 if share is None and for_seconds is None else None),
            share=share,
            for_seconds=for_seconds,
            seconds=kind.default_seconds if seconds is None else seconds,
            until=inf if for_seconds is None else now + for_seconds,
        )

    def to_json(self, *, now: float) -> dict[str, Any]:
        """Return this fault as plain JSON; ``armed`` tells whether it can still strike."""
        return {
            "kind": self.kind.value,
            "service": self.service,
            "method": self.method,
            "count": self.count,
            "share": self.share,
            "for_seconds": self.for_seconds,
            "seconds": self.seconds,
            "armed": self.armed(now),
            "struck": self.struck,
        }

    def armed(self, now: float) -> bool:
        """Return whether the fault can still strike."""
        return now < self.until and (self.count is None or self.struck < self.count)

    def matches(self, service: str, methods: Collection[str]) -> bool:
        """Return whether this fault is for a request to ``service`` that invokes ``methods`` (in lower case)."""
        return self.service in (None, service) and (self.method is None or self.method.lower() in methods)


class Faults:
    """All faults armed since the last reset or ``DELETE /sandbox/faults``, used up or not."""

    def __init__(self, *, clock: Clock, rng: random.Random, services: Collection[str]) -> None:
        self._clock = clock
        self._rng = rng
        self._services = services
        self._faults: list[Fault] = []

    def arm(self, value: Mapping[str, Any]) -> None:
        """Arm the fault that ``value`` describes; raise ``ValueError`` if it describes none."""
        if len(self._faults) >= MAX_FAULTS:
            raise ValueError(f"faults may be at most {MAX_FAULTS} at a time: DELETE /sandbox/faults")
        self._faults.append(Fault.from_json(value, services=self._services, now=self._clock.now()))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Return all faults in the order in which they were armed."""
        now = self._clock.now()
        return [fault.to_json(now=now) for fault in self._faults]

    def take(self, service: Service, request: HttpRequest) -> Fault | None:
        """Return the first fault that strikes this request, and count the strike; ``None`` if none does.

        For a fault that expires tokens, the token has expired when this returns; a request without a valid token is not
        struck by it.
        """
        if not self._faults:
            return None
        now = self._clock.now()
        methods = {method.lower() for method in service.methods_of(request)}
        for fault in self._faults:
            if not (fault.armed(now) and fault.matches(service.name, methods) and self._drawn(fault)):
                continue
            if fault.kind is FaultKind.TOKEN_EXPIRED and not service.expire(request):
                continue
            fault.struck += 1
            return fault
        return None

    def _drawn(self, fault: Fault) -> bool:
        return fault.share is None or self._rng.random() < fault.share


KEYS = {"kind", "service", "method", "count", "share", "for_seconds", "seconds"}


def _names(names: Collection[str]) -> str:
    return ", ".join(repr(str(name)) for name in sorted(names))


def _one_of(value: Any, key: str, allowed: Collection[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{key!r} must be one of {_names(allowed)}, got {shown(value)}")
    return value


def _text(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key!r} must be a text, got {shown(value)}")
    return value


def _count(given: Mapping[str, Any], *, default: int | None) -> int | None:
    count = given.get("count", default)
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_NUMBER):
        raise ValueError(f"'count' must be a whole number from 1 to {MAX_NUMBER}, got {shown(count)}")
    return count


def _number(given: Mapping[str, Any], key: str, *, expected: str, holds: Callable[[float], bool]) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not holds(value):
        raise ValueError(f"{key!r} must be a number {expected}, got {shown(value)}")
    return float(value)
