# SPDX-License-Identifier: Apache-2.0
"""Find a WebAPI: at a fixed address, or where the state service says that a tenant is."""

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
from ..single_flight import SingleFlight
from ..transport import Request, Response, Transport, gateway_error

METHOD = "api/state"
"""How messages name the state service."""

MIN_CACHE_SECONDS = 60.0
"""Seconds for which an address is cached at least, whatever ``ValidUntil`` says: it is told by another clock."""

MAX_CACHE_SECONDS = 86_400.0
"""Seconds for which an address is cached at most."""

SERVING_STATES = ("Running", "OnlineMaintenance")
"""States in which the WebAPI answers ("OnlineMaintenance: API available"; ``IsRunning`` is true for both)."""

TRANSIENT_STATES = {
    "OfflineMaintenance": "is being maintained, and offline as long; a later try finds it back",
    "MigrationPending": "waits to be moved to another server; a later try finds it there",
    "Provisioning": "is still being set up; a later try finds it ready",
}
"""States that end by themselves."""

PERMANENT_STATES = {
    "Unknown": "is not known there; check tenant, and that host is where it signs in (online is for production)",
    "Suspended": "is suspended: somebody has to ask SuperOffice why",
    "Deleted": "has been deleted; put another into tenant",
    "Deleting": "is being deleted; put another into tenant",
    "DeleteFailed": "was to be deleted; put another into tenant, or ask SuperOffice",
    "ProvisioningFailed": "could not be set up: somebody has to ask SuperOffice",
}
"""States that do not end by themselves. The names of all are those of the state service's page."""


class Address(Protocol):
    """The address of a WebAPI."""

    @property
    def account(self) -> str:
        """The name of the account for those who share it; does not change when it moves."""

    def base(self) -> str:
        """Return the address up to and without ``/api/v1``; raises a ``PlatformError`` when there is none."""

    def note_moved(self, base: str) -> None:
        """Note that it is not at ``base``; raises a ``PlatformError`` when it cannot be looked up elsewhere."""

    def describe(self) -> str:
        """Look up where it is now, and return that in words; raises a ``PlatformError`` when it serves nobody."""


@dataclass(frozen=True, slots=True)
class Site:
    """An installation that stays where it is; ``account`` is its address."""

    account: str

    def base(self) -> str:
        """Return the address that the connection names."""
        return self.account

    def note_moved(self, base: str) -> None:
        """Raise ``CredentialsError``: nothing says where it has moved to."""
        raise CredentialsError(
            "the tenant lives at another address: put its name into tenant, and where it signs in into host, such as "
            "online.superoffice.com; then it is found wherever it moves",
            method=METHOD,
            code="421",
        )

    def describe(self) -> str:
        """Return the address that the connection names."""
        return self.account


@dataclass(frozen=True, slots=True)
class TenantState:
    """What the state service answers. ``Api`` is null for a tenant that is nowhere (observed)."""

    State: str
    Api: str | None = None
    ValidUntil: TextIfKnown = None
    ContextIdentifier: str | None = None


@dataclass(frozen=True, slots=True)
class TenantLocation:
    """Where a tenant is that serves, by the state service; valid ``until`` epoch seconds of our clock."""

    base: str
    state: str
    until: float


_locations: dict[str, TenantLocation] = {}
"""The locations that this process knows, by account."""


class Tenant:
    """A tenant of SuperOffice online, at one of several data hosts between which it is moved.

    ``GET {host}/api/state/{name}`` tells where it is and whether it serves, without signing in.
    Safe for threads: of those that need to know it at the same moment, one asks.
    """

    def __init__(self, *, host: str, name: str, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        """Look the tenant ``name``, such as ``Cust12345``, up at ``host``, the base URL of the sign-in."""
        self.host = host
        self.name = name
        self.account = f"{host}/{name}"
        self._transport = transport
        self._clock = clock
        self._asking = SingleFlight()

    def base(self) -> str:
        """Return where the tenant is; ask the state service when that was learnt too long ago."""
        known = self._valid() or self._asking.run(self._ask, known=self._valid)
        return known.base

    def note_moved(self, base: str) -> None:
        """Ask where the tenant is, unless another request has learnt it since."""
        before = _locations.get(self.account)
        if before is None or before.base == base:
            self._asking.run(
                self._ask, known=lambda: now if (now := _locations.get(self.account)) is not before else None
            )

    def describe(self) -> str:
        """Ask where the tenant is, and return that with its state."""
        known = self._ask()
        return f"{self.name} ({known.state}, at {known.base})"

    def _valid(self) -> TenantLocation | None:
        known = _locations.get(self.account)
        return known if known is not None and known.until > self._clock() else None

    def _ask(self) -> TenantLocation:
        request = Request(
            method=f"{METHOD}/{self.name}", url=f"{self.host}/api/state/{self.name}", verb="GET", repeatable=True
        )
        state = self._transport.send(request, lambda response: _understand(response, request.method))
        known = self._location(decode(state, TenantState, method=request.method), method=request.method)
        _locations[self.account] = known
        return known

    def _location(self, answer: TenantState, *, method: str) -> TenantLocation:
        if answer.ContextIdentifier and answer.ContextIdentifier.casefold() != self.name.casefold():
            raise UnexpectedResponseError("the answer is about another tenant than was asked for", method=method)
        state = as_code(answer.State) or ""
        if state in TRANSIENT_STATES:
            raise UnreachableError(f"tenant {self.name} {TRANSIENT_STATES[state]}", method=method, code=state)
        if state not in SERVING_STATES:
            why = PERMANENT_STATES.get(
                state, "is in a state in which it serves nobody: somebody has to ask SuperOffice why"
            )
            raise TenantOutOfServiceError(f"tenant {self.name} {why}", method=method, code=state or None)
        base = self._trusted(answer.Api or "", method=method)
        return TenantLocation(base=base, state=state, until=self._until(answer.ValidUntil))

    def _trusted(self, api: str, *, method: str) -> str:
        """Return ``api`` without its last part, if credentials may be sent there.

        That is the same owner, and https or loopback. Raises ``UnexpectedResponseError`` for all else.
        """
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
        """Return when the location is to be looked up again, by our clock.

        ``ValidUntil`` has seven digits of a second, and is in UTC.
        """
        now = self._clock()
        try:
            moment = read_moment(told).timestamp()
        except ValueError:
            moment = now
        return min(max(moment, now + MIN_CACHE_SECONDS), now + MAX_CACHE_SECONDS)


def _domain(address: str) -> str:
    """Return ``superoffice.com`` of ``https://online2.superoffice.com/…``; all of loopback is one domain."""
    name = urlsplit(address).hostname or ""
    return "loopback" if is_loopback(name) else ".".join(name.split(".")[-2:])


def _understand(response: Response, method: str) -> Mapping[str, Any]:
    """Return the body of a good answer; raise what another one means."""
    if response.status == 200 and isinstance(response.body, Mapping) and "State" in response.body:
        return response.body
    if response.status == 429 or response.status >= 500:
        raise gateway_error(response, method=method)
    raise UnexpectedResponseError(
        "there is no state service; with a tenant, host must be where SuperOffice online signs in, such as "
        "online.superoffice.com",
        method=method,
        code=str(response.status),
    )
