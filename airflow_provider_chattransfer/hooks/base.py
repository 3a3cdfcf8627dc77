# SPDX-License-Identifier: Apache-2.0
"""What the hooks of all services have in common, and how a connection finds its own."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from ..chats.inputs import as_number, as_whole_number, shown
from ..connection_forms import FORMS
from ..exceptions import TransferError
from ..get_provider_info import hook_class_names
from .fields import Fields, extra_of
from .masking import hide, hide_secrets_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from ..platforms.base import ChatPlatform
    from ..platforms.connection_check import ConnectionCheck
    from ..platforms.rate import RateLimit
    from ..platforms.tokens.manager import FetchToken, TokenManager
    from ..platforms.transport import Transport

T = TypeVar("T")

log = logging.getLogger(__name__)

TEST_SECONDS = 8.0
"""Seconds that the button Test waits at most."""

IMPATIENT = 5.0
"""Seconds to wait for an answer while a connection is tested."""

MOST_MEGABYTES = 1024
"""What ``max_answer_megabytes`` may be at most."""

LEAST_TIMEOUT, MOST_TIMEOUT = 0.01, 3600.0
"""Seconds that ``timeout`` may be."""


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
        return self.open(self._connection())

    def test_connection(self) -> tuple[bool, str]:
        """Whether the connection works, and some sentences about it, for the button Test; below ten seconds.

        They say who we are to the service, what is missing for what, and how the clocks differ. Raises nothing.
        """
        try:
            examination, doubts = within(TEST_SECONDS, self._examine)
        except (ValueError, TransferError) as problem:
            return False, FORMS[self.conn_type].explained(str(problem))
        except TimeoutError:
            return False, f"No answer of the service within {TEST_SECONDS:.0f} seconds."
        except Exception as error:
            return False, f"The connection could not be tested: {type(error).__name__}"
        told = " ".join([str(examination), *(f"{doubt[:1].upper()}{doubt[1:]}." for doubt in doubts)])
        return examination.is_good, FORMS[self.conn_type].explained(told)

    def _examine(self) -> tuple[ConnectionCheck, tuple[str, ...]]:
        connection = self._connection()
        extra = extra_of(connection)
        with self.platform(connection, extra, patient=False) as platform:
            return platform.check_connection(), self.fields(connection, extra).doubts

    def _connection(self) -> Connection:
        """Our connection; raises ``ValueError`` when there is none, or one of another type."""
        connection = get_connection(self.conn_id)
        if not isinstance(self, hook_for(connection)):
            raise ValueError(
                f"conn_id: connection {shown(self.conn_id)} is of type {shown(connection.conn_type)}, not of type "
                f"{self.conn_type!r}"
            )
        return connection

    @classmethod
    def open(cls, connection: Connection) -> ChatPlatform:
        """The platform of ``connection``, and a warning for each of its doubts; raises ``ValueError`` as ``get_conn``
        does."""
        try:
            extra = extra_of(connection)
            cls.warn(connection, cls.fields(connection, extra))
            return cls.platform(connection, extra)
        except ValueError as problem:
            told = FORMS[cls.conn_type].labelled(str(problem))
            raise ValueError(f"connection {shown(connection.conn_id)}: {told}") from None

    @classmethod
    def warn(cls, connection: Connection, fields: Fields) -> None:
        """Log the doubts about what is in ``connection``."""
        for doubt in fields.doubts:
            log.warning("connection %s: %s", shown(connection.conn_id), FORMS[cls.conn_type].labelled(doubt))

    @classmethod
    def fields(cls, connection: Connection, extra: Mapping[str, Any]) -> Fields:
        """The connection's fields, typed; raises ``ValueError`` that begins with the key of the wrong one."""
        return Fields.of(connection, extra, form=FORMS[cls.conn_type])

    @classmethod
    @abstractmethod
    def platform(cls, connection: Connection, extra: Mapping[str, Any], *, patient: bool = True) -> ChatPlatform:
        """Build the platform; one that is not ``patient`` makes each request once, and waits for seconds only.

        Raises ``ValueError`` that begins with the key of the wrong field.
        """


def get_connection(conn_id: str) -> Connection:
    """The connection with this id, its secrets masked in logs; raises ``ValueError`` when there is none."""
    try:
        connection = ChatPlatformHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None
    except TypeError:
        raise ValueError(
            f"conn_id: Airflow cannot read connection {shown(conn_id)}: it has a field that Airflow does not know, or "
            "a number where text must be; put logins and passwords in quotation marks, our own fields into extra"
        ) from None
    hide_secrets_of(connection)
    return connection


def open_platform(conn_id: str) -> ChatPlatform:
    """The platform of a connection, on a worker; the hook is found by the connection's type.

    Raises ``ValueError`` for a connection that is missing, wrong, or of another type.
    """
    connection = get_connection(conn_id)
    return hook_for(connection).open(connection)


async def open_platform_async(conn_id: str) -> ChatPlatform:
    """The same in a triggerer, where a connection must be awaited, and imports must not hold up the loop."""
    from airflow.providers.common.compat.connection import get_async_connection

    try:
        connection = await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise _no_connection(conn_id) from None

    def opened() -> ChatPlatform:
        hide_secrets_of(connection)
        return hook_for(connection).open(connection)

    return await asyncio.to_thread(opened)


def hook_for(connection: Connection) -> type[ChatPlatformHook]:
    """The hook of the connection's type; raises ``ValueError`` when that is none of ours."""
    names = hook_class_names()
    if connection.conn_type not in names:
        raise ValueError(
            f"conn_id: connection {shown(connection.conn_id)} is of type {shown(connection.conn_type)}; "
            f"chats can be moved on {' and '.join(sorted(names))}"
        )
    module, _, name = names[connection.conn_type].rpartition(".")
    hook: type[ChatPlatformHook] = getattr(import_module(module), name)
    return hook


def build_transport(
    account: str, extra: Mapping[str, Any], *, limit: RateLimit, timeout: float, patient: bool = True
) -> Transport:
    """The transport of an account, as the connection wants it; ``limit`` and ``timeout`` (seconds) are its service's.

    Raises ``ValueError`` for fields that cannot be right.
    """
    from ..platforms.rate import gate_for
    from ..platforms.transport import Transport

    return Transport(
        gate=gate_for(account, rate_limit(extra, limit)),
        read_timeout=read_timeout(extra, timeout) if patient else IMPATIENT,
        attempts=None if patient else 1,
        ca_bundle=ca_bundle(extra),
        max_answer_megabytes=largest_answer(extra),
    )


THREAD = "chattransfer test of a connection"
"""The name of the thread that tests a connection, and may be left alone when it takes too long."""


def within(seconds: float, do: Callable[[], T]) -> T:
    """What ``do`` returns or raises; ``TimeoutError`` when it takes longer than ``seconds``, and is left alone then."""
    from concurrent.futures import Future

    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(do())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, daemon=True, name=THREAD).start()
    return future.result(timeout=seconds)


def rate_limit(extra: Mapping[str, Any], default: RateLimit) -> RateLimit:
    """The limit that a connection sets with ``requests_per_second`` and ``burst``."""
    from ..platforms.rate import LEAST_PER_SECOND, MOST_BURST, MOST_PER_SECOND, RateLimit

    per_second = as_number(
        _given(extra, "requests_per_second", default.per_second),
        of="requests_per_second",
        least=LEAST_PER_SECOND,
        most=MOST_PER_SECOND,
    )
    burst = as_whole_number(_given(extra, "burst", default.burst), of="burst", least=1, most=MOST_BURST)
    return RateLimit(per_second=per_second, burst=burst)


def read_timeout(extra: Mapping[str, Any], default: float) -> float:
    """Seconds for a request and its whole answer, from ``timeout``."""
    return as_number(_given(extra, "timeout", default), of="timeout", least=LEAST_TIMEOUT, most=MOST_TIMEOUT)


def largest_answer(extra: Mapping[str, Any]) -> int:
    """Megabytes that an answer's body may have, from ``max_answer_megabytes``."""
    from ..platforms.transport import LARGEST_ANSWER

    value = _given(extra, "max_answer_megabytes", LARGEST_ANSWER)
    return as_whole_number(value, of="max_answer_megabytes", least=1, most=MOST_MEGABYTES)


def ca_bundle(extra: Mapping[str, Any]) -> str | None:
    """The file with the certificates to trust, from ``ca_bundle``; raises ``ValueError`` when there is none."""
    path = str(extra.get("ca_bundle") or "")
    if path and not Path(path).is_file():
        raise ValueError(f"ca_bundle: {path!r} is no file on this machine")
    return path or None


def build_token_manager(
    extra: Mapping[str, Any], *, account: str, seed: str, fetch_token: FetchToken, rotates: bool
) -> TokenManager:
    """The keeper of an account's credential, with the store that the connection chooses by ``token_store``.

    ``account`` names service, tenant and application; ``seed`` is the secret from the connection with which the first
    credential is asked for: with another one, what was kept for the last one does not count. ``rotates`` tells that
    the service replaces it each time. Raises ``ValueError``.
    """
    from ..platforms.tokens.manager import TokenManager
    from .token_stores import store_for

    store = store_for(extra, account=account, seed=seed)
    return TokenManager(store=store, fetch_token=fetch_token, rotates=rotates, hide=hide)


def _given(extra: Mapping[str, Any], name: str, default: Any) -> Any:
    """The field ``name``; ``default`` where it is empty."""
    value = extra.get(name)
    return default if value in (None, "") else value


def _no_connection(conn_id: str) -> ValueError:
    return ValueError(f"conn_id: there is no connection {shown(conn_id)}; create it under Admin, Connections")
