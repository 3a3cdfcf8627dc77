# SPDX-License-Identifier: Apache-2.0
"""Where a service is: the base URL of a connection, checked before a secret is sent there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def base_url(host: str | None, *, port: int | None = None, schema: str | None = None, of: str = "host") -> str:
    """``https://example.bitrix24.com`` and the like, without a slash at the end.

    ``host`` may carry a scheme, a port and a path; without a scheme it is https. Raises ``ValueError``, naming
    ``of``, for what is not an address, and for plain http to a host that is not loopback: credentials travel
    in every request.
    """
    text = (host or "").strip()
    if not text.strip("/"):
        raise ValueError(f"{of}: empty; it must be the address of the service")
    if "://" not in text:
        text = f"{schema or 'https'}://{text}"
    if "@" in text:
        raise ValueError(f"{of}: an address must not contain a login; use the connection's own fields")
    try:
        parts = urlsplit(text)
        given_port = parts.port
    except ValueError as problem:
        raise ValueError(f"{of}: {host!r} is not an address: {problem}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{of}: {host!r} is not the address of a service")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{of}: {host!r} is plain http; only https may be used, except on loopback, since credentials travel along"
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    number = given_port or port
    return f"{parts.scheme}://{name}{f':{number}' if number else ''}{parts.path.rstrip('/')}"


def is_loopback(hostname: str) -> bool:
    """Whether ``hostname`` is this machine."""
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
