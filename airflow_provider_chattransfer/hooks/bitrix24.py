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

    def transfer(
        self,
        *,
        chat_id: int | str,
        user_id: int | str | None = None,
        queue_id: int | str | None = None,
        transfer_id: int | str | None = None,
        leave: bool = False,
    ) -> dict[str, Any]:
        """Move one chat from a task of one's own, by the names of ``imopenlines.bot.session.transfer``.

        ``transfer_id`` is a user's id or ``queue<id of a line>``; exactly one of the three must be given. ``leave``:
        the bot leaves at once. The chat is read before and after, as the operators do; returns its entry of a
        report. Raises ``ValueError`` for bad input.
        """
        from ..chats.model import Transfer, as_id
        from ..chats.run import hand_over
        from ..platforms.base import SendOptions
        from ..platforms.bitrix24.platform import destination
        from ..platforms.driving import carry_out

        target = destination(user_id=user_id, queue_id=queue_id, transfer_id=transfer_id)
        transfer = Transfer(chat_id=as_id(chat_id, of="CHAT_ID"), target=target)
        with self.get_conn() as platform:
            (result,) = carry_out(hand_over([transfer], chunk=1), platform, options=SendOptions(bot_leaves=leave))
        return result.to_json()

    @classmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any]) -> Bitrix24Platform:
        from ..platforms.address import base_url
        from ..platforms.bitrix24.auth import Webhook
        from ..platforms.bitrix24.client import Bitrix24Client
        from ..platforms.bitrix24.platform import RATE_LIMIT, READ_TIMEOUT, Bitrix24Platform
        from ..platforms.rate import gate_for
        from ..platforms.transport import Transport

        portal = base_url(connection.host, port=connection.port, schema=connection.schema)
        if "/" in portal.partition("://")[2]:
            raise ValueError(
                "host: must be the portal's address alone; in a webhook's address the number after /rest/ is the "
                "login, and what follows it the password"
            )
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
