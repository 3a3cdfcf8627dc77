# SPDX-License-Identifier: Apache-2.0
"""Where errands are run: the sandbox, a server before it that tampers with its answers, and nobody who waits."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.platforms import transport
from airflow_provider_chattransfer.platforms.coordination.pace import Pace
from airflow_provider_chattransfer.platforms.tokens.manager import TokenManager
from airflow_provider_chattransfer.sandbox.server import SandboxServer
from airflow_provider_chattransfer.testing.connections import as_environment, sandbox_connections
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox

from ..support.answers import Answers, Exchange, tampered
from ..support.record_stores import TaskStateStore
from ..support.ways_of_signing_in import WAYS
from .changes import Change, Tampering
from .errands import ERRANDS, Errand
from .judge import Ran

OURS = "airflow_provider_chattransfer"
MANY = {"requests_per_second": 1000, "burst": 100_000, "timeout": 5}


class Floor:
    """Runs errands, one after the other, each on a fresh sandbox."""

    def __init__(self, sandbox: ChatSandbox, answers: Answers, tokens: Path) -> None:
        self._sandbox = sandbox
        self._answers = answers
        self._tokens = tokens
        self.course = cache(self._course)
        self.pool = cache(self._pool)

    def run(self, errand: Errand, changes: Sequence[Change] = ()) -> Ran:
        """Run ``errand`` while the answers are changed."""
        for kept in self._tokens.iterdir():
            kept.unlink()
        self._sandbox.reset(**errand.scenarios())
        tampering = Tampering(changes)
        self._answers.begin()
        self._answers.tampering, self._answers.refusing = tampering, tampering.refusing
        ran = Ran()
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1, max_tries=1)
        ti.xcom_push = lambda key, value: ran.pushed.append(json.loads(json.dumps(value)))
        began = time.monotonic()
        with _logged(ran.logged):
            try:
                ran.result = errand.run({"ti": ti, "task_state_store": TaskStateStore()})
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                ran.error = error
        ran.seconds = time.monotonic() - began
        ran.requests, ran.told = len(self._answers.heard), tampering.told
        ran.changes, ran.chats = list(self._sandbox.ledger()), self._sandbox.chats(errand.service)
        return ran

    def _course(self, errand: Errand) -> tuple[Exchange, ...]:
        """Return the exchanges of an errand that nobody tampers with."""
        ran = self.run(errand)
        assert ran.error is None, (errand, ran.error, ran.logged)
        return tuple(exchange for exchange, _ in ran.told)

    def _pool(self, service: str) -> tuple[Exchange, ...]:
        """Return the exchanges of all errands, each answer once."""
        known = {repr(exchange.answer): exchange for errand in ERRANDS[service] for exchange in self.course(errand)}
        return tuple(known.values())


@contextmanager
def open_floor(server: SandboxServer, folder: Path) -> Iterator[Floor]:
    """Yield a floor with connections of its own, on which no pause takes time."""
    with tampered(server.url) as answers, pytest.MonkeyPatch.context() as patched:
        for name, value in as_environment(_connections(answers.url, folder)).items():
            patched.setenv(name, value)
        patched.setattr(f"{OURS}.chats.run.PAUSES_SECONDS", (0.0, 0.001, 0.001, 0.001))
        patched.setattr(f"{OURS}.chats.run.MAX_REQUEST_SECONDS", 0.0)
        patched.setattr(transport, "MAX_ATTEMPTS", 4)
        patched.setattr(transport.Transport, "pause", lambda *_: None)
        patched.setattr(transport, "_pause", lambda _: 0.001)
        defaults = {**(TokenManager.__init__.__kwdefaults__ or {}), "sleep": lambda _: None}
        patched.setattr(TokenManager.__init__, "__kwdefaults__", defaults)
        patched.setattr(Pace, "close_for", lambda *_, **__: None)
        yield Floor(ChatSandbox(url=server.url), answers, folder)


def _connections(url: str, folder: Path) -> dict[str, dict[str, Any]]:
    store = {**MANY, "token_store": "file", "token_store_at": str(folder)}
    connections = sandbox_connections(url)
    ways = {way.name: way for way in WAYS}
    connections["bitrix24_app"] = ways["bitrix24-oauth"].connection(url)
    online = ways["superoffice-refresh-token"]
    connections["superoffice_online"] = online.connection(url, agent_conn_id="superoffice_online_{agent}")
    for agent in (7, 8, 12, 15):
        connections[f"superoffice_online_{agent}"] = online.connection(url, user=f"agent{agent}")
    connections["superoffice_system"] = ways["superoffice-system-user"].connection(url)
    for each in connections.values():
        kept = store if "oauth" in str(each) or "refresh_token" in str(each) or "system" in str(each) else MANY
        each["extra"] = {**each.get("extra", {}), **kept}
    return connections


@contextmanager
def _logged(into: list[str]) -> Iterator[None]:
    """Yield what is logged by us, and by those whom we use."""

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(record.getMessage())

    handler, ours = Keeping(), logging.getLogger(OURS)
    loggers, before = (ours, logging.getLogger("urllib3"), logging.getLogger("requests")), (ours.level, ours.propagate)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for each in loggers:
        each.addHandler(handler)
    try:
        yield
    finally:
        ours.setLevel(before[0])
        ours.propagate = before[1]
        for each in loggers:
            each.removeHandler(handler)
