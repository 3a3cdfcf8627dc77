# SPDX-License-Identifier: Apache-2.0
"""Turn a ``helpwave`` connection into a platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_chattransfer.chats.inputs import as_id
from airflow_provider_chattransfer.hooks.base import ChatPlatformHook
from airflow_provider_chattransfer.hooks.settings import build_token_manager, build_transport

from .form import FORM

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from .platform import HelpwavePlatform


class HelpwaveHook(ChatPlatformHook):
    """A Helpwave account, signed in to by the key of an agent."""

    form = FORM
    conn_type = FORM.connection_type
    hook_name = FORM.name
    default_conn_name = "helpwave_default"

    def list_teams(self) -> str:
        """Return the teams as targets, one to a line; the command ``list-teams`` prints it."""
        with cast("HelpwavePlatform", self.get_conn()) as platform:
            return "\n".join(f"queue:{team.id}" for team in platform.client.listed("teams"))

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any], *, fail_fast: bool = False) -> HelpwavePlatform:
        """Build the platform; raises ``ValueError`` that begins with the key of the wrong field."""
        from airflow_provider_chattransfer.platforms.address import base_url

        from .client import RATE_LIMIT, READ_TIMEOUT_SECONDS, AgentKey, HelpwaveClient, TokenEndpoint
        from .platform import HelpwavePlatform

        fields = cls.fields(connection, extra)
        url = base_url(fields.host, port=fields.port, schema=fields.schema)
        account_id = as_id(fields.text("account_id"), of="account_id")
        if not (key := fields.text("agent_key")):
            raise ValueError("agent_key: missing; it is in the profile settings of the agent who moves the chats")
        transport = build_transport(
            url, fields.extra, limit=RATE_LIMIT, timeout=READ_TIMEOUT_SECONDS, fail_fast=fail_fast
        )
        endpoint = TokenEndpoint(url=f"{url}/api/v1/token", key=key, transport=transport)
        token_manager = build_token_manager(
            fields.extra,
            account=f"helpwave {url} {account_id}",
            seed=key,
            fetch_token=endpoint.fetch_token,
            rotates=False,
        )
        client = HelpwaveClient(url=url, account_id=account_id, auth=AgentKey(token_manager), transport=transport)
        return HelpwavePlatform(client)
