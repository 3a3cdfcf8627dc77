# SPDX-License-Identifier: Apache-2.0
"""Authenticates callers: turns a webhook, an OAuth token or a browser's session into an identity with scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from . import errors
from .model import PortalData, UserKind
from .php import to_int
from .scenario import SCOPES
from .switches import PortalState
from .tokens import Tokens

_APP_REFUSALS = {
    PortalState.APP_NOT_INSTALLED: errors.application_not_installed,
    PortalState.APP_INACTIVE: errors.application_not_found,
    PortalState.APP_FORBIDDEN: errors.user_access_error,
    PortalState.CONFIRM_WAITING: errors.confirm_waiting,
    PortalState.CONFIRM_DENIED: errors.confirm_denied,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a method. ``app`` is the OAuth application's client id, empty for a webhook or a session."""

    user: int
    scopes: frozenset[str]
    label: str
    app: str = ""
    password: str = ""
    session: bool = False

    @property
    def counter(self) -> str:
        """The key by which operating time is counted: one per application, webhook or session."""
        return self.app or (f"session:{self.user}" if self.session else f"webhook:{self.password}")

    @property
    def credential(self) -> str:
        """The kind of the caller's credential, as errors name it."""
        return "access token" if self.app else "webhook token"


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the identity behind credentials. All methods raise ``RestError``."""

    data: PortalData
    tokens: Tokens

    def by_webhook(self, user: str, code: str, *, now: float) -> Identity:
        """Return the identity of ``/rest/<user>/<code>/``."""
        webhook = self.data.webhooks.get((to_int(user), code))
        if webhook is None or str(webhook.user) != user or webhook.expires_at <= now:
            raise errors.invalid_credentials()
        if not self.data.users[webhook.user].active:
            raise errors.invalid_credentials()
        return self._check_portal_state(
            Identity(
                user=webhook.user,
                scopes=webhook.scopes,
                label=f"user:{webhook.user} webhook",
                password=f"{webhook.user}/{webhook.code}",
            )
        )

    def by_token(self, token: str, *, now: float) -> Identity:
        """Return the identity behind an access token."""
        app = self.tokens.app_of(token, now=now)
        identity = Identity(
            user=app.user, scopes=app.scopes, label=f"user:{app.user} app:{app.client_id}", app=app.client_id
        )
        if not self.data.users[app.user].active:
            raise errors.authorization_error()
        return self._check_portal_state(identity)

    def by_session(self, headers: Mapping[str, str], sessid: str) -> Identity:
        """Return the identity of a browser.

        Here the cookie ``PHPSESSID=session7`` is the signed-in user 7, and the token of that session, in ``sessid`` or
        ``X-Bitrix-Csrf-Token``, is ``sessid7``.
        """
        user = self.data.users.get(_signed_in(headers.get("cookie", "")))
        if user is None or not user.active or user.kind not in (UserKind.EMPLOYEE, UserKind.EXTRANET):
            raise errors.user_not_authorized()
        if f"sessid{user.id}" not in (sessid, headers.get("x-bitrix-csrf-token")):
            raise errors.session_failed()
        return Identity(user=user.id, scopes=SCOPES | {"timeman"}, label=f"user:{user.id} session", session=True)

    def _check_portal_state(self, identity: Identity) -> Identity:
        """Return ``identity``, or raise if the portal's state denies it access; sessions are not checked."""
        state = self.data.switches.portal_state
        if state is PortalState.OVERLOAD:
            raise errors.overload_limit()
        if state is PortalState.NO_REST_PLAN:
            raise errors.no_rest_plan(app=bool(identity.app))
        if identity.app and (refusal := _APP_REFUSALS.get(state)):
            raise refusal()
        return identity


def _signed_in(cookies: str) -> int:
    """Return the user whose session the cookies name, 0 for none."""
    try:
        session = SimpleCookie(cookies).get("PHPSESSID")
    except CookieError:
        return 0
    return to_int(session.value.removeprefix("session")) if session else 0
