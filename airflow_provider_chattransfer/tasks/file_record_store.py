# SPDX-License-Identifier: Apache-2.0
"""A run record as files in a folder, local or in an object store."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from ..chats.model import Json
from ..exceptions import BrokenRecordError, RecordNotKeptError, RecordTakenOverError
from .numbered_record_store import NumberedRecordStore
from .task_identity import TaskIdentity

ENTRY_SUFFIX = "jsonl"
"""Suffix of the entries' file names: ``000001.jsonl``."""


class FileRecordStore(NumberedRecordStore):
    """Keep each entry as a file of one line, since an object store cannot append.

    The try that read the record last owns it, and no other may add to it: a task may outlive the worker that supervised
    it, and still run when Airflow starts the next try. (In the task state store, Airflow itself lets only the present
    try write.)
    """

    def __init__(self, folder: str) -> None:
        from airflow.sdk import ObjectStoragePath

        super().__init__()
        self._folder = ObjectStoragePath(folder)
        self._owner = self._folder / "owner"
        self._owner_token = secrets.token_hex(8)

    @classmethod
    def of_task(cls, base: str, identity: TaskIdentity) -> FileRecordStore:
        """Return the store of a task's run below ``base``.

        Its folder is named after the start of the run, so that another Airflow with the same path, or a run that was
        made again, has another folder. A run that was cleared goes on in the newest earlier folder. Raises
        ``RecordNotKeptError``.
        """
        from airflow.sdk import ObjectStoragePath

        started_at = int(identity.run_started_at * 1e6)
        folders = ObjectStoragePath(base)
        try:
            if identity.run_was_cleared and not (folders / f"{identity.name}.{started_at}").exists():
                began = [_started_at_microseconds(folder.name) for folder in folders.glob(f"{identity.name}.*")]
                started_at = max((each for each in began if each < started_at), default=started_at)
        except Exception as cause:
            raise RecordNotKeptError(base, cause) from cause
        return cls(str(folders / f"{identity.name}.{started_at}"))

    def __str__(self) -> str:
        return str(self._folder)

    def entries(self) -> Iterator[Json]:
        """Yield all whole entries; one that was cut off was never acted on. Raises ``RecordNotKeptError``."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._owner.write_text(self._owner_token)
        except Exception as cause:
            raise RecordNotKeptError(str(self._folder), cause) from cause
        yield from super().entries()

    def _read(self, number: int) -> Json | None:
        file = self._file(number)
        try:
            if not file.exists():
                return None
            if not file.is_file():
                raise BrokenRecordError(f"entry {number} of the run's record is no file")
            return _parse_line(file.read_text())
        except BrokenRecordError:
            raise
        except (ValueError, RecursionError):
            raise BrokenRecordError(f"entry {number} of the run's record is no JSON") from None
        except OSError as cause:
            raise BrokenRecordError(
                f"entry {number} of the run's record cannot be read ({type(cause).__name__})"
            ) from None

    def _has_entry_from(self, number: int) -> bool:
        names = (file.name.partition(".") for file in self._folder.iterdir())
        return any(stem.isdigit() and int(stem) >= number for stem, _, suffix in names if suffix == ENTRY_SUFFIX)

    def _write(self, number: int, entry: Json) -> None:
        """Write the entry; raises ``RecordTakenOverError`` when another try owns the record."""
        if self._owner.read_text() != self._owner_token:
            raise RecordTakenOverError("another try of this task goes on with its chats; this one sends nothing more")
        self._file(number).write_text(json.dumps(entry, separators=(",", ":")) + "\n")

    def _file(self, number: int) -> Any:
        return self._folder / f"{number:06d}.{ENTRY_SUFFIX}"


def _parse_line(text: str) -> Json | None:
    entry: Json | None = json.loads(text) if text.endswith("\n") else None
    return entry


def _started_at_microseconds(folder: str) -> int:
    """Return when the run of a folder was started, in microseconds since the epoch; -1 for any other folder."""
    digits = folder.rpartition(".")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
