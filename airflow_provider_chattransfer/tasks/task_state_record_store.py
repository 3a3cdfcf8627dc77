# SPDX-License-Identifier: Apache-2.0
"""A run record in Airflow's task state store (since 3.3)."""

from __future__ import annotations

from typing import Any

from ..chats.model import Json
from .numbered_record_store import NumberedRecordStore

KEY_PREFIX = "transfer record"
"""Prefix of the entries' keys in the task state store: ``transfer record 1``, ``transfer record 2`` and so on."""


class TaskStateRecordStore(NumberedRecordStore):
    """Keep entries as values of the task state store, which the tries of a task share."""

    def __init__(self, store: Any) -> None:
        super().__init__()
        self._store = store

    def __str__(self) -> str:
        return "the task's state (Storage)"

    def _read(self, number: int) -> Json | None:
        entry: Json | None = self._store.get(f"{KEY_PREFIX} {number}")
        return entry

    def _has_entry_from(self, number: int) -> bool:
        """Read the next one, since keys cannot be listed."""
        return self._read(number) is not None

    def _write(self, number: int, entry: Json) -> None:
        self._store.set(f"{KEY_PREFIX} {number}", entry)
