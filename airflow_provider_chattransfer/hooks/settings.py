# SPDX-License-Identifier: Apache-2.0
"""Make a transport and a token manager of what a connection says about limits, network and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chats.inputs import as_number, as_whole_number
from .masking import hide

if TYPE_CHECKING:
    from ..platforms.coordination.store import SharedStore
    from ..platforms.rate import RateLimit
    from ..platforms.tokens.manager import FetchToken, TokenManager
    from ..platforms.transport import Transport

FAIL_FAST_TIMEOUT_SECONDS = 5.0
"""Seconds to wait for an answer while a connection is tested, in place of ``timeout``."""

MAX_MEGABYTES = 1024
"""Megabytes that ``max_answer_megabytes`` may be at most."""

MIN_TIMEOUT_SECONDS = 0.01
"""Seconds that ``timeout`` may be at least."""

MAX_TIMEOUT_SECONDS = 3600.0
"""Seconds that ``timeout`` may be at most."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How requests are made, from the section that ``network_section`` gives every form.

    ``timeout_seconds`` is for a request and its whole answer. ``ca_bundle`` is the file with the certificates to trust;
    ``None`` stands for the usual authorities.
    """

    rate_limit: RateLimit
    timeout_seconds: float
    max_answer_megabytes: int
    ca_bundle: str | None

    @classmethod
    def read(cls, extra: Mapping[str, Any], *, rate_limit: RateLimit, timeout_seconds: float) -> NetworkSettings:
        """Read the fields in ``extra``; what is empty there is as the service has it, by the other arguments.

        Raises ``ValueError`` that begins with the key of the wrong field.
        """
        from ..platforms.transport import MAX_ANSWER_MEGABYTES

        return cls(
            rate_limit=_rate_limit(extra, rate_limit),
            timeout_seconds=as_number(
                _given(extra, "timeout", timeout_seconds),
                of="timeout",
                least=MIN_TIMEOUT_SECONDS,
                most=MAX_TIMEOUT_SECONDS,
            ),
            max_answer_megabytes=as_whole_number(
                _given(extra, "max_answer_megabytes", MAX_ANSWER_MEGABYTES),
                of="max_answer_megabytes",
                least=1,
                most=MAX_MEGABYTES,
            ),
            ca_bundle=_ca_bundle(extra),
        )


def build_transport(
    account: str, extra: Mapping[str, Any], *, limit: RateLimit, timeout: float, fail_fast: bool = False
) -> Transport:
    """Build the transport of ``account`` as the connection's ``extra`` says.

    ``limit`` and ``timeout`` (seconds) are the service's own, for what ``extra`` leaves empty. All transports of an
    account share one pace, in the store that ``coordination`` names. With ``fail_fast``, each request is made once and
    answered within ``FAIL_FAST_TIMEOUT_SECONDS``. Raises ``ValueError`` that begins with the key of the wrong field.
    """
    from ..platforms.coordination.pace import pace_for
    from ..platforms.transport import Transport

    settings = NetworkSettings.read(extra, rate_limit=limit, timeout_seconds=timeout)
    return Transport(
        pace=pace_for(account, settings.rate_limit, store=store_of(extra)),
        read_timeout=FAIL_FAST_TIMEOUT_SECONDS if fail_fast else settings.timeout_seconds,
        attempts=1 if fail_fast else None,
        ca_bundle=settings.ca_bundle,
        max_answer_megabytes=settings.max_answer_megabytes,
    )


def store_of(extra: Mapping[str, Any]) -> SharedStore:
    """Return what the connection shares with others of its account: the store of ``coordination``, or this host's.

    It is the same object for all connections with that address. Raises ``ValueError`` that begins with the key.
    """
    from ..platforms.coordination.opening import open_store

    try:
        return open_store(extra.get("coordination") or None)
    except ValueError as problem:
        raise ValueError(f"coordination: {problem}") from None


def build_token_manager(
    extra: Mapping[str, Any], *, account: str, seed: str, fetch_token: FetchToken, rotates: bool
) -> TokenManager:
    """Build the token manager of ``account``, with the store that ``token_store`` in ``extra`` names.

    ``account`` names service, tenant and application. ``seed`` is the secret of the connection with which the first
    token is asked for: once it is another one, tokens that were kept before do not count. ``rotates`` tells that the
    service gives out a new refresh token each time. Raises ``ValueError`` that begins with the key of the wrong field.
    """
    from ..platforms.tokens.manager import TokenManager
    from .token_stores import store_for

    store = store_for(extra, account=account, seed=seed)
    return TokenManager(store=store, fetch_token=fetch_token, rotates=rotates, hide=hide)


def _rate_limit(extra: Mapping[str, Any], default: RateLimit) -> RateLimit:
    from ..platforms.rate import MAX_BURST, MAX_PER_SECOND, MIN_PER_SECOND, RateLimit

    per_second = as_number(
        _given(extra, "requests_per_second", default.per_second),
        of="requests_per_second",
        least=MIN_PER_SECOND,
        most=MAX_PER_SECOND,
    )
    burst = as_whole_number(_given(extra, "burst", default.burst), of="burst", least=1, most=MAX_BURST)
    return RateLimit(per_second=per_second, burst=burst)


def _ca_bundle(extra: Mapping[str, Any]) -> str | None:
    path = str(extra.get("ca_bundle") or "")
    if path and not Path(path).is_file():
        raise ValueError(f"ca_bundle: {path!r} is no file on this machine")
    return path or None


def _given(extra: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return the field ``name``, or ``default`` where it is empty."""
    value = extra.get(name)
    return default if value in (None, "") else value
