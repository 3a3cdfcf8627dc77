# SPDX-License-Identifier: Apache-2.0
"""A ``bitrix24`` connection becomes a platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import ChatPlatformHook, rate_limit, read_timeout

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.bitrix24.platform import Bitrix24Platform


class Bitrix24Hook(ChatPlatformHook):
    """A Bitrix24 portal, signed in to by an incoming webhook.

    Host: the portal; login: the webhook's user id; password: its code; extra: ``bot_client_id``, and optionally
    ``requests_per_second``, ``burst``, ``timeout`` (seconds).
    """

    conn_type = "bitrix24"
    default_conn_name = "bitrix24_default"
    hook_name = "Bitrix24"

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any]) -> Bitrix24Platform:
        from ..platforms.address import base_url
        from ..platforms.bitrix24.auth import Webhook
        from ..platforms.bitrix24.client import Bitrix24Client
        from ..platforms.bitrix24.platform import RATE_LIMIT, READ_TIMEOUT, Bitrix24Platform
        from ..platforms.rate import gate_for
        from ..platforms.transport import Transport

        portal = base_url(connection.host, port=connection.port, schema=connection.schema)
        webhook = Webhook(
            portal=portal,
            user_id=connection.login or "",
            code=connection.password or "",
            bot_client_id=str(extra.get("bot_client_id") or ""),
        )
        transport = Transport(
            gate=gate_for(portal, rate_limit(extra, RATE_LIMIT)), read_timeout=read_timeout(extra, READ_TIMEOUT)
        )
        return Bitrix24Platform(Bitrix24Client(auth=webhook, transport=transport))
