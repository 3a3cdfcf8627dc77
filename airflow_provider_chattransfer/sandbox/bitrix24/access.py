# SPDX-License-Identifier: Apache-2.0
"""Who calls: webhooks and OAuth tokens become an identity with a user and scopes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .model import App, World

REFRESH_DAYS = 180


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a method. ``app`` is the OAuth application's client id, empty for a webhook."""

    user: int
    scopes: frozenset[str]
    label: str
    app: str = ""
    password: str = ""

    @property
    def counter(self) -> str:
        """What operating time is counted by: the application, or the webhook."""
        return self.app or f"webhook:{self.password}"


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that was given out. ``expires_at`` in seconds since the epoch."""

    client_id: str
    expires_at: float


@dataclass(slots=True)
class Access:
    """All credentials of a portal."""

    world: World
    rng: random.Random
    _access: dict[str, Issued] = field(default_factory=dict)
    _refresh: dict[str, Issued] = field(default_factory=dict)

    def start(self, *, now: float) -> None:
        """Make the tokens that the scenario hands out valid."""
        for app in self.world.apps.values():
            if app.access_token:
                self._access[app.access_token] = self._issued(app, self.world.switches.access_token_seconds, now)
            self._refresh[app.refresh_token] = self._issued(app, REFRESH_DAYS * 86400, now)

    def of_webhook(self, user: str, code: str) -> Identity:
        """The identity of ``/rest/<user>/<code>/``; raises ``RestError``."""
        webhook = self.world.webhooks.get((int(user), code)) if user.isdecimal() else None
        if webhook is None or not self.world.users[webhook.user].active:
            raise errors.invalid_credentials()
        return Identity(
            user=webhook.user,
            scopes=webhook.scopes,
            label=f"user:{webhook.user} webhook",
            password=f"{webhook.user}/{webhook.code}",
        )

    def of_token(self, token: str, *, now: float) -> Identity:
        """The identity behind an access token; raises ``RestError``."""
        if not token:
            raise errors.no_auth()
        issued = self._access.get(token)
        if issued is None:
            raise errors.invalid_token()
        if issued.expires_at <= now:
            raise errors.expired_token()
        app = self.world.apps[issued.client_id]
        return Identity(
            user=app.user, scopes=app.scopes, label=f"user:{app.user} app:{app.client_id}", app=app.client_id
        )

    def refresh(self, params: Mapping[str, Any], *, origin: str, now: float) -> tuple[int, dict[str, Any]]:
        """Answer ``/oauth/token/``: status and body. Each refresh token works once.

        An unknown client is answered with HTTP 200 and an error in the body, as the authorisation server does
        for ``wrong_client``.
        """
        if params.get("grant_type") != "refresh_token" or not params.get("client_id"):
            return 400, {"error": "invalid_request", "error_description": "Unsupported grant type"}
        app = self.world.apps.get(str(params["client_id"]))
        if app is None:
            return 200, {"error": "wrong_client", "error_description": "Wrong client"}
        if params.get("client_secret") != app.client_secret:
            return 400, {"error": "invalid_client", "error_description": "Client authentication failed"}
        token = str(params.get("refresh_token", ""))
        issued = self._refresh.get(token)
        if issued is None or issued.client_id != app.client_id or issued.expires_at <= now:
            return 400, {"error": "invalid_grant", "error_description": "Refresh token is invalid"}
        del self._refresh[token]
        return 200, self._issue(app, origin=origin, now=now)

    def _issue(self, app: App, *, origin: str, now: float) -> dict[str, Any]:
        seconds = self.world.switches.access_token_seconds
        access, refresh = (f"{self.rng.getrandbits(280):070x}" for _ in range(2))
        self._access[access] = self._issued(app, seconds, now)
        self._refresh[refresh] = self._issued(app, REFRESH_DAYS * 86400, now)
        return {
            "access_token": access,
            "expires": int(now + seconds),
            "expires_in": int(seconds),
            "scope": ",".join(sorted(app.scopes)),
            "domain": "oauth.bitrix.info",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
            "status": "L",
            "client_endpoint": f"{origin}/rest/",
            "member_id": "a223c6b3710f85df22e9377d6c4f7553",
            "user_id": app.user,
            "refresh_token": refresh,
        }

    @staticmethod
    def _issued(app: App, seconds: float, now: float) -> Issued:
        return Issued(client_id=app.client_id, expires_at=now + seconds)
