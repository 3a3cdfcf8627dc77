# SPDX-License-Identifier: Apache-2.0
"""Where a run's ledger is kept: Airflow's task state store, or files beside the report."""

from __future__ import annotations

import hashlib
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from ..chats.ledger import Journal, Ledger, Unkept
from ..chats.model import Json
from ..platforms.errors import TransferError

if TYPE_CHECKING:
    from airflow.sdk import Context


def ledger_of(context: Context, *, inputs: Json, report_path: str | None = None) -> Ledger:
    """What earlier tries of this task, with the same ``inputs``, put on record.

    A task that was cleared after it had succeeded starts anew: the number of its tries has grown by then.
    """
    ledger = Ledger.read(journal_of(context, inputs=inputs, report_path=report_path))
    if ledger.finished_by not in (None, context["ti"].max_tries):
        ledger.start_anew()
    return ledger


def journal_of(context: Context, *, inputs: Json, report_path: str | None) -> Journal:
    """The journal of this task's run, the same one for every try with the same ``inputs``.

    With a ``report_path`` it lies beside the report; otherwise it is in the task state store, which Airflow has
    since 3.3. Without either, nothing is kept.
    """
    store = context.get("task_state_store")
    if report_path:
        return FileJournal(report_path, name=_digest([inputs, *_identity(context)]))
    return Unkept() if store is None else StateStoreJournal(store, name=_digest(inputs))


class NotWritten(TransferError):
    """What has to outlive the task could not be written; nothing was sent after that. The report has been pushed."""

    a_retry = "a retry goes on from what is on record: it reads what is open there, and sends what was surely not moved"

    def __init__(self, what: str, cause: BaseException) -> None:
        super().__init__(
            f"{what} could not be written ({type(cause).__name__}), so nothing more was sent. Every chat is accounted "
            f"for in the report, in the XCom return_value. {self.a_retry[0].upper()}{self.a_retry[1:]}"
        )


class _NumberedJournal(ABC):
    """Entries under the numbers 1, 2, 3, … up to the first that is missing."""

    def __init__(self) -> None:
        self._length: int | None = None

    @abstractmethod
    def _read(self, number: int) -> Json | None:
        """The entry with this number; ``None`` when there is no whole one."""

    @abstractmethod
    def _write(self, number: int, entry: Json) -> None:
        """Keep the entry with this number."""

    def entries(self) -> Iterator[Json]:
        for number in count(1):
            entry = self._read(number)
            if entry is None:
                self._length = number - 1
                return
            yield entry

    def append(self, entry: Json) -> None:
        if self._length is None:
            for _ in self.entries():
                pass
        number = (self._length or 0) + 1
        try:
            self._write(number, entry)
        except TakenOver:
            raise
        except Exception as cause:
            raise NotWritten("the record of this run", cause) from cause
        self._length = number


class StateStoreJournal(_NumberedJournal):
    """Entries as values of the task state store, which a task's tries share; its key holds no number of a try."""

    def __init__(self, store: Any, *, name: str) -> None:
        super().__init__()
        self._store = store
        self._name = name

    def _read(self, number: int) -> Json | None:
        entry: Json | None = self._store.get(self._key(number))
        return entry

    def _write(self, number: int, entry: Json) -> None:
        self._store.set(self._key(number), entry)

    def _key(self, number: int) -> str:
        return f"chats {self._name} {number:06d}"


class TakenOver(RuntimeError):
    """Another try of the same task has taken its record over, so this one does nothing more."""


class FileJournal(_NumberedJournal):
    """Entries as files of one line in a folder beside the report: an object store has no appending.

    It belongs to whoever read it last. A task may outlive the worker that watched over it, and is still at work when
    Airflow starts the next try; what it would add now, that try has not read. (Of the task state store, Airflow itself
    lets only the present try write.)
    """

    def __init__(self, report_path: str, *, name: str) -> None:
        from airflow.sdk import ObjectStoragePath

        super().__init__()
        self._folder = ObjectStoragePath(f"{report_path}.ledger") / name
        self._owner = self._folder / "owner"
        self._me = secrets.token_hex(8)

    def entries(self) -> Iterator[Json]:
        """All whole entries. A last one that was cut off in the middle was never acted upon."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._owner.write_text(self._me)
        yield from super().entries()

    def _read(self, number: int) -> Json | None:
        file = self._file(number)
        return _whole(file.read_text()) if file.exists() else None

    def _write(self, number: int, entry: Json) -> None:
        """Raises ``TakenOver``."""
        if self._owner.read_text() != self._me:
            raise TakenOver("another try of this task goes on with its chats; this one sends nothing more")
        self._file(number).write_text(json.dumps(entry, separators=(",", ":")) + "\n")

    def _file(self, number: int) -> Any:
        return self._folder / f"{number:06d}.jsonl"


def _whole(text: str) -> Json | None:
    return json.loads(text) if text.endswith("\n") else None


def _identity(context: Context) -> list[Any]:
    """Which task this is, whatever the try: other runs may write to the same report path."""
    ti = context["ti"]
    return [ti.dag_id, ti.run_id, ti.task_id, ti.map_index]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
