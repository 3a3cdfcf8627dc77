# SPDX-License-Identifier: Apache-2.0
"""The fault matrix, row by row: after each the sandbox's ledger, the run's record and the report agree chat by chat.

A row drives the platforms over real HTTP with ``run_transfers``, ``run_to_end`` and a ``RunRecord``, as the operators
do; what Airflow adds is in the last classes, with real tasks.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.chats.model import Json, TransferReport
from airflow_provider_chattransfer.chats.run_record import RunRecord
from airflow_provider_chattransfer.operators.transfer import TransferChatsOperator
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.polling import poll_until_done
from airflow_provider_chattransfer.platforms.superoffice.auth import Bearer
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.sandbox.bitrix24 import batch
from airflow_provider_chattransfer.testing.audit import MOVES
from tests.support.record_stores import Lines

from ..airflow.conftest import Sandbox, a_dag, run
from ..platforms.conftest import ClockedSandbox, one_at_a_time
from .matrix import BITRIX24, SENDING, SERVICES, SUPEROFFICE, Scene, run_alone, tell_time

TARGETS = ("agent:12", "queue")
MOVED = {"accepted", "requested"}
GIB = 2**30
MANY = {BITRIX24: 50_000, SUPEROFFICE: 2_000}


@pytest.fixture(autouse=True)
def one_clock(stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the worker the sandbox's clock unless a test says otherwise."""
    tell_time(monkeypatch, lambda: datetime.fromtimestamp(stage.now(), UTC))


@pytest.fixture(params=[(service, target) for service in SERVICES for target in TARGETS], ids="-".join)
def aim(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each service with each kind of target."""
    aim: tuple[str, str] = request.param
    return aim


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service in turn."""
    name: str = request.param
    return name


def some(service: str) -> dict[str, Any]:
    """How often a fault strikes: both batches of 60 chats, or eight of 25 single transfers."""
    return {"count": 2 if service == BITRIX24 else 8}


class TestAnAnswerIsLost:
    """Reply lost after apply, a gateway's 503 after apply and before: nobody is moved twice, nobody is left behind."""

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("drop_after", {}),
            ("hang_after", {"seconds": 0.02}),
            ("truncated_json", {}),
            ("wrong_content_type", {}),
            ("html_502_after", {}),
            ("html_503_after", {}),
        ],
    )
    def test_an_answer_lost_after_the_transfer_was_carried_out_moves_each_chat_once(
        self, stage: ClockedSandbox, aim: tuple[str, str], kind: str, options: dict[str, Any]
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target)
        stage.fault(kind=kind, service=service, method=scene.method, **some(service), **options)
        assert set(scene.holds(scene.attempt(), row=f"`{kind}`")) <= MOVED

    @pytest.mark.parametrize("kind", ["drop_before", "html_502_before", "html_503_before", "error_503"])
    def test_an_answer_lost_before_the_transfer_was_carried_out_moves_each_chat_once(
        self, stage: ClockedSandbox, aim: tuple[str, str], kind: str
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target)
        stage.fault(kind=kind, service=service, method=scene.method, **some(service))
        assert set(scene.holds(scene.attempt(), row=f"`{kind}`")) <= MOVED

    def test_two_lost_answers_in_twenty_batches_move_each_chat_once(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The measurement of the market survey: 2 of 20 batches, two of two clients moved 100 of 1,000 chats twice."""
        scene = Scene.set(stage, BITRIX24, number=1000)
        platform, sent = scene.platform(), []
        send = platform.send

        def sending(*arguments: Any) -> Any:
            sent.append(1)
            if len(sent) in (3, 14):
                stage.fault(kind="drop_after", service=BITRIX24, method=scene.method)
            return send(*arguments)

        monkeypatch.setattr(platform, "send", sending)
        assert scene.holds(scene.attempt(platform), row="`drop_after` in 2 of 20 batches") == {"accepted": 1000}


class TestASlowService:
    """Time in these tests runs a hundred times as fast: 0.6 s stand for the 60 s that Bitrix24 works at the most."""

    def test_a_slow_service_whose_batch_is_cut_half_way_through_moves_each_chat_once(
        self, stage: ClockedSandbox
    ) -> None:
        """1.3 s for each command, 65 s for a batch: the portal cuts it at 60 s, and has done what began by then."""
        operating = {"limit": 10**6, "seconds": {SENDING[BITRIX24, "agent:12"]: 1.3}}
        scene = Scene.set(stage, BITRIX24, operating=operating)
        assert scene.holds(scene.attempt(), row="batch of 65 s, cut at 60 s", struck=1) == {"accepted": 60}

    @pytest.mark.parametrize("kind", ["delay_before", "delay_after"])
    def test_a_slow_service_that_goes_on_when_the_connection_is_gone_moves_each_chat_once(
        self, stage: ClockedSandbox, aim: tuple[str, str], kind: str
    ) -> None:
        """Somebody between us cuts the connection, and the service carries out the request up to 60 s later."""
        service, target = aim
        scene = Scene.set(stage, service, target=target)
        stage.fault(kind=kind, service=service, method=scene.method, seconds=0.4, count=2)

        def sleep(seconds: float) -> None:
            time.sleep(seconds / 100)
            stage.sleep(seconds)

        report = scene.attempt(scene.platform(read_timeout=0.15), sleep=sleep)
        time.sleep(0.5)
        assert set(scene.holds(report, row=f"`{kind}`, the client gone")) <= MOVED

    def test_a_slow_service_that_answers_in_time_is_waited_for(
        self, stage: ClockedSandbox, aim: tuple[str, str]
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target)
        stage.fault(kind="delay_before", service=service, method=scene.method, seconds=0.12, count=2)
        assert set(scene.holds(scene.attempt(), row="`delay_before`, 12 s")) <= MOVED


class TestABatch:
    """SuperOffice has none."""

    def test_a_batch_that_halts_leaves_out_what_is_sent_in_the_next_one(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = batch.run_commands
        halted: list[int] = []

        def halting(params: Any, execute: Any) -> Any:
            results = run({**params, "halt": 1}, execute)
            halted.append(1 if results["result_error"] else 0)
            return results

        monkeypatch.setattr(batch, "run_commands", halting)
        locked = {"id": 221, "owner": 7, "locked_for": 1}
        chats = [{"id": 201 + index, "owner": 7} for index in range(60)]
        scene = Scene.set(stage, BITRIX24, chats=[locked if chat["id"] == 221 else chat for chat in chats])
        outcomes = scene.holds(scene.attempt(), row="batch that halts, keys missing", struck=sum(halted))
        assert outcomes == {"accepted": 60}
        assert sum(halted) == 1


class TestAStorm:
    """The service turns everything away for a while."""

    @pytest.mark.parametrize("seconds", [5, 30, 60])
    @pytest.mark.parametrize("kind", ["error_503", "html_503_before", "drop_before"])
    def test_a_storm_of_limits_is_outlasted(self, stage: ClockedSandbox, service: str, kind: str, seconds: int) -> None:
        scene = Scene.set(stage, service)
        stage.fault(kind=kind, service=service, for_seconds=seconds)
        assert set(scene.holds(scene.attempt(), row=f"`{kind}` for {seconds} s")) <= MOVED

    @pytest.mark.parametrize("kind", ["error_503", "html_503_before"])
    def test_a_storm_of_five_minutes_is_left_to_the_tasks_retry(
        self, stage: ClockedSandbox, service: str, kind: str
    ) -> None:
        scene = Scene.set(stage, service)
        stage.fault(kind=kind, service=service, for_seconds=300)
        report = scene.attempt()
        if report["counts"]["failed"]:
            assert stage.moved(service) == []
            stage.sleep(300)
            report = scene.attempt()
        assert set(scene.holds(report, row=f"`{kind}` for 300 s")) <= MOVED

    @pytest.mark.parametrize("told", [True, False])
    def test_a_block_for_operating_time_is_waited_out(self, stage: ClockedSandbox, told: bool) -> None:
        """480 s in ten minutes, spent after 48 transfers of 10 s; with ``operating_reset_at`` and without."""
        operating = {"limit": 480, "seconds": {SENDING[BITRIX24, "agent:12"]: 10}}
        switches = {"operating_in_time": told, "request_seconds": 0.0}
        scene = Scene.set(stage, BITRIX24, operating=operating, switches=switches)
        report = scene.attempt()
        tries = 1
        while report["counts"]["failed"] and tries < 4:
            stage.sleep(300)
            report, tries = scene.attempt(), tries + 1
        row = f"operating time used up, reset {'' if told else 'not '}told"
        assert set(scene.holds(report, row=row, struck=1)) <= MOVED


class TestAToken:
    """No connection renews a token by itself yet, so the rows of refresh tokens have nothing to test."""

    def test_a_token_of_superoffice_may_expire_in_the_middle_of_a_run(self, stage: ClockedSandbox) -> None:
        tokens = {"8A:Cust12345.new": 7}
        scene = Scene.set(stage, SUPEROFFICE, tokens=tokens)
        first, second = (as_agent_seven(stage, each) for each in ("8A:Cust12345.agent7", "8A:Cust12345.new"))
        transfer = first.client.transfer
        sent: list[str] = []

        def transferring(chat_id: str, *, to: str) -> Any:
            sent.append(chat_id)
            if len(sent) == 10:
                stage.fault(kind="token_expired", service=SUPEROFFICE)
            return transfer(chat_id, to=to)

        first.client.transfer = transferring  # type: ignore[method-assign]
        report = scene.attempt(first)
        assert report["counts"]["failed"] >= len(scene.chat_ids) - 9
        assert {each["reason"][:3] for each in report["transfers"] if each["reason"]} == {"not"}
        assert set(scene.holds(scene.attempt(second), row="token expires, a new one for the retry")) <= MOVED

    def test_a_webhook_may_expire_in_the_middle_of_a_run(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hooks = [{"user": 1, "code": "short", "expires_in": 60}, {"user": 1, "code": "secretcode"}]
        scene = Scene.set(stage, BITRIX24, webhooks=hooks)
        platform = stage.bitrix24(code="short")
        send = platform.send

        def sending(*arguments: Any) -> Any:
            sent = send(*arguments)
            stage.sleep(90)
            return sent

        monkeypatch.setattr(platform, "send", sending)
        report = scene.attempt(platform)
        assert report["counts"]["failed"] == 60
        assert len(stage.moved(BITRIX24)) == 50
        outcomes = scene.holds(scene.attempt(), row="webhook expires, a new one for the retry", struck=1)
        assert outcomes == {"accepted": 60}


def as_agent_seven(stage: ClockedSandbox, token: str) -> SuperOfficePlatform:
    """Return the tenant by a Bearer token of the chats' owner."""
    return SuperOfficePlatform(stage.web_api(Bearer(token)))


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two other processes."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        yield processes


class TestTwoRuns:
    """Two processes with the same plan, started together."""

    def test_two_runs_on_one_host_do_not_move_a_chat_twice(
        self, stage: ClockedSandbox, aim: tuple[str, str], processes: ProcessPoolExecutor
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target, people={"ignore": 1.0})
        for method in ("imopenlines.dialog.get", "ChatSessionsForUser"):
            stage.fault(kind="delay_after", method=method, seconds=0.2, count=4)
        runs = [
            processes.submit(run_alone, stage.url, service, target, name, time.time()) for name in ("evening", "again")
        ]
        both = [run.result(timeout=60) for run in runs]
        assert Counter(stage.moved(service)) == Counter(scene.chat_ids)
        for entries in zip(*(report["transfers"] for report in both), strict=True):
            assert {each["outcome"] for each in entries} <= {"accepted", "requested", "unchanged", "skipped"}
        scene.note(*both, row="two runs with the same plan", struck=1)


class TestTheReceiver:
    """Rejects, does not answer, is away, or accepts late, when what nobody took is being given to another."""

    @pytest.mark.parametrize("seed", range(3))
    def test_a_receiver_who_accepts_late_wins_or_is_reported(
        self, stage: ClockedSandbox, service: str, seed: int
    ) -> None:
        """Bitrix24: offered by a queue, then taken from it. SuperOffice: asked, while the sender has the chat still."""
        target, source = ("queue", "queue:3") if service == BITRIX24 else ("agent:12", "agent:7")
        people = {"accept_after": [1, 40], "reject": 0.2, "ignore": 0.2, "agents": {"15": {"accept_after": [1, 5]}}}
        scene = Scene.set(stage, service, target=target, seed=seed, people=people)
        first = waited(scene, scene.attempt(), seconds=15)
        waiting = [each["chat_id"] for each in first["transfers"] if each["outcome"] == "requested"]
        scene.note(first, row="20 % reject, 20 % ignore, the rest accept in 1 to 40 s; 15 s are given", struck=0)
        begin = stage.ledger(service)[-1]["number"]
        stage.sleep(10)
        fallback = Scene(stage, service, waiting, "agent:15", source)
        second = waited(fallback, fallback.attempt(), seconds=60)
        owners = {chat["id"]: f"agent:{chat['owner']}" for chat in stage.chats(service).values()}
        moved = [each for each in stage.ledger(service) if each["number"] > begin and each["change"] in MOVES]
        assert {each["chat_id"] for each in moved if each["request"]} <= set(waiting)
        late = [each for each in second["transfers"] if each["outcome"] == "skipped"]
        assert late, "nobody accepted late, so nothing is tested"
        for entry in late:
            assert entry["reason"] == f"no longer with {source}, now with {owners[entry['chat_id']]}"
        for entry in second["transfers"]:
            assert entry["outcome"] != "accepted" or owners[entry["chat_id"]] == "agent:15"
        for entry in first["transfers"]:
            takers = {
                each["after"]
                for each in stage.ledger(service)
                if each["change"] == "accepted" and each["chat_id"] == entry["chat_id"]
            }
            assert entry["outcome"] != "accepted" or owners[entry["chat_id"]] in takers
        fallback.note(second, row="10 s later, what nobody took goes to another", struck=len(late), since=begin)

    @pytest.mark.parametrize("accepts", ["never", "away"])
    def test_a_receiver_who_never_answers_is_waited_for_until_the_deadline(
        self, stage: ClockedSandbox, accepts: str
    ) -> None:
        people = {"ignore": 1.0} if accepts == "never" else {"leave_after": 0.001}
        scene = Scene.set(stage, SUPEROFFICE, people=people)
        report = waited(scene, scene.attempt(), seconds=30)
        assert scene.holds(report, row="receiver never answers, is away", struck=25) == {"requested": 25}


def waited(scene: Scene, report: Json, *, seconds: float) -> Json:
    """Return the report after a wait for acceptance."""
    poller = AcceptancePoller(
        TransferReport.from_json(report), deadline=(scene.now() + timedelta(seconds=seconds)).timestamp()
    )
    return poll_until_done(poller, scene.platform(), interval=1.0, now=scene.now, sleep=scene.stage.sleep).to_json()


class TestNothingHappens:
    """What the service does not do, or must not be asked to do."""

    def test_nothing_is_reported_moved_when_superoffice_accepts_a_transfer_by_a_stranger(
        self, stage: ClockedSandbox
    ) -> None:
        scene = Scene.set(stage, SUPEROFFICE)
        report = scene.attempt(SuperOfficePlatform(stage.web_api()))
        assert {each["reason"].partition(":")[0] for each in report["transfers"]} == {"not performed"}
        assert scene.holds(report, row="200 and nothing done", struck=25) == {"failed": 25}

    @pytest.mark.parametrize(
        ("chat", "end"),
        [
            ({"id": 201, "owner": 12}, ("unchanged", "")),
            ({"id": 201, "owner": 7, "state": "closed"}, ("skipped", "closed")),
            ({"id": 201, "owner": 8}, ("skipped", "no longer with agent:7, now with agent:8")),
            ({"id": 999, "owner": 7}, ("failed", "not there, or this account may not see it")),
        ],
        ids=["is with its target", "is closed", "is with somebody else", "is not there"],
    )
    def test_nothing_happens_to_a_chat_that(
        self, stage: ClockedSandbox, service: str, chat: dict[str, Any], end: tuple[str, str]
    ) -> None:
        scene = Scene.set(stage, service, chats=[chat])
        scene.chat_ids = ["201"]
        report = scene.attempt()
        scene.holds(report, row="with its target, closed, elsewhere, not there", struck=1)
        (entry,) = report["transfers"]
        assert entry["outcome"] == end[0]
        assert (entry["reason"] or "").startswith(end[1])
        assert stage.moved(service) == []

    @pytest.mark.parametrize(("seconds", "outcome"), [(10, "accepted"), (55, "failed")])
    def test_nothing_happens_while_bitrix24_keeps_a_chat_locked(
        self, stage: ClockedSandbox, seconds: int, outcome: str
    ) -> None:
        """SuperOffice has no lock. A run does not wait for one that lasts: a retry sends the chat."""
        scene = Scene.set(stage, BITRIX24, chats=[{"id": 201, "owner": 7, "locked_for": seconds}])
        scene.chat_ids = ["201"]
        assert scene.holds(scene.attempt(), row="lock held", struck=1) == {outcome: 1}


class TestClocks:
    """Five minutes apart: what the service's history shows is compared in the service's time."""

    @pytest.mark.parametrize("skew", [-300, 300])
    def test_clocks_that_disagree_do_not_decide_an_outcome(
        self, stage: ClockedSandbox, aim: tuple[str, str], skew: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target, people={"accept_after": [0, 0]})
        scene.skew = skew
        tell_time(monkeypatch, scene.now)
        stage.fault(kind="drop_after", service=service, method=scene.method, **some(service))
        assert set(scene.holds(scene.attempt(), row="clocks 5 min apart, `drop_after`")) <= MOVED

    @pytest.mark.parametrize("skew", [-300, 300])
    def test_clocks_that_disagree_do_not_prolong_the_wait_for_a_limit(
        self, stage: ClockedSandbox, skew: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operating = {"limit": 100, "seconds": {"imopenlines.dialog.get": 1}}
        scene = Scene.set(stage, BITRIX24, operating=operating, switches={"request_seconds": 0.0})
        scene.skew = skew
        tell_time(monkeypatch, scene.now)
        platform, begin = scene.platform(), stage.now()
        assert isinstance(platform, Bitrix24Platform)
        report = scene.attempt(one_at_a_time(platform))
        assert set(scene.holds(report, row="clocks 5 min apart, operating time", struck=1)) <= MOVED
        assert stage.now() - begin < 700, "the limit looks back ten minutes"


class Full(Lines):
    """A journal on a disk that is full after so many entries; the last one is cut off, as far as it is a file."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def append(self, entry: Json) -> None:
        if len(self.lines) >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(entry)


class TestTheRecord:
    """Disk full, object store down."""

    @pytest.mark.parametrize("room", range(2, 8))
    def test_a_record_that_cannot_be_written_stops_the_run_before_it_sends_more(
        self, stage: ClockedSandbox, aim: tuple[str, str], room: int
    ) -> None:
        service, target = aim
        scene = Scene.set(stage, service, target=target)
        scene.record_store = Full(room)
        with pytest.raises(OSError, match="No space left"):
            scene.attempt(chunk=10 if service == SUPEROFFICE else 20)
        record = RunRecord.read(scene.record_store)
        assert set(stage.moved(service)) <= set(record.sent) | set(record.results), "sent without its intent on record"
        scene.record_store.room = 10**6
        assert set(scene.holds(scene.attempt(), row="record full", struck=1)) <= MOVED

    def test_a_record_that_cannot_be_read_lets_nothing_be_sent(self, stage: ClockedSandbox, service: str) -> None:
        scene = Scene.set(stage, service)
        scene.record_store = Unreadable()
        with pytest.raises(OSError, match="out of reach"):
            scene.attempt()
        assert stage.moved(service) == []


class Unreadable(Lines):
    """An object store that is down."""

    def entries(self) -> Iterator[Json]:
        raise OSError("out of reach")


class TestAMappedTask:
    """With real Airflow tasks and their retries; ``tests/airflow/test_retries.py`` has tasks that are not mapped."""

    @pytest.mark.usefixtures("no_pauses")
    def test_a_mapped_task_retries_only_its_own_chats(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="the task state store came with Airflow 3.3")
        monkeypatch.setattr("airflow_provider_chattransfer.platforms.transport.MAX_ATTEMPTS", 2)
        chats = [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(20)]
        sandbox.reset(bitrix24={"chats": chats})
        sandbox.fault(kind="html_502_before", service="bitrix24", method="imopenlines.dialog.get", count=2)
        lists = [[{"chat_id": chat["id"], "to": "agent:12"} for chat in part] for part in (chats[:10], chats[10:])]
        with a_dag() as dag:
            TransferChatsOperator.partial(
                task_id="task", conn_id="bitrix24_default", retries=1, retry_delay=timedelta(0)
            ).expand(transfers=lists)
        assert run(dag).state == "success"
        assert sorted(sandbox.sent("bitrix24")) == [str(chat["id"]) for chat in chats]


class TestFiftyThousandChats:
    """In a process of its own that may not have more than 1 GiB; fewer chats where ``CHAOS`` is not set."""

    def test_fifty_thousand_chats_are_all_accounted_for(
        self, stage: ClockedSandbox, service: str, processes: ProcessPoolExecutor
    ) -> None:
        number = MANY[service] if "CHAOS" in os.environ else 500
        scene = Scene.set(stage, service, number=number, people={"ignore": 1.0})
        report = processes.submit(run_alone, stage.url, service, "agent:12", "many", time.time(), number, GIB).result()
        assert [entry["chat_id"] for entry in report["transfers"]] == scene.chat_ids
        scene.note(report, row="many chats, 1 GiB of memory", struck=0)
        assert Counter(stage.moved(service)) == Counter(scene.chat_ids)
