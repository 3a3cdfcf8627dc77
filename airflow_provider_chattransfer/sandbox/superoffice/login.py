# SPDX-License-Identifier: Apache-2.0
"""The sign-in host, `/login/…`: what it says about itself, and who serves which of its addresses."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ..clock import Clock
from ..service import HttpRequest, HttpResponse
from . import errors, keys
from .binding import body_of, lower
from .identity import Identity
from .model import Centre
from .oauth import OAuth
from .settings import Settings
from .system_user import SystemUser


class Login:
    """SuperID, as far as applications meet it. ``api`` is where the tenant's data is."""

    def __init__(
        self, centre: Centre, settings: Settings, *, identity: Identity, clock: Clock, rng: random.Random
    ) -> None:
        self._oauth = OAuth(centre, settings, identity=identity, clock=clock, rng=rng)
        self._system_user = SystemUser(centre, settings, identity=identity)
        self._addresses: dict[tuple[str, ...], tuple[str, Callable[[HttpRequest, str], HttpResponse]]] = {
            (".well-known", "openid-configuration"): (
                "GET",
                lambda request, _: HttpResponse.json(_configuration(request.origin)),
            ),
            (".well-known", "jwks"): ("GET", lambda *_: HttpResponse.json(keys.key_set())),
            ("common", "oauth", "authorize"): (
                "GET",
                lambda request, _: self._oauth.authorize(dict(parse_qsl(request.query))),
            ),
            ("common", "oauth", "tokens"): ("POST", self._tokens),
            ("api", "partnersystemuser", "authenticate"): ("POST", self._authenticate),
        }

    def answer(self, request: HttpRequest, segments: Sequence[str], *, api: str) -> HttpResponse:
        """Carry out ``request`` at ``segments``, what follows `login`; raises `RefusalError`."""
        address = tuple(segment.casefold() for segment in segments)
        if address not in self._addresses:
            raise errors.no_resource(request.path)
        verb, handler = self._addresses[address]
        if request.verb != verb:
            raise errors.wrong_verb(request.verb)
        return handler(request, api)

    def _tokens(self, request: HttpRequest, api: str) -> HttpResponse:
        tokens = self._oauth.tokens(_form(request), request.headers, issuer=request.origin, api=api)
        return HttpResponse.json(tokens, headers={"cache-control": "no-store"})

    def _authenticate(self, request: HttpRequest, api: str) -> HttpResponse:
        body = body_of(request)
        return HttpResponse.json(self._system_user.authenticate(lower(body) if isinstance(body, dict) else {}, api=api))


def _configuration(issuer: str) -> dict[str, Any]:
    """Return the metadata document of OpenID Connect, as SuperOffice's reference page prints it."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/login/common/oauth/authorize",
        "token_endpoint": f"{issuer}/login/common/oauth/tokens",
        "jwks_uri": f"{issuer}/login/.well-known/jwks",
        "scopes_supported": ["openid"],
        "response_modes_supported": ["form_post", "fragment", "query"],
        "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["implicit", "authorization_code", "refresh_token"],
    }


def _form(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of the token endpoint.

    The documents put them in the query, SuperOffice's own code in a form.
    """
    return dict([*parse_qsl(request.query), *parse_qsl(request.body.decode("utf-8", "replace"))])
