# SPDX-License-Identifier: Apache-2.0
"""Token stores of this process, for one account."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_chattransfer.exceptions import TokenStoreError
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.tokens.manager import Entry


class MemoryTokenStore:
    """Keeps the token of one account for the threads of this process; it can be made to fail."""

    def __init__(self, kept: dict[Entry, str] | None = None) -> None:
        self.kept = dict(kept or {})
        self.saves_that_fail = 0
        self._lock = threading.Lock()

    def load(self, entry: Entry) -> str | None:
        """Return what was saved last."""
        return self.kept.get(entry)

    def save(self, entry: Entry, text: str) -> None:
        """Keep ``text``; raise ``TokenStoreError`` for a token as long as saves are to fail."""
        if entry is Entry.TOKEN and self.saves_that_fail:
            self.saves_that_fail -= 1
            raise TokenStoreError("the store is full")
        self.kept[entry] = text

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one thread in at a time."""
        with self._lock:
            yield

    @property
    def token(self) -> IssuedToken | None:
        """The token that was saved last."""
        return IssuedToken.parse(self.kept.get(Entry.TOKEN))


class UnlockedTokenStore(MemoryTokenStore):
    """Keeps it for processes on several hosts, which no lock holds apart."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let everybody in."""
        yield
