# SPDX-License-Identifier: Apache-2.0
"""Open the record of a task's run: beside its report, under a path of the provider, or in the task state store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from ..chats.model import Json
from ..chats.run_record import NullRecordStore, RecordOwner, RecordStore, RunRecord
from ..exceptions import BrokenRecordError, RecordNotKeptError, RecordReadError, RecordWriteError
from .file_record_store import FileRecordStore
from .task_identity import TaskIdentity, digest
from .task_state_record_store import TaskStateRecordStore

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..platforms.base import ChatPlatform

log = logging.getLogger(__name__)


def open_record(context: Context, *, inputs: Json, platform: ChatPlatform, report_path: str | None = None) -> RunRecord:
    """Return what earlier tries of this task, with the same typed ``inputs`` and on the same account, put on record.

    A record of another run, of other inputs or of another account does not count. Neither does the record of a
    task that was cleared after it had succeeded: the number of its tries has grown by then. Raises
    ``RecordReadError`` and ``RecordWriteError``.
    """
    identity = TaskIdentity.of(context)
    owner = RecordOwner(
        inputs=digest([inputs, platform.name, platform.account, platform.actor]),
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


def reopen_record(context: Context, *, report_path: str | None = None) -> RunRecord:
    """Return the record of this try, which opened and checked it before it was deferred."""
    return _read(record_store_of(context, report_path=report_path), owner=None)


def warn_of_volatile_record(context: Context, *, report_path: str | None) -> None:
    """Log once per run what a retry or a Clear will not know, and where a record would outlast it."""
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
    """Return the store of this task's record, the same one for every try.

    With a ``report_path`` it lies beside the report; else under ``[chattransfer] record_path``, where that is set; else
    in the task state store, which Airflow has since 3.3. Without any of these, nothing is kept.
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
