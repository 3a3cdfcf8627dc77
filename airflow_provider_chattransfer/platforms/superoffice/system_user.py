# SPDX-License-Identifier: Apache-2.0
"""Fetch tickets for the system user, as which an application acts by itself. It sees every chat, and owns none.

The facts are those of SuperOffice's pages on the system user and on validating its tokens, and of its own samples.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import BeforeValidator, Field

from ...exceptions import CredentialsError, UnexpectedResponseError
from ..decoding import Flag, TextIfKnown, Token, decode, decoded_or
from ..issued_token import IssuedToken
from ..transport import Request, Response, Transport, gateway_error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

METHOD = "Login/api/PartnerSystemUser/Authenticate"
"""The path at which a ticket is asked for."""

KEYS = "login/.well-known/jwks"
"""The path of the keys with which the service signs its tokens."""

ISSUER = "SuperOffice AS"
"""Who issues the tokens, by their claim ``iss``."""

CLAIM = "http://schemes.superoffice.net/identity/"
"""How the names of the service's own claims begin."""

TICKET_LIFE_SECONDS = 5 * 3600.0
"""Seconds after which a ticket is replaced. It lives for six hours after its last use, and is to be asked for
"not more than about once per hour"."""

LEEWAY_SECONDS = 60.0
"""Seconds by which two clocks may differ; a token lives for some minutes."""

NO_TOKEN = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)
"""What the versions of the library raise for text that is no token, or for claims of another type."""


def _digits(value: object) -> object:
    return str(value) if type(value) is int else value


REMEDIES = {
    "Revoked": "the tenant's administrator has revoked their consent to the application; Admin lets them give it again",
    "Expired": "the tenant's consent to the application has expired; its administrator can give it again in Admin",
    "Denied": (
        "system_user_token, client_secret and tenant do not belong together, or the tenant's administrator has not "
        "approved the application; compare them with the application's in SuperOffice's Developer Portal"
    ),
    "NeedsReapproval": (
        "the application has changed since the tenant's administrator approved it; they can approve it again in Admin"
    ),
    "InvalidRedirectUrl": "the application's redirect address is not registered; see SuperOffice's Developer Portal",
    "InvalidTimestamp": "the time in the signed token is not taken",
    "InvalidSignature": (
        "private_key is not the key of this application; take the one whose public half is registered in "
        "SuperOffice's Developer Portal"
    ),
}
"""What to do, by the service's ``AuthorizeErrorCode``."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """What the sign-in service answers; a refusal may come with status 200 and ``IsSuccessful`` false."""

    IsSuccessful: Flag
    Token: str | None = field(default=None, repr=False)
    ErrorMessage: TextIfKnown = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys with which the service signs; each is decoded by itself."""

    keys: list[Any]


@dataclass(frozen=True, slots=True)
class Key:
    """A public key (RFC 7517)."""

    kid: str
    kty: str
    n: str
    e: str


@dataclass(frozen=True, slots=True)
class Claims:
    """For whom a token is, and the ticket in it; what else it must hold is checked with its signature."""

    aud: str
    serial: Annotated[str, Field(alias=CLAIM + "serial"), BeforeValidator(_digits)]
    ctx: Annotated[str, Field(alias=CLAIM + "ctx")]
    ticket: Annotated[Token, Field(alias=CLAIM + "ticket")] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Fetches tickets with which an application acts as itself in a tenant; ``host`` is the base URL of the sign-in."""

    host: str
    tenant: str
    client_secret: str = field(repr=False)
    token: str = field(repr=False)
    key: RSAPrivateKey = field(repr=False)
    transport: Transport = field(repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def fetch_token(self, refresh_token: str | None) -> IssuedToken:
        """Fetch a ticket (``FetchToken``) for the signed system token; there is no refresh token."""
        asked_at = self.clock()
        request = Request(
            method=METHOD,
            url=f"{self.host}/{METHOD}",
            json={
                "SignedSystemToken": self._signed(asked_at),
                "ApplicationToken": self.client_secret,
                "ContextIdentifier": self.tenant,
                "ReturnTokenType": "JWT",
            },
            repeatable=True,
        )
        claims = self._validated(self.transport.send(request, self._understand))
        return IssuedToken(
            secret=claims.ticket,
            obtained_at=asked_at,
            expires_at=asked_at + TICKET_LIFE_SECONDS,
        )

    def _signed(self, now: float) -> str:
        """Return the token and the time in whole minutes of UTC, and their signature."""
        data = f"{self.token}.{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M}"
        return f"{data}.{b64encode(self.key.sign(data.encode(), PKCS1v15(), SHA256())).decode()}"

    def _understand(self, response: Response) -> str:
        """Return the JSON web token in the answer; raise what another answer means."""
        body = response.body
        if not isinstance(body, Mapping) or response.status == 429 or response.status >= 500:
            raise gateway_error(response, method=METHOD)
        refused = Authenticated(IsSuccessful=False)
        if response.status == 200:
            answer = decode(body, Authenticated, method=METHOD)
        else:
            answer = decoded_or(refused, body, Authenticated)
        if response.status == 200 and answer.IsSuccessful and answer.Token is not None:
            return answer.Token
        words = re.findall(r"\w+", answer.ErrorMessage or "")
        code = next((word for word in words if word in REMEDIES), None)
        why = REMEDIES.get(code or "", "the service gives out no ticket; check system_user_token and client_secret")
        if code == "InvalidTimestamp":
            why += self._clocks()
        raise CredentialsError(why, method=METHOD, code=code or str(response.status))

    def _validated(self, token: str) -> Claims:
        """Return the claims of ``token``, if the service has signed it just now and for this tenant."""
        try:
            key = jwt.PyJWK.from_dict(asdict(self._find_key(str(jwt.get_unverified_header(token).get("kid")))))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"verify_aud": False, "require": ["exp", "iss", "aud"]},
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise CredentialsError(
                "the service's token is not of this time" + self._clocks(), method=METHOD, code="InvalidTime"
            ) from None
        except NO_TOKEN as error:
            raise UnexpectedResponseError(
                f"the token is not one of SuperOffice: {type(error).__name__}", method=METHOD
            ) from None
        return self._checked(decode(claims, Claims, method=METHOD))

    def _checked(self, claims: Claims) -> Claims:
        """Return ``claims`` if they are for this tenant: the audience is its serial number."""
        if claims.aud != f"spn:{claims.serial}":
            raise UnexpectedResponseError("the token is for another audience", method=METHOD)
        if claims.ctx.casefold() != self.tenant.casefold():
            raise UnexpectedResponseError("the token is for another tenant", method=METHOD)
        return claims

    def _find_key(self, kid: str) -> Key:
        request = Request(method=KEYS, url=f"{self.host}/{KEYS}", verb="GET", repeatable=True)
        for each in decode(self.transport.send(request, _key_set), KeySet, method=KEYS).keys:
            key = decoded_or(None, each, Key)
            if key is not None and key.kid == kid and key.kty == "RSA":
                return key
        raise UnexpectedResponseError("the token is signed with a key that SuperOffice does not publish", method=METHOD)

    def _clocks(self) -> str:
        ahead = self.transport.clock_ahead
        return (
            f": the service's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's; set "
            "this machine's clock, by NTP at best"
        )


def _key_set(response: Response) -> Any:
    if response.status != 200:
        raise gateway_error(response, method=KEYS)
    return response.body
