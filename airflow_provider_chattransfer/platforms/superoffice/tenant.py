# SPDX-License-Identifier: Apache-2.0
"""Where a WebAPI is: an address that stays, or a tenant's, which moves and is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ...exceptions import (
    CredentialsError,
    TenantOutOfServiceError,
    UnexpectedResponseError,
    UnreachableError,
    as_code,
)
from ..address import base_url, is_loopback, may_lead_to
from ..decoding import TextIfKnown, decode, read_moment
from ..transport import Request, Response, Transport, gateway_trouble

METHOD = "api/state"

SHORTEST, LONGEST = 60.0, 86_400.0
"""Seconds for which an address is kept at least and at most, whatever ``ValidUntil`` says: it is told by another
clock."""

IN_SERVICE = ("Running", "OnlineMaintenance")
"""States in which the WebAPI answers ("OnlineMaintenance: API available"; ``IsRunning`` is true for both)."""

PASSING = {
    "OfflineMaintenance": "is being maintained, and offline as long; a later try finds it back",
    "MigrationPending": "waits to be moved to another server; a later try finds it there",
    "Provisioning": "is still being set up; a later try finds it ready",
}
"""States that end by themselves."""

LASTING = {
    "Unknown": "is not known there; check tenant, and that host is where it signs in (online is for production)",
    "Suspended": "is suspended: somebody has to ask SuperOffice why",
    "Deleted": "has been deleted; put another into tenant",
    "Deleting": "is being deleted; put another into tenant",
    "DeleteFailed": "was to be deleted; put another into tenant, or ask SuperOffice",
    "ProvisioningFailed": "could not be set up: somebody has to ask SuperOffice",
}
"""States that no waiting changes. The names of all are those of the state service's page."""


class Address(Protocol):
    """Where a WebAPI is."""

    @property
    def account(self) -> str:
        """Its name for those who share it; does not change when it moves."""

    def base(self) -> str:
        """The address up to and without ``/api/v1``; raises a ``PlatformError`` when there is none."""

    def leave(self, base: str) -> None:
        """Be told that it is not at ``base``; raises a ``PlatformError`` when it cannot be looked for elsewhere."""

    def look_up(self) -> str:
        """Ask where it is now, and return that in words; raises a ``PlatformError`` when it serves nobody."""


@dataclass(frozen=True, slots=True)
class Site:
    """An installation that stays where it is; ``account`` is its address."""

    account: str

    def base(self) -> str:
        return self.account

    def leave(self, base: str) -> None:
        raise CredentialsError(
            "the tenant lives at another address: put its name into tenant, and where it signs in into host, such as "
            "online.superoffice.com; then it is found wherever it moves",
            method=METHOD,
            code="421",
        )

    def look_up(self) -> str:
        return self.account


@dataclass(frozen=True, slots=True)
class TenantState:
    """What the state service answers. ``Api`` is null for a tenant that is nowhere (observed)."""

    State: str
    Api: str | None = None
    ValidUntil: TextIfKnown = None
    ContextIdentifier: str | None = None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the state service said of a tenant that serves; ``until`` in epoch seconds of our clock."""

    base: str
    state: str
    until: float


_known: dict[str, Whereabouts] = {}
"""What this process knows, by account."""


class Tenant:
    """A tenant of SuperOffice online, at one of several data hosts between which it is moved.

    ``GET {host}/api/state/{name}`` tells where it is and whether it serves, without signing in.
    """

    def __init__(self, *, host: str, name: str, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        """``host`` is the base URL of the sign-in, ``name`` is of the form ``Cust12345``."""
        self.host = host
        self.name = name
        self.account = f"{host}/{name}"
        self._transport = transport
        self._clock = clock

    def base(self) -> str:
        known = _known.get(self.account)
        if known is None or known.until <= self._clock():
            known = self._ask()
        return known.base

    def leave(self, base: str) -> None:
        known = _known.get(self.account)
        if known is None or known.base == base:
            self._ask()

    def look_up(self) -> str:
        known = self._ask()
        return f"{self.name} ({known.state}, at {known.base})"

    def _ask(self) -> Whereabouts:
        request = Request(
            method=f"{METHOD}/{self.name}", url=f"{self.host}/api/state/{self.name}", verb="GET", repeatable=True
        )
        state = self._transport.send(request, lambda response: _understand(response, request.method))
        known = self._whereabouts(decode(state, TenantState, method=request.method), method=request.method)
        _known[self.account] = known
        return known

    def _whereabouts(self, answer: TenantState, *, method: str) -> Whereabouts:
        if answer.ContextIdentifier and answer.ContextIdentifier.casefold() != self.name.casefold():
            raise UnexpectedResponseError("the answer is about another tenant than was asked for", method=method)
        state = as_code(answer.State) or ""
        if state in PASSING:
            raise UnreachableError(f"tenant {self.name} {PASSING[state]}", method=method, code=state)
        if state not in IN_SERVICE:
            why = LASTING.get(state, "is in a state in which it serves nobody: somebody has to ask SuperOffice why")
            raise TenantOutOfServiceError(f"tenant {self.name} {why}", method=method, code=state or None)
        base = self._trusted(answer.Api or "", method=method)
        return Whereabouts(base=base, state=state, until=self._until(answer.ValidUntil))

    def _trusted(self, api: str, *, method: str) -> str:
        """``api`` without its last part, if credentials may be sent there: the same owner, and https (or loopback)."""
        try:
            address = base_url(api)
        except ValueError:
            address = ""
        trusted = _domain(address) == _domain(self.host) and may_lead_to(address, known=self.host)
        if not address.endswith("/api") or not trusted:
            raise UnexpectedResponseError(
                "it names an address to which no credentials may be sent: it must be https, and of the same domain "
                "as host",
                method=method,
            )
        return address.removesuffix("/api")

    def _until(self, told: str | None) -> float:
        """By our clock; ``ValidUntil`` has seven digits of a second, and is in UTC."""
        now = self._clock()
        try:
            moment = read_moment(told).timestamp()
        except ValueError:
            moment = now
        return min(max(moment, now + SHORTEST), now + LONGEST)


def _domain(address: str) -> str:
    """``superoffice.com`` of ``https://online2.superoffice.com/…``; all of loopback is one."""
    name = urlsplit(address).hostname or ""
    return "loopback" if is_loopback(name) else ".".join(name.split(".")[-2:])


def _understand(response: Response, method: str) -> Mapping[str, Any]:
    if response.status == 200 and isinstance(response.body, Mapping) and "State" in response.body:
        return response.body
    if response.status == 429 or response.status >= 500:
        raise gateway_trouble(response, method=method)
    raise UnexpectedResponseError(
        "there is no state service; with a tenant, host must be where SuperOffice online signs in, such as "
        "online.superoffice.com",
        method=method,
        code=str(response.status),
    )
