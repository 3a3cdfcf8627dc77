# SPDX-License-Identifier: Apache-2.0
"""Sign requests in, and send one again that met an expired token or an account that has moved."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from ..exceptions import CredentialsError, PlatformError, TokenExpiredError
from .issued_token import IssuedToken
from .rate import RateLimit
from .transport import Request, Response, Transport

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuthHeaders:
    """What lets one request in.

    ``headers`` are sent with it. ``base_url`` is the address of the account, and ``path`` what precedes the name of a
    method there; a webhook's holds its secret. ``token`` is what the headers were made of, where another one can be
    fetched, and ``user_id`` is who acts, where signing in has told.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: IssuedToken | None = field(default=None, repr=False)
    base_url: str = ""
    path: str = field(default="", repr=False)
    user_id: str | None = None


class UnderstandSigned(Protocol):
    """Turns the response to a request into a value, or raises the ``PlatformError`` that it means."""

    def __call__(self, response: Response, signed: AuthHeaders) -> Any:
        """``signed`` is what the request carried."""


class AuthStrategy(Protocol):
    """A way of signing in; each service has its own ones. Its methods raise a ``PlatformError``."""

    @property
    @abstractmethod
    def actor(self) -> str:
        """Who acts; see ``ChatPlatform.actor``."""

    @abstractmethod
    def authenticate(self) -> AuthHeaders:
        """Return what the next request is to carry; fetch a token first where there is none."""

    @abstractmethod
    def refresh(self, expired: AuthHeaders) -> None:
        """Replace what the service no longer takes.

        Raises ``CredentialsError`` where there is nothing else to sign in with.
        """


A_co = TypeVar("A_co", bound=AuthStrategy, covariant=True)


class AuthenticatedClient(Generic[A_co]):
    """Sends requests of one account, signed in; the client of each service extends it."""

    def __init__(self, *, auth: A_co, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self.auth = auth
        self.clock = clock
        self._transport = transport

    @property
    def clock_ahead(self) -> float:
        """By how many seconds the service's clock is ahead of ours."""
        return self._transport.clock_ahead

    @property
    def requests(self) -> int:
        """How many requests were made with the transport of this client."""
        return self._transport.requests

    @property
    def rate_limit(self) -> RateLimit:
        """The limit at whose pace requests are made."""
        return self._transport.rate_limit

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def authenticate(self) -> AuthHeaders:
        """Return what the next request is to carry; a service adds where its account is. Raises a ``PlatformError``."""
        return self.auth.authenticate()

    def send_signed(self, build: Callable[[AuthHeaders], Request], understand: UnderstandSigned) -> Any:
        """Send the request that ``build`` makes, and return what ``understand`` makes of the response.

        It is built and sent once more after ``TokenExpiredError``, with a new token, and after the account has moved,
        also where it is not repeatable: in both cases the service has carried out nothing. Raises a ``PlatformError``.
        """
        refreshed, moves = False, 0
        while True:
            signed = self.authenticate()
            request = build(signed)
            try:
                return self._transport.send(request, partial(understand, signed=signed))
            except TokenExpiredError as error:
                if refreshed:
                    raise self.new_token_refused(error) from None
                log.info("%s; renewing it", error)
                self.auth.refresh(signed)
                refreshed = True
            except PlatformError as error:
                if not self.follow_move(error, request, signed, moves=moves):
                    raise
                moves += 1

    def follow_move(self, error: PlatformError, request: Request, signed: AuthHeaders, *, moves: int) -> bool:
        """Note where the account has moved to, and tell whether ``request`` is to be sent there.

        ``moves`` counts how often it was already sent elsewhere. By default no account moves.
        """
        return False

    def new_token_refused(self, error: TokenExpiredError) -> CredentialsError:
        """Return the error for a token that is refused although it was fetched just now."""
        return CredentialsError(
            "the service does not take the token that it has just issued", method=error.method, code=error.code
        )
