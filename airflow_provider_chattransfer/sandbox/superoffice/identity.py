# SPDX-License-Identifier: Apache-2.0
"""Who is calling: `Basic`, `SOTicket` with `SO-AppToken`, `Bearer`."""

from __future__ import annotations

import base64
import hmac
import random
from collections.abc import Mapping
from dataclasses import replace

from ..clock import Clock
from . import errors
from .model import Associate, Centre
from .scenario import TENANT
from .settings import Credential, Settings

TICKET_PREFIX = "7T:"
BEARER_PREFIX = "8A:"


class Identity:
    """Turns credentials into associates. Scheme names are case-insensitive; everything else is exact.

    Not simulated is the session of a browser (a cookie with `X-XSRF-TOKEN`): without the header a real server answers
    401 to it, this one always.
    """

    def __init__(self, centre: Centre, settings: Settings, *, clock: Clock, rng: random.Random) -> None:
        self._centre = centre
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._credentials = dict(settings.credentials)

    def caller(self, headers: Mapping[str, str]) -> Associate:
        """Return the associate behind the request's credentials.

        Raises `RefusalError` (401, or 403 for one that has expired).

        Which schemes there are is the table of SuperOffice's WebAPI overview: online no `Basic`, on-site no `Bearer`,
        and a ticket needs the application's token online only.
        """
        scheme, value = _authorization(headers)
        where = self._settings.switches.installation
        if scheme == "basic" and where != "online":
            return self._by_password(value)
        if scheme == "bearer" and value.startswith(BEARER_PREFIX) and where != "onsite":
            return self._by_credential(value)
        if scheme == "soticket" and value.startswith(TICKET_PREFIX):
            if where != "onsite" and not same(headers.get("so-apptoken", ""), self._settings.application.client_secret):
                raise errors.denied()
            return self._by_credential(value)
        raise errors.denied()

    def new_access_token(self, associate: Associate, *, lifetime: float) -> str:
        """Return a Bearer token that stands for ``associate`` for ``lifetime`` seconds."""
        return self._new(BEARER_PREFIX, Credential(associate.id, self._clock.now() + lifetime))

    def new_ticket(self, associate: Associate, *, lifetime: float) -> str:
        """Return a ticket that stands for ``associate`` until it has not been used for ``lifetime`` seconds."""
        return self._new(TICKET_PREFIX, Credential(associate.id, self._clock.now() + lifetime, renewed_for=lifetime))

    def expire(self, headers: Mapping[str, str]) -> bool:
        """End the life of the token or ticket that the request carries; whether it carries one that is good."""
        _, value = _authorization(headers)
        if (credential := self._credentials.get(value)) is None or self._over(credential):
            return False
        self._credentials[value] = replace(credential, expires=self._clock.now(), renewed_for=None)
        return True

    def _new(self, prefix: str, credential: Credential) -> str:
        value = f"{prefix}{TENANT}.{self._rng.getrandbits(128):032x}"
        self._credentials[value] = credential
        return value

    def _by_password(self, value: str) -> Associate:
        login, _, password = decoded(value).partition(":")
        associate = self._centre.by_login(login)
        if associate is None or associate.deleted or not same(password, associate.password):
            raise errors.denied()
        return associate

    def _by_credential(self, value: str) -> Associate:
        credential = self._credentials.get(value)
        associate = self._centre.associates.get(credential.associate) if credential else None
        if credential is None or associate is None or associate.deleted:
            raise errors.denied()
        if self._over(credential):
            raise errors.denied() if self._settings.switches.expired_token_status == 401 else errors.forbidden()
        if credential.renewed_for is not None:
            self._credentials[value] = replace(credential, expires=self._clock.now() + credential.renewed_for)
        return associate

    def _over(self, credential: Credential) -> bool:
        return credential.expires is not None and credential.expires <= self._clock.now()


def decoded(value: str) -> str:
    """Return the text behind the base64 of a `Basic` credential; empty for what is none."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, found out in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _authorization(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the scheme in lower case, and what follows it."""
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    return scheme.casefold(), value.strip()
