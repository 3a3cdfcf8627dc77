# SPDX-License-Identifier: Apache-2.0
"""A ``superoffice`` connection becomes a platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from .base import ChatPlatformHook, connection_called, rate_limit, read_timeout

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.superoffice.auth import Credentials
    from ..platforms.superoffice.client import SuperOfficeClient
    from ..platforms.superoffice.platform import SuperOfficePlatform
    from ..platforms.transport import Transport


class SuperOfficeHook(ChatPlatformHook):
    """A SuperOffice WebAPI, signed in to with a user's password or with an access token.

    Host: the address up to and without ``/api/v1``; login and password, or extra ``access_token``. With extra
    ``agent_conn_id``, a pattern such as ``superoffice_agent_{agent}``, each chat is sent on by the connection of
    the agent who owns it, and accepted by that of the agent who receives it: the service allows nobody else.
    Optional: ``requests_per_second``, ``burst``, ``timeout`` (seconds).
    """

    conn_type = "superoffice"
    default_conn_name = "superoffice_default"
    hook_name = "SuperOffice"

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any]) -> SuperOfficePlatform:
        from ..platforms.rate import gate_for
        from ..platforms.superoffice.client import SuperOfficeClient
        from ..platforms.superoffice.platform import RATE_LIMIT, READ_TIMEOUT, SuperOfficePlatform
        from ..platforms.transport import Transport

        address = _address(connection)
        transport = Transport(
            gate=gate_for(address, rate_limit(extra, RATE_LIMIT)), read_timeout=read_timeout(extra, READ_TIMEOUT)
        )
        client = SuperOfficeClient(base_url=address, credentials=_credentials(connection, extra), transport=transport)
        pattern = extra.get("agent_conn_id")
        return SuperOfficePlatform(
            client, identities=_identities(str(pattern), address=address, transport=transport) if pattern else None
        )


def _identities(pattern: str, *, address: str, transport: Transport) -> Callable[[str], SuperOfficeClient]:
    """Clients that act as agents, each made from its own connection when it is first needed."""
    if "{agent}" not in pattern:
        raise ValueError(f"agent_conn_id: {pattern!r} does not contain {{agent}}, so all agents would be one")

    @cache
    def identity(agent: str) -> SuperOfficeClient:
        from ..platforms.superoffice.client import SuperOfficeClient

        conn_id = pattern.replace("{agent}", agent)
        connection = connection_called(conn_id)
        theirs = _address(connection) if connection.host else address
        if theirs != address:
            raise ValueError(f"connection {conn_id!r}: host: {theirs} is not {address}, where the chats are")
        credentials = _credentials(connection, connection.extra_dejson)
        return SuperOfficeClient(base_url=address, credentials=credentials, transport=transport)

    return identity


def _address(connection: Connection) -> str:
    from ..platforms.address import base_url

    return base_url(connection.host, port=connection.port, schema=connection.schema)


def _credentials(connection: Connection, extra: Mapping[str, Any]) -> Credentials:
    from ..platforms.superoffice.auth import Basic, Bearer

    token = extra.get("access_token")
    if token and connection.login:
        raise ValueError("login and access_token: both are there; give one way of signing in")
    if token:
        return Bearer(str(token))
    if connection.login and connection.password:
        return Basic(connection.login, connection.password)
    raise ValueError("login and password, or access_token: missing; one way of signing in is needed")
