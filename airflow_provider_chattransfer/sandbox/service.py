# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange as plain values, so that a service is a function from a call to a reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came in. ``headers`` has lower-case names, ``query`` is still encoded, ``scheme`` is
    ``http`` or ``https``."""

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
        """Scheme, host and port by which the client reached us."""
        return f"{self.scheme}://{self.headers.get('host', '127.0.0.1')}"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer as it goes out."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """``value`` as compact JSON, non-ASCII characters left as they are."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status=status, body=body, headers=headers or {})


class Service(Protocol):
    """What the server needs of a simulated service."""

    name: str

    def serves(self, path: str) -> bool:
        """Whether this service answers at ``path``."""

    def methods_of(self, request: HttpRequest) -> list[str]:
        """The API methods that ``request`` invokes (several for a batch), as faults name them."""

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Carry out ``request`` and answer it. All effects have happened when this returns."""

    def expire(self, request: HttpRequest) -> bool:
        """Let the token that ``request`` carries expire at once; ``False`` when it carries none that is valid."""

    def overloaded(self, status: int) -> HttpResponse:
        """The service's own answer, 503 or 429, to a request that is too much; nothing is carried out."""

    def state(self) -> dict[str, Any]:
        """Agents, queues and chats, in the shape that ``docs/sandbox.md`` describes."""
