# SPDX-License-Identifier: Apache-2.0
"""The ways of signing in to a Bitrix24 portal: an incoming webhook, or an OAuth application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from ...exceptions import CredentialsError
from ..tokens.manager import IssuedToken, TokenManager
from .redirects import endpoint

BATCH_REFERENCES = ("$result", "$next", "$total", "$time", "$error")
"""What ``batch`` replaces by the results of earlier commands; it cannot be escaped."""


class Way(StrEnum):
    """How an account signs in, in words for a message."""

    WEBHOOK = "webhook"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class AuthHeaders:
    """What lets one request in: the portal that it goes to, the way there, and the headers that it carries.

    ``user_id`` is the user as whom it acts, where that is known without asking; ``credential`` is what may run out.
    """

    portal: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_id: str | None = None
    credential: IssuedToken | None = field(default=None, repr=False)

    def url(self, method: str) -> str:
        """The address of a REST method; it may contain a secret."""
        return f"{self.portal}/{self.path}/{method}"


class SignIn(Protocol):
    """A way of signing in. Its methods raise a ``PlatformError``."""

    way: ClassVar[Way]

    @property
    def portal(self) -> str:
        """The base URL of the portal that the connection names."""

    @property
    def bot_client_id(self) -> str | None:
        """The CLIENT_ID to send with a transfer; ``None`` where the portal knows the bot without."""

    @property
    def who(self) -> str:
        """What signs in, for a sentence; nothing secret."""

    @property
    def actor(self) -> str:
        """Who acts; see ``ChatPlatform.actor``."""

    def present(self) -> AuthHeaders:
        """What to show with the next request."""

    def renew(self, spent: AuthHeaders) -> None:
        """Replace what the portal takes no more; raises ``CredentialsError`` where that cannot be."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook: the rights of the user who created it.

    Raises ``ValueError`` for fields that cannot be right. It shows none of them: the code may be in any.

    ``portal`` is the base URL, ``code`` the secret part of the webhook's address. ``bot_client_id`` is the
    CLIENT_ID or botToken with which the bot was registered: servers since 26.250 refuse a transfer by a webhook
    without it (``imopenlines.bot.session.transfer``).
    """

    way: ClassVar[Way] = Way.WEBHOOK
    who: ClassVar[str] = "an incoming webhook"

    portal: str
    user_id: str
    code: str = field(repr=False)
    bot_client_id: str = field(repr=False)

    def __post_init__(self) -> None:
        where = "the webhook's address in the portal ends with /rest/<login>/<password>/"
        if not (self.user_id.isascii() and self.user_id.isdigit() and int(self.user_id)):
            raise ValueError(f"login: the webhook's user id is missing, or is not a positive whole number; {where}")
        if not (self.code.isascii() and self.code.isalnum()):
            raise ValueError(f"password: the webhook's code is missing, or is not letters and digits only; {where}")
        if not self.bot_client_id:
            raise ValueError(
                "bot_client_id: missing; make one up, at most 40 letters and digits that nobody can guess, and save it "
                "here; then register the bot: python -m airflow_provider_chattransfer register-bot, or the example DAG"
            )
        if any(mark in self.bot_client_id for mark in BATCH_REFERENCES):
            raise ValueError(f"bot_client_id: must contain none of {', '.join(BATCH_REFERENCES)}")

    @property
    def actor(self) -> str:
        return f"user {self.user_id} by webhook"

    def present(self) -> AuthHeaders:
        return AuthHeaders(self.portal, f"rest/{self.user_id}/{self.code}", user_id=self.user_id)

    def renew(self, spent: AuthHeaders) -> None:
        raise CredentialsError(
            "the webhook has run out; put user id and code of another one into login and password of the connection",
            method="rest",
        )


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """An OAuth application, with the rights of the user who authorised it; its tokens are with ``token_manager``.

    The portal knows the application's bot by its token, and is not sent a CLIENT_ID (server source,
    ``imopenlines/lib/rest.php``, ``resolveClientId``). The token goes into a header, and so into no log of addresses.
    """

    way: ClassVar[Way] = Way.APPLICATION
    bot_client_id: ClassVar[None] = None

    portal: str
    client_id: str
    token_manager: TokenManager = field(repr=False)

    @property
    def who(self) -> str:
        return f"the application {self.client_id}"

    @property
    def actor(self) -> str:
        return f"application {self.client_id}"

    def present(self) -> AuthHeaders:
        credential = self.token_manager.present()
        return AuthHeaders(
            portal=endpoint(credential.about.get("client_endpoint"), portal=self.portal),
            path="rest",
            headers={"Authorization": f"Bearer {credential.secret}"},
            user_id=credential.about.get("user_id"),
            credential=credential,
        )

    def renew(self, spent: AuthHeaders) -> None:
        self.token_manager.renew(spent.credential)
