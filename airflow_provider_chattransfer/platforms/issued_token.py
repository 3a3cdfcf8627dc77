# SPDX-License-Identifier: Apache-2.0
"""Define what a service issues to let requests in for a while, and the text under which a store keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from .decoding import Number, Token, decoded_or

REFRESH_MARGIN_SECONDS = 60.0
"""Seconds before its known end at which a token is no longer used; or a quarter of its life, if that is less."""

MAX_EPOCH_SECONDS = 1e11
"""The last moment that is believed, in epoch seconds: in the year 5138."""

STORED_NAMES = {"refresh_token": "renewal"}
"""Fields that the stored text calls by another name, so that workers with other versions of this package read it."""

T = TypeVar("T")


def _read_moment(seconds: float) -> float:
    if not 0.0 < seconds < MAX_EPOCH_SECONDS:
        raise ValueError("no moment")
    return seconds


Epoch = Annotated[Number, AfterValidator(_read_moment)]
"""A moment in epoch seconds."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token, or a ticket.

    ``obtained_at`` and ``expires_at`` are in epoch seconds of our clock; ``expires_at`` is ``None`` where the service
    does not say when it ends. ``refresh_token`` fetches the next one, where the service issues a new one each time.
    ``about`` holds what the service said of the account, nothing secret: ids and addresses.
    """

    secret: Token = field(repr=False)
    obtained_at: Epoch
    expires_at: Epoch | None = None
    refresh_token: Annotated[Token | None, Field(alias=STORED_NAMES["refresh_token"])] = field(default=None, repr=False)
    about: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> IssuedToken | None:
        """Read what ``to_text`` wrote; ``None`` for nothing, and for what can be no token."""
        return read_stored(text, cls)

    def to_text(self) -> str:
        """Write what a store keeps; it holds the secrets."""
        return json.dumps({STORED_NAMES.get(name, name): value for name, value in asdict(self).items()})

    def ends_soon(self, now: float) -> bool:
        """Tell whether it is known to have ended, or to end within ``REFRESH_MARGIN_SECONDS``."""
        if self.expires_at is None:
            return False
        return self.expires_at - min(REFRESH_MARGIN_SECONDS, (self.expires_at - self.obtained_at) / 4) <= now


def read_stored(text: str | None, kind: type[T]) -> T | None:
    """Read a text of a store as ``kind``; ``None`` for nothing, and for what is none."""
    try:
        value = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return decoded_or(None, value, kind)
