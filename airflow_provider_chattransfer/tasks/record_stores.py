# SPDX-License-Identifier: Apache-2.0
"""Where a run's record is kept: files beside the report or under a path of the provider's, or the task state store."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from ..chats.model import Json
from ..chats.run_record import NullRecordStore, RecordOwner, RecordStore, RunRecord
from ..exceptions import (
    BrokenRecordError,
    RecordNotKeptError,
    RecordReadError,
    RecordTakenOverError,
    RecordWriteError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..platforms.base import ChatPlatform

log = logging.getLogger(__name__)

KEY = "transfer record"
"""How the entries are called in the task state store: ``transfer record 1``, ``transfer record 2`` and so on."""

SUFFIX = "jsonl"
"""What the names of entries in a folder end with: ``000001.jsonl``."""


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """Which task this is, whatever the try, and in which of the runs that had its name."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    run_started_at: float
    run_was_cleared: bool

    @classmethod
    def of(cls, context: Context) -> TaskIdentity:
        """A run that is deleted and made again for its date has the same name, and another start. Airflow changes the
        start of a run only when a finished one is cleared."""
        ti, run = context["ti"], context.get("dag_run")
        started = getattr(run, "start_date", None) or getattr(run, "run_after", None)
        return cls(
            dag_id=str(getattr(ti, "dag_id", "")),
            run_id=str(getattr(ti, "run_id", "")),
            task_id=str(getattr(ti, "task_id", "")),
            map_index=-1 if (index := getattr(ti, "map_index", None)) is None else int(index),
            run_started_at=started.timestamp() if started else 0.0,
            run_was_cleared=bool(getattr(run, "clear_number", 0)),
        )

    @property
    def name(self) -> str:
        """A name for a folder, the same for all runs of one name."""
        digest = _digest([self.dag_id, self.run_id, self.task_id, self.map_index])
        return f"{self.dag_id}.{self.task_id}.{digest}"


def record_of(context: Context, *, inputs: Json, platform: ChatPlatform, report_path: str | None = None) -> RunRecord:
    """What earlier tries of this task, with the same typed ``inputs`` and on the same account, put on record.

    What stands there of another run, of other inputs or of another account counts no more. Neither does the record of
    a task that was cleared after it had succeeded: the number of its tries has grown by then. Raises
    ``RecordReadError`` and ``RecordWriteError``.
    """
    identity = TaskIdentity.of(context)
    owner = RecordOwner(
        inputs=_digest([inputs, platform.name, platform.account, platform.actor]),
        platform=platform.name,
        run_started_at=identity.run_started_at,
        run_was_cleared=identity.run_was_cleared,
    )
    store = record_store_of(context, report_path=report_path)
    try:
        record = _read(store, owner=owner)
        if record.finished_by not in (None, context["ti"].max_tries):
            record.start_anew()
    except RecordWriteError as error:
        raise RecordNotKeptError(str(store), error.__cause__ or error) from None
    return record


def record_on_file(context: Context, *, report_path: str | None = None) -> RunRecord:
    """The record of this try, which has read and checked it before it was deferred."""
    return _read(record_store_of(context, report_path=report_path), owner=None)


def warn_of_volatile_record(context: Context, *, report_path: str | None) -> None:
    """Say once for each run what a retry or a Clear will not know, and where a record would outlast it."""
    if report_path or _record_path():
        return
    advice = "to keep one, set [chattransfer] record_path, or give the task a report_path"
    if context.get("task_state_store") is None:
        log.warning("No record of this run is kept: a retry goes by the state of the chats alone; %s", advice)
    else:
        log.warning("The record of this run lasts until a Clear, which discards it from Airflow 3.4 on; %s", advice)


def _read(store: RecordStore, *, owner: RecordOwner | None) -> RunRecord:
    try:
        return RunRecord.read(store, owner=owner)
    except BrokenRecordError as problem:
        raise RecordReadError(str(store), str(problem)) from None


def record_store_of(context: Context, *, report_path: str | None) -> RecordStore:
    """The store of this task's record, the same one for every try.

    With a ``report_path`` it lies beside the report; else under ``[chattransfer] record_path``, where that is set; else
    it is in the task state store, which Airflow has since 3.3. Without any, nothing is kept.
    """
    identity = TaskIdentity.of(context)
    if report_path:
        return FileRecordStore.of_task(f"{report_path}.ledger", identity)
    if path := _record_path():
        return FileRecordStore.of_task(path, identity)
    store = context.get("task_state_store")
    return NullRecordStore() if store is None else TaskStateRecordStore(store)


def _record_path() -> str | None:
    return conf.get("chattransfer", "record_path", fallback=None) or None


class _NumberedRecordStore(ABC):
    """Entries under the numbers 1, 2, 3, … up to the first that is missing; one behind it is an error."""

    def __init__(self) -> None:
        self._length: int | None = None

    @abstractmethod
    def _read(self, number: int) -> Json | None:
        """The entry with this number; ``None`` when there is no whole one."""

    @abstractmethod
    def _is_there_one_from(self, number: int) -> bool:
        """Whether there is any entry with this number or a greater one."""

    @abstractmethod
    def _write(self, number: int, entry: Json) -> None:
        """Keep the entry with this number."""

    def entries(self) -> Iterator[Json]:
        for number in count(1):
            entry = self._read(number)
            if entry is None:
                if self._is_there_one_from(number + 1):
                    raise BrokenRecordError(f"entry {number} of the run's record is missing, and later ones are there")
                self._length = number - 1
                return
            if not isinstance(entry, dict):
                raise BrokenRecordError(f"entry {number} of the run's record is no entry")
            yield entry

    def append(self, entry: Json) -> None:
        if self._length is None:
            for _ in self.entries():
                pass
        number = (self._length or 0) + 1
        try:
            self._write(number, entry)
        except RecordTakenOverError:
            raise
        except Exception as cause:
            raise RecordWriteError("the record of this run", cause) from cause
        self._length = number


class TaskStateRecordStore(_NumberedRecordStore):
    """Entries as values of the task state store, which a task's tries share; its key holds no number of a try."""

    def __init__(self, store: Any) -> None:
        super().__init__()
        self._store = store

    def __str__(self) -> str:
        return "the task's state (Storage)"

    def _read(self, number: int) -> Json | None:
        entry: Json | None = self._store.get(f"{KEY} {number}")
        return entry

    def _is_there_one_from(self, number: int) -> bool:
        """Keys cannot be listed: the next one is looked at."""
        return self._read(number) is not None

    def _write(self, number: int, entry: Json) -> None:
        self._store.set(f"{KEY} {number}", entry)


class FileRecordStore(_NumberedRecordStore):
    """Entries as files of one line in a folder: an object store has no appending.

    It belongs to whoever read it last. A task may outlive the worker that watched over it, and is still at work when
    Airflow starts the next try; what it would add now, that try has not read. (Of the task state store, Airflow itself
    lets only the present try write.)
    """

    def __init__(self, folder: str) -> None:
        from airflow.sdk import ObjectStoragePath

        super().__init__()
        self._folder = ObjectStoragePath(folder)
        self._owner = self._folder / "owner"
        self._me = secrets.token_hex(8)

    @classmethod
    def of_task(cls, base: str, identity: TaskIdentity) -> FileRecordStore:
        """The store below ``base`` of a task's run.

        Its folder is named by when the run was started, so that another Airflow that has the same path, or a run that
        was made again, has another. A run that was cleared goes on in the newest folder from before.
        """
        from airflow.sdk import ObjectStoragePath

        started_at = int(identity.run_started_at * 1e6)
        folders = ObjectStoragePath(base)
        try:
            if identity.run_was_cleared and not (folders / f"{identity.name}.{started_at}").exists():
                began = [_began(folder.name) for folder in folders.glob(f"{identity.name}.*")]
                started_at = max((each for each in began if each < started_at), default=started_at)
        except Exception as cause:
            raise RecordNotKeptError(base, cause) from cause
        return cls(str(folders / f"{identity.name}.{started_at}"))

    def __str__(self) -> str:
        return str(self._folder)

    def entries(self) -> Iterator[Json]:
        """All whole entries. A last one that was cut off in the middle was never acted upon."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._owner.write_text(self._me)
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
            return _whole(file.read_text())
        except BrokenRecordError:
            raise
        except (ValueError, RecursionError):
            raise BrokenRecordError(f"entry {number} of the run's record is no JSON") from None
        except OSError as cause:
            raise BrokenRecordError(
                f"entry {number} of the run's record cannot be read ({type(cause).__name__})"
            ) from None

    def _is_there_one_from(self, number: int) -> bool:
        names = (file.name.partition(".") for file in self._folder.iterdir())
        return any(stem.isdigit() and int(stem) >= number for stem, _, suffix in names if suffix == SUFFIX)

    def _write(self, number: int, entry: Json) -> None:
        """Raises ``RecordTakenOverError``."""
        if self._owner.read_text() != self._me:
            raise RecordTakenOverError("another try of this task goes on with its chats; this one sends nothing more")
        self._file(number).write_text(json.dumps(entry, separators=(",", ":")) + "\n")

    def _file(self, number: int) -> Any:
        return self._folder / f"{number:06d}.{SUFFIX}"


def _whole(text: str) -> Json | None:
    entry: Json | None = json.loads(text) if text.endswith("\n") else None
    return entry


def _began(folder: str) -> int:
    """When the run of a folder was started, in microseconds since the epoch; -1 for a folder that is none of ours."""
    digits = folder.rpartition(".")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
