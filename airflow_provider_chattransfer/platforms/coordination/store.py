# SPDX-License-Identifier: Apache-2.0
"""Define the one operation that a store of shared documents has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from ...chats.model import Json

KEPT_SECONDS = 86_400.0
"""Seconds for which a document is kept after it was written last; no run lasts longer."""

T = TypeVar("T")

Change: TypeAlias = Callable[[float, Mapping[str, Json]], tuple[Mapping[str, Json | None], T]]
"""Turns the documents that exist, by key, into those to write, by key, and a result; ``None`` deletes a document.

It is told the time by the store's clock, in seconds, the same clock for all that share the store. It must be pure: a
store may call it again.
"""


class SharedStore(Protocol):
    """Keeps small JSON documents that several processes or hosts share."""

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Read the documents of ``keys``, write what ``change`` makes of them, and return its result.

        Atomic: no other update of one of these keys comes in between. Raises ``CoordinationError`` when the store
        cannot be asked; then nothing was written, or all of it was.
        """
