# SPDX-License-Identifier: Apache-2.0
"""Signing in to a SuperOffice WebAPI: the header that says who is asking."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Protocol


class Credentials(Protocol):
    """A way of signing in."""

    def headers(self) -> dict[str, str]:
        """The headers of a request; they hold secrets."""


@dataclass(frozen=True, slots=True)
class Basic:
    """User name and password, on-site only (documented schemes: Basic, SoTicket, Bearer)."""

    user: str
    password: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {login}"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token of SuperOffice online, of the form ``8A:Cust12345.…``."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.token.isascii() or any(not letter.isprintable() or letter.isspace() for letter in self.token):
            raise ValueError("access_token: holds a space, a line break or a letter that no token has")

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}
