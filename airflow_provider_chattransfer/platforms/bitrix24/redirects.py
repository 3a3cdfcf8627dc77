# SPDX-License-Identifier: Apache-2.0
"""Follow portals that are renamed or moved, to addresses that may have our credentials.

A renamed portal answers 302 with its new address (documented: change of domain); the authorisation server names the
present one with each token. Credentials travel in every request, so not every address will do.
"""

from __future__ import annotations

import logging
import re
import threading
from urllib.parse import SplitResult, urlsplit

from ...exceptions import CredentialsError
from ..address import base_url, canonical_host, is_loopback, may_lead_to

log = logging.getLogger(__name__)

CLOUD = re.compile(r"[a-z0-9-]+\.(bitrix24\.[a-z]{2,}(?:\.[a-z]{2,})?)")
"""Match a portal in the cloud: its name, and the domain of Bitrix24 in which it may be renamed."""

MAX_MOVES = 3
"""How often in a run a portal may say that it is elsewhere."""


MAX_HOST_LETTERS = 100
"""Letters of a host that a message names."""


class PortalMovedError(CredentialsError):
    """The portal said that it has moved; nothing was carried out. ``location`` may hold secrets."""

    def __init__(self, location: str | None, *, method: str) -> None:
        super().__init__("the portal has moved", method=method)
        self.location = location


class PortalRedirects:
    """The present address of one portal, as far as this run has learnt it.

    A lock guards it: several threads may be told of one move at the same moment, and follow it once.
    """

    def __init__(self, portal: str) -> None:
        self._moves: dict[str, str] = {}
        self._known = {portal}
        self._lock = threading.Lock()

    def of(self, portal: str) -> str:
        """Return where ``portal`` is now; log it once when the connection names another address."""
        with self._lock:
            while portal in self._moves:
                portal = self._moves[portal]
            is_new = portal not in self._known
            self._known.add(portal)
        if is_new:
            log.warning("The portal is now at %s; put that into the connection's host", host_of(portal))
        return portal

    def follow(self, url: str, answer: PortalMovedError) -> None:
        """Note where the portal is, since it answered a request to ``url`` with this error.

        Raises ``CredentialsError`` when nothing may be sent there.
        """
        successor = renamed(url, answer.location)
        old = _base(urlsplit(url))
        with self._lock:
            if successor is not None and self._moves.get(old) == successor:
                return
            if successor is None or successor in {old, *self._moves} or len(self._moves) >= MAX_MOVES:
                raise _not_followed(old, answer)
            self._moves[old] = successor


def renamed(url: str, location: str | None) -> str | None:
    """Return the base URL at which to repeat a request to ``url``.

    ``None`` when ``location`` is not certainly the same portal.

    It is the same when both are portals in the cloud and in the same domain of Bitrix24, or both are this machine at
    the same port (the sandbox by another name), and nothing but the host differs.
    """
    old, new = urlsplit(url), _parsed(location)
    if new is None or (new.scheme, new.path, new.query) != (old.scheme, old.path, old.query):
        return None
    try:
        base = base_url(_base(new))
    except ValueError:
        return None
    new = urlsplit(base)
    in_cloud = new.scheme == "https" and _domain(old) is not None and _domain(old) == _domain(new)
    on_this_machine = _is_loopback(old) and _is_loopback(new) and old.port == new.port
    return base if in_cloud or on_this_machine else None


def endpoint(told: str | None, *, portal: str) -> str:
    """Return the base URL in the ``client_endpoint`` that came with a token.

    ``portal`` when that is no plausible address.

    Any host is accepted, since the authorisation server is trusted with more than that; plain http and addresses that
    lead nowhere (``may_lead_to``) are not.
    """
    try:
        address = base_url(told)
    except ValueError:
        return portal
    base = address.removesuffix("/rest")
    return base if base != address and may_lead_to(base, known=portal) else portal


def host_of(url: str | None) -> str | None:
    """Return the host and port of an address, for a message; ``None`` when it has none that can be shown."""
    parts = _parsed(url)
    if parts is None:
        return None
    name = canonical_host(parts.hostname or "") or canonical_host(f"[{parts.hostname}]")
    return f"{name}{f':{parts.port}' if parts.port else ''}" if name else None


def _not_followed(old: str, answer: PortalMovedError) -> CredentialsError:
    host = host_of(answer.location)
    if host is None or host == host_of(old):
        text = (
            f"{host_of(old)} redirects what is sent to it: it has moved, or is no portal; check host of the connection"
        )
    else:
        text = (
            f"the portal says that it has moved to {_short(host)}, where nothing was sent; if so, put that into the "
            "connection"
        )
    return CredentialsError(text, method=answer.method)


def _short(host: str) -> str:
    """Shorten a host for a sentence: a name may have 253 letters."""
    return host if len(host) <= MAX_HOST_LETTERS else f"{host[:MAX_HOST_LETTERS]}…"


def _parsed(url: str | None) -> SplitResult | None:
    try:
        parts = urlsplit(url or "")
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _domain(parts: SplitResult) -> str | None:
    found = CLOUD.fullmatch(parts.hostname or "")
    return found.group(1) if found and parts.port in (None, 443) else None


def _is_loopback(parts: SplitResult) -> bool:
    return is_loopback(parts.hostname or "")


def _base(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"
