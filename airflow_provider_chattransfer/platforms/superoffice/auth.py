# SPDX-License-Identifier: Apache-2.0
"""Sign in to a SuperOffice WebAPI: the documented schemes Basic, Bearer and SOTicket."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from typing_extensions import override

from ...exceptions import CredentialsError
from ..auth import AuthHeaders, AuthStrategy
from ..tokens.manager import TokenManager


class SuperOfficeAuth(AuthStrategy):
    """A way of signing in to a WebAPI."""

    remedy: str
    """What to look at, and where, when the service does not take them."""

    of_system_user: bool = False
    """Whether the application itself signs in, which has no chats of its own."""

    def refresh(self, expired: AuthHeaders) -> None:
        """Raise ``CredentialsError``: what the connection holds itself cannot be refreshed."""
        raise CredentialsError(f"the service does not let us in: {self.remedy}", method="sign in")


@dataclass(frozen=True)
class Basic(SuperOfficeAuth):
    """Signs in with user name and password, on-site only."""

    user: str
    password: str = field(repr=False)

    remedy = "check login and password, and in SuperOffice Admin that the user may sign in"

    @property
    @override
    def actor(self) -> str:
        return f"login {self.user}"

    def authenticate(self) -> AuthHeaders:
        """Return the scheme Basic (RFC 7617)."""
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return AuthHeaders({"Authorization": f"Basic {login}"})


@dataclass(frozen=True)
class Bearer(SuperOfficeAuth):
    """Signs in with an access token of SuperOffice online, of the form ``8A:Cust12345.…``."""

    token: str = field(repr=False)

    actor = "access token"

    remedy = (
        "the access_token has run out, as each does within the hour, or was never one; refresh_token with client_id "
        "and client_secret renews itself"
    )

    def __post_init__(self) -> None:
        check_token("access_token", self.token)

    def authenticate(self) -> AuthHeaders:
        """Return the scheme Bearer."""
        return AuthHeaders({"Authorization": f"Bearer {self.token}"})


@dataclass(frozen=True)
class SoTicket(SuperOfficeAuth):
    """Signs in with a ticket, ``7T:…``; online it goes with the secret of the application that it was issued to."""

    ticket: str = field(repr=False)
    client_secret: str | None = field(default=None, repr=False)

    actor = "ticket"
    remedy = (
        "the ticket has run out, as each does six hours after its last use, or client_secret is not that of the "
        "application it was given to"
    )

    def __post_init__(self) -> None:
        check_token("ticket", self.ticket)
        check_token("client_secret", self.client_secret or "")

    def authenticate(self) -> AuthHeaders:
        """Return the scheme SOTicket, with the application's secret where there is one."""
        application = {"SO-AppToken": self.client_secret} if self.client_secret else {}
        return AuthHeaders({"Authorization": f"SOTicket {self.ticket}", **application})


class ManagedToken(SuperOfficeAuth):
    """Signs in with a token or ticket that a token manager fetches, and refreshes when it has expired."""

    def __init__(
        self,
        token_manager: TokenManager,
        *,
        scheme: Callable[[str], SuperOfficeAuth],
        client_id: str | None = None,
    ) -> None:
        """Send the secret of each token as ``scheme`` does.

        ``client_id`` is the application that acts for the user who signed in to it; without, it acts as itself.
        """
        self._token_manager = token_manager
        self._scheme = scheme
        self.of_system_user = client_id is None
        self._client_id = client_id
        self.remedy = "one that was obtained just now is not taken either; check that tenant and user are active"

    @property
    @override
    def actor(self) -> str:
        return "system user" if self._client_id is None else f"client {self._client_id}"

    def authenticate(self) -> AuthHeaders:
        """Return the present token in its scheme."""
        token = self._token_manager.token()
        return replace(self._scheme(token.secret).authenticate(), token=token)

    def refresh(self, expired: AuthHeaders) -> None:
        """Fetch another token; raises a ``PlatformError``."""
        self._token_manager.refresh(expired.token)


def check_token(name: str, token: str) -> None:
    """Raise a ``ValueError`` with the field ``name`` for what cannot be sent in a header."""
    if not token.isascii() or any(not letter.isprintable() or letter.isspace() for letter in token):
        raise ValueError(f"{name}: holds a space, a line break or a letter that none has")
