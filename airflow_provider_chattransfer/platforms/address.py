# SPDX-License-Identifier: Apache-2.0
"""Where a service is: the base URL of a connection, checked before a secret is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

USUAL_PORTS = {"https": 443, "http": 80}


def base_url(host: str | None, *, port: int | None = None, schema: str | None = None, of: str = "host") -> str:
    """``https://example.bitrix24.com`` and the like, without a slash at the end.

    ``host`` may carry a scheme, a port and a path; without a scheme it is https, and the usual port is left out.
    Raises ``ValueError``, naming ``of``, for what is not an address, and for plain http to a host that is not
    loopback: credentials travel in every request. The message leaves out what follows the host: a webhook's whole
    address is its secret.
    """
    text = (host or "").strip()
    if not text.strip("/"):
        raise ValueError(f"{of}: empty; it must be the address of the service")
    if schema not in (None, "", "http", "https"):
        raise ValueError(f"schema: {schema!r} is neither http nor https; a path belongs to the {of} (as %2F in a URI)")
    if "://" not in text:
        text = f"{schema or 'https'}://{text}"
    if "@" in text:
        raise ValueError(f"{of}: an address must not contain a login; use the connection's own fields")
    try:
        parts = urlsplit(text)
        given_port = parts.port
    except ValueError as problem:
        raise ValueError(f"{of}: {_shown(text)} is not an address: {problem}") from None
    known = parts.scheme in ("https", "http") and re.fullmatch(r"[\w.:-]+", parts.hostname or "")
    if not known or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{of}: {_shown(text)} is not the address of a service")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{of}: {_shown(text)} is plain http; only https may be used, except on loopback, since credentials "
            "travel along"
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    number = given_port or port
    own = f":{number}" if number and number != USUAL_PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{name}{own}{parts.path.rstrip('/')}"


def _shown(address: str) -> str:
    """An address for a message, without what follows the host."""
    scheme, _, rest = address.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    return repr(f"{scheme}://{host}{'/…' if len(host) < len(rest.rstrip('/')) else ''}")


def is_loopback(hostname: str) -> bool:
    """Whether ``hostname`` is this machine."""
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
