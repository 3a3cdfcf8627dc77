# SPDX-License-Identifier: Apache-2.0
"""The claims of SuperOffice's JSON web tokens about a user and their tenant."""

from __future__ import annotations

import time
from typing import Any

from .model import Associate
from .scenario import TENANT

SCHEME = "http://schemes.superoffice.net/identity/"
SERIAL = "1801550193"
"""The tenant's serial number."""

LIFETIME_SECONDS = 300
"""Seconds that a token can be validated ("validate immediately")."""

EARLIER_SECONDS = 60
"""Seconds by which a token is valid before it was issued."""


def claims(associate: Associate, *, api: str, system_token: str) -> dict[str, Any]:
    """Return the claims of every token, named and typed as in the sample of SuperOffice's introduction to its tokens.

    All that is SuperOffice's own is a string, and `iat` is one too. The times are the computer's, not the sandbox's:
    whoever validates the token compares them with their own clock.
    """
    now = int(time.time())
    own = {
        "associateid": str(associate.id),
        "identityprovider": "central-superid",
        "email": associate.user_name,
        "upn": associate.user_name,
        "is_administrator": "False",
        "ctx": TENANT,
        "company_name": "Sandbox Service",
        "serial": SERIAL,
        "netserver_url": f"{api.removesuffix('/api')}/Remote/Services86/",
        "webapi_url": f"{api}/",
        "system_token": system_token,
        "initials": associate.login,
        "so_primary_email_address": associate.user_name,
    }
    return {
        "sub": associate.user_name,
        "iat": str(now),
        "nbf": now - EARLIER_SECONDS,
        "exp": now + LIFETIME_SECONDS,
        **{SCHEME + name: value for name, value in own.items()},
    }
