# SPDX-License-Identifier: Apache-2.0
"""The authorisation server: issues codes and tokens to the portal's applications, and knows their lifetimes.

By the documentation of OAuth 2.0 (settings/oauth: simple way, automatic renewal, error codes). Errors may come with
HTTP 200: the body's ``error`` decides.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from . import errors
from .model import App, PortalData
from .switches import PortalState

CODE_LIFETIME_SECONDS = 30
REFRESH_TOKEN_LIFETIME_DAYS = 180
HOST = "oauth.bitrix.info"
MEMBER_ID = "a223c6b3710f85df22e9377d6c4f7553"
DEFAULT_REDIRECT_URI = "https://app.example/"
"""Where the code is sent if the application gives no ``redirect_uri``."""
RESERVED_CHARACTERS = "%:/?#[]@!$&'()*+,;="
"""The characters that an address may have besides letters, digits and ``-._~``."""

_Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Issued:
    """A code or token issued to an application. ``expires_at`` is in seconds since the epoch."""

    client_id: str
    expires_at: float


@dataclass(slots=True)
class Tokens:
    """All valid codes, access tokens and refresh tokens."""

    data: PortalData
    rng: random.Random
    _authenticator: dict[str, Issued] = field(default_factory=dict)
    _refresh: dict[str, Issued] = field(default_factory=dict)
    _codes: dict[str, Issued] = field(default_factory=dict)

    def start(self, *, now: float) -> None:
        """Make the scenario's initial tokens valid."""
        for app in self.data.apps.values():
            if app.access_token:
                self._authenticator[app.access_token] = _issued(app, self.data.switches.access_token_seconds, now)
            self._refresh[app.refresh_token] = _issued(app, REFRESH_TOKEN_LIFETIME_DAYS * 86400, now)

    def app_of(self, token: str, *, now: float) -> App:
        """Return the application that ``token`` was issued to; raise ``RestError``."""
        issued = self._authenticator.get(token)
        if issued is None:
            raise errors.invalid_token()
        if issued.expires_at <= now:
            raise errors.expired_token()
        return self.data.apps[issued.client_id]

    def expire(self, token: str, *, now: float) -> bool:
        """Expire an access token at once; return false if it is not valid anyway."""
        issued = self._authenticator.get(token)
        if issued is None or issued.expires_at <= now:
            return False
        self._authenticator[token] = Issued(issued.client_id, expires_at=now)
        return True

    def authorize(self, params: Mapping[str, Any], *, origin: str, now: float) -> str | None:
        """Return where ``/oauth/authorize/`` sends the browser of a user who agrees; ``None`` for an unknown client.

        The code in the address is valid once and for 30 seconds.
        """
        app = self.data.apps.get(str(params.get("client_id", "")))
        if app is None:
            return None
        code = self._new_token()
        self._codes[code] = _issued(app, CODE_LIFETIME_SECONDS, now)
        query = {
            "code": code,
            "state": str(params.get("state", "")),
            "domain": origin.partition("://")[2],
            "member_id": MEMBER_ID,
            "scope": _scope(app),
            "server_domain": HOST,
        }
        handler = quote(str(params.get("redirect_uri") or DEFAULT_REDIRECT_URI), safe=RESERVED_CHARACTERS)
        return f"{handler}{'&' if '?' in handler else '?'}{urlencode(query)}"

    def grant(self, params: Mapping[str, Any], *, origin: str, now: float) -> _Answer:
        """Return the status and body of ``/oauth/token/``. A code, or a refresh token, works once.

        An unknown client is answered with HTTP 200, a wrong secret with 400 (one of the official SDKs expects 401).
        """
        app = self.data.apps.get(str(params.get("client_id", "")))
        if not params.get("client_id"):
            return _refused(400, "invalid_request", 'No "client_id" parameter found')
        if app is None:
            return _refused(200, "wrong_client", "Wrong client")
        if params.get("client_secret") != app.client_secret:
            return _refused(400, "invalid_client", "Client authentication failed")
        return self._refused_by_portal() or self._exchange(app, params, origin=origin, now=now)

    def _refused_by_portal(self) -> _Answer | None:
        match self.data.switches.portal_state:
            case PortalState.APP_UNPAID:
                return _refused(401, "PAYMENT_REQUIRED", "Payment required")
            case PortalState.APP_NOT_INSTALLED:
                return _refused(401, "NOT_INSTALLED", "Application not installed")
        return None

    def _exchange(self, app: App, params: Mapping[str, Any], *, origin: str, now: float) -> _Answer:
        kinds = {"refresh_token": ("refresh_token", self._refresh), "authorization_code": ("code", self._codes)}
        name, store = kinds.get(str(params.get("grant_type", "")), ("", {}))
        if not name:
            return _refused(400, "invalid_request", "Unsupported grant type")
        given = str(params.get(name, ""))
        if not given:
            return _refused(400, "invalid_request", f'No "{name}" parameter found')
        issued = store.get(given)
        if issued is None or issued.client_id != app.client_id or issued.expires_at <= now:
            return _refused(400, "invalid_grant", "Refresh token is invalid" if name != "code" else "Code is invalid")
        if not set(str(params.get("scope", "")).replace(",", " ").split()) <= app.scopes:
            return _refused(403, "invalid_scope", "Given scope exceeds permissions associated with given grant")
        del store[given]
        return 200, self._issue(app, origin=origin, now=now)

    def _issue(self, app: App, *, origin: str, now: float) -> dict[str, Any]:
        seconds = self.data.switches.access_token_seconds
        access, refresh = self._new_token(), self._new_token()
        self._authenticator[access] = _issued(app, seconds, now)
        self._refresh[refresh] = _issued(app, REFRESH_TOKEN_LIFETIME_DAYS * 86400, now)
        return {
            "access_token": access,
            "expires": int(now + seconds),
            "expires_in": int(seconds),
            "scope": _scope(app),
            "domain": HOST,
            "server_endpoint": f"https://{HOST}/rest/",
            "status": "L",
            "client_endpoint": f"{origin}/rest/",
            "member_id": MEMBER_ID,
            "user_id": app.user,
            "refresh_token": refresh,
        }

    def _new_token(self) -> str:
        return f"{self.rng.getrandbits(280):070x}"


def _issued(app: App, seconds: float, now: float) -> Issued:
    return Issued(client_id=app.client_id, expires_at=now + seconds)


def _scope(app: App) -> str:
    return ",".join(sorted(app.scopes))


def _refused(status: int, code: str, text: str) -> _Answer:
    return status, {"error": code, "error_description": text}
