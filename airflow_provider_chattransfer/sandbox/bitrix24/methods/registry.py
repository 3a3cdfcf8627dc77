# SPDX-License-Identifier: Apache-2.0
"""The list of REST methods: a name, the scope that opens it, and a function from a question to a result."""

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
    """One invocation of one method. ``params`` are as they came: PHP types, original case; ``typed`` when they came as
    JSON, so that a string is one because somebody wrote it so."""

    method: str
    params: dict[str, Any]
    identity: Identity
    data: PortalData
    openlines: OpenLines
    request_number: int
    typed: bool = False

    @property
    def user(self) -> int:
        """Whose rights count."""
        return self.identity.user

    @property
    def now(self) -> float:
        """The time of the portal."""
        return self.openlines.now()

    @property
    def actor(self) -> Actor:
        """The caller, as the ledger names him."""
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
    """A method: any of ``scopes`` opens it; none means that it is open to everybody."""

    name: str
    scopes: frozenset[str]
    handler: Handler


METHODS: dict[str, Method] = {}
"""By the names that find them: those of controllers as they are spelt, all others in lower case."""


def method(name: str, *, scope: str | Iterable[str] = ()) -> Callable[[Handler], Handler]:
    """Register a method under its documented name."""
    scopes = frozenset([scope] if isinstance(scope, str) else scope)

    def register(handler: Handler) -> Handler:
        METHODS[name if is_controller(name) else name.lower()] = Method(name, scopes, handler)
        return handler

    return register


def is_controller(name: str) -> bool:
    """Whether a method is an action of a module's controller, which the server finds by its exact spelling."""
    return ".v2." in name.lower()


def find_method(name: str) -> Method | None:
    """A method by its name, tried in lower case first and then as given (server source, REST front controller)."""
    return METHODS.get(name.lower()) or METHODS.get(name)


def paginate(rows: list[Any], start: Any) -> Page:
    """The page of ``rows`` that begins at ``start``; -1 leaves out ``total`` and ``next``."""
    offset = to_int(start)
    if offset < 0:
        return Page(rows[:PAGE_SIZE])
    more = offset + PAGE_SIZE < len(rows)
    return Page(rows[offset : offset + PAGE_SIZE], total=len(rows), next=offset + PAGE_SIZE if more else None)
