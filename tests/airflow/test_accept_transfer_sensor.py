# SPDX-License-Identifier: Apache-2.0
"""The sensor, and the operators' own wait, as real tasks over real HTTP: in all three ways, on both services."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowTaskTimeout
from airflow.sdk import Context
from airflow.triggers.base import TriggerEvent

from airflow_provider_chattransfer.chats import acceptance
from airflow_provider_chattransfer.chats.reconciliation import CLOSED_UNACCEPTED
from airflow_provider_chattransfer.exceptions import (
    ChatsNotTransferredError,
    CredentialsError,
    ResponseLostError,
    WaitInterruptedError,
)
from airflow_provider_chattransfer.operators.transfer import TransferChatsOperator
from airflow_provider_chattransfer.platforms.transport import MAX_ATTEMPTS
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.triggers.accept_transfer import AcceptTransferTrigger

from ..support.reports import outcomes, reasons
from .conftest import Ran, Sandbox, a_dag, run
from .under_way import DESKS, NEVER, SENDER, SOON, Bitrix24Desk, Desk, SuperOfficeDesk

WAYS: dict[str, dict[str, Any]] = {
    "poke": {},
    "reschedule": {"mode": "reschedule", "poll_interval": 0.001},
    "deferrable": {"deferrable": True},
}
ONE_SERVICE_EACH = pytest.mark.parametrize(
    ("desk", "way"),
    [(Bitrix24Desk, "poke"), (SuperOfficeDesk, "reschedule"), (Bitrix24Desk, "deferrable")],
    indirect=True,
    ids=["bitrix24-poke", "superoffice-reschedule", "bitrix24-deferrable"],
)
"""Each way of waiting on one service. All ways on both are in ``TestAcceptance``; what a service's state means to a
wait is in ``tests/unit/test_acceptance.py``, and a trigger on each service in ``test_accept_transfer_trigger.py``."""
LATER = {"accept_after": [0.25, 0.4]}
LONG = timedelta(seconds=20)
SHORT = timedelta(seconds=0.3)
HAS_STATE_STORE = importlib.util.find_spec("airflow.models.task_state_store") is not None


@pytest.fixture(params=DESKS, ids=lambda kind: kind.service)
def desk(sandbox: Sandbox, request: pytest.FixtureRequest) -> Desk:
    """Each service in turn."""
    kind: type[Desk] = request.param
    return kind(sandbox)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options for each way of waiting."""
    return WAYS[request.param]


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> list[AcceptTransferTrigger]:
    """Yield the triggers that are run."""
    triggers: list[AcceptTransferTrigger] = []
    wait = AcceptTransferTrigger.run

    async def noted(self: AcceptTransferTrigger) -> AsyncIterator[TriggerEvent]:
        triggers.append(self)
        async for event in wait(self):
            yield event

    monkeypatch.setattr(AcceptTransferTrigger, "run", noted)
    return triggers


class Meddled(AcceptTransferSensor):
    """A sensor between whose looks something happens: after each look the next of ``events``."""

    def __init__(self, *, events: Sequence[Callable[[], None]], **options: Any) -> None:
        super().__init__(**options)
        self.events = list(events)

    def poke(self, context: Context) -> Any:
        looked = super().poke(context)
        if self.events:
            self.events.pop(0)()
        return looked


def wait(desk: Desk, transfers: Any, **options: Any) -> Ran:
    sensor: Callable[..., Any] = Meddled if "events" in options else AcceptTransferSensor
    with a_dag() as dag:
        sensor(task_id="task", **{"conn_id": desk.conn_id, "transfers": transfers, "poll_interval": 0.02, **options})
    return run(dag)


class TestAcceptance:
    def test_acceptance_is_waited_for(self, desk: Desk, way: dict[str, Any], deferred: list[Any]) -> None:
        transfers = desk.open([12, 15, 12], **NEVER)

        def meanwhile() -> None:
            for chat, agent in ((201, 12), (202, 15), (203, 12)):
                desk.accept(chat, agent)

        ran = wait(desk, transfers, events=[meanwhile], **way)
        report = ran.results["task"]
        assert ran.state == "success"
        assert outcomes(report) == ["accepted"] * 3
        assert [(each["chat_id"], each["to"]) for each in report["transfers"]] == [
            (each["chat_id"], each["to"]) for each in transfers
        ]
        assert (report["platform"], report["conn_id"]) == (desk.service, desk.conn_id)
        assert len(deferred) == ("deferrable" in way)

    def test_acceptance_of_one_chat_is_waited_for(self, desk: Desk, way: dict[str, Any]) -> None:
        assert outcomes(wait(desk, desk.open([12], **SOON), **way).results["task"]) == ["accepted"]

    def test_acceptance_that_has_come_already_needs_no_triggerer(self, desk: Desk, deferred: list[Any]) -> None:
        transfers = desk.open([12], **NEVER)
        desk.accept(201, 12)
        assert outcomes(wait(desk, transfers, deferrable=True).results["task"]) == ["accepted"]
        assert deferred == []

    @ONE_SERVICE_EACH
    def test_acceptance_sends_nothing(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], **SOON)
        before = desk.sandbox.sent(desk.service)
        wait(desk, transfers, **way)
        assert desk.sandbox.sent(desk.service) == before == ["201", "202"]


class TestInput:
    @pytest.mark.parametrize("templated", [False, True])
    @ONE_SERVICE_EACH
    def test_input_can_be_the_report_of_another_task(self, desk: Desk, way: dict[str, Any], templated: bool) -> None:
        desk.reset(chats=[{"id": 201, "owner": SENDER}, {"id": 202, "owner": 12}], people=SOON)
        with a_dag() as dag:
            dag.render_template_as_native_obj = True
            moved = TransferChatsOperator(
                task_id="move",
                conn_id=desk.conn_id,
                transfers=[{"chat_id": 201, "to": "agent:12"}, {"chat_id": 202, "to": "agent:12"}],
            )
            options: dict[str, Any] = {"conn_id": desk.conn_id, "transfers": moved.output}
            if templated:
                options = {
                    "conn_id": "{{ params.conn_id }}",
                    "params": {"conn_id": desk.conn_id},
                    "transfers": "{{ ti.xcom_pull(task_ids='move') }}",
                }
            waited = AcceptTransferSensor(task_id="wait", **{"poll_interval": 0.02, **options, **way})
            moved >> waited
        ran = run(dag)
        assert ran.state == "success"
        assert outcomes(ran.results["move"]) == ["requested", "unchanged"]
        assert outcomes(ran.results["wait"]) == ["accepted", "unchanged"]
        assert ran.results["wait"]["started_at"] == ran.results["move"]["started_at"]
        assert ran.results["wait"]["transfers"][0]["from"] == "agent:7"

    @ONE_SERVICE_EACH
    def test_input_with_nothing_to_wait_for_makes_no_request(self, desk: Desk, way: dict[str, Any]) -> None:
        report = desk.report(desk.open([12], **NEVER))
        report["transfers"][0]["outcome"] = "skipped"
        before = desk.requests
        assert outcomes(wait(desk, report, **way).results["task"]) == ["skipped"]
        assert desk.requests == before

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"transfers": "201"}, "transfers: '201' is text, not a list"),
            ({"transfers": {"transfers": []}}, "not a transfer report"),
            ({"transfers": [{"chat_id": 201}]}, r"transfers\[0\].* is not a transfer"),
            ({"transfers": [{"chat_id": "x", "to": "agent:12"}]}, r"transfers\[0\]: chat_id: 'x'"),
            ({"transfers": [{"chat_id": 201, "to": "agnet:12"}]}, r"transfers\[0\]: to: 'agnet:12'"),
            (
                {"transfers": [{"chat_id": 201, "to": "agent:12"}, {"chat_id": "201", "to": "agent:15"}]},
                "chat 201 is to go to agent:15, and to agent:12",
            ),
            ({"accept_within": timedelta(0)}, "accept_within"),
            ({"accept_within": "soon"}, "accept_within: 'soon'"),
            ({"poll_interval": 0}, "poll_interval: 0"),
            ({"conn_id": "nowhere"}, "conn_id: there is no connection 'nowhere'"),
        ],
    )
    def test_input_that_is_wrong_is_an_error_that_names_it(
        self, desk: Desk, options: dict[str, Any], words: str
    ) -> None:
        transfers = desk.open([12], **NEVER)
        before = desk.requests
        ran = wait(desk, **{"transfers": transfers, **options})
        assert ran.state == "failed"
        assert isinstance(ran.errors["task"], ValueError)
        with pytest.raises(ValueError, match=words):
            raise ran.errors["task"]
        assert desk.requests == before

    def test_input_of_a_queue_is_an_error_on_superoffice(self, sandbox: Sandbox) -> None:
        ran = wait(SuperOfficeDesk(sandbox), [{"chat_id": 150, "to": "queue:3"}])
        with pytest.raises(ValueError, match="queue:3 is not possible on SuperOffice"):
            raise ran.errors["task"]

    def test_input_from_another_service_is_an_error(self, sandbox: Sandbox) -> None:
        desk = Bitrix24Desk(sandbox)
        report = desk.report(desk.open([12], **NEVER))
        ran = wait(SuperOfficeDesk(sandbox), report)
        with pytest.raises(
            ValueError,
            match=r"^transfers: the report is of bitrix24, and connection 'superoffice_default' of superoffice$",
        ):
            raise ran.errors["task"]


class TestTheReceiversTime:
    @ONE_SERVICE_EACH
    def test_over_is_success_with_the_rest_requested(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], agents={"12": SOON, "15": NEVER})
        ran = wait(desk, transfers, accept_within=timedelta(seconds=0.8), timeout=10, **way)
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["accepted", "requested"]
        assert ran.results["task"]["counts"]["requested"] == 1

    @ONE_SERVICE_EACH
    def test_shorter_than_the_timeout_wins(self, desk: Desk, way: dict[str, Any]) -> None:
        ran = wait(desk, desk.open([12], **NEVER), accept_within=SHORT, timeout=5, **way)
        assert (ran.state, outcomes(ran.results["task"])) == ("success", ["requested"])


class TestTheTimeout:
    @pytest.mark.parametrize("accept_within", [None, LONG])
    @ONE_SERVICE_EACH
    def test_the_timeout_fails_and_the_report_is_there(
        self, desk: Desk, way: dict[str, Any], accept_within: timedelta | None
    ) -> None:
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)
        ran = wait(desk, transfers, accept_within=accept_within, timeout=0.2, **way)
        assert ran.state == "failed"
        assert isinstance(ran.errors["task"], AirflowSensorTimeout)
        assert outcomes(ran.results["task"]) == ["accepted", "requested"]

    @ONE_SERVICE_EACH
    def test_skips_when_told_so_and_the_report_is_there(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)
        ran = wait(desk, transfers, timeout=0.2, soft_fail=True, **way)
        assert ran.states["task"] == "skipped"
        assert outcomes(ran.results["task"]) == ["accepted", "requested"]

    def test_the_timeout_of_the_task_as_a_whole_leaves_a_report_too(self, desk: Desk) -> None:
        ran = wait(desk, desk.open([12], **NEVER), execution_timeout=SHORT)
        assert isinstance(ran.errors["task"], AirflowTaskTimeout)
        assert outcomes(ran.results["task"]) == ["requested"]


class TestOtherEnds:
    def test_a_rejected_chat_is_failed_and_the_others_go_on(self, sandbox: Sandbox, way: dict[str, Any]) -> None:
        desk = SuperOfficeDesk(sandbox)
        transfers = desk.open([12, 15], agents={"12": {"reject": 1.0, **SOON}, "15": SOON})
        ran = wait(desk, desk.report(transfers), **way)
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["failed", "accepted"]
        assert reasons(ran.results["task"]) == ["rejected: agent:12 did not take it, agent:7 has it still", None]

    def test_when_all_are_rejected_the_task_fails_and_the_report_is_there(
        self, sandbox: Sandbox, way: dict[str, Any]
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        ran = wait(desk, desk.open([12, 15], reject=1.0, **SOON), **way)
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        assert outcomes(ran.results["task"]) == ["failed", "failed"]

    @ONE_SERVICE_EACH
    def test_a_chat_that_is_closed_before_is_failed(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], **NEVER)

        def meanwhile() -> None:
            desk.close(201)
            desk.accept(202, 15)

        ran = wait(desk, transfers, events=[meanwhile], **way)
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["failed", "accepted"]
        assert reasons(ran.results["task"]) == [CLOSED_UNACCEPTED, None]

    @ONE_SERVICE_EACH
    def test_a_chat_that_somebody_else_takes_is_failed(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], **NEVER)

        def meanwhile() -> None:
            desk.take(201, 8)
            desk.accept(202, 15)

        ran = wait(desk, transfers, events=[meanwhile], **way)
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["failed", "accepted"]
        assert reasons(ran.results["task"]) == ["not accepted by agent:12: agent:8 has it", None]


class TestAChatAcceptedAndThenClosed:
    def ends(self, desk: Desk) -> Mapping[str, Any]:
        """Chat 201 is accepted, seen so, and closed, before chat 202 is accepted."""
        return {
            "transfers": desk.open([12, 15], **NEVER),
            "events": [
                lambda: desk.accept(201, 12),
                lambda: desk.close(201),
                lambda: None,
                lambda: desk.accept(202, 15),
            ],
        }

    def test_a_chat_accepted_and_then_closed_stays_accepted_in_one_process(self, desk: Desk) -> None:
        assert outcomes(wait(desk, **self.ends(desk)).results["task"]) == ["accepted", "accepted"]

    def test_a_chat_accepted_and_then_closed_stays_accepted_for_a_rescheduled_sensor_that_can_remember(
        self, desk: Desk
    ) -> None:
        """Before 3.3 Airflow has no task state store to remember it in."""
        ran = wait(desk, **self.ends(desk), mode="reschedule")
        assert outcomes(ran.results["task"]) == ["accepted" if HAS_STATE_STORE else "failed", "accepted"]
        assert reasons(ran.results["task"]) == [None if HAS_STATE_STORE else CLOSED_UNACCEPTED, None]


class TestTrouble:
    @pytest.mark.parametrize("kind", ["drop_before", "html_502_before"])
    @pytest.mark.usefixtures("no_pauses")
    @ONE_SERVICE_EACH
    def test_trouble_with_a_few_reads_does_not_end_the_wait(self, desk: Desk, way: dict[str, Any], kind: str) -> None:
        """More in a row than the transport repeats, so that a whole look fails, and then another."""
        transfers = desk.open([12, 15], **SOON)
        desk.break_off(kind, count=2 * MAX_ATTEMPTS + 1)
        before = desk.requests
        ran = wait(desk, transfers, **way)
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["accepted", "accepted"]
        assert desk.requests - before > 2 * MAX_ATTEMPTS + 1

    @pytest.mark.usefixtures("no_pauses")
    @ONE_SERVICE_EACH
    def test_until_the_time_is_over_leaves_a_report(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12], **NEVER)
        desk.break_off("html_502_before", count=100_000)
        ran = wait(desk, transfers, accept_within=SHORT, **way)
        assert (ran.state, outcomes(ran.results["task"])) == ("success", ["requested"])

    @ONE_SERVICE_EACH
    def test_trouble_with_the_credentials_ends_it_at_once_and_the_report_is_there(
        self, desk: Desk, way: dict[str, Any]
    ) -> None:
        transfers = desk.open([12, 15], **NEVER)
        desk.lock_out()
        before = desk.requests
        ran = wait(desk, transfers, **way)
        assert ran.state == "failed"
        assert isinstance(ran.errors["task"], CredentialsError)
        assert outcomes(ran.results["task"]) == ["requested", "requested"]
        assert desk.requests - before == 1

    @ONE_SERVICE_EACH
    def test_trouble_with_the_credentials_after_a_while_ends_it_too(self, desk: Desk, way: dict[str, Any]) -> None:
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)
        ran = wait(desk, transfers, events=[desk.lock_out], **way)
        remembers = HAS_STATE_STORE or way.get("mode") != "reschedule"
        assert ran.state == "failed"
        assert outcomes(ran.results["task"]) == ["accepted" if remembers else "requested", "requested"]

    @pytest.mark.usefixtures("no_pauses")
    @ONE_SERVICE_EACH
    def test_trouble_with_too_many_looks_in_a_row_ends_it_and_the_report_is_there(
        self, desk: Desk, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before 3.3 a rescheduled sensor, which is a new process at every look, cannot count them."""
        monkeypatch.setattr(acceptance, "MAX_FAILED_POLLS", 3)
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)
        desk.break_off("html_502_before", count=100_000)
        ran = wait(desk, transfers, timeout=30 if HAS_STATE_STORE else 1, **way)
        counts = HAS_STATE_STORE or way.get("mode") != "reschedule"
        assert ran.state == "failed"
        assert isinstance(
            ran.errors["task"], (ResponseLostError, WaitInterruptedError) if counts else AirflowSensorTimeout
        )
        assert outcomes(ran.results["task"]) == ["requested", "requested"]

    @pytest.mark.usefixtures("no_pauses")
    @ONE_SERVICE_EACH
    def test_trouble_that_ends_it_lets_a_retry_look_as_often_again(
        self, desk: Desk, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(acceptance, "MAX_FAILED_POLLS", 3)
        transfers = desk.open([12], **NEVER)
        desk.accept(201, 12)
        desk.break_off("html_502_before", count=5 * MAX_ATTEMPTS)
        ran = wait(desk, transfers, retries=1, retry_delay=timedelta(0), **way)
        assert (ran.state, outcomes(ran.results["task"])) == ("success", ["accepted"])

    @pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow has no task state store before 3.3")
    @pytest.mark.usefixtures("no_pauses")
    @ONE_SERVICE_EACH
    def test_trouble_that_ends_it_lets_a_retry_keep_what_was_seen(
        self, desk: Desk, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Chat 201 is closed when the retry looks."""
        monkeypatch.setattr(acceptance, "MAX_FAILED_POLLS", 1)
        transfers = desk.open([12, 15], **NEVER)
        desk.accept(201, 12)

        def meanwhile() -> None:
            desk.close(201)
            desk.accept(202, 15)
            desk.break_off("html_502_before", count=MAX_ATTEMPTS)

        ran = wait(desk, transfers, events=[meanwhile], retries=1, retry_delay=timedelta(0), **way)
        assert (ran.state, outcomes(ran.results["task"])) == ("success", ["accepted", "accepted"])

    @pytest.mark.parametrize("when", ["at the first look", "later"])
    @ONE_SERVICE_EACH
    def test_trouble_with_the_credentials_skips_a_sensor_that_must_never_fail(
        self, desk: Desk, way: dict[str, Any], when: str
    ) -> None:
        ran = self.locked_out(desk, when, never_fail=True, **way)
        assert ran.states["task"] == "skipped"
        assert outcomes(ran.results["task"]) == ["requested", "requested"]

    @pytest.mark.parametrize("when", ["at the first look", "later"])
    @ONE_SERVICE_EACH
    def test_trouble_with_the_credentials_does_not_end_a_sensor_that_fails_silently(
        self, desk: Desk, way: dict[str, Any], when: str
    ) -> None:
        """Its time does."""
        within = timedelta(seconds=0.6)
        ran = self.locked_out(desk, when, silent_fail=True, accept_within=within, timeout=20, **way)
        assert ran.states["task"] == "success"
        assert outcomes(ran.results["task"]) == ["requested", "requested"]

    @pytest.mark.parametrize("when", ["at the first look", "later"])
    @ONE_SERVICE_EACH
    def test_trouble_with_the_credentials_is_no_timeout_so_that_soft_fail_does_not_hide_it(
        self, desk: Desk, way: dict[str, Any], when: str
    ) -> None:
        ran = self.locked_out(desk, when, soft_fail=True, **way)
        assert ran.states["task"] == "failed"
        assert outcomes(ran.results["task"]) == ["requested", "requested"]

    @staticmethod
    def locked_out(desk: Desk, when: str, **options: Any) -> Ran:
        transfers = desk.open([12, 15], **NEVER)
        if when == "later":
            return wait(desk, transfers, events=[desk.lock_out], **options)
        desk.lock_out()
        return wait(desk, transfers, **options)


@pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow has no task state store before 3.3")
class TestWhatASensorRemembers:
    def test_what_a_sensor_remembers_of_thousands_of_chats_fits_into_the_store(self, sandbox: Sandbox) -> None:
        """Airflow's limit for a value is 64 kB, some eight hundred chats."""
        desk = Bitrix24Desk(sandbox)
        chats = [{"id": 1000 + each, "owner": 12} for each in range(1500)]
        desk.reset(chats=chats, people=NEVER)
        store: dict[str, Any] = {}
        report = self.looks(desk, [{"chat_id": each["id"], "to": "agent:12"} for each in chats], store)
        assert report["counts"]["accepted"] == 1500
        assert max(len(json.dumps(value)) for value in store.values()) < 65_535

    def test_what_a_sensor_remembers_counts_no_more_once_a_sensor_that_succeeded_is_cleared(
        self, sandbox: Sandbox
    ) -> None:
        desk = Bitrix24Desk(sandbox)
        transfers = desk.open([12], **NEVER)
        desk.accept(201, 12)
        store: dict[str, Any] = {}
        assert outcomes(self.looks(desk, transfers, store)) == ["accepted"]
        desk.take(201, 8)
        with pytest.raises(ChatsNotTransferredError):
            self.looks(desk, transfers, store, max_tries=1)

    def test_what_a_sensor_remembers_is_also_what_the_triggerer_saw_before_the_wait_broke_off(
        self, sandbox: Sandbox
    ) -> None:
        desk = Bitrix24Desk(sandbox)
        transfers = desk.open([12, 15], **NEVER)
        seen = desk.report(transfers)
        seen["transfers"][0]["outcome"] = "accepted"
        store: dict[str, Any] = {}
        sensor = AcceptTransferSensor(task_id="task", conn_id=desk.conn_id, transfers=transfers)
        with pytest.raises(WaitInterruptedError):
            sensor.execute_complete(self.context(store), {"report": seen, "error": "out of reach"})
        desk.accept(201, 12)
        desk.close(201)
        desk.accept(202, 15)
        assert outcomes(self.looks(desk, transfers, store)) == ["accepted", "accepted"]

    @classmethod
    def looks(cls, desk: Desk, transfers: Any, store: dict[str, Any], *, max_tries: int = 0) -> Any:
        sensor = AcceptTransferSensor(task_id="task", conn_id=desk.conn_id, transfers=transfers)
        return sensor.execute(cls.context(store, max_tries=max_tries))

    @staticmethod
    def context(store: dict[str, Any], *, max_tries: int = 0) -> Any:
        kept = SimpleNamespace(get=store.get, set=store.__setitem__)
        return {"ti": SimpleNamespace(max_tries=max_tries, xcom_push=lambda **_: None), "task_state_store": kept}


class TestOperatorsThatWait:
    def test_deferred_report_who_accepted(self, desk: Desk, deferred: list[AcceptTransferTrigger]) -> None:
        desk.reset(chats=[{"id": 201, "owner": SENDER}, {"id": 202, "owner": SENDER}], people=LATER)
        ran = self.moved(desk, ["agent:12", "agent:15"])
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["accepted", "accepted"]
        assert len(deferred) == 1

    def test_deferred_succeed_when_the_receivers_time_is_over(self, desk: Desk, deferred: list[Any]) -> None:
        desk.reset(
            chats=[{"id": 201, "owner": SENDER}, {"id": 202, "owner": SENDER}],
            people={"agents": {"15": NEVER}, **LATER},
        )
        ran = self.moved(desk, ["agent:12", "agent:15"], accept_within=timedelta(seconds=0.8))
        assert ran.state == "success"
        assert outcomes(ran.results["task"]) == ["accepted", "requested"]
        assert len(deferred) == 1

    def test_deferred_fail_by_the_same_threshold(self, sandbox: Sandbox, deferred: list[Any]) -> None:
        desk = SuperOfficeDesk(sandbox)
        desk.reset(
            chats=[{"id": 201, "owner": SENDER}, {"id": 202, "owner": SENDER}],
            people={"agents": {"15": {"reject": 1.0}}, **LATER},
        )
        ran = self.moved(desk, ["agent:12", "agent:15"])
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        assert outcomes(ran.results["task"]) == ["accepted", "failed"]
        assert len(deferred) == 1

    def test_deferred_put_no_secret_anywhere(self, desk: Desk, deferred: list[AcceptTransferTrigger]) -> None:
        desk.reset(chats=[{"id": 201, "owner": SENDER}], people=LATER)
        ran = self.moved(desk, ["agent:12"])
        told = json.dumps([ran.results, *(trigger.serialize()[1] for trigger in deferred)])
        assert deferred
        assert [secret for secret in ("secretcode", "chattransfer", "Tje0", "tje0", "Secret") if secret in told] == []

    @staticmethod
    def moved(desk: Desk, to: Sequence[str], **options: Any) -> Ran:
        transfers = [{"chat_id": 201 + place, "to": target} for place, target in enumerate(to)]
        with a_dag() as dag:
            TransferChatsOperator(
                task_id="task",
                conn_id=desk.conn_id,
                transfers=transfers,
                wait_for_acceptance=True,
                deferrable=True,
                poll_interval=0.02,
                **options,
            )
        return run(dag)
