# SPDX-License-Identifier: Apache-2.0
"""Airflow tasks in a process of their own, with every logger at DEBUG, for ``test_canaries`` to search.

``python -m tests.chaos.canary_tasks <folder> <address of the sandbox>``, with a migrated database, leaves in the folder
all that tasks leave anywhere: rows of the database, reports and ledgers, and what could be printed, if somebody did:
triggers and their events, errors with all that is chained to them, and the objects that hold secrets. Logs go to its
output.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

from airflow_provider_chattransfer.chats.model import Outcome, Result, Target, Transfer, TransferReport
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.coordination.pace import Pace
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.transport import Transport
from airflow_provider_chattransfer.sandbox.faults import FaultKind
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.tasks.wait_event import WaitEnded
from airflow_provider_chattransfer.testing.sandbox import ChatSandbox
from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger

from ..airflow.conftest import Ran, a_dag, run
from .canaries import scenario, write_rows

SERVICES = ("bitrix24", "superoffice")
CHATS = {"bitrix24": (101, 102, 103), "superoffice": (150, 151, 152)}
"""Open chats of agent 7."""
TRANSFERS = {"bitrix24": "imopenlines.bot.session.transfer", "superoffice": "TransferChatSession"}
READS = {"bitrix24": "imopenlines.dialog.get", "superoffice": "ChatSessionsForUser"}
WAIT: dict[str, Any] = {"poll_interval": 0.05, "accept_within": timedelta(seconds=1)}
WAYS: dict[str, dict[str, Any]] = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
}
ONCE_MORE: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}
PACKAGE = "airflow_provider_chattransfer"


def main(folder: Path, url: str) -> None:
    """Live through everything, and write down what became of each task."""
    stories = Stories(folder, ChatSandbox(url=url))
    told: dict[str, Any] = {}
    with everything_at_debug(), no_pauses(), witnessed(folder):
        for name, story in stories.all().items():
            stories.sandbox.reset(**scenario())
            forget_claims()
            ran = story()
            write(folder / "errors.txt", *(chain for error in ran.errors.values() for chain in chained(error)))
            told[name] = {"states": ran.states, "struck": stories.struck()}
    dump_database(folder / "database.txt")
    (folder / "told.json").write_text(json.dumps(told, indent=1))


def forget_claims() -> None:
    """Let no story be held up by what the one before may still have under way; the sandbox has been reset."""
    for file in Path(tempfile.gettempdir()).glob("chattransfer-*/*"):
        file.unlink()


@dataclass(frozen=True, slots=True)
class Stories:
    """What tasks may live through; reports go into ``folder``."""

    folder: Path
    sandbox: ChatSandbox

    def all(self) -> dict[str, Callable[[], Ran]]:
        """Each story by its name."""
        faults = {kind.value: lambda kind=kind: self.fault(kind) for kind in FaultKind}
        mine = (self.everyday, self.refused, self.wrong_connections, self.crash)
        return {story.__name__: story for story in mine} | faults

    def everyday(self) -> Ran:
        """Every operator and every way of waiting, and all goes well."""
        with a_dag() as dag:
            for service in SERVICES:
                conn_id, (first, *others) = f"{service}_default", CHATS[service]
                whose: dict[str, Any] = {"conn_id": conn_id, "from_agents": ["7"]}
                one = TransferChatOperator(
                    task_id=f"{service}_one",
                    conn_id=conn_id,
                    chat_id=first,
                    to="agent:12",
                    report_path=self._path(service),
                )
                some = TransferChatsOperator(
                    task_id=f"{service}_some",
                    conn_id=conn_id,
                    transfers=[{"chat_id": chat, "to": "agent:12"} for chat in others],
                    wait_for_acceptance=True,
                    **WAIT,
                )
                dry_run_transfers = ReassignChatsOperator(
                    task_id=f"{service}_preview", to=["agent:8"], strategy="keep_together", dry_run=True, **whose
                )
                rest = ReassignChatsOperator(
                    task_id=f"{service}_rest",
                    to=["agent:12", "agent:15"],
                    strategy="least_loaded",
                    wait_for_acceptance=True,
                    deferrable=True,
                    **whose,
                    **WAIT,
                )
                waits = [
                    AcceptTransferSensor(
                        task_id=f"{service}_{way}", conn_id=conn_id, transfers=rest.output, **WAIT, **options
                    )
                    for way, options in WAYS.items()
                ]
                accept = AcceptTransferOperator(task_id=f"{service}_accept", conn_id=conn_id, chat_id=first)
                one >> some >> dry_run_transfers >> rest >> waits >> accept
        self.fires(*(f"{service}_default" for service in SERVICES))
        return run(dag)

    def refused(self) -> Ran:
        """Nobody there, and no such chat."""
        with a_dag() as dag:
            for service in SERVICES:
                conn_id, known = f"{service}_default", CHATS[service][0]
                for task_id, chat, to in (("nobody", known, "agent:99"), ("nothing", 999_999, "agent:12")):
                    TransferChatOperator(task_id=f"{service}_{task_id}", conn_id=conn_id, chat_id=chat, to=to)
                AcceptTransferOperator(task_id=f"{service}_accept", conn_id=conn_id, chat_id=999_999)
                for way, options in WAYS.items():
                    AcceptTransferSensor(
                        task_id=f"{service}_{way}",
                        conn_id=conn_id,
                        transfers=[{"chat_id": 999_999, "to": "agent:12"}],
                        **WAIT,
                        **options,
                    )
        return run(dag)

    def wrong_connections(self) -> Ran:
        """Those that nobody lets in, that lead nowhere, or that were filled in wrongly."""
        prefix = "AIRFLOW_CONN_"
        wrong = [name.removeprefix(prefix).lower() for name in os.environ if name.startswith(f"{prefix}WRONG_")]
        with a_dag() as dag:
            for conn_id in wrong:
                transfer: dict[str, Any] = {
                    "chat_id": CHATS["superoffice" if conn_id == "wrong_agents" else "bitrix24"][0],
                    "to": "agent:12",
                }
                TransferChatOperator(task_id=conn_id, conn_id=conn_id, **transfer)
                ReassignChatsOperator(task_id=f"{conn_id}_all", conn_id=conn_id, from_agents=["7"], to=["agent:12"])
                within = timedelta(seconds=0.1)
                AcceptTransferSensor(
                    task_id=f"{conn_id}_wait",
                    conn_id=conn_id,
                    transfers=[transfer],
                    accept_within=within,
                    poll_interval=0.05,
                )
        self.fires(*wrong)
        return run(dag)

    def crash(self) -> Ran:
        """Break in the middle, when chats were sent and not read back; the retry goes on from the record."""
        with a_dag() as dag:
            for service in SERVICES:
                for task_id, path in ((f"{service}_store", None), (f"{service}_files", self._path(f"{service}-crash"))):
                    ReassignChatsOperator(
                        task_id=task_id,
                        conn_id=f"{service}_default",
                        chat_ids=list(CHATS[service][:2] if path else CHATS[service][2:]),
                        to=["agent:12"],
                        report_path=path,
                        **ONCE_MORE,
                    )
        with first_sending_breaks(Bitrix24Platform), first_sending_breaks(SuperOfficePlatform):
            return run(dag)

    def fault(self, kind: FaultKind) -> Ran:
        """One kind of trouble with reads, which are repeated, and with transfers, more than one try gets over."""
        late = kind.default_seconds is not None
        how: dict[str, Any] = {"kind": kind, "seconds": 0.15} if late else {"kind": kind}
        with a_dag() as dag:
            for service in SERVICES:
                self.sandbox.fault(service=service, method=READS[service], count=2, **how)
                self.sandbox.fault(service=service, method=TRANSFERS[service], count=9, **how)
                ReassignChatsOperator(
                    task_id=service,
                    conn_id=f"{service}_{'impatient' if late else 'default'}",
                    chat_ids=list(CHATS[service]),
                    to=["agent:12"],
                    report_path=self._path(f"{service}-{kind}"),
                    **ONCE_MORE,
                )
        return run(dag)

    def fires(self, *conn_ids: str) -> None:
        """Let a trigger look at a chat by each of these connections."""

        async def first_event(trigger: AcceptTransferTrigger) -> None:
            await anext(trigger.run())

        for conn_id in conn_ids:
            now = datetime.now(UTC)
            result = Result(Transfer("101", Target.agent("12")), Outcome.REQUESTED)
            report = TransferReport(
                platform="bitrix24", conn_id=conn_id, results=(result,), started_at=now, finished_at=now
            )
            deadline = now.timestamp() + 0.1
            asyncio.run(
                first_event(
                    AcceptTransferTrigger(
                        conn_id=conn_id, report=report.to_json(), deadline=deadline, poll_interval=0.05
                    )
                )
            )

    def struck(self) -> int:
        """How many requests faults have struck since the reset."""
        faults = requests.get(f"{self.sandbox.url}/sandbox/faults", timeout=10).json()["faults"]
        return sum(fault["struck"] for fault in faults)

    def _path(self, name: str) -> str:
        return str(self.folder / "reports" / f"{name}.json")


@contextmanager
def first_sending_breaks(platform: type) -> Iterator[None]:
    """Carry out the first sending of each number of chats, then break."""
    send = platform.send  # type: ignore[attr-defined]
    broken: set[str] = set()

    def sending(self: Any, moves: Any, options: Any) -> Any:
        sent = send(self, moves, options)
        if (key := moves[0].transfer.chat_id) not in broken:
            broken.add(key)
            raise RuntimeError("a bug")
        return sent

    with patch.object(platform, "send", sending):
        yield


@contextmanager
def everything_at_debug() -> Iterator[None]:
    """No logger keeps anything back."""
    logging.getLogger().setLevel(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests", "charset_normalizer", "airflow", "asyncio", PACKAGE):
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield


@contextmanager
def no_pauses() -> Iterator[None]:
    """Retries without their pauses, and limits that are not waited out."""
    with (
        patch(f"{PACKAGE}.chats.run.PAUSES_SECONDS", (0.0, 0.01)),
        patch(f"{PACKAGE}.platforms.transport.MAX_ATTEMPTS", 3),
        patch(f"{PACKAGE}.retry_policy.MAX_DELAY_SECONDS", 0.1),
        patch(f"{PACKAGE}.platforms.transport._pause", lambda _: 0.01),
        patch.object(Pace, "close_for", lambda *_, **__: None),
        patch.object(Transport, "pause", lambda *_: None),
    ):
        yield


@contextmanager
def witnessed(folder: Path) -> Iterator[None]:
    """Write down what tasks hold in their hands and do not print."""
    calls: list[tuple[Any, str, str]] = [
        (AcceptTransferTrigger, "serialize", "triggers.txt"),
        (WaitEnded, "to_event", "events.txt"),
        (Transport, "_exchange", "objects.txt"),
        (Bitrix24Client, "authenticate", "objects.txt"),
        *((kind, name, "objects.txt") for kind in (Bitrix24Platform, SuperOfficePlatform) for name in PLATFORM_CALLS),
    ]
    with ExitStack() as stack:
        for owner, name, file in calls:
            stack.enter_context(patch.object(owner, name, _noting(getattr(owner, name), folder / file)))
        yield


PLATFORM_CALLS = ("find_agents_chats", "read_chats", "send", "accept", "transfer_history", "close")


def _noting(call: Callable[..., Any], file: Path) -> Callable[..., Any]:
    """``call``, with its arguments, its result and what its object consists of written to ``file``."""

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        result = call(self, *arguments, **named)
        holds = [repr(value) for value in getattr(self, "__dict__", {}).values()] if call.__name__ == "close" else []
        write(file, repr((arguments, named, result)), *holds)
        return result

    return noting


def chained(error: BaseException) -> list[str]:
    """Return an error with all that it is chained to, also where ``from None`` hides it."""
    links: list[BaseException | None] = [error]
    for link in links:
        if link is not None:
            links += [each for each in (link.__cause__, link.__context__) if each not in links]
    texts = [f"{link!r} {link} {link.args if link else ()}" for link in links]
    return [*texts, *traceback.format_exception(error)]


def write(file: Path, *lines: str) -> None:
    """Add ``lines`` to a file."""
    with file.open("a") as out:
        out.writelines(f"{line}\n" for line in lines)


def dump_database(file: Path) -> None:
    """Every row of every table, as text."""
    from airflow.utils.session import create_session

    with create_session() as session, file.open("w") as out:
        write_rows(session.connection(), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
