# SPDX-License-Identifier: Apache-2.0
"""Fetch access tokens of SuperOffice online, for an agent who has once agreed to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from ...exceptions import CredentialsError, as_code
from ..decoding import Token, decode, read_number
from ..issued_token import IssuedToken
from ..transport import Request, Response, Transport, gateway_error

METHOD = "login/common/oauth/tokens"
"""The path of the token endpoint, which names it in messages too."""

REMEDIES = {
    "invalid_client": (
        "client_id and client_secret are not taken; compare them with the application's in SuperOffice's Developer "
        "Portal"
    ),
    "invalid_grant": (
        "refresh_token is not taken: it is another application's, the tenant's administrator has revoked the "
        "application's consent, or the user is disabled; look at both in Admin, then let the "
        "user sign in anew"
    ),
    "unauthorized_client": (
        "the application may not use refresh tokens; that is set where it is registered, in SuperOffice's Developer "
        "Portal"
    ),
}
"""What to do, by the error codes of RFC 6749, 5.2."""

MAX_LIFE_SECONDS = 10 * 365 * 86_400.0
"""Seconds that a token is believed to live at most; the service says an hour."""


def _read_life(value: object) -> float:
    """Read seconds, as a number (RFC 6749, 5.1); raises ``ValueError`` for all else."""
    seconds = read_number(None if isinstance(value, str) else value)
    if not 0.0 < seconds <= MAX_LIFE_SECONDS:
        raise ValueError("no life of a token")
    return seconds


@dataclass(frozen=True, slots=True)
class Granted:
    """A good answer of the token endpoint."""

    access_token: Token = field(repr=False)
    expires_in: Annotated[float, BeforeValidator(_read_life)]
    refresh_token: Token | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Fetches access tokens with a refresh token, for the application that it was issued to.

    It is used again and again: "no new refresh_token" comes back (SuperOffice's page on refreshing; its code sends the
    parameters as a form, not in the address). ``host`` is the base URL of the sign-in.
    """

    host: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    transport: Transport = field(repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def fetch_token(self, refresh_token: str | None) -> IssuedToken:
        """Fetch an access token (``FetchToken``); a new refresh token in the answer replaces the last one."""
        asked_at = self.clock()
        request = Request(
            method=METHOD,
            url=f"{self.host}/{METHOD}",
            form={
                "grant_type": "refresh_token",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "refresh_token": refresh_token or self.refresh_token,
            },
            repeatable=True,
        )
        granted = decode(self.transport.send(request, _understand), Granted, method=METHOD)
        return IssuedToken(
            secret=granted.access_token,
            obtained_at=asked_at,
            expires_at=asked_at + granted.expires_in,
            refresh_token=granted.refresh_token or refresh_token,
        )


def _understand(response: Response) -> Mapping[str, Any]:
    """Return the body of a good answer; raise what another one means."""
    body: Mapping[str, Any] = response.body if isinstance(response.body, Mapping) else {}
    if response.status == 429 or response.status >= 500 or not body:
        raise gateway_error(response, method=METHOD)
    if response.status != 200:
        code = as_code(body.get("error")) or str(response.status)
        why = REMEDIES.get(code, "the service gives out no access token; check client_id, client_secret, refresh_token")
        raise CredentialsError(why, method=METHOD, code=code)
    return body
