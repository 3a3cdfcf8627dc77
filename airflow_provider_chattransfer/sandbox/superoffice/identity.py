# SPDX-License-Identifier: Apache-2.0
"""Who is calling: `Basic`, `SOTicket` with `SO-AppToken`, `Bearer`; and the token endpoint that renews the last."""

from __future__ import annotations

import base64
import binascii
import hmac
import random
from collections.abc import Mapping
from urllib.parse import unquote_plus

from ..clock import Clock
from . import errors
from .model import Associate, Centre
from .scenario import TENANT, Credential, Settings

TICKET_PREFIX = "7T:"
BEARER_PREFIX = "8A:"


class Identity:
    """Turns credentials into associates. Scheme names are case-insensitive; everything else is exact."""

    def __init__(self, centre: Centre, settings: Settings, *, clock: Clock, rng: random.Random) -> None:
        self._centre = centre
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._credentials = dict(settings.credentials)

    def caller(self, headers: Mapping[str, str]) -> Associate:
        """The associate behind the request's credentials; raises `Refusal` (401, or 403 for an expired token)."""
        scheme, _, value = headers.get("authorization", "").strip().partition(" ")
        value = value.strip()
        if scheme.casefold() == "basic":
            return self._by_password(value)
        if scheme.casefold() == "bearer" and value.startswith(BEARER_PREFIX):
            return self._by_credential(value)
        if scheme.casefold() == "soticket" and value.startswith(TICKET_PREFIX):
            if not _same(headers.get("so-apptoken", ""), self._settings.client_secret):
                raise errors.denied()
            return self._by_credential(value)
        raise errors.denied()

    def renewed(self, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, object]:
        """The token endpoint's answer to `grant_type=refresh_token`: no new refresh token, the old one stays good."""
        client_id, client_secret = _client(form, headers)
        if not (_same(client_id, self._settings.client_id) and _same(client_secret, self._settings.client_secret)):
            raise errors.oauth(401, "invalid_client", "The client id or secret is not right.")
        if form.get("grant_type") != "refresh_token":
            raise errors.oauth(400, "unsupported_grant_type", "Only refresh_token is simulated.")
        number = self._settings.refresh_tokens.get(form.get("refresh_token", ""))
        associate = self._centre.associates.get(number) if number is not None else None
        if associate is None or associate.deleted:
            raise errors.oauth(400, "invalid_grant", "The refresh token is not valid.")
        token = f"{BEARER_PREFIX}{TENANT}.{self._rng.getrandbits(128):032x}"
        lifetime = self._settings.switches.token_lifetime
        self._credentials[token] = Credential(associate.id, self._clock.now() + lifetime)
        return {
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": int(lifetime),
            "id_token": f"e30.e30.{self._rng.getrandbits(64):016x}",
        }

    def _by_password(self, value: str) -> Associate:
        login, _, password = _decoded(value).partition(":")
        associate = self._centre.by_login(login)
        if associate is None or associate.deleted or not _same(password, associate.password):
            raise errors.denied()
        return associate

    def _by_credential(self, value: str) -> Associate:
        credential = self._credentials.get(value)
        associate = self._centre.associates.get(credential.associate) if credential else None
        if credential is None or associate is None or associate.deleted:
            raise errors.denied()
        if credential.expires is not None and credential.expires <= self._clock.now():
            raise errors.denied() if self._settings.switches.expired_token_status == 401 else errors.forbidden()
        return associate


def _client(form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and secret: from the form, or from a Basic header (RFC 6749, 2.3.1)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "basic":
        client_id, _, client_secret = _decoded(value.strip()).partition(":")
        return unquote_plus(client_id), unquote_plus(client_secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
