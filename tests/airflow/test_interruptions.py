# SPDX-License-Identifier: Apache-2.0
"""A task that is told to stop, and one that is killed: what it still does, and where its retry goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import ChatsNotTransferredError
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

from .conftest import Ran, Sandbox, a_dag, run
from .under_way import NEVER, SENDER, Bitrix24Desk, Desk, SuperOfficeDesk

RECEIVER = 12
PLATFORMS: dict[type[Desk], type[ChatPlatform]] = {Bitrix24Desk: Bitrix24Platform, SuperOfficeDesk: SuperOfficePlatform}


@pytest.fixture(params=PLATFORMS, ids=lambda kind: kind.service)
def desk(sandbox: Sandbox, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Each service in turn, with a connection called ``receiver`` of the one who is asked."""
    kind: type[Desk] = request.param
    if kind is SuperOfficeDesk:
        receiver = sandbox.connections()["superoffice_default"]
    else:
        receiver = {**sandbox.connections()["bitrix24_default"], "login": "12", "password": "secretcode12"}
    monkeypatch.setenv("AIRFLOW_CONN_RECEIVER", json.dumps(receiver))
    return kind(sandbox)


class Killed(BaseException):
    """Nothing after it is done, as after SIGKILL."""


@pytest.fixture
def around(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let something happen before or after a method of the platform, the first time."""

    def happens(
        method: str, *, before: Callable[[], Any] | None = None, after: Callable[[], Any] | None = None
    ) -> None:
        platform = PLATFORMS[type(desk)]
        original, calls = getattr(platform, method), []

        def called(self: Any, *arguments: Any, **options: Any) -> Any:
            calls.append(method)
            first = len(calls) == 1
            if first and before is not None:
                before()
            answer = original(self, *arguments, **options)
            if first and after is not None:
                after()
            return answer

        monkeypatch.setattr(platform, method, called)

    return happens


def killed() -> None:
    raise Killed


@pytest.fixture
def sigterm() -> Iterator[Callable[[], None]]:
    """Send this process what Airflow's supervisor sends to a task that is to stop; the task's handler gets it."""
    handler = signal.getsignal(signal.SIGTERM)
    yield lambda: os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, handler)


class TestATaskThatIsToldToStop:
    """By a real signal, which Airflow's own handler turns into ``on_kill``."""

    def test_a_task_that_is_told_to_stop_sends_nothing_more_and_accounts_for_every_chat(
        self, desk: Desk, around: Callable[..., None], sigterm: Callable[[], None]
    ) -> None:
        self.reset(desk)
        around("send", after=sigterm)
        ran = self.run_transfers(desk)
        counts = ran.results["task"]["counts"]
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        sent = desk.sandbox.sent(desk.service)
        assert len(sent) == 50
        assert (counts["requested"], counts["failed"]) == (50, 20)
        assert {each["reason"] for each in ran.results["task"]["transfers"]} == {None, "not sent: the task was stopped"}

    def test_a_task_that_is_told_to_stop_goes_on_there_when_it_is_tried_again(
        self, desk: Desk, around: Callable[..., None], sigterm: Callable[[], None]
    ) -> None:
        self.reset(desk)
        around("send", after=sigterm)
        ran = self.run_transfers(desk, retries=1, retry_delay=timedelta(0))
        assert ran.state == "success"
        assert ran.results["task"]["counts"]["requested"] == 70
        assert sorted(desk.sandbox.sent(desk.service)) == [str(1000 + each) for each in range(70)]

    @staticmethod
    def reset(desk: Desk) -> None:
        desk.reset(chats=[{"id": 1000 + each, "owner": SENDER} for each in range(70)], people=NEVER)

    @staticmethod
    def run_transfers(desk: Desk, **options: Any) -> Ran:
        with a_dag() as dag:
            ReassignChatsOperator(
                task_id="task", conn_id=desk.conn_id, chat_ids=list(range(1000, 1070)), to=["agent:12"], **options
            )
        return run(dag)


class TestAnAcceptance:
    @pytest.fixture
    def store(self) -> dict[str, Any]:
        """Return the task state store, which outlives every try."""
        return {}

    @staticmethod
    def accept(store: dict[str, Any], *, max_tries: int = 0) -> Any:
        task = AcceptTransferOperator(task_id="task", conn_id="receiver", chat_id=201)
        kept = SimpleNamespace(get=store.get, set=store.__setitem__)
        ti = SimpleNamespace(max_tries=max_tries, xcom_push=lambda **_: None)
        context: Any = {"ti": ti, "task_state_store": kept}
        (entry,) = task.execute(context)["transfers"]
        return entry["outcome"], entry["to"]

    @pytest.mark.parametrize("when", ["after", "before"])
    def test_an_acceptance_that_was_killed_is_accepted_by_its_retry_and_not_unchanged(
        self, desk: Desk, around: Callable[..., None], store: dict[str, Any], when: str
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        around("accept", **{when: killed})
        with pytest.raises(Killed):
            self.accept(store)
        assert self.accept(store) == ("accepted", "agent:12")
        accepted = [each for each in desk.sandbox.ledger(desk.service) if each["change"] == "accepted"]
        assert len(accepted) == 1

    def test_an_acceptance_that_was_done_already_when_it_began_is_not_claimed(
        self, desk: Desk, store: dict[str, Any]
    ) -> None:
        """On SuperOffice nothing tells for whom it was, so that it is looked at for the connection's own user."""
        desk.open([RECEIVER], **NEVER)
        desk.accept(201, RECEIVER)
        assert self.accept(store)[0] == ("unchanged" if desk.service == "bitrix24" else "skipped")

    def test_an_acceptance_that_was_killed_before_the_chat_was_closed_is_not_known(
        self, desk: Desk, around: Callable[..., None], store: dict[str, Any]
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        around("accept", after=killed)
        with pytest.raises(Killed):
            self.accept(store)
        desk.close(201)
        with pytest.raises(ChatsNotTransferredError, match="closed, and nobody was seen to accept it before"):
            self.accept(store)

    def test_an_acceptance_that_was_killed_before_somebody_else_had_the_chat_is_not_known(
        self, desk: Desk, around: Callable[..., None], store: dict[str, Any]
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        around("accept", before=killed)
        with pytest.raises(Killed):
            self.accept(store)
        desk.take(201, 8)
        with pytest.raises(ChatsNotTransferredError, match="not known whether it was accepted") as failed:
            self.accept(store)
        assert failed.value.permanent

    def test_an_acceptance_that_is_done_is_not_done_again_when_airflow_did_not_learn_of_it(
        self, desk: Desk, store: dict[str, Any]
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        first = self.accept(store)
        desk.take(201, 8)
        assert self.accept(store) == first

    def test_an_acceptance_that_is_cleared_after_it_was_done_looks_anew(
        self, desk: Desk, store: dict[str, Any]
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        self.accept(store)
        desk.take(201, 8)
        assert self.accept(store, max_tries=1)[0] == "skipped"

    @pytest.mark.usefixtures("no_pauses")
    @pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
    def test_an_acceptance_whose_answer_is_lost_is_read_back(
        self, desk: Desk, store: dict[str, Any], kind: str
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        method = "imopenlines.operator.answer" if desk.service == "bitrix24" else "AcceptTransfer"
        desk.sandbox.fault(service=desk.service, method=method, kind=kind)
        if kind == "drop_before":
            with pytest.raises(ChatsNotTransferredError, match="not known whether it was accepted") as failed:
                self.accept(store)
            assert not failed.value.permanent
        assert self.accept(store)[0] == "accepted"

    def test_an_acceptance_that_is_told_to_stop_sends_nothing(
        self, desk: Desk, around: Callable[..., None], monkeypatch: Any
    ) -> None:
        desk.open([RECEIVER], **NEVER)
        task = AcceptTransferOperator(task_id="task", conn_id="receiver", chat_id=201)
        around("read_chats", after=task.on_kill)
        context: Any = {"ti": SimpleNamespace(max_tries=0, xcom_push=lambda **_: None)}
        with pytest.raises(ChatsNotTransferredError, match="not accepted: the task was stopped"):
            task.execute(context)
        assert [each for each in desk.sandbox.ledger(desk.service) if each["change"] == "accepted"] == []
