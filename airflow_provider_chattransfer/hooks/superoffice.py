# SPDX-License-Identifier: Apache-2.0
"""Turn a ``superoffice`` connection into a platform."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..platforms.superoffice.form import FORM
from .base import ChatPlatformHook
from .connections import get_connection
from .fields import Fields, extra_of
from .settings import build_token_manager, build_transport

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.superoffice.auth import SuperOfficeAuth
    from ..platforms.superoffice.client import SuperOfficeClient
    from ..platforms.superoffice.platform import SuperOfficePlatform
    from ..platforms.superoffice.tenant import Address
    from ..platforms.tokens.manager import FetchToken, TokenManager
    from ..platforms.transport import Transport

ONLINE_DOMAIN = "superoffice.com"
"""The domain of all hosts of SuperOffice online."""

SIGN_IN_HOSTS = ("online.superoffice.com", "qaonline.superoffice.com", "sod.superoffice.com")
"""The hosts that issue tokens: production, stage, development. Tenants' data is at numbered hosts beside them."""

WAYS: Mapping[str, tuple[str, ...]] = {
    "login": ("password",),
    "ticket": (),
    "access_token": (),
    "refresh_token": ("client_id", "client_secret"),
    "system_user_token": ("private_key", "client_secret"),
}
"""The fields that tell a way of signing in, and what else each needs."""

ONLINE_ONLY = ("refresh_token", "system_user_token")
"""The ways of signing in that only SuperOffice online has."""

APPLICATION_FIELDS = ("tenant", "client_id", "client_secret")
"""The fields that an agent's connection takes from the task's where they are empty, and may not contradict."""

TOKEN_STORE_FIELDS = ("token_store", "token_store_at")
"""The fields that an agent's connection takes from the task's where they are empty."""


class SuperOfficeHook(ChatPlatformHook):
    """A SuperOffice WebAPI, on-site or online, signed in to in the way whose fields are filled in.

    On-site: host is the address up to and without ``/api/v1``; login and password, or ``ticket``. Online: host is
    where one signs in, such as ``online.superoffice.com``; ``tenant``, and one of ``refresh_token`` (with
    ``client_id``, ``client_secret``), ``system_user_token`` (with ``private_key``, ``client_secret``), ``access_token``
    and ``ticket`` (with ``client_secret``). With ``agent_conn_id``, a pattern such as ``superoffice_agent_{agent}``,
    each chat is sent on by the connection of the agent who owns it, and accepted by that of the agent who receives it:
    the service allows nobody else. Optional: ``requests_per_second``, ``burst``, ``timeout`` (seconds),
    ``max_answer_megabytes``, ``ca_bundle``, ``coordination``, ``token_store``, ``token_store_at``.
    """

    form = FORM
    conn_type = FORM.connection_type
    hook_name = FORM.name
    default_conn_name = "superoffice_default"

    @classmethod
    def platform(
        cls, connection: Connection, extra: Mapping[str, Any], *, fail_fast: bool = False
    ) -> SuperOfficePlatform:
        """Build the tenant's platform; see ``ChatPlatformHook.platform``."""
        from ..platforms.superoffice.platform import RATE_LIMIT, READ_TIMEOUT_SECONDS, SuperOfficePlatform

        fields = cls.fields(connection, extra)
        account = _Account.of(fields)
        account.check()
        transport = build_transport(
            account.name, fields.extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT_SECONDS, fail_fast=fail_fast
        )
        clients = _Clients(account, address=account.address(transport), transport=transport)
        pattern = fields.text("agent_conn_id")
        return SuperOfficePlatform(clients.client(), identities=_identities(pattern, clients) if pattern else None)


@dataclass(frozen=True, slots=True)
class _Account:
    """Where a connection signs in, and as whom: its fields by name.

    ``host`` is a base URL: of the WebAPI, or with a ``tenant`` of the host that issues tokens.
    """

    host: str
    tenant: str | None
    fields: Fields = field(repr=False)

    @classmethod
    def of(cls, fields: Fields) -> _Account:
        """Read where ``fields`` sign in; raises ``ValueError`` for an address or a tenant that cannot be one."""
        from ..platforms.address import base_url

        host = _site(base_url(fields.host, port=fields.port, schema=fields.schema))
        tenant = _tenant(fields.text("tenant"))
        name = urlsplit(host).hostname or ""
        if tenant:
            _check_sign_in(host)
        elif name in SIGN_IN_HOSTS:
            raise ValueError(f"tenant: missing; {name} serves many, say whose chats they are: Cust12345")
        return cls(host, tenant, fields)

    @property
    def name(self) -> str:
        """Return the name of the tenant or installation, the same for all who sign in to it."""
        return f"{self.host}/{self.tenant}" if self.tenant else self.host

    @property
    def is_online(self) -> bool:
        return bool(self.tenant) or f".{urlsplit(self.host).hostname}".endswith(f".{ONLINE_DOMAIN}")

    @property
    def way(self) -> str:
        """Find the field that tells how it signs in; raises ``ValueError`` unless it is exactly one."""
        ways = [name for name in WAYS if self.text(name)]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)}: both are there; empty all but one way of signing in")
        if not ways:
            raise ValueError(
                "login and password, ticket, access_token, refresh_token or system_user_token: missing; one way of "
                "signing in is needed"
            )
        return ways[0]

    def text(self, name: str) -> str:
        """Return what is in a field; empty where nothing is."""
        return self.fields.text(name)

    def check(self) -> None:
        """Raise ``ValueError`` for fields that are missing, or that contradict each other."""
        way = self.way
        needed = WAYS[way] + (("client_secret",) if way == "ticket" and self.is_online else ())
        if absent := [name for name in needed if not self.text(name)]:
            raise ValueError(f"{' and '.join(absent)}: missing; {way} needs {' and '.join(needed)}")
        for name, owner in (("password", "login"), ("private_key", "system_user_token")):
            if self.text(name) and way != owner:
                raise ValueError(f"{name}: belongs to {owner}, but {way} is there; empty one of them")
        if ":" in self.text("login"):
            raise ValueError("login: holds a colon, and no name with one can sign in with a password (RFC 7617)")
        if way == "login" and self.is_online:
            raise ValueError("login: SuperOffice online takes no password; fill in refresh_token in its place")
        if way in ONLINE_ONLY and not self.tenant:
            raise ValueError(f"tenant: missing; {way} is for SuperOffice online, where it tells whose chats they are")

    def address(self, transport: Transport) -> Address:
        """Where its WebAPI is."""
        from ..platforms.superoffice.tenant import Site, Tenant

        return Tenant(host=self.host, name=self.tenant, transport=transport) if self.tenant else Site(self.host)

    def auth(self, transport: Transport) -> SuperOfficeAuth:
        """How it signs in; raises ``ValueError`` for what cannot be right."""
        from ..platforms.superoffice.auth import Basic, Bearer, SoTicket

        match self.way:
            case "login":
                return Basic(self.text("login"), self.text("password"))
            case "ticket":
                return SoTicket(self.text("ticket"), self.text("client_secret") or None)
            case "access_token":
                return Bearer(self.text("access_token"))
            case "refresh_token":
                return self._of_agent(transport)
        return self._of_system_user(transport)

    def _of_agent(self, transport: Transport) -> SuperOfficeAuth:
        from ..platforms.superoffice.auth import Bearer, ManagedToken
        from ..platforms.superoffice.oauth import RefreshToken

        seed = self.text("refresh_token")
        grant = RefreshToken(
            host=self.host,
            client_id=self.text("client_id"),
            client_secret=self.text("client_secret"),
            refresh_token=seed,
            transport=transport,
        )
        account = f"superoffice {self.name} {self.text('client_id')}"
        token_manager = self._token_manager(account, seed=seed, fetch_token=grant.fetch_token)
        return ManagedToken(token_manager, scheme=Bearer, client_id=self.text("client_id"))

    def _of_system_user(self, transport: Transport) -> SuperOfficeAuth:
        from ..platforms.superoffice.auth import ManagedToken, SoTicket
        from ..platforms.superoffice.private_key import read_private_key
        from ..platforms.superoffice.system_user import SystemUser

        seed, secret = self.text("system_user_token"), self.text("client_secret")
        user = SystemUser(
            host=self.host,
            tenant=str(self.tenant),
            client_secret=secret,
            token=seed,
            key=read_private_key(self.text("private_key")),
            transport=transport,
        )
        token_manager = self._token_manager(
            f"superoffice {self.name} system user", seed=seed, fetch_token=user.fetch_token
        )
        return ManagedToken(token_manager, scheme=lambda ticket: SoTicket(ticket, secret))

    def _token_manager(self, account: str, *, seed: str, fetch_token: FetchToken) -> TokenManager:
        """Build the token manager; a refresh token and the token of a system user are used again and again."""
        return build_token_manager(
            self.fields.extra, account=account, seed=seed, fetch_token=fetch_token, rotates=False
        )


@dataclass(frozen=True, slots=True)
class _Clients:
    """Builds the clients of one platform, which share where the chats are, and one transport with one pace."""

    account: _Account
    address: Address
    transport: Transport

    def client(self, account: _Account | None = None) -> SuperOfficeClient:
        """Build a client that acts as ``account``, or as the connection itself."""
        from ..platforms.superoffice.client import SuperOfficeClient

        auth = (account or self.account).auth(self.transport)
        return SuperOfficeClient(address=self.address, auth=auth, transport=self.transport)

    def identity(self, connection: Connection) -> SuperOfficeClient:
        """Build a client that acts as the agent of ``connection``.

        What is empty there is as in the task's connection. Raises ``ValueError`` for one that contradicts it.
        """
        ours = self.account
        fields = SuperOfficeHook.fields(connection, extra_of(connection))
        SuperOfficeHook.warn(connection, fields)
        for name in APPLICATION_FIELDS:
            own, given = ours.text(name), fields.text(name)
            if given and (own or name == "tenant") and given.casefold() != own.casefold():
                raise ValueError(f"{name}: is not that of the task's connection; empty it, then that is taken")
        lendable = (*APPLICATION_FIELDS, *TOKEN_STORE_FIELDS)
        lent = {name: ours.text(name) for name in lendable if ours.text(name) and not fields.text(name)}
        theirs = _Account(ours.host, ours.tenant, replace(fields, extra={**fields.extra, **lent}))
        if fields.host and (host := _Account.of(theirs.fields).host) != ours.host:
            raise ValueError(f"host: {host} is not {ours.host}, where the chats are")
        theirs.check()
        if theirs.way == "system_user_token":
            raise ValueError("system_user_token: a system user has no chats; let the agent sign in")
        return self.client(theirs)


def _identities(pattern: str, clients: _Clients) -> Callable[[str], SuperOfficeClient]:
    """Make clients that act as agents, each from its own connection when it is first needed.

    Safe for threads without a lock, which a worker thread could not keep while Airflow is asked for a connection: where
    two make the same client, the first is kept, and neither has made a request yet.
    """
    if "{agent}" not in pattern:
        raise ValueError(f"agent_conn_id: {pattern!r} does not contain {{agent}}, so all agents would be one")

    known: dict[str, SuperOfficeClient | str] = {}

    def found(agent: str) -> SuperOfficeClient | str:
        conn_id = pattern.replace("{agent}", agent)
        try:
            connection = get_connection(conn_id)
        except ValueError:
            return (
                f"there is no connection {conn_id!r}; create it under Admin, Connections, or let agent {agent} do it "
                "themselves"
            )
        try:
            return clients.identity(connection)
        except ValueError as problem:
            return f"connection {conn_id!r}: {FORM.labelled(str(problem))}"

    def identity(agent: str) -> SuperOfficeClient:
        client = known[agent] if agent in known else known.setdefault(agent, found(agent))
        if isinstance(client, str):
            raise ValueError(client)
        return client

    return identity


def _site(address: str) -> str:
    """Take off the ``/api/v1`` that the WebAPI's own pages show behind an address; write a tenant as it does."""
    site = re.sub(r"/api(/v\d+)?$", "", address, flags=re.ASCII | re.IGNORECASE)
    online = f".{urlsplit(site).hostname}".endswith(f".{ONLINE_DOMAIN}")
    return re.sub(r"(?<=/)cust\d+$", lambda name: name[0].capitalize(), site, flags=re.IGNORECASE) if online else site


def _tenant(name: str) -> str | None:
    """Write ``Cust12345`` as SuperOffice does; raises ``ValueError`` for what cannot be a tenant."""
    if not name:
        return None
    if not re.fullmatch(r"cust\d{1,9}", name, re.ASCII | re.IGNORECASE):
        raise ValueError(
            f"tenant: {name!r} is not of the form Cust12345, which stands in the address when one is signed in"
        )
    return name.capitalize()


def _check_sign_in(host: str) -> None:
    from ..platforms.address import is_loopback

    parts = urlsplit(host)
    name = parts.hostname or ""
    if parts.path or not (name in SIGN_IN_HOSTS or is_loopback(name)):
        raise ValueError(
            f"host: with a tenant it must be one of {', '.join(SIGN_IN_HOSTS)}, and nothing behind it; where the "
            "tenant's data is is found from there. On-site, empty tenant"
        )
