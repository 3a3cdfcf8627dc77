# SPDX-License-Identifier: Apache-2.0
"""Define what a request of the REST API consists of: one method with its parameters, or a batch of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..decoding import Id

BATCH_SIZE = 50
"""Commands in one batch (documented for ``batch``)."""


@dataclass(frozen=True, slots=True)
class Command:
    """One REST method with its parameters, which may hold the bot's secret.

    ``answer`` is the type that its result is decoded to (see ``platforms.decoding``).
    """

    method: str
    params: Mapping[str, Any] = field(repr=False)
    answer: Any = Any


@dataclass(frozen=True, slots=True)
class Profile:
    """The result of ``profile``: the user as whom we act."""

    ID: Id


def who_we_are() -> Command:
    """Return the command that asks for the user as whom we act; it needs no scope."""
    return Command("profile", {}, Profile)
