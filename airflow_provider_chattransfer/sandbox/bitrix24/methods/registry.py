# SPDX-License-Identifier: Apache-2.0
"""The registry of REST methods: a name, the scopes that open it, and its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..authentication import Identity
from ..model import PortalData
from ..openlines import Actor, OpenLines
from ..php import to_int

PAGE_SIZE = 50
"""Rows per page of the paged list methods."""


@dataclass(frozen=True, slots=True)
class MethodCall:
    """One call of one method.

    ``params`` are as they came: PHP types, original case. ``typed`` tells that they came as JSON, in which a string is
    meant as a string.
    """

    method: str
    params: dict[str, Any]
    identity: Identity
    data: PortalData
    openlines: OpenLines
    request_number: int
    typed: bool = False

    @property
    def user(self) -> int:
        """The user whose rights count."""
        return self.identity.user

    @property
    def now(self) -> float:
        """The portal's time, in seconds since the epoch."""
        return self.openlines.now()

    @property
    def actor(self) -> Actor:
        """The caller, as the ledger names it."""
        return Actor(by=self.identity.label, method=self.method, request=self.request_number)


@dataclass(frozen=True, slots=True)
class Page:
    """A result with ``next`` and ``total`` beside it."""

    result: Any
    total: int | None = None
    next: int | None = None


Handler = Callable[[MethodCall], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method. Any one of ``scopes`` opens it; without scopes it is open to everyone."""

    name: str
    scopes: frozenset[str]
    handler: Handler


METHODS: dict[str, Method] = {}
"""Methods by the key under which they are found: a controller's action as it is spelt, any other in lower case."""


def method(name: str, *, scope: str | Iterable[str] = ()) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of the method ``name``."""
    scopes = frozenset([scope] if isinstance(scope, str) else scope)

    def register(handler: Handler) -> Handler:
        METHODS[name if is_controller(name) else name.lower()] = Method(name, scopes, handler)
        return handler

    return register


def is_controller(name: str) -> bool:
    """Return whether a method is an action of a module's controller, which the server finds by its exact spelling."""
    return ".v2." in name.lower()


def find_method(name: str) -> Method | None:
    """Return a method by its name, tried in lower case and then as given (server source, REST front controller)."""
    return METHODS.get(name.lower()) or METHODS.get(name)


def paginate(rows: list[Any], start: Any) -> Page:
    """Return the page of ``rows`` that begins at ``start``; -1 leaves out ``total`` and ``next``."""
    offset = to_int(start)
    if offset < 0:
        return Page(rows[:PAGE_SIZE])
    more = offset + PAGE_SIZE < len(rows)
    return Page(rows[offset : offset + PAGE_SIZE], total=len(rows), next=offset + PAGE_SIZE if more else None)
