# SPDX-License-Identifier: Apache-2.0
"""An HTTP exchange as plain values, and the protocol of a simulated service: a function from request to response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came in.

    ``number`` counts the requests since the reset. ``headers`` has lower-case names, ``query`` is still encoded,
    ``scheme`` is ``http`` or ``https``.
    """

    number: int
    verb: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str
    scheme: str

    @property
    def origin(self) -> str:
        """Scheme, host and port by which the client reached the server."""
        return f"{self.scheme}://{self.headers.get('host', '127.0.0.1')}"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response as it goes out."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Return a response with ``value`` as compact JSON; non-ASCII characters are not escaped."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status=status, body=body, headers=headers or {})


class Service(Protocol):
    """A simulated service, as the server calls it."""

    name: str

    def serves(self, path: str) -> bool:
        """Return whether this service answers at ``path``."""

    def methods_of(self, request: HttpRequest) -> list[str]:
        """Return the API methods that ``request`` invokes (several for a batch), as faults name them."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Execute ``request`` and return the response. All effects have happened when this returns."""

    def expire(self, request: HttpRequest) -> bool:
        """Expire the token of ``request`` at once; return ``False`` if it carries no valid one."""

    def overloaded(self, status: int) -> HttpResponse:
        """Return the service's own response, 503 or 429, to one request too many; nothing is executed."""

    def state(self) -> dict[str, Any]:
        """Return agents, queues and chats, in the shape that ``docs/sandbox.md`` describes."""
