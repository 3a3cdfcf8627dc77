# SPDX-License-Identifier: Apache-2.0
"""What the hooks of all services have in common, and how a connection finds its own."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from ..get_provider_info import hook_class_names

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.base import ChatPlatform
    from ..platforms.rate import RateLimit


class ChatPlatformHook(BaseHook):
    """An Airflow connection as a ``ChatPlatform``."""

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]

    def __init__(self, conn_id: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id or self.default_conn_name

    def get_conn(self) -> ChatPlatform:
        """The platform that the connection describes. No request is made.

        Raises ``ValueError`` for a connection that is missing or wrong, naming it and the field.
        """
        connection = connection_called(self.conn_id)
        return self.open(connection, connection.extra_dejson)

    @classmethod
    def open(cls, connection: Connection, extra: Mapping[str, Any]) -> ChatPlatform:
        """The platform of ``connection`` with its parsed ``extra``; raises ``ValueError`` as ``get_conn`` does."""
        try:
            return cls.platform(connection, extra)
        except ValueError as problem:
            raise ValueError(f"connection {connection.conn_id!r}: {problem}") from None

    @classmethod
    @abstractmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any]) -> ChatPlatform:
        """Build the platform; raises ``ValueError`` that names the wrong field."""


def connection_called(conn_id: str) -> Connection:
    """The connection with this id; raises ``ValueError`` when there is none."""
    try:
        return ChatPlatformHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None


def open_platform(conn_id: str) -> ChatPlatform:
    """The platform of a connection, on a worker; the hook is found by the connection's type.

    Raises ``ValueError`` for a connection that is missing, wrong, or of another type.
    """
    connection = connection_called(conn_id)
    return hook_for(connection).open(connection, connection.extra_dejson)


async def open_platform_async(conn_id: str) -> ChatPlatform:
    """The same in a triggerer, where a connection must be awaited, and imports must not hold up the loop."""
    from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

    try:
        connection = await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None
    extra = await get_async_extra_dejson(connection)
    return await asyncio.to_thread(lambda: hook_for(connection).open(connection, extra))


def hook_for(connection: Connection) -> type[ChatPlatformHook]:
    """The hook of the connection's type; raises ``ValueError`` when that is none of ours."""
    names = hook_class_names()
    if connection.conn_type not in names:
        raise ValueError(
            f"conn_id: connection {connection.conn_id!r} is of type {connection.conn_type!r}; "
            f"chats can be moved on {' and '.join(sorted(names))}"
        )
    module, _, name = names[connection.conn_type].rpartition(".")
    hook: type[ChatPlatformHook] = getattr(import_module(module), name)
    return hook


def rate_limit(extra: Mapping[str, Any], default: RateLimit) -> RateLimit:
    """The limit that a connection sets with ``requests_per_second`` and ``burst``."""
    from ..platforms.rate import RateLimit

    return RateLimit(
        per_second=_number(extra, "requests_per_second", default.per_second),
        burst=int(_number(extra, "burst", default.burst)),
    )


def read_timeout(extra: Mapping[str, Any], default: float) -> float:
    """Seconds to wait for an answer, from ``timeout``."""
    return _number(extra, "timeout", default)


def _number(extra: Mapping[str, Any], name: str, default: float) -> float:
    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} is not a number") from None
    if number <= 0:
        raise ValueError(f"{name}: {value!r} is not positive")
    return number


def _no_connection(conn_id: str) -> ValueError:
    return ValueError(f"conn_id: there is no connection {conn_id!r}; create it under Admin, Connections")
