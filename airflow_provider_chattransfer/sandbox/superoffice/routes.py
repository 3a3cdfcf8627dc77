# SPDX-License-Identifier: Apache-2.0
"""Addresses and what answers there; like ASP.NET's routing, blind to case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from . import errors
from .binding import WebApiCall

Handler = Callable[[WebApiCall], Any]
"""Answers a call with a JSON value, or with a `HttpResponse` where it is not 200."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its verb, its address (`ChatSession/{id}/Messages`), and what carries it out."""

    verb: str
    template: str
    handler: Handler

    def parts(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return what stands at the places in braces; ``None`` when ``segments`` is another address."""
        own = self.template.split("/")
        if len(own) != len(segments):
            return None
        found = {}
        for expected, segment in zip(own, segments, strict=True):
            if expected.startswith("{"):
                found[expected[1:-1]] = segment
            elif expected.casefold() != segment.casefold():
                return None
        return found

    @property
    def names(self) -> list[str]:
        """The names by which faults call this operation.

        The address `ChatSession/{id}/AcceptTransfer`, the same after its verb, and the last word of it, unless that is
        the resource's own (`AcceptTransfer`, `TransferChatSession`).
        """
        return [self.template, f"{self.verb} {self.template}", *self.words[-1:] * (len(self.words) > 1)]

    @property
    def words(self) -> list[str]:
        """The fixed words of the address."""
        return [part for part in self.template.split("/") if not part.startswith("{")]


class Routes:
    """All operations; among two that fit an address the earlier one wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = list(routes)

    def listing(self, base: str) -> dict[str, dict[str, str]]:
        """Every address with its verbs, and for each verb what it is for, in a word."""
        found: dict[str, dict[str, str]] = {}
        for route in self._routes:
            found.setdefault(f"{base}/{route.template}", {})[route.verb] = route.words[-1]
        return found

    def find(self, verb: str, segments: Sequence[str]) -> tuple[Route, dict[str, str]] | None:
        """Return the operation at ``segments`` with its parts."""
        for route in self._routes:
            if route.verb == verb and (parts := route.parts(segments)) is not None:
                return route, parts
        return None

    def require(self, verb: str, segments: Sequence[str], url: str) -> tuple[Route, dict[str, str]]:
        """As `find`; raises `RefusalError`: 405 for an address that knows other verbs, 404 for none."""
        if found := self.find(verb, segments):
            return found
        if verbs := [route.verb for route in self._routes if route.parts(segments) is not None]:
            raise errors.message(
                405,
                f"The requested resource does not support http method '{verb}'.",
                headers={"allow": ",".join(dict.fromkeys(verbs))},
            )
        raise errors.message(
            404, f"No HTTP resource was found that matches the request URI '{url}'.", "No route matches."
        )


def segments_of(path: str) -> list[str]:
    """Return the decoded segments of an encoded path."""
    return [unquote(segment) for segment in path.strip("/").split("/")]
