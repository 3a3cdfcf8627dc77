# SPDX-License-Identifier: Apache-2.0
"""The trigger on its own event loop, over real HTTP: what it waits for, what it says, and what it must not do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_chattransfer.chats import acceptance
from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.chats.model import TransferReport
from airflow_provider_chattransfer.chats.reconciliation import CLOSED_UNACCEPTED
from airflow_provider_chattransfer.exceptions import ChatsNotTransferredError, WaitInterruptedError
from airflow_provider_chattransfer.hooks.dispatch import open_platform
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatOperator
from airflow_provider_chattransfer.platforms.polling import poll_once
from airflow_provider_chattransfer.platforms.transport import MAX_ATTEMPTS
from airflow_provider_chattransfer.retry_decision import decide
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.tasks.wait_event import WaitEnded
from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger

from ..support.reports import outcomes, reasons
from .conftest import Sandbox
from .under_way import DESKS, NEVER, SOON, Bitrix24Desk, Desk, SuperOfficeDesk

SECRETS = ("secretcode", "chattransfer", "Tje0", "tje0", "Secret")
FAR = timedelta(seconds=20)


@pytest.fixture(params=DESKS, ids=lambda kind: kind.service)
def desk(sandbox: Sandbox, request: pytest.FixtureRequest) -> Desk:
    """Each service in turn."""
    kind: type[Desk] = request.param
    return kind(sandbox)


def trigger_for(desk: Desk, report: Mapping[str, Any], *, within: timedelta = FAR, **options: Any) -> Any:
    deadline = (datetime.now(UTC) + within).timestamp()
    options = {"conn_id": desk.conn_id, "poll_interval": 0.02, **options}
    return AcceptTransferTrigger(report=dict(report), deadline=deadline, **options)


async def first_event(trigger: AcceptTransferTrigger) -> Any:
    """Return the payload, as it comes out of the database."""
    async for event in trigger.run():
        return json.loads(json.dumps(event.payload))
    raise AssertionError("the trigger ended without an event")


async def all_events(trigger: AcceptTransferTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]


def rebuilt(trigger: AcceptTransferTrigger) -> AcceptTransferTrigger:
    """Return the trigger as a triggerer makes it from the database."""
    path, arguments = json.loads(json.dumps(trigger.serialize()))
    module, _, name = path.rpartition(".")
    again: AcceptTransferTrigger = getattr(import_module(module), name)(**arguments)
    return again


class TestTheWait:
    def test_the_wait_ends_once_when_all_have_accepted(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15, 12], **SOON))
        events = asyncio.run(all_events(trigger_for(desk, report)))
        assert [outcomes(event["report"]) for event in events] == [["accepted"] * 3]
        assert events[0]["error"] is None

    def test_the_wait_ends_at_the_deadline_with_the_rest_requested(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        desk.accept(201, 12)
        started = time.monotonic()
        event = asyncio.run(first_event(trigger_for(desk, report, within=timedelta(seconds=0.2), poll_interval=60)))
        assert outcomes(event["report"]) == ["accepted", "requested"]
        assert event["error"] is None
        assert 0.1 < time.monotonic() - started < 5

    def test_the_wait_whose_deadline_is_long_past_looks_once_more(self, desk: Desk) -> None:
        """A triggerer that was down for a while must not report what was true before."""
        report = desk.report(desk.open([12], **NEVER))
        desk.accept(201, 12)
        event = asyncio.run(first_event(trigger_for(desk, report, within=timedelta(hours=-1))))
        assert outcomes(event["report"]) == ["accepted"]

    def test_sees_a_rejection(self, sandbox: Sandbox) -> None:
        desk = SuperOfficeDesk(sandbox)
        report = desk.report(desk.open([12, 15], agents={"12": {"reject": 1.0, **SOON}, "15": SOON}))
        event = asyncio.run(first_event(trigger_for(desk, report)))
        assert outcomes(event["report"]) == ["failed", "accepted"]
        assert reasons(event["report"]) == ["rejected: agent:12 did not take it, agent:7 has it still", None]

    def test_sees_chats_that_are_closed_and_taken(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        desk.close(201)
        desk.take(202, 8)
        event = asyncio.run(first_event(trigger_for(desk, report)))
        assert outcomes(event["report"]) == ["failed", "failed"]
        assert reasons(event["report"]) == [CLOSED_UNACCEPTED, "not accepted by agent:15: agent:8 has it"]

    def test_remembers_who_accepted_before_the_chat_was_closed(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))

        async def accepted_then_closed() -> Any:
            waiting = asyncio.create_task(first_event(trigger_for(desk, report)))
            desk.accept(201, 12)
            await looked(desk, times=2)
            desk.close(201)
            await looked(desk, times=2)
            desk.accept(202, 15)
            return await waiting

        assert outcomes(asyncio.run(accepted_then_closed())["report"]) == ["accepted", "accepted"]

    def test_only_reads(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **SOON))
        before = desk.sandbox.sent(desk.service)
        asyncio.run(first_event(trigger_for(desk, report)))
        assert desk.sandbox.sent(desk.service) == before

    def test_the_wait_of_nothing_ends_without_a_request(self, desk: Desk) -> None:
        report = desk.report(desk.open([12], **NEVER))
        report["transfers"][0]["outcome"] = "unchanged"
        before = desk.requests
        assert outcomes(asyncio.run(first_event(trigger_for(desk, report)))["report"]) == ["unchanged"]
        assert desk.requests == before


class TestStartedAgain:
    def test_started_again_is_the_same_trigger_after_the_database(self) -> None:
        report = {"platform": "bitrix24", "transfers": []}
        trigger = AcceptTransferTrigger(
            conn_id="mine", report=report, deadline=1234.5, poll_interval=3.0, silent_fail=True
        )
        path, arguments = trigger.serialize()
        assert path == "airflow_provider_chattransfer.triggers.accept_transfer.AcceptTransferTrigger"
        assert arguments == {
            "conn_id": "mine",
            "report": report,
            "deadline": 1234.5,
            "poll_interval": 3.0,
            "ends_at": None,
            "silent_fail": True,
        }
        assert rebuilt(trigger).serialize() == trigger.serialize()

    def test_started_again_goes_on_to_the_same_end(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        trigger = trigger_for(desk, report)

        async def restarted() -> Any:
            first = asyncio.create_task(first_event(rebuilt(trigger)))
            desk.accept(201, 12)
            await looked(desk, times=2)
            first.cancel()
            desk.accept(202, 15)
            return await first_event(rebuilt(trigger))

        assert outcomes(asyncio.run(restarted())["report"]) == ["accepted", "accepted"]

    def test_started_again_keeps_the_deadline(self, desk: Desk) -> None:
        trigger = trigger_for(desk, desk.report(desk.open([12], **NEVER)), within=timedelta(seconds=0.2))
        asyncio.run(first_event(rebuilt(trigger)))
        started = time.monotonic()
        event = asyncio.run(first_event(rebuilt(trigger)))
        assert outcomes(event["report"]) == ["requested"]
        assert time.monotonic() - started < 0.2

    def test_twice_says_the_same_twice(self, desk: Desk) -> None:
        trigger = trigger_for(desk, desk.report(desk.open([12, 15], **SOON)))

        async def both() -> list[Any]:
            return list(await asyncio.gather(first_event(rebuilt(trigger)), first_event(rebuilt(trigger))))

        one, other = asyncio.run(both())
        assert one["report"]["transfers"] == other["report"]["transfers"]
        assert outcomes(one["report"]) == ["accepted", "accepted"]


class TestRequests:
    @pytest.mark.parametrize(("chats", "requests"), [(1, 1), (50, 1), (51, 2)])
    def test_fifty_chats_are_one_on_bitrix24(self, sandbox: Sandbox, chats: int, requests: int) -> None:
        desk = Bitrix24Desk(sandbox)
        self.look_at(desk, desk.open([12] * chats, **NEVER), requests=requests)

    def test_all_chats_are_one_on_superoffice(self, sandbox: Sandbox) -> None:
        desk = SuperOfficeDesk(sandbox)
        self.look_at(desk, desk.open([12] * 60, **NEVER), requests=1)

    @staticmethod
    def look_at(desk: Desk, transfers: list[dict[str, str]], *, requests: int) -> None:
        poller = AcceptancePoller(TransferReport.from_json(desk.report(transfers)), deadline=time.time() + 60)
        with open_platform(desk.conn_id) as platform:
            for _ in range(3):
                before = desk.requests
                assert not poll_once(poller, platform).done
                assert desk.requests - before == requests
        assert len(poller.chat_ids) == len(transfers)

    def test_requests_are_not_made_for_chats_that_are_settled(self, sandbox: Sandbox) -> None:
        desk = Bitrix24Desk(sandbox)
        transfers = desk.open([12] * 51, **NEVER)
        poller = AcceptancePoller(TransferReport.from_json(desk.report(transfers)), deadline=time.time() + 60)
        desk.accept(201, 12)
        with open_platform(desk.conn_id) as platform:
            poll_once(poller, platform)
            before = desk.requests
            poll_once(poller, platform)
        assert desk.requests - before == 1
        assert len(poller.chat_ids) == 50


class TestTrouble:
    @pytest.mark.parametrize("kind", ["drop_before", "drop_after", "html_502_before"])
    @pytest.mark.usefixtures("no_pauses")
    def test_trouble_with_a_few_reads_does_not_end_the_wait(self, desk: Desk, kind: str) -> None:
        """More in a row than the transport repeats, so that a whole look fails, and then another."""
        report = desk.report(desk.open([12, 15], **SOON))
        desk.break_off(kind, count=2 * MAX_ATTEMPTS + 1)
        before = desk.requests
        event = asyncio.run(first_event(trigger_for(desk, report)))
        assert outcomes(event["report"]) == ["accepted", "accepted"]
        assert desk.requests - before > 2 * MAX_ATTEMPTS

    def test_trouble_with_the_credentials_ends_it_at_once_with_the_report(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        desk.lock_out()
        before = desk.requests
        event = asyncio.run(first_event(trigger_for(desk, report)))
        assert event["error"]
        assert event["permanent"] is True
        assert outcomes(event["report"]) == ["requested", "requested"]
        assert desk.requests - before == 1

    @pytest.mark.usefixtures("no_pauses")
    def test_trouble_with_too_many_looks_in_a_row_ends_it_with_what_was_seen_before(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(acceptance, "MAX_FAILED_POLLS", 2)
        report = desk.report(desk.open([12, 15], **NEVER))
        desk.accept(201, 12)
        ended: list[Any] = []

        async def out_of_reach_later() -> None:
            going = asyncio.create_task(first_event(trigger_for(desk, report)))
            await looked(desk, times=3)
            desk.break_off("drop_before", count=100_000)
            ended.append(await going)

        asyncio.run(out_of_reach_later())
        assert ended[0]["error"]
        assert ended[0]["permanent"] is False
        assert outcomes(ended[0]["report"]) == ["accepted", "requested"]

    def test_trouble_with_the_credentials_later_keeps_what_was_seen(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))

        async def locked_out_later() -> Any:
            waiting = asyncio.create_task(first_event(trigger_for(desk, report)))
            desk.accept(201, 12)
            await looked(desk, times=3)
            desk.lock_out()
            return await waiting

        event = asyncio.run(locked_out_later())
        assert event["error"]
        assert outcomes(event["report"]) == ["accepted", "requested"]

    def test_trouble_with_a_connection_that_is_gone_is_in_the_event(self, desk: Desk) -> None:
        report = desk.report(desk.open([12], **NEVER))
        event = asyncio.run(first_event(trigger_for(desk, report, conn_id="nowhere")))
        assert "there is no connection 'nowhere'" in event["error"]
        assert event["permanent"] is True
        assert outcomes(event["report"]) == ["requested"]


class TestAUserWhoEndsTheTask:
    def test_a_user_who_ends_the_task_leaves_the_chats_as_they_are(self, desk: Desk) -> None:
        """Airflow cancels the trigger and then calls ``on_kill``, since 3.3."""
        report = desk.report(desk.open([12, 15], **NEVER))
        before = desk.sandbox.sent(desk.service)
        trigger = trigger_for(desk, report)

        async def ended() -> int:
            going = asyncio.create_task(first_event(trigger))
            await looked(desk, times=1)
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going
            requests = desk.requests
            await trigger.on_kill()
            return desk.requests - requests

        assert asyncio.run(ended()) == 0
        assert desk.sandbox.sent(desk.service) == before


class TestSecrets:
    def test_secrets_are_in_neither_arguments_nor_events(self, desk: Desk) -> None:
        trigger = trigger_for(desk, desk.report(desk.open([12, 15], **SOON)))
        told = json.dumps([trigger.serialize()[1], asyncio.run(first_event(trigger))])
        assert [secret for secret in SECRETS if secret in told] == []

    @pytest.mark.usefixtures("no_pauses")
    def test_secrets_are_not_in_the_error_of_an_event(self, desk: Desk) -> None:
        trigger = trigger_for(desk, desk.report(desk.open([12, 15], **NEVER)))
        desk.lock_out()
        told = asyncio.run(first_event(trigger))["error"]
        assert told
        assert [secret for secret in SECRETS if secret in told] == []


class TestTheEventLoop:
    def test_the_event_loop_is_not_blocked_by_a_slow_read(self, desk: Desk) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        desk.accept(201, 12)
        desk.accept(202, 15)
        desk.break_off("delay_after", seconds=0.3)

        async def beside_a_heartbeat() -> tuple[Any, list[float]]:
            beats: list[float] = []

            async def beat() -> None:
                while True:
                    await asyncio.sleep(0.005)
                    beats.append(time.monotonic())

            heart = asyncio.create_task(beat())
            event = await first_event(trigger_for(desk, report))
            heart.cancel()
            return event, beats

        event, beats = asyncio.run(beside_a_heartbeat())
        assert outcomes(event["report"]) == ["accepted", "accepted"]
        assert len(beats) > 20, "of the sixty that fit into the read; a loop that is blocked has a handful"

    @pytest.mark.parametrize("when", ["between two looks", "during a slow read"])
    def test_the_event_loop_is_left_clean_when_the_wait_is_cancelled(self, desk: Desk, when: str) -> None:
        report = desk.report(desk.open([12, 15], **NEVER))
        others = connections(desk)

        async def cancelled() -> None:
            waiting = asyncio.create_task(first_event(trigger_for(desk, report, poll_interval=30)))
            if when == "during a slow read":
                desk.break_off("delay_after", seconds=0.2)
            await looked(desk, times=1)
            await asyncio.sleep(0.05)
            ours = connections(desk) - others
            assert len(ours) == 1
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as stopped:
                await waiting
            async with asyncio.timeout(5):
                while connections(desk) & ours:
                    await asyncio.sleep(0.005)
            assert stopped.value.__cause__ is None
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(cancelled())


class TestTheEventAloneIsEnough:
    """The resume methods run in a new process, on an operator that has done nothing but be parsed."""

    def test_the_event_alone_is_enough_for_an_operator(self, desk: Desk) -> None:
        event = settled(desk, ["accepted", "requested"])
        task = TransferChatOperator(task_id="task", conn_id="nowhere", chat_id=1, to="agent:1")
        assert task.execute_complete(context(), event) == event["report"]

    def test_the_event_alone_is_enough_for_a_sensor(self, desk: Desk) -> None:
        event = settled(desk, ["accepted", "accepted"])
        task = AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[])
        assert task.execute_complete(context(), event) == event["report"]

    def test_the_event_alone_is_enough_for_a_sensor_whose_receivers_time_is_over(self, desk: Desk) -> None:
        event = settled(desk, ["accepted", "requested"])
        task = AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[], accept_within=FAR)
        assert task.execute_complete(context(), event) == event["report"]

    def test_the_event_alone_is_enough_for_a_sensor_that_times_out(self, desk: Desk) -> None:
        event = settled(desk, ["accepted", "requested"])
        task = AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[], timeout=5)
        here = context()
        with pytest.raises(AirflowSensorTimeout, match="1 transfers were not accepted within the timeout"):
            task.execute_complete(here, event)
        assert here["ti"].pushed == {"return_value": event["report"]}

    def test_when_too_many_failed(self, desk: Desk) -> None:
        event = settled(desk, ["accepted", "failed"])
        task = ReassignChatsOperator(task_id="task", conn_id="nowhere", chat_ids=[1], to=["agent:1"])
        here = context()
        with pytest.raises(ChatsNotTransferredError):
            task.execute_complete(here, event)
        assert here["ti"].pushed == {"return_value": event["report"]}

    def test_when_the_wait_broke_off(self, desk: Desk) -> None:
        event = {**settled(desk, ["accepted", "requested"]), "error": "imopenlines.dialog.get: no"}
        for task in (
            TransferChatOperator(task_id="task", conn_id="nowhere", chat_id=1, to="agent:1"),
            AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[]),
        ):
            here = context()
            words = r"broke off: imopenlines\.dialog\.get: no\. 1 transfers were not seen .* A retry goes on waiting$"
            with pytest.raises(WaitInterruptedError, match=words) as broken:
                task.execute_complete(here, event)
            assert here["ti"].pushed == {"return_value": event["report"]}
            assert not broken.value.permanent

    def test_when_the_wait_broke_off_for_good(self, desk: Desk) -> None:
        event = {**settled(desk, ["requested"]), "error": "no", "permanent": True}
        task = AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[])
        with pytest.raises(Exception, match="A retry would be turned away as well") as broken:
            task.execute_complete(context(), event)
        assert decide(broken.value).permanent or isinstance(broken.value, AirflowFailException)

    @pytest.mark.parametrize(
        "event",
        [None, "done", [], {}, {"report": None}, {"report": {}}, {"status": "success"}, {"report": {"transfers": []}}],
        ids=repr,
    )
    def test_and_one_that_is_not_the_triggers_is_an_error(self, event: Any) -> None:
        for task in (
            TransferChatOperator(task_id="task", conn_id="nowhere", chat_id=1, to="agent:1"),
            AcceptTransferSensor(task_id="task", conn_id="nowhere", transfers=[]),
        ):
            with pytest.raises(ValueError, match=r"not an event of AcceptTransferTrigger|not a transfer report"):
                task.execute_complete(context(), event)

    def test_and_is_read_as_it_was_written(self, desk: Desk) -> None:
        ended = WaitEnded.from_event(settled(desk, ["accepted", "requested"]))
        assert WaitEnded.from_event(json.loads(json.dumps(ended.to_event()))) == ended


class TaskInstance:
    """What a report is pushed to."""

    max_tries = 0

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def context() -> Any:
    return {"ti": TaskInstance()}


def settled(desk: Desk, outcomes: list[str]) -> dict[str, Any]:
    """Return the event of a wait that ended so."""
    report = desk.report({"chat_id": str(201 + place), "to": "agent:12"} for place in range(len(outcomes)))
    for entry, outcome in zip(report["transfers"], outcomes, strict=True):
        entry["outcome"] = outcome
    return WaitEnded(TransferReport.from_json(report)).to_event()


async def looked(desk: Desk, *, times: int) -> None:
    """Return when the trigger beside has made this many more requests."""
    enough = desk.requests + times
    async with asyncio.timeout(5):
        while desk.requests < enough:
            await asyncio.sleep(0.005)


def connections(desk: Desk) -> set[Any]:
    """Return the open connections to the sandbox, as it sees them."""
    return set(desk.sandbox.server._server.server_state.connections)
