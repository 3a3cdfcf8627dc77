# SPDX-License-Identifier: Apache-2.0
"""Sign in to a Bitrix24 portal, by an incoming webhook or as an OAuth application."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, TypeVar

from ...exceptions import CredentialsError, NotAppliedError, PlatformError
from ...retry_decision import decide
from ..auth import AuthHeaders, AuthStrategy
from ..tokens.manager import TokenManager
from .redirects import endpoint

T = TypeVar("T")

BATCH_REFERENCES = ("$result", "$next", "$total", "$time", "$error")
"""What ``batch`` replaces by the results of earlier commands; it cannot be escaped."""


class Way(StrEnum):
    """How an account signs in, in words for a message."""

    WEBHOOK = "webhook"
    APPLICATION = "application"


class Bitrix24Auth(AuthStrategy, Protocol):
    """A way of signing in to a portal."""

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
    def credential(self) -> str:
        """What the portal counts operating time by, the same for all processes; nothing secret."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Signs in by an incoming webhook, with the rights of the user who created it.

    Raises ``ValueError`` for fields that cannot be right, without their text: the code may be in any of them.

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
        """The user who created the webhook."""
        return f"user {self.user_id} by webhook"

    @property
    def credential(self) -> str:
        """The webhook; its code is shown by a digest alone."""
        return f"webhook {hashlib.sha256(f'{self.portal} {self.user_id} {self.code}'.encode()).hexdigest()[:16]}"

    def authenticate(self) -> AuthHeaders:
        """Return the path that the webhook's address has; no header is needed."""
        return AuthHeaders(base_url=self.portal, path=f"rest/{self.user_id}/{self.code}", user_id=self.user_id)

    def refresh(self, expired: AuthHeaders) -> None:
        """Raise ``CredentialsError``: a webhook cannot be refreshed."""
        raise CredentialsError(
            "the webhook has run out; put user id and code of another one into login and password of the connection",
            method="rest",
        )


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """Signs in as an OAuth application, with the rights of the user who authorised it.

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
        """The application, for a sentence."""
        return f"the application {self.client_id}"

    @property
    def actor(self) -> str:
        """The application by its id."""
        return f"application {self.client_id}"

    @property
    def credential(self) -> str:
        """The application on this portal."""
        return f"application {self.client_id} {self.portal}"

    def authenticate(self) -> AuthHeaders:
        """Return the token as a header, for the portal that the authorisation server has named with it."""
        token = _before_sending(self.token_manager.token)
        return AuthHeaders(
            base_url=endpoint(token.about.get("client_endpoint"), portal=self.portal),
            path="rest",
            headers={"Authorization": f"Bearer {token.secret}"},
            user_id=token.about.get("user_id"),
            token=token,
        )

    def refresh(self, expired: AuthHeaders) -> None:
        """Fetch another token; raises ``CredentialsError`` or ``NotAppliedError``."""
        _before_sending(lambda: self.token_manager.refresh(expired.token))


def _before_sending(fetch: Callable[[], T]) -> T:
    """Call ``fetch`` for a request that has not been sent yet: whatever goes wrong, it was not carried out.

    Raises ``CredentialsError`` as it is, and ``NotAppliedError`` for all else.
    """
    try:
        return fetch()
    except PlatformError as error:
        if decide(error).not_applied:
            raise
        raise NotAppliedError(f"no token is to be had: {error.args[0]}", method=error.method, code=error.code) from None
