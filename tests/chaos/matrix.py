# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: a run with its record, the three books held against each other, and the table of all rows.

``python -m tests.chaos.matrix`` runs ``test_fault_matrix.py`` and prints the table, one row per fault.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.chats.model import Json, RetryAction, Target, Transfer, TransferReport
from airflow_provider_chattransfer.chats.run import run_transfers
from airflow_provider_chattransfer.chats.run_record import RunRecord
from airflow_provider_chattransfer.platforms import answer_headers, transport
from airflow_provider_chattransfer.platforms.account_lock import AccountLock
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.bitrix24 import client as bitrix24_client
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site
from airflow_provider_chattransfer.platforms.transport import Transport
from airflow_provider_chattransfer.testing.audit import MOVES, audit
from tests.support.paces import open_pace
from tests.support.record_stores import Lines

from ..platforms.conftest import SUPERVISOR, ClockedSandbox

BITRIX24, SUPEROFFICE = "bitrix24", "superoffice"
SERVICES = (BITRIX24, SUPEROFFICE)
NUMBER = {BITRIX24: 60, SUPEROFFICE: 25}
SENDING = {
    (BITRIX24, "agent:12"): "imopenlines.bot.session.transfer",
    (BITRIX24, "queue"): "imopenlines.bot.session.transfer",
    (SUPEROFFICE, "agent:12"): "TransferChatSession",
    (SUPEROFFICE, "queue"): "ResetChatSession",
}


@dataclass
class Tally:
    """What one run of a row of the matrix came to."""

    fault: str
    service: str
    struck: int
    chats: int
    outcomes: Counter[str]
    moved: int
    twice: int
    lost: int


TALLIES: list[Tally] = []
"""Of all rows that were run in this process."""


def tell_time(monkeypatch: pytest.MonkeyPatch, now: Callable[[], datetime]) -> None:
    """Let ``now`` be the worker's clock in the platforms, too."""
    clock = SimpleNamespace(time=lambda: now().timestamp(), monotonic=time.monotonic, sleep=time.sleep)
    for module in (bitrix24_client, answer_headers):
        monkeypatch.setattr(module, "time", clock)


@dataclass
class Scene:
    """Open chats of agent 7 on one service, a run over all of them, and the record that its tries share."""

    stage: ClockedSandbox
    service: str
    chat_ids: list[str]
    target: str = "agent:12"
    source: str = "agent:7"
    record_store: Any = field(default_factory=Lines)
    skew: float = 0.0

    @classmethod
    def set(
        cls,
        stage: ClockedSandbox,
        service: str,
        *,
        target: str = "agent:12",
        number: int = 0,
        seed: int = 1,
        **scenario: Any,
    ) -> Scene:
        """Return a fresh sandbox with ``number`` chats of agent 7."""
        number = number or NUMBER[service]
        chats = [{"id": 201 + index, "owner": 7} for index in range(number)]
        stage.reset(seed=seed, **{service: {"chats": chats, "people": {"accept_after": [0.1, 1]}, **scenario}})
        return cls(stage, service, [str(chat["id"]) for chat in chats], target)

    @property
    def method(self) -> str:
        """The method that sends these chats."""
        return SENDING[self.service, self.target]

    def now(self) -> datetime:
        """Return the worker's time: the sandbox's, ``skew`` seconds off."""
        return datetime.fromtimestamp(self.stage.now() + self.skew, UTC)

    def platform(self, **options: Any) -> ChatPlatform:
        """Return the service as the one who may move these chats sees it, by the stage's clock."""
        line = self.stage.transport(**options)
        if self.service == BITRIX24:
            return bitrix24(self.stage.url, line, clock=self.stage.now)
        return superoffice(self.stage.url, line)

    def attempt(
        self,
        platform: ChatPlatform | None = None,
        *,
        sleep: Callable[[float], None] | None = None,
        chunk: int | None = None,
    ) -> Json:
        """One try of the task, which goes on where its record ends; returns its report."""
        platform = platform or self.platform()
        record = RunRecord.read(self.record_store)
        if not record.has_plan:
            record.write_plan(transfers(self.chat_ids, self.target, source=self.source), now=self.now().timestamp())
        steps = run_transfers(record.plan, chunk=chunk or platform.chunk, record=record)
        results = run_to_end(steps, platform, record=record, sleep=sleep or self.stage.sleep, now=self.now).results
        return report_of(platform, results)

    def holds(self, report: Json, *, row: str, struck: int | None = None) -> Counter[str]:
        """Assert that report, record and the sandbox's ledger agree chat by chat; returns the outcomes.

        ``struck`` is how often the fault struck, where it is no fault of the sandbox's.
        """
        changes = self.stage.ledger(self.service)
        assert disagreements(report, record=RunRecord.read(self.record_store), changes=changes) == []
        assert [entry["chat_id"] for entry in report["transfers"]] == self.chat_ids
        outcomes = Counter(entry["outcome"] for entry in report["transfers"])
        self.note(report, row=row, struck=struck)
        return outcomes

    def note(self, *reports: Json, row: str, struck: int | None = None, since: int = 0) -> None:
        """Count this run, of which ``reports`` are all there are, in the table; ``since``: what was done before it."""
        entries = [entry for report in reports for entry in report["transfers"]]
        changes = [each for each in self.stage.ledger(self.service) if each["number"] > since and each["request"]]
        moves = Counter(each["chat_id"] for each in changes if each["change"] in MOVES)
        TALLIES.append(
            Tally(
                fault=row,
                service=self.service,
                struck=self.struck() if struck is None else struck,
                chats=len(self.chat_ids),
                outcomes=Counter(entry["outcome"] for entry in entries),
                moved=moves.total(),
                twice=sum(count > 1 for count in moves.values()),
                lost=len(set(self.chat_ids) - {entry["chat_id"] for entry in entries}),
            )
        )

    def struck(self) -> int:
        """How often the sandbox's faults have struck."""
        armed = requests.get(f"{self.stage.url}/sandbox/faults", timeout=10).json()
        faults = armed["faults"] if isinstance(armed, Mapping) else armed
        return sum(fault["struck"] for fault in faults)


def run_alone(url: str, service: str, target: str, name: str, since: float, number: int = 0, memory: int = 0) -> Json:
    """Return the report of a run in a process of its own, which takes its turn among the runs on this host.

    ``memory`` is how many bytes of addresses the process may have from here on.
    """
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    kind = bitrix24 if service == BITRIX24 else superoffice
    platform = kind(url, transport.Transport(pace=open_pace(), read_timeout=5.0))
    chat_ids = [str(201 + index) for index in range(number or NUMBER[service])]
    steps = run_transfers(transfers(chat_ids, target), chunk=platform.chunk)
    return report_of(
        platform, run_to_end(steps, platform, account_lock=AccountLock(url, run=name, since=since)).results
    )


def transfers(chat_ids: Sequence[str], target: str, *, source: str = "agent:7") -> list[Transfer]:
    """Transfers of chats that ``source`` has to ``target``."""
    return [Transfer(each, Target.parse(target), source=Target.parse(source)) for each in chat_ids]


def bitrix24(url: str, line: Transport, *, clock: Callable[[], float] = time.monotonic) -> Bitrix24Platform:
    """Return the portal by the administrator's webhook."""
    auth = Webhook(portal=url, user_id="1", code="secretcode", bot_client_id="chattransfer")
    return Bitrix24Platform(Bitrix24Client(auth=auth, transport=line, clock=clock))


def superoffice(url: str, line: Transport) -> SuperOfficePlatform:
    """Return the tenant as its supervisor reads it; each chat is sent as its owner."""

    def client(credentials: Basic) -> SuperOfficeClient:
        return SuperOfficeClient(address=Site(f"{url}/Cust12345"), auth=credentials, transport=line)

    return SuperOfficePlatform(
        client(SUPERVISOR), identities=lambda agent: client(Basic(f"agent{agent}", f"Secret{agent}"))
    )


def report_of(platform: ChatPlatform, results: Sequence[Any]) -> Json:
    """Return the report of a try that ends now."""
    now = datetime.now(UTC)
    return TransferReport(platform.name, "test", tuple(results), started_at=now, finished_at=now).to_json()


def disagreements(report: Json, *, record: RunRecord, changes: Sequence[Json]) -> list[str]:
    """Where the report, the record and the sandbox's ledger differ, one sentence for each chat and difference."""
    problems = audit(report, changes=changes)
    planned = [transfer.chat_id for transfer in record.plan]
    reported = [entry["chat_id"] for entry in report["transfers"]]
    if planned != reported:
        problems.append("the report does not have each planned chat once and in order")
    for entry in report["transfers"]:
        kept = record.results.get(entry["chat_id"])
        if kept is None or kept.to_json() != entry:
            problems.append(f"chat {entry['chat_id']} is {entry['outcome']}, and on record {kept}")
        elif entry["chat_id"] in record.sent and kept.retry is not RetryAction.READ_FIRST:
            problems.append(f"chat {entry['chat_id']} is settled, and its sending is still open on record")
    moves = Counter(each["chat_id"] for each in changes if each["request"] and each["change"] in MOVES)
    problems.extend(f"chat {chat_id} was moved {count} times" for chat_id, count in moves.items() if count > 1)
    reopened = {each["chat_id"] for each in changes if each["request"] and each["change"] == "reopened"}
    problems.extend(f"chat {chat_id} was opened again" for chat_id in reopened)
    return problems


HEAD = """| Fault | On | Runs | Struck | Chats | Outcomes | Moved | Moved twice | Lost |
|---|---|---|---|---|---|---|---|---|"""


def table(tallies: Sequence[Tally]) -> str:
    """One row for each fault, its runs on both services together, as Markdown."""
    rows: dict[str, list[Tally]] = {}
    for tally in tallies:
        rows.setdefault(tally.fault, []).append(tally)
    return "\n".join([HEAD, *(_row(fault, same) for fault, same in rows.items())])


def _row(fault: str, tallies: Sequence[Tally]) -> str:
    outcomes = Counter[str]()
    for tally in tallies:
        outcomes.update(tally.outcomes)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    services = {tally.service for tally in tallies}
    where = "both" if len(services) > 1 else {BITRIX24: "Bitrix24", SUPEROFFICE: "SuperOffice"}[services.pop()]
    struck, chats, moved, twice, lost = (
        str(sum(getattr(each, name) for each in tallies)) for name in ("struck", "chats", "moved", "twice", "lost")
    )
    return f"| {' | '.join([fault, where, str(len(tallies)), struck, chats, told, moved, twice, lost])} |"


def main() -> int:
    """Run all rows and print the table; the exit code is pytest's."""
    os.environ["CHAOS"] = "1"
    code = pytest.main([str(Path(__file__).parent / "test_fault_matrix.py"), "-q"])
    print(table(TALLIES))
    return int(code)


if __name__ == "__main__":
    from tests.chaos import matrix

    sys.exit(matrix.main())
