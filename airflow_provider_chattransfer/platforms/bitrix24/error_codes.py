# SPDX-License-Identifier: Apache-2.0
"""Map the error codes of the REST API to typed errors, with what to change where.

Statuses differ between the documents and the servers, so the code decides (documented system errors; server source).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...exceptions import (
    CredentialsError,
    NotFoundError,
    PlatformError,
    RequestRefusedError,
    ResponseLostError,
    TokenExpiredError,
)
from .auth import Way

EXPIRED = "expired_token"
TRANSFER = "imopenlines.bot.session.transfer"

SCOPES = frozenset({"crm", "im", "imbot", "imopenlines", "user"})
"""The scopes that we need; each is the first word of the names of its methods."""

SETTINGS = {
    Way.WEBHOOK: "Developer resources of the portal, the inbound webhook",
    Way.APPLICATION: "Developer resources of the portal, the local application",
}
"""Where the rights of an account are given."""

REGISTER_ONE = "register one with the command register-bot"

OF_BOTH: Mapping[str, str] = {
    "error_oauth": "the application is not installed on the portal: install it, then sign in anew",
    "application_not_found": "the application is switched off on the portal, or not there: look for it under "
    "Applications",
    "authorization_error": "the user who authorised the application was dismissed: let another one authorise it, and "
    "put the new token into oauth_refresh_token of the connection",
    "invalid_token": "the portal does not know the access token: host of the connection is another portal than the one "
    "on which the application was authorised, or the application was removed from it",
    "invalid_request": "the portal takes only https: change host of the connection",
    "method_confirm_denied": "the portal's administrator has denied the application this method: ask them to allow it",
    "method_confirm_waiting": "the portal's administrator has been asked to allow the application this method: ask "
    "them to answer",
    "no_auth_found": "the portal found no credentials in the request: a proxy on the way may have removed them",
    "overload_limit": "Bitrix24 has blocked the REST API of the portal by hand: ask its support to lift that",
    "portal_deleted": "the portal was deleted: check host of the connection",
    "user_access_error": "the application is closed to the user who authorised it: the portal's administrator opens it "
    "under Applications",
    "wrong_auth_type": "the portal does not take this way of signing in",
}

OF_ONE: Mapping[Way, Mapping[str, str]] = {
    Way.WEBHOOK: {
        "bot_id_error": f"no bot is registered for bot_client_id of the connection: {REGISTER_ONE}, or put the "
        "CLIENT_ID or botToken of one that is there into bot_client_id",
        "invalid_credentials": "the portal does not know the webhook (check login and password of the connection), or "
        "it has expired or was deleted, or its user was dismissed: the portal does not tell which; look under "
        f"{SETTINGS[Way.WEBHOOK]}",
    },
    Way.APPLICATION: {
        "bot_id_error": f"the application has registered no bot: {REGISTER_ONE}",
        "invalid_credentials": "the portal does not take the application's credentials",
    },
}

SERVER_TROUBLE = frozenset({"internal_server_error", "error_unexpected_answer"})


def error_for(code: str | None, *, method: str, way: Way) -> PlatformError:
    """Return the typed error for the ``error`` with which ``method`` was answered; limits are handled elsewhere."""
    known = (code or "").lower()
    if known == EXPIRED:
        return TokenExpiredError("the token has run out", method=method, code=code)
    if known in SERVER_TROUBLE:
        return ResponseLostError("the portal's server failed", method=method, code=code)
    if text := _wrong_credentials(known, method=method, way=way):
        return CredentialsError(text, method=method, code=code)
    if known == "access_error":
        return NotFoundError("not there, or this account may not see it", method=method, code=code)
    if known == "error_method_not_found":
        return NotFoundError(
            f"the portal has no such method, or this account {lacks(method, way=way)}", method=method, code=code
        )
    return RequestRefusedError("the portal refused", method=method, code=code)


def lacks(method: str, *, way: Way) -> str:
    """Say that an account lacks the scope of ``method``, and where to give it."""
    scope = method.partition(".")[0]
    named = f"the scope {scope}" if scope in SCOPES else "the scope of this method"
    return f"lacks {named} (give it under {SETTINGS[way]})"


def _wrong_credentials(known: str, *, method: str, way: Way) -> str | None:
    if known == "insufficient_scope":
        return f"the {way} {lacks(method, way=way)}"
    if known == "access_denied":
        return _denied(method, way=way)
    return OF_ONE[way].get(known) or OF_BOTH.get(known)


def _denied(method: str, *, way: Way) -> str:
    """Return the error for ACCESS_DENIED.

    It has three causes: no CLIENT_ID in a transfer, no right, and a plan without REST API.
    """
    cause = (
        f"the portal's plan has no REST API, or the user of the {way} may not do that: ask the portal's administrator"
    )
    if method == TRANSFER and way is Way.WEBHOOK:
        return f"{cause}; or the portal does not take bot_client_id of the connection"
    return cause
