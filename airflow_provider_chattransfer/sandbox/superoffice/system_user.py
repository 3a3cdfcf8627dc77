# SPDX-License-Identifier: Apache-2.0
"""How an application comes to act as itself: a signed system token against a ticket in a JSON web token."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from . import errors, keys
from .claims import SCHEME, SERIAL, claims
from .identity import Identity, same
from .model import Associate, AssociateType, Centre
from .scenario import TENANT
from .settings import Settings

ISSUER = "SuperOffice AS"
TICKET_LIFETIME_SECONDS = 6 * 3600.0
"""Seconds after its last use for which a ticket stays good."""


class AuthorizeErrorCode(IntEnum):
    """Why there is no ticket; the names and numbers are SuperOffice's."""

    NoError = 0
    Revoked = 1
    InvalidRedirectUrl = 2
    Expired = 3
    Denied = 4
    NeedsReapproval = 5
    InvalidTimestamp = 6
    InvalidSignature = 7


class SystemUser:
    """`POST /Login/api/PartnerSystemUser/Authenticate`."""

    def __init__(self, centre: Centre, settings: Settings, *, identity: Identity) -> None:
        self._centre = centre
        self._settings = settings
        self._application = settings.application
        self._identity = identity

    def authenticate(self, request: Mapping[str, Any], *, api: str) -> dict[str, Any]:
        """Return the answer to ``request`` (names in lower case). A refusal is an answer too, with status 200.

        What `ErrorMessage` says is not documented; here it begins with the name of the `AuthorizeErrorCode`. Of a
        request with several faults, the one with the lower number counts.
        """
        if str(request.get("returntokentype") or "JWT").casefold() != "jwt":
            raise errors.not_simulated("a system user's token in another format than JWT")
        associate = self._associate()
        wrong = AuthorizeErrorCode.Denied if associate is None else self._wrong(request)
        if associate is None or wrong is not AuthorizeErrorCode.NoError:
            return {"IsSuccessful": False, "Token": None, "ErrorMessage": f"{wrong.name} ({wrong.value})"}
        return {"IsSuccessful": True, "Token": self._token(associate, api), "ErrorMessage": ""}

    def _wrong(self, request: Mapping[str, Any]) -> AuthorizeErrorCode:
        token, stamp, data, signature = _parts(str(request.get("signedsystemtoken") or ""))
        known = (
            same(str(request.get("applicationtoken") or ""), self._application.client_secret)
            and str(request.get("contextidentifier") or "").casefold() == TENANT.casefold()
            and same(token, self._application.system_token)
        )
        if self._application.consent != "Given":
            return AuthorizeErrorCode[self._application.consent]
        if not known:
            return AuthorizeErrorCode.Denied
        if not self._timely(stamp):
            return AuthorizeErrorCode.InvalidTimestamp
        pem = self._application.public_key
        key = keys.public_key(pem) if pem else keys.application_public_key()
        if not keys.verifies(key, data.encode(), signature):
            return AuthorizeErrorCode.InvalidSignature
        return AuthorizeErrorCode.NoError

    def _timely(self, stamp: str) -> bool:
        """Whether a time in whole minutes is near enough; by the computer's clock, which the signer has too."""
        try:
            signed = datetime.strptime(stamp, "%Y%m%d%H%M").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return False
        return abs(time.time() - signed) <= self._settings.switches.timestamp_window + 60

    def _token(self, associate: Associate, api: str) -> str:
        about = claims(associate, api=api, system_token=self._application.system_token)
        ticket = self._identity.new_ticket(associate, lifetime=TICKET_LIFETIME_SECONDS)
        return keys.signed({**about, SCHEME + "ticket": ticket, "iss": ISSUER, "aud": f"spn:{SERIAL}"})

    def _associate(self) -> Associate | None:
        everybody = self._centre.associates.values()
        return next((each for each in everybody if each.type is AssociateType.SYSTEM and not each.deleted), None)


def _parts(signed: str) -> tuple[str, str, str, bytes]:
    """Token, time, both as they were signed, and the signature. Read from the right: the token may hold dots."""
    data, _, encoded = signed.rpartition(".")
    token, _, stamp = data.rpartition(".")
    try:
        return token, stamp, data, base64.b64decode(encoded, validate=True)
    except ValueError:
        return token, stamp, data, b""
