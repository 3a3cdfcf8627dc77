# SPDX-License-Identifier: Apache-2.0
"""How an application comes to act as an agent: OpenID Connect's code and refresh flows, at `/login/common/oauth/`."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from ..clock import Clock
from ..service import HttpResponse
from . import errors, keys
from .claims import claims
from .identity import Identity, decoded, same
from .model import Associate, Centre
from .settings import Settings

CODE_LIFETIME_SECONDS = 600.0
"""Seconds within which an authorization code must be exchanged (SuperOffice's page on the code flow)."""


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code: for whom, until when, and what its exchange must repeat."""

    associate: Associate
    expires: float
    redirect_uri: str
    challenge: str
    method: str


class OAuth:
    """The endpoints `authorize` and `tokens`. There is no `client_credentials`, and a refresh token is not rotated."""

    def __init__(
        self, centre: Centre, settings: Settings, *, identity: Identity, clock: Clock, rng: random.Random
    ) -> None:
        self._centre = centre
        self._settings = settings
        self._application = settings.application
        self._identity = identity
        self._clock = clock
        self._rng = rng
        self._codes: dict[str, Code] = {}

    def authorize(self, query: Mapping[str, str]) -> HttpResponse:
        """302 back to `redirect_uri` with a `code`.

        In place of a sign-in page, `login_hint` tells who signs in: an agent's login or user name. What is wrong comes
        back as `error` (RFC 6749, 4.1.2.1), unless there is nowhere to go back to.
        """
        target = query.get("redirect_uri", "")
        if not (_is_address(target) and same(query.get("client_id", ""), self._application.client_id)):
            raise errors.oauth(400, "invalid_request", "The client id or the redirect address is not right.")
        hint = query.get("login_hint", "")
        associate = self._centre.by_login(hint) or self._centre.by_user_name(hint)
        if query.get("response_type") != "code":
            answer = {"error": "unsupported_response_type"}
        elif query.get("scope") != "openid":
            answer = {"error": "invalid_scope"}
        elif associate is None or associate.deleted or not self._application.approved:
            answer = {"error": "access_denied"}
        else:
            answer = {"code": self._new_code(associate, query)}
        if "state" in query:
            answer["state"] = query["state"]
        mark = "&" if urlsplit(target).query else "?"
        return HttpResponse(status=302, body=b"", headers={"location": f"{target}{mark}{urlencode(answer)}"})

    def tokens(self, form: Mapping[str, str], headers: Mapping[str, str], *, issuer: str, api: str) -> dict[str, Any]:
        """Return new tokens for a code or a refresh token; raises `RefusalError` with an error of RFC 6749, 5.2."""
        self._check_client(form, headers)
        associate, refresh_token = self._grant(form)
        lifetime = self._settings.switches.token_lifetime
        about = claims(associate, api=api, system_token=self._application.system_token)
        return {
            "token_type": "Bearer",
            "access_token": self._identity.new_access_token(associate, lifetime=lifetime),
            "expires_in": int(lifetime),
            **({"refresh_token": refresh_token} if refresh_token else {}),
            "id_token": keys.signed({**about, "iss": issuer, "aud": self._application.client_id}),
        }

    def _check_client(self, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """By `client_secret_post` or `client_secret_basic`."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        basic = scheme.casefold() == "basic"
        if basic:
            client_id, _, secret = (unquote_plus(part) for part in decoded(value.strip()).partition(":"))
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not (same(client_id, self._application.client_id) and same(secret, self._application.client_secret)):
            challenge = {"www-authenticate": "Basic"} if basic else None
            raise errors.oauth(401, "invalid_client", "The client id or secret is not right.", headers=challenge)

    def _grant(self, form: Mapping[str, str]) -> tuple[Associate, str | None]:
        """Who agreed, and the refresh token that a first sign-in gets."""
        grant = form.get("grant_type")
        if not grant:
            raise errors.oauth(400, "invalid_request", "The grant type is missing.")
        if grant == "authorization_code":
            associate = self._exchanged(form)
            own = (token for token, number in self._settings.refresh_tokens.items() if number == associate.id)
            return associate, next(own)
        if grant != "refresh_token":
            raise errors.oauth(400, "unsupported_grant_type", f"There is no grant type {grant}.")
        number = self._settings.refresh_tokens.get(form.get("refresh_token", ""))
        found = self._centre.associates.get(number) if number is not None else None
        if found is None or found.deleted or not self._application.approved:
            raise errors.oauth(400, "invalid_grant", "The refresh token is not valid.")
        return found, None

    def _exchanged(self, form: Mapping[str, str]) -> Associate:
        code = self._codes.pop(form.get("code", ""), None)
        if (
            code is None
            or code.expires <= self._clock.now()
            or code.redirect_uri != form.get("redirect_uri")
            or code.challenge != _challenge(form.get("code_verifier", ""), code.method)
        ):
            raise errors.oauth(400, "invalid_grant", "The authorization code is not valid.")
        return code.associate

    def _new_code(self, associate: Associate, query: Mapping[str, str]) -> str:
        code = f"{self._rng.getrandbits(256):064x}"
        self._codes[code] = Code(
            associate=associate,
            expires=self._clock.now() + CODE_LIFETIME_SECONDS,
            redirect_uri=query["redirect_uri"],
            challenge=query.get("code_challenge", ""),
            method=query.get("code_challenge_method", "plain"),
        )
        return code


def _is_address(text: str) -> bool:
    try:
        return text.isascii() and text.isprintable() and bool(urlsplit(text).scheme)
    except ValueError:
        return False


def _challenge(verifier: str, method: str) -> str:
    """Return the challenge to which ``verifier`` is the answer (RFC 7636); without one, both are empty."""
    if method != "S256" or not verifier:
        return verifier
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
