# SPDX-License-Identifier: Apache-2.0
"""Find the hook for a connection by its type, and open the platform that it describes."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from .connections import get_connection, get_unmasked_connection, service_of
from .masking import hide_secrets_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.base import ChatPlatform
    from ..service_info import ServiceInfo
    from .base import ChatPlatformHook


def open_platform(conn_id: str) -> ChatPlatform:
    """Open the platform of a connection on a worker. No request is made.

    Raises ``ValueError`` for a connection that is missing, wrong, or of a type that is none of ours.
    """
    connection = get_connection(conn_id)
    return hook_for(connection).open(connection)


async def open_platform_async(conn_id: str) -> ChatPlatform:
    """Open the platform of a connection in a triggerer, whose loop must not wait for imports. No request is made.

    Raises ``ValueError`` as ``open_platform`` does.
    """
    connection = await get_unmasked_connection(conn_id)

    def opened() -> ChatPlatform:
        hide_secrets_of(connection)
        return hook_for(connection).open(connection)

    return await asyncio.to_thread(opened)


def hook_for(connection: Connection) -> type[ChatPlatformHook]:
    """Import the hook of the connection's type; raises ``ValueError`` when that type is none of ours."""
    return hook_of(service_of(connection))


def hook_of(service: ServiceInfo) -> type[ChatPlatformHook]:
    """Import the hook of ``service``."""
    module, _, name = service.hook.rpartition(".")
    hook: type[ChatPlatformHook] = getattr(import_module(module), name)
    return hook
