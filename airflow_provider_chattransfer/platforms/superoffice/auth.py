# SPDX-License-Identifier: Apache-2.0
"""Ways of signing in to a SuperOffice WebAPI: the headers that say who is asking."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..tokens.manager import IssuedToken, TokenManager


@dataclass(frozen=True, slots=True)
class AuthHeaders:
    """What a request shows. ``credential`` is what the headers were made of, where another can be had for it."""

    headers: Mapping[str, str] = field(repr=False)
    credential: IssuedToken | None = None


class Credentials(ABC):
    """A way of signing in (documented schemes: Basic, SoTicket, Bearer)."""

    remedy: str
    """What to look at, and where, when the service does not take them."""

    of_system_user: bool = False
    """Whether they are the application's own, and nobody's who has chats."""

    @property
    @abstractmethod
    def actor(self) -> str:
        """Who acts; see ``ChatPlatform.actor``."""

    @abstractmethod
    def show(self) -> AuthHeaders:
        """What to show with the next request; raises a ``PlatformError`` where it cannot be had."""

    def renew(self, spent: IssuedToken) -> None:
        """Get another credential for ``spent``; raises ``CredentialsError`` when the service gives out none."""
        raise NotImplementedError


@dataclass(frozen=True)
class Basic(Credentials):
    """User name and password, on-site only."""

    user: str
    password: str = field(repr=False)

    remedy = "check login and password, and in SuperOffice Admin that the user may sign in"

    @property
    def actor(self) -> str:
        return f"login {self.user}"

    def show(self) -> AuthHeaders:
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return AuthHeaders({"Authorization": f"Basic {login}"})


@dataclass(frozen=True)
class Bearer(Credentials):
    """An access token of SuperOffice online, of the form ``8A:Cust12345.…``."""

    token: str = field(repr=False)

    actor = "access token"

    remedy = (
        "the access_token has run out, as each does within the hour, or was never one; refresh_token with client_id "
        "and client_secret renews itself"
    )

    def __post_init__(self) -> None:
        check_token("access_token", self.token)

    def show(self) -> AuthHeaders:
        return AuthHeaders({"Authorization": f"Bearer {self.token}"})


@dataclass(frozen=True)
class SoTicket(Credentials):
    """A ticket, ``7T:…``; online it goes with the secret of the application that it was given to."""

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

    def show(self) -> AuthHeaders:
        application = {"SO-AppToken": self.client_secret} if self.client_secret else {}
        return AuthHeaders({"Authorization": f"SOTicket {self.ticket}", **application})


class Renewed(Credentials):
    """A token or ticket that a keeper gets, and renews when it has run out."""

    def __init__(
        self, token_manager: TokenManager, *, shown_as: Callable[[str], Credentials], client_id: str | None = None
    ) -> None:
        """``client_id`` is the application that acts for the user who signed in to it; without, it acts as itself."""
        self._keeper = token_manager
        self._shown_as = shown_as
        self.of_system_user = client_id is None
        self._client_id = client_id
        self.remedy = "one that was obtained just now is not taken either; check that tenant and user are active"

    @property
    def actor(self) -> str:
        return "system user" if self._client_id is None else f"client {self._client_id}"

    def show(self) -> AuthHeaders:
        credential = self._keeper.present()
        return AuthHeaders(self._shown_as(credential.secret).show().headers, credential)

    def renew(self, spent: IssuedToken) -> None:
        self._keeper.renew(spent)


def check_token(name: str, token: str) -> None:
    """Raise ``ValueError`` that names the field for what cannot be sent in a header."""
    if not token.isascii() or any(not letter.isprintable() or letter.isspace() for letter in token):
        raise ValueError(f"{name}: holds a space, a line break or a letter that none has")
