# SPDX-License-Identifier: Apache-2.0
"""Read the options that operators and the sensor share, from what a DAG author or a template gave."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from ..chats.inputs import as_number, as_seconds, as_switch, refuse_template, shown

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..platforms.base import SendOptions

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
"""Whether tasks wait in the triggerer unless their ``deferrable`` says otherwise."""

MIN_SECONDS = 0.001
"""Seconds that an interval, or the time that receivers have, must have at least."""

MAX_INTERVAL_SECONDS = 86_400.0
"""Seconds between two polls at most."""

MAX_ACCEPT_WITHIN_SECONDS = 366 * 86_400.0
"""Seconds that receivers may have at most."""

MAX_CONN_ID_LETTERS = 250
"""Letters of a connection's id, as Airflow's database keeps it."""

TEMPLATED_RECORDS = "chattransfer"
"""Name of the records of tasks whose ``report_path`` is a template: they lie in ``chattransfer.ledger``."""

TEMPLATE = re.compile(r"\{[{%#]")

CHANGES_EACH_TRY = re.compile(
    r"try_number|now|uuid|random|time\b|start_date|hostname|pid|log_url|job_id|(?:ti|task_instance)\.id\b"
)
"""Words of a template that renders to something else in the next try."""

SEND_SWITCHES = ("bot_leaves",)
"""Options of operators that only some services have; ``ChatPlatform.send_options`` says which."""

LOCAL_PROTOCOLS = ("", "file", "local")
"""The protocols under which an object-store path is a file of this machine."""


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How acceptance is waited for; times in seconds."""

    accept_within: float | None
    poll_interval: float
    deferrable: bool

    @classmethod
    def read(cls, task: Any) -> WaitOptions:
        """Read the options of an operator or a sensor; raises ``ValueError`` that names the wrong one."""
        within = task.accept_within
        return cls(
            accept_within=None
            if within is None
            else as_seconds(within, of="accept_within", least=MIN_SECONDS, most=MAX_ACCEPT_WITHIN_SECONDS),
            poll_interval=as_seconds(
                task.poll_interval, of="poll_interval", least=MIN_SECONDS, most=MAX_INTERVAL_SECONDS
            ),
            deferrable=as_switch(task.deferrable, of="deferrable"),
        )


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How chats are moved, without which and to whom. The run's record lies beside ``record_beside``.

    ``switches`` says of each of ``SEND_SWITCHES`` whether it is on.
    """

    conn_id: str
    switches: Mapping[str, bool]
    wait_for_acceptance: bool
    wait: WaitOptions
    dry_run: bool
    max_failed_ratio: float
    report_path: str | None
    record_beside: str | None

    @classmethod
    def read(cls, task: Any, context: Context) -> TransferOptions:
        """Read the options of an operator, without a request; raises ``ValueError`` that names the wrong one."""
        report_path = read_report_path(task, context)
        return cls(
            conn_id=as_conn_id(task.conn_id),
            switches={name: as_switch(getattr(task, name), of=name) for name in SEND_SWITCHES},
            wait_for_acceptance=as_switch(task.wait_for_acceptance, of="wait_for_acceptance"),
            wait=WaitOptions.read(task),
            dry_run=as_switch(task.dry_run_only, of="dry_run"),
            max_failed_ratio=as_number(task.max_failed_ratio, of="max_failed_ratio", least=0, most=1),
            report_path=report_path,
            record_beside=report_path and record_beside(task.report_path_as_written, report_path),
        )

    def send_options(self) -> SendOptions:
        """Return the switches that are on, for the platform."""
        from ..platforms.base import SendOptions

        return SendOptions(frozenset(name for name, is_on in self.switches.items() if is_on))


def as_conn_id(value: object) -> str:
    """Return the id of a connection; raises ``ValueError`` for what cannot be one."""
    refuse_template(value, of="conn_id")
    if (
        not isinstance(value, str)
        or not value.strip().isprintable()
        or not 0 < len(value.strip()) <= MAX_CONN_ID_LETTERS
    ):
        raise ValueError(f"conn_id: {shown(value)} is not the id of a connection")
    return value.strip()


def read_report_path(task: Any, context: Context) -> str | None:
    """Return where the task's report goes, and make its folder; ``None`` where it has no ``report_path``.

    Mapped tasks that were all given the same path get one each: ``report.json`` becomes ``report.2.json`` for the map
    index 2. Raises ``ValueError`` for a path that cannot be written.
    """
    if task.report_path is None or task.report_path == "":
        return None
    path = as_file_path(task.report_path, of="report_path")
    map_index = getattr(context["ti"], "map_index", -1)
    if map_index is None or map_index < 0 or not _is_path_shared(task):
        return path
    folder, slash, name = path.rpartition("/")
    file = PurePosixPath(name)
    own = f"{folder}{slash}{file.stem}.{map_index}{file.suffix}"
    return as_file_path(own, of="report_path")


def as_file_path(value: object, *, of: str) -> str:
    """Return a local or object-store path at which a file can be written, and make its folder; the file is not touched.

    Raises ``ValueError`` for a folder, for a path that may not be written, and for what is not a path.
    """
    from airflow.sdk import ObjectStoragePath

    refuse_template(value, of=of)
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise ValueError(f"{of}: {shown(value)} is not a path")
    if text.startswith("~"):
        raise ValueError(f"{of}: {shown(value)} begins with ~, which nobody resolves; write the whole path")
    try:
        file = ObjectStoragePath(text)
        is_folder = text.endswith("/") or file.is_dir()
        if not is_folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        is_local = file.protocol in LOCAL_PROTOCOLS
        is_special_file = not is_folder and is_local and _is_special_file(file.path)
        writable = not is_local or os.access(file.path if file.exists() else file.parent.path, os.W_OK)
    except Exception as problem:
        hint = "; check the path, and that the provider of its object store is installed" if "://" in text else ""
        raise ValueError(f"{of}: {shown(value)} cannot be written: {type(problem).__name__}{hint}") from None
    if is_folder:
        raise ValueError(f"{of}: {shown(value)} is a folder; name a file in it")
    if is_special_file:
        raise ValueError(f"{of}: {shown(value)} is no file, but a pipe, a device, or a link that leads nowhere")
    if not writable:
        raise ValueError(f"{of}: {shown(value)} may not be written by the user as whom Airflow runs here")
    return str.__str__(text)


def record_beside(written: object, rendered: str) -> str | None:
    """Return the path beside which the record lies, the same for every try; ``None`` where ``report_path`` names none.

    A template may give another path to each try (``{{ ti.try_number }}``, a time): the folder that is ``written``
    before it counts. Without such a folder ``rendered`` counts, unless the template names what changes.
    """
    if not isinstance(written, str) or (template := TEMPLATE.search(written)) is None:
        return rendered
    folder, slash, _ = written[: template.start()].rpartition("/")
    if folder.rstrip("/") and not folder.rstrip("/").endswith(":"):
        return f"{folder}/{TEMPLATED_RECORDS}"
    if template.start() and not slash:
        return TEMPLATED_RECORDS
    return None if CHANGES_EACH_TRY.search(written) else rendered


def _is_special_file(path: str) -> bool:
    """Tell whether ``path`` is there and is not a file; raises ``OSError`` for a name that the system refuses."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return os.path.islink(path)
    return not stat.S_ISREG(kind)


def _is_path_shared(task: Any) -> bool:
    """Tell whether all mapped tasks have the same ``report_path`` as ``task``.

    They have unless it was expanded or is a template that names the map index.
    """
    mapped = task.dag.task_dict.get(task.task_id) if task.has_dag() else None
    partial = getattr(mapped, "partial_kwargs", None)
    written = task.report_path_as_written if partial is None else partial.get("report_path")
    if not isinstance(written, str | os.PathLike):
        return False
    return not (TEMPLATE.search(path := str(written)) and "map_index" in path)
