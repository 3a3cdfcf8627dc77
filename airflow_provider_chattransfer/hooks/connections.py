# SPDX-License-Identifier: Apache-2.0
"""Get a connection from Airflow, and find the service of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from ..chats.inputs import shown
from ..platforms.task_thread import on_task_thread
from ..service_info import ServiceInfo
from ..services import services
from .masking import hide_secrets_of

if TYPE_CHECKING:
    from airflow.sdk import Connection


def get_connection(conn_id: str) -> Connection:
    """Get the connection with this id on a worker, and have its secrets masked in logs.

    Raises ``ValueError`` when there is none, or Airflow cannot read it.
    """
    try:
        connection = on_task_thread(lambda: BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None
    except TypeError:
        raise ValueError(
            f"conn_id: Airflow cannot read connection {shown(conn_id)}: it has a field that Airflow does not know, or "
            "a number where text must be; put logins and passwords in quotation marks, our own fields into extra"
        ) from None
    hide_secrets_of(connection)
    return connection


async def get_unmasked_connection(conn_id: str) -> Connection:
    """Get the connection with this id in a triggerer, where it must be awaited.

    Its secrets are not yet masked: ``hide_secrets_of`` imports too much for the triggerer's loop. Raises ``ValueError``
    when there is none.
    """
    from airflow.providers.common.compat.connection import get_async_connection

    try:
        return await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None


def service_of(connection: Connection) -> ServiceInfo:
    """Find the service of the connection's type; raises ``ValueError`` when that type is none of ours."""
    known = services()
    service = known.get(connection.conn_type or "")
    if service is None:
        raise ValueError(
            f"conn_id: connection {shown(connection.conn_id)} is of type {shown(connection.conn_type)}; "
            f"chats can be moved on {' and '.join(sorted(known))}"
        )
    return service


def _no_connection(conn_id: str) -> ValueError:
    return ValueError(f"conn_id: there is no connection {shown(conn_id)}; create it under Admin, Connections")
