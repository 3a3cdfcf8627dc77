# SPDX-License-Identifier: Apache-2.0
"""Define the hook class that the hooks of all services extend."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseHook

from ..chats.inputs import shown
from ..connection_forms import ConnectionForm
from ..exceptions import TransferError
from .connections import get_connection, service_of
from .fields import Fields, extra_of
from .settings import store_of
from .time_limit import within

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.base import ChatPlatform
    from ..platforms.connection_check import ConnectionCheck

log = logging.getLogger(__name__)

MAX_TEST_SECONDS = 8.0
"""Seconds that the button Test waits at most."""


class ChatPlatformHook(BaseHook):
    """An Airflow connection as a ``ChatPlatform``.

    A service's hook names its ``form`` and the attributes that Airflow reads, and builds the platform.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    form: ClassVar[ConnectionForm]

    def __init__(self, conn_id: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id or self.default_conn_name

    def __init_subclass__(cls, **options: Any) -> None:
        """Put what describes the form into each hook itself: Airflow 3.1 does not look for it in a hook's bases."""
        super().__init_subclass__(**options)
        for name in {"get_connection_form_widgets", "get_ui_field_behaviour"} - vars(cls).keys():
            setattr(cls, name, vars(ChatPlatformHook)[name])

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's own fields, for Airflow 3.1."""
        return cls.form.form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return what Airflow's own fields are called in that form, for Airflow 3.1."""
        return cls.form.form_behaviour()

    def get_conn(self) -> ChatPlatform:
        """Open the platform that the connection describes. No request is made.

        Raises ``ValueError`` for a connection that is missing or wrong, naming it and the field.
        """
        return self.open(self._connection())

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the connection works, and some sentences about it, for the button Test; below ten seconds.

        They say who we are to the service, what is missing for what, and how the clocks differ. Raises nothing.
        """
        try:
            check, doubts = within(MAX_TEST_SECONDS, self._check)
        except (ValueError, TransferError) as problem:
            return False, self.form.explained(str(problem))
        except TimeoutError:
            return False, f"No answer of the service within {MAX_TEST_SECONDS:.0f} seconds."
        except Exception as error:
            return False, f"The connection could not be tested: {type(error).__name__}"
        told = " ".join([str(check), *(f"{doubt[:1].upper()}{doubt[1:]}." for doubt in doubts)])
        return check.is_good, self.form.explained(told)

    @classmethod
    def open(cls, connection: Connection) -> ChatPlatform:
        """Build the platform of ``connection``, and log a warning for each of its doubts.

        Raises ``ValueError`` as ``get_conn`` does.
        """
        try:
            extra = extra_of(connection)
            fields = cls.fields(connection, extra)
            cls.warn(connection, fields)
            platform = cls.platform(connection, extra)
            platform.store = store_of(fields.extra)
        except ValueError as problem:
            told = cls.form.labelled(str(problem))
            raise ValueError(f"connection {shown(connection.conn_id)}: {told}") from None
        return platform

    @classmethod
    def warn(cls, connection: Connection, fields: Fields) -> None:
        """Log the doubts about what is in ``connection``."""
        for doubt in fields.doubts:
            log.warning("connection %s: %s", shown(connection.conn_id), cls.form.labelled(doubt))

    @classmethod
    def fields(cls, connection: Connection, extra: Mapping[str, Any]) -> Fields:
        """Read the connection's fields; raises ``ValueError`` that begins with the key of the wrong one."""
        return Fields.of(connection, extra, form=cls.form)

    @classmethod
    @abstractmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any], *, fail_fast: bool = False) -> ChatPlatform:
        """Build the platform; with ``fail_fast``, it makes each request once, and waits for seconds only.

        Raises ``ValueError`` that begins with the key of the wrong field.
        """

    def _check(self) -> tuple[ConnectionCheck, tuple[str, ...]]:
        connection = self._connection()
        extra = extra_of(connection)
        fields = self.fields(connection, extra)
        with self.platform(connection, extra, fail_fast=True) as platform:
            if fields.text("coordination"):
                store_of(fields.extra).update([], lambda *_: ({}, None))
            return platform.check_connection(), fields.doubts

    def _connection(self) -> Connection:
        """Get our connection; raises ``ValueError`` when there is none, or one of another type."""
        connection = get_connection(self.conn_id)
        if service_of(connection).conn_type != self.conn_type:
            raise ValueError(
                f"conn_id: connection {shown(self.conn_id)} is of type {shown(connection.conn_type)}, not of type "
                f"{self.conn_type!r}"
            )
        return connection
