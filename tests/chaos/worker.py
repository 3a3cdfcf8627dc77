# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.chaos.worker``: runs the tries of tasks, each in a process of its own that may be killed.

Importing Airflow takes seconds, so this process imports it once and forks for each try. It has one thread and no
connections, so that nothing is shared with a try but the code. A try is told by one line of JSON, see ``Try``; the
answer is one line that says how its process ended. What the try itself has to say is in a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import airflow_provider_chattransfer
from airflow_provider_chattransfer.tasks.task_state_record_store import TaskStateRecordStore

from .kills import Kill, Killer, Point
from .virtual import NOT_THE_PRODUCT, PRODUCT, VirtualTime


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a task.

    ``task`` names it, in the light kind by the folder of its state store. ``operator`` is a class of
    ``operators.transfer``, ``options`` its arguments. ``chunk`` replaces the platform's, so that a few chats are many
    pieces. ``skew`` and ``lag`` are those of its clock, see ``VirtualTime``. With ``airflow`` it is a task instance in
    a database, else ``execute`` with a state store in files.
    """

    url: str
    folder: str
    task: str
    service: str
    operator: str
    options: dict[str, Any]
    chunk: int
    kill: Kill | None = None
    skew: float = 0.0
    lag: float = 0.0
    airflow: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> Path:
        """Where the try leaves its report and how it ended."""
        return Path(self.folder, f"{self.task}.said.json")

    @property
    def host(self) -> Path:
        """The folder of temporary files of the worker's host: no other task runs there, unless the test says so."""
        host = Path(self.folder, f"{self.task}.host")
        host.mkdir(exist_ok=True)
        return host

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Try:
        """Read it back."""
        value = json.loads(line)
        kill = value.pop("kill")
        return cls(kill=kill and Kill(Point(kill["point"]), kill["nth"]), **value)


def main() -> int:
    """Fork for each line of stdin. With ``--airflow`` all is made that real tasks need, too."""
    _import_all()
    if "--airflow" in sys.argv:
        _make_api()
    _list_once()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _live(Try.from_json(line))
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
    return 0


def _import_all() -> None:
    import airflow.models  # noqa: F401
    from airflow.sdk import DAG, ObjectStoragePath  # noqa: F401

    for module in walk_packages(airflow_provider_chattransfer.__path__, PRODUCT):
        if not module.name.startswith((*NOT_THE_PRODUCT, f"{PRODUCT}__main__")):
            import_module(module.name)


def _list_once() -> None:
    """List chats of both services as a task would: what is made at the first use is made before the first fork."""
    from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator

    with tempfile.TemporaryDirectory() as folder:
        for service in ("bitrix24", "superoffice"):
            ReassignChatsOperator(
                task_id="task", conn_id=f"{service}_default", from_agents=[7], to=["agent:12"], dry_run=True
            ).execute(_context("listed", FileStore(Path(folder, service)), {}))
    assert threading.active_count() == 1


def _make_api() -> None:
    """Airflow's API for tasks, as far as it is no thread and no connection: building its routes takes seconds."""
    import asyncio

    import httpx
    from airflow.sdk.execution_time.supervisor import in_process_api_server
    from sqlalchemy.orm import configure_mappers

    from . import instance  # noqa: F401

    transport = httpx.ASGITransport(app=in_process_api_server().app)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
            await client.patch(f"/task-instances/{UUID(int=0)}/run", json={})

    with suppress(Exception):
        asyncio.run(ask())
    configure_mappers()
    assert threading.active_count() == 1


def _live(this: Try) -> None:
    """Run as the child process of a test."""
    code = 1
    try:
        os.environ.update(this.environment)
        tempfile.tempdir = str(this.host)
        VirtualTime(this.url, skew=this.skew, lag=this.lag).install()
        _cut_into(this.chunk)
        Killer(this.kill).watch()
        said = _airflow(this) if this.airflow else _light(this)
        this.said.write_text(json.dumps(said))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _cut_into(chunk: int) -> None:
    from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
    from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

    for platform in (Bitrix24Platform, SuperOfficePlatform):
        platform.chunk = chunk
        platform.max_chunk = chunk  # type: ignore[assignment,method-assign]


def _operator(this: Try) -> Callable[..., Any]:
    from airflow_provider_chattransfer.operators import transfer

    options = dict(this.options)
    if options.get("accept_within") is not None:
        options["accept_within"] = timedelta(seconds=options["accept_within"])
    operator = getattr(transfer, this.operator)
    return lambda **more: operator(task_id="task", conn_id=f"{this.service}_default", **options, **more)


class FileStore:
    """A task state store that outlives its process: one file for each key, whole or not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def get(self, key: str, default: Any = None) -> Any:
        file = self._file(key)
        return json.loads(file.read_text())[1] if file.exists() else default

    def set(self, key: str, value: Any) -> None:
        part = self._file(key).with_suffix(".part")
        part.write_text(json.dumps([key, value]))
        part.rename(self._file(key))

    def delete(self, key: str) -> None:
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _context(run_id: str, store: FileStore, pushed: dict[str, Any]) -> Any:
    """Return what ``execute`` is given; it pushes into ``pushed``."""

    def push(key: str, value: Any) -> None:
        pushed[key] = value

    ti = SimpleNamespace(
        dag_id="chaos", run_id=run_id, task_id="task", map_index=-1, max_tries=9, try_number=1, xcom_push=push
    )
    return {"ti": ti, "task_state_store": store}


def _light(this: Try) -> dict[str, Any]:
    """``execute`` with a context of its own."""
    pushed: dict[str, Any] = {}
    store = FileStore(Path(this.folder, f"{this.task}.store"))
    context = _context(this.task, store, pushed)
    said: dict[str, Any] = {"error": None}
    try:
        said["report"] = _operator(this)().execute(context)
    except Exception as error:
        said = {"report": pushed.get("return_value"), "error": "".join(traceback.format_exception(error))}
    return {**said, "record": _in_files(this) or list(TaskStateRecordStore(store).entries())}


def _in_files(this: Try) -> list[Any]:
    """Return the entries beside the report."""
    files = sorted(Path(this.folder).glob(f"{this.task}.report.json.ledger/*/*.jsonl"))
    texts = [file.read_text() for file in files]
    return [json.loads(text) for text in texts if text.endswith("\n")]


def _airflow(this: Try) -> dict[str, Any]:
    """Return the next try of the task's instance, which Airflow was told of when it was scheduled."""
    from .instance import next_try

    said = next_try(this.task, _operator(this))
    return {**said, "record": _in_files(this) or said["record"]}


if __name__ == "__main__":
    sys.exit(main())
