# SPDX-License-Identifier: Apache-2.0
"""Reach a Redis server by its address, and say what is wrong without showing the password in it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

ADDRESS_RULE = (
    "must be an address such as rediss://:password@redis.example:6379/0, whose certificate is always checked "
    "(ssl_ca_certs names the file of an authority of one's own)"
)
"""What an error says of an address that is none; it shows nothing of it."""


def open_redis(address: str, *, timeout: float, retry: Retry | None = None) -> Redis:
    """Return a client of the server at ``address``, ``redis://`` or ``rediss://``; no connection is made.

    ``timeout``: seconds to wait for a connection, and for an answer. ``retry``: how a command is sent again, if not as
    redis-py does it. Raises ``ValueError`` for what is no address, or leaves the certificate unchecked.
    """
    options = {} if retry is None else {"retry": retry}
    try:
        parts = urlsplit(address)
        unchecked = {"ssl_cert_reqs", "ssl_check_hostname"} & parse_qs(parts.query, keep_blank_values=True).keys()
        if parts.scheme in ("redis", "rediss") and parts.hostname and " " not in address and not unchecked:
            return Redis.from_url(address, socket_timeout=timeout, socket_connect_timeout=timeout, **options)
    except ValueError:
        pass
    raise ValueError(ADDRESS_RULE)


def host_of(address: str) -> str:
    """Return host and port of an address, without user and password."""
    return urlsplit(address).netloc.rpartition("@")[2]


def cause(error: RedisError) -> str:
    """Say what happened, without the text of the error, which may repeat the address."""
    if isinstance(error, AuthenticationError):
        return "it does not take the user or the password"
    if isinstance(error, NoAnswer):
        return "it does not answer in time"
    if isinstance(error, NoConnection):
        return "no connection can be made"
    return type(error).__name__
