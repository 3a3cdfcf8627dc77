# SPDX-License-Identifier: Apache-2.0
"""Encrypt what a token store keeps, with a secret of the connection."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from contextlib import AbstractContextManager

from cryptography.fernet import Fernet, InvalidToken

from .manager import Entry, TokenStore

UNREADABLE = "?"
"""What is loaded in place of a text that cannot be decrypted: no token, and not nothing either."""


class Sealed:
    """A token store that encrypts what it hands to another one.

    So nobody without the connection's secret can use it: no reader of Variables, of files, of a Redis server, or of the
    messages that Airflow logs at DEBUG.
    """

    def __init__(self, store: TokenStore, *, key: str) -> None:
        """Encrypt with ``key``, a secret of the connection."""
        self._store = store
        self._fernet = Fernet(urlsafe_b64encode(hashlib.sha256(f"chattransfer seal\n{key}".encode()).digest()))

    def load(self, entry: Entry) -> str | None:
        """Return what was saved last; ``UNREADABLE`` where it was sealed with another key."""
        sealed = self._store.load(entry)
        try:
            return self._fernet.decrypt(sealed).decode() if sealed else None
        except (InvalidToken, ValueError):  # the latter for letters that no seal has
            return UNREADABLE

    def save(self, entry: Entry, text: str) -> None:
        """Encrypt ``text`` and save it."""
        self._store.save(entry, self._fernet.encrypt(text.encode()).decode())

    def lock(self) -> AbstractContextManager[None]:
        """Take the lock of the store below."""
        return self._store.lock()
