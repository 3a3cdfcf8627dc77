# SPDX-License-Identifier: Apache-2.0
"""Fetch access tokens from the authorisation server of Bitrix24, each with the next refresh token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...exceptions import (
    CredentialsError,
    PlatformError,
    RateLimitError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
    as_code,
)
from ..decoding import IdIfKnown, TextIfKnown, Token, decode
from ..issued_token import IssuedToken
from ..transport import Request, Response, Transport, gateway_error
from .error_codes import SERVER_TROUBLE

METHOD = "oauth/token"
"""How messages name the token endpoint."""

READ_TIMEOUT_SECONDS = 30.0
"""Seconds to wait for an answer; nothing is documented."""

NOT_INSTALLED = (
    "the application is not installed on the portal: install it, and put its new token into oauth_refresh_token of the "
    "connection"
)

REFUSALS: Mapping[str, str] = {
    "wrong_client": "it does not know the application: check oauth_client_id of the connection, and oauth_host, since "
    "portals of some countries have another one",
    "invalid_client": "it does not know the application by this secret: check oauth_client_id and oauth_client_secret "
    "of the connection",
    "invalid_grant": "it does not take the refresh token: each works once and for 180 days, and for its own "
    "application. Authorise the application anew, and put the new token into oauth_refresh_token of the connection",
    "invalid_request": "it misses something: check the oauth_ fields of the connection",
    "invalid_scope": "the application may not have what it asks for: check its scopes under Developer resources",
    "insufficient_scope": "the application may not have what it asks for: check its scopes under Developer resources",
    "payment_required": "the application is not paid for, or its trial has ended: renew it on the portal",
    "not_installed": NOT_INSTALLED,
    "error_oauth": NOT_INSTALLED,
}
"""What the documented codes mean, and others that were seen (OAuth 2.0: error codes, automatic renewal)."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a valid refresh token; documents and servers differ in what else is there."""

    access_token: Token = field(repr=False)
    refresh_token: Token | None = field(default=None, repr=False)
    user_id: IdIfKnown = None
    client_endpoint: TextIfKnown = None


class AuthorizationServer:
    """Issues an application its tokens (documented: automatic renewal of OAuth 2.0 tokens).

    It is asked once an hour at most, so no connection to it is kept open.
    """

    def __init__(
        self,
        *,
        host: str,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        transport: Transport,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Ask at the base URL ``host``; ``refresh_token`` is the one to begin with."""
        self._host = host
        self._query = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._first = refresh_token
        self._transport = transport
        self._clock = clock

    def fetch_token(self, refresh_token: str | None) -> IssuedToken:
        """Fetch an access token for ``refresh_token``, or for the connection's own.

        When it ends is left to the portal to tell: whoever refreshes ahead may be blocked (documented). A request
        without an answer is not repeated here, since a refresh token works once: that is up to the token manager.
        Raises a ``PlatformError``.
        """
        request = Request(
            method=METHOD,
            url=f"{self._host}/oauth/token/",
            verb="GET",
            query={**self._query, "refresh_token": refresh_token or self._first},
        )
        try:
            token: IssuedToken = self._transport.send(request, lambda response: self._token(response, refresh_token))
        except UnreachableError as error:
            raise UnreachableError(f"{error.args[0]}; check oauth_host of the connection", method=METHOD) from None
        finally:
            self._transport.close()
        return token

    def _token(self, response: Response, refresh_token: str | None) -> IssuedToken:
        granted = _granted(response)
        about = {"user_id": granted.user_id, "client_endpoint": granted.client_endpoint}
        return IssuedToken(
            secret=granted.access_token,
            obtained_at=self._clock(),
            refresh_token=granted.refresh_token or refresh_token or self._first,
            about={name: told for name, told in about.items() if told},
        )


def _granted(response: Response) -> Granted:
    """Decode a good answer, and raise what another one means.

    An ``error`` in the body counts whatever the status is: ``wrong_client`` comes with 200.
    """
    body = response.body if isinstance(response.body, dict) else {}
    if "error" in body:
        raise _refusal(as_code(body["error"]), response)
    if response.status == 200 and "access_token" in body:
        return decode(body, Granted, method=METHOD)
    error = gateway_error(response, method=METHOD)
    if isinstance(error, UnexpectedResponseError):
        raise CredentialsError(
            f"HTTP {response.status} with an answer that is not the authorisation server's: check oauth_host of the "
            "connection",
            method=METHOD,
        )
    raise error


def _refusal(code: str | None, response: Response) -> PlatformError:
    known = (code or "").lower()
    if known == "query_limit_exceeded" or response.status == 429:
        return RateLimitError("too many requests", method=METHOD, code=code, retry_after=response.retry_after)
    if known in SERVER_TROUBLE or (known not in REFUSALS and response.status >= 500):
        return ResponseLostError("the authorisation server failed", method=METHOD, code=code)
    text = REFUSALS.get(known, "it refuses: check the oauth_ fields of the connection")
    return CredentialsError(f"the authorisation server gives out no token, {text}", method=METHOD, code=code)
