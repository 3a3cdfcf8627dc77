# SPDX-License-Identifier: Apache-2.0
"""Which failures Airflow's own retries repeat, after how long, and which they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_chattransfer.exceptions import (
    ChatsNotTransferredError,
    CredentialsError,
    NotFoundError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    TransferError,
    UnexpectedResponseError,
    UnreachableError,
    WaitInterruptedError,
)
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import (
    ReassignChatsOperator,
    TransferChatOperator,
    TransferChatsOperator,
)
from airflow_provider_chattransfer.platforms.transport import MAX_ATTEMPTS
from airflow_provider_chattransfer.retry_decision import decide
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.tasks.retries import HAS_RETRY_POLICIES, fail_for_good_if_permanent

from .conftest import Ran, Sandbox, a_dag, run
from .under_way import NEVER, SENDER, Bitrix24Desk, Desk, SuperOfficeDesk

LISTING = "im.recent.list"
needs_policies = pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="retry policies are there since Airflow 3.3")


def error(kind: type[PlatformError], **options: Any) -> PlatformError:
    return kind("trouble", method="read", **options)


PERMANENT: list[BaseException] = [
    ValueError("to: 'agnet:12' is not a target"),
    error(CredentialsError),
    error(RequestRefusedError),
    error(NotFoundError),
    error(UnexpectedResponseError),
    ChatsNotTransferredError("2 of 2 chats were not moved", retry_advice="no", permanent=True),
    WaitInterruptedError("no", open_chats=1, permanent=True),
]
PASSING: list[BaseException] = [
    error(RateLimitError),
    error(UnreachableError),
    error(ResponseLostError),
    ChatsNotTransferredError("2 of 2 chats were not moved", retry_advice="yes", permanent=False),
    WaitInterruptedError("no", open_chats=1, permanent=False),
]
NOT_OURS: list[BaseException] = [OSError("the disk is full"), RuntimeError("something"), KeyError("x"), SystemExit(1)]


def named(error: Any) -> str:
    return type(error).__name__


class TestThePolicy:
    pytestmark = needs_policies

    @staticmethod
    def decide(error: BaseException) -> Any:
        from airflow_provider_chattransfer.retry_policy import ChatTransferRetryPolicy

        return ChatTransferRetryPolicy().evaluate(error, try_number=1, max_tries=3)

    @pytest.mark.parametrize("error", PERMANENT, ids=named)
    def test_the_policy_fails_what_a_retry_would_meet_again(self, error: BaseException) -> None:
        assert self.decide(error).action.value == "fail"

    @pytest.mark.parametrize("error", [*PASSING, AirflowTaskTimeout()], ids=named)
    def test_retries_what_may_pass_after_the_tasks_own_delay(self, error: BaseException) -> None:
        decision = self.decide(error)
        assert (decision.action.value, decision.retry_delay) == ("retry", None)

    @pytest.mark.parametrize("error", NOT_OURS, ids=named)
    def test_the_policy_leaves_to_airflow_what_is_not_ours(self, error: BaseException) -> None:
        assert self.decide(error).action.value == "default"

    @pytest.mark.parametrize(
        "limited",
        [
            lambda hint: error(RateLimitError, retry_after=hint),
            lambda hint: ChatsNotTransferredError("limited", retry_advice="yes", permanent=False, retry_after=hint),
            lambda hint: WaitInterruptedError("limited", open_chats=1, permanent=False, retry_after=hint),
        ],
        ids=["alone", "of a run", "of a wait"],
    )
    @pytest.mark.parametrize(
        ("hint", "delay"), [(700.0, 700), (0.5, 0.5), (0.0, None), (1e12, 86_400), (float("inf"), 86_400)]
    )
    def test_the_policy_comes_back_after_the_services_hint(
        self, limited: Callable[[float], TransferError], hint: float, delay: float | None
    ) -> None:
        decision = self.decide(limited(hint))
        assert decision.action.value == "retry"
        assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))

    @pytest.mark.parametrize("error", [*PERMANENT, *PASSING], ids=named)
    def test_the_policy_says_why_in_words_of_its_own(self, error: BaseException) -> None:
        """Airflow keeps the reason in its database, in 500 characters."""
        reason = self.decide(error).reason
        assert reason.startswith(type(error).__name__)
        assert len(reason) < 200
        assert "trouble" not in reason
        assert "agnet" not in reason


class TestTheErrorTree:
    def test_the_error_tree_has_one_root(self) -> None:
        for kind in (PlatformError, ChatsNotTransferredError, WaitInterruptedError):
            assert issubclass(kind, TransferError)
            assert issubclass(kind, RuntimeError)

    def test_the_error_tree_tells_the_permanent_from_the_passing(self) -> None:
        assert [decide(each).permanent for each in PERMANENT] == [True] * len(PERMANENT)
        assert [decide(each).permanent for each in (*PASSING, *NOT_OURS)] == [False] * (len(PASSING) + len(NOT_OURS))


class TestBeforeThereWerePolicies:
    """Airflow 3.1 and 3.2 know one way not to retry."""

    @pytest.mark.parametrize("error", PERMANENT, ids=named)
    def test_an_error_that_a_retry_would_meet_again_fails_for_good_with_its_message(self, error: BaseException) -> None:
        with pytest.raises(AirflowFailException) as failed:
            raising(error)
        assert str(failed.value) == str(error)
        assert failed.value.__cause__ is error

    @pytest.mark.parametrize("error", [*PASSING, *NOT_OURS], ids=named)
    def test_any_other_stays_as_it_is(self, error: BaseException) -> None:
        with pytest.raises(type(error)) as raised:
            raising(error)
        assert raised.value is error


@fail_for_good_if_permanent
def raising(error: BaseException) -> None:
    raise error


OPERATORS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "one": (TransferChatOperator, {"chat_id": 112, "to": "agent:12"}),
    "many": (TransferChatsOperator, {"transfers": []}),
    "share": (ReassignChatsOperator, {"chat_ids": [112], "to": ["agent:12"]}),
    "accept": (AcceptTransferOperator, {"chat_id": 112}),
    "wait": (AcceptTransferSensor, {"transfers": []}),
}


class TestAnOperator:
    pytestmark = needs_policies

    @pytest.fixture(params=OPERATORS)
    def make(self, request: pytest.FixtureRequest) -> Callable[..., Any]:
        kind, options = OPERATORS[request.param]
        return lambda **more: kind(task_id="task", conn_id="bitrix24_default", **options, **more)

    def test_an_operator_has_the_policy(self, make: Callable[..., Any]) -> None:
        from airflow_provider_chattransfer.retry_policy import ChatTransferRetryPolicy

        assert isinstance(make().retry_policy, ChatTransferRetryPolicy)

    def test_an_operator_has_the_policy_that_its_user_gives_it(self, make: Callable[..., Any]) -> None:
        mine = self.mine()
        assert make(retry_policy=mine).retry_policy is mine

    def test_an_operator_has_the_policy_of_its_dag(self, make: Callable[..., Any]) -> None:
        mine = self.mine()
        assert make(default_args={"retry_policy": mine}).retry_policy is mine

    def test_an_operator_that_is_mapped_has_the_policy(self) -> None:
        from airflow_provider_chattransfer.retry_policy import ChatTransferRetryPolicy

        with a_dag() as dag:
            TransferChatOperator.partial(task_id="task", conn_id="bitrix24_default", to="agent:12").expand(
                chat_id=[112, 113]
            )
        task: Any = dag.get_task("task")
        assert isinstance(task.unmap({"chat_id": 112}).retry_policy, ChatTransferRetryPolicy)

    @staticmethod
    def mine() -> Any:
        from airflow.sdk import ExceptionRetryPolicy

        return ExceptionRetryPolicy(rules=[])


@pytest.fixture
def tries() -> list[int]:
    """Return the number of each try that Airflow made."""
    return []


@pytest.fixture
def do(tries: list[int]) -> Callable[..., Ran]:
    """Run a task that has two retries."""

    def run_task(operator: Callable[..., Any], **options: Any) -> Ran:
        def note(context: Mapping[str, Any]) -> None:
            tries.append(context["ti"].try_number)

        again = {"retries": 2, "retry_delay": timedelta(0), "pre_execute": note}
        with a_dag() as dag:
            operator(task_id="task", **{"conn_id": "bitrix24_default", "poll_interval": 0.02, **again, **options})
        return run(dag)

    return run_task


class TestATask:
    def test_a_task_with_bad_input_is_not_tried_again(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int]
    ) -> None:
        ran = do(TransferChatOperator, chat_id=112, to="agnet:12")
        assert isinstance(ran.errors["task"], ValueError)
        assert tries == [1]

    @pytest.mark.parametrize("kind", [Bitrix24Desk, SuperOfficeDesk])
    def test_a_task_with_wrong_credentials_is_not_tried_again(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], kind: type[Desk]
    ) -> None:
        desk = kind(sandbox)
        desk.open([12], **NEVER)
        desk.lock_out()
        ran = do(ReassignChatsOperator, conn_id=desk.conn_id, from_agents=[SENDER], to=["agent:15"])
        assert isinstance(ran.errors["task"], CredentialsError)
        assert tries == [1]

    def test_a_task_whose_credentials_end_in_the_run_is_not_tried_again_and_says_what_is_left(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk = Bitrix24Desk(sandbox)
        desk.reset(chats=[{"id": 201 + each, "owner": SENDER} for each in range(70)])
        after_the_first_send(monkeypatch, desk.lock_out)
        ran = do(ReassignChatsOperator, from_agents=[SENDER], to=["agent:12"])
        message = str(ran.errors["task"])
        assert isinstance(ran.errors["task"], ChatsNotTransferredError)
        assert "70 of 70 chats were not moved" in message
        assert message.endswith(
            "A retry would be stopped by the same cause; put it right, then clear the task: it goes on from here"
        )
        assert ran.results["task"]["counts"]["failed"] == 70
        assert tries == [1]

    @pytest.mark.parametrize("to", ["agent:121", "queue:99", "agent:90"], ids=["nobody", "no line", "dismissed"])
    def test_a_task_whose_receiver_cannot_be_given_chats_is_not_tried_again(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], to: str
    ) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 201, "owner": SENDER}], "rate": None})
        ran = do(TransferChatsOperator, transfers=[{"chat_id": 201, "to": to}])
        assert "put it right, then clear the task" in str(ran.errors["task"])
        assert ran.results["task"]["counts"]["failed"] == 1
        assert tries == [1]
        assert sandbox.sent("bitrix24") == []

    @pytest.mark.usefixtures("no_pauses")
    def test_a_task_that_did_not_reach_the_service_is_tried_again(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int]
    ) -> None:
        sandbox.reset(bitrix24={"chats": [{"id": 201, "owner": SENDER}], "rate": None})
        sandbox.fault(service="bitrix24", kind="drop_before", count=MAX_ATTEMPTS)
        ran = do(ReassignChatsOperator, from_agents=[SENDER], to=["agent:12"])
        assert (ran.state, tries) == ("success", [1, 2])
        assert sandbox.sent("bitrix24") == ["201"]

    @pytest.mark.usefixtures("no_pauses")
    @pytest.mark.usefixtures("no_pauses")
    def test_a_task_whose_chats_were_refused_is_tried_again_and_says_so(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the portal itself, for a cause that may pass: nobody told before that the receiver is dismissed."""
        from airflow_provider_chattransfer.platforms.bitrix24.receivers import Receivers

        monkeypatch.setattr(Receivers, "why_refused", lambda *_: None)
        wanted = [{"chat_id": 101, "to": "agent:90"}, {"chat_id": 102, "to": "agent:12"}]
        ran = do(TransferChatsOperator, transfers=wanted)
        message = str(ran.errors["task"])
        assert message.endswith("A retry reads 1 of them again, and sends those that were surely not moved")
        assert sandbox.sent("bitrix24") == ["102"]
        assert tries == [1, 2, 3]

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_a_task_whose_chats_were_all_rejected_is_not_tried_again_and_nobody_is_asked_twice(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], deferrable: bool
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        desk.reset(chats=[{"id": 201, "owner": SENDER}], people={"reject": 1.0, "accept_after": [0.2, 0.3]})
        ran = do(
            TransferChatOperator,
            conn_id=desk.conn_id,
            chat_id=201,
            to="agent:12",
            wait_for_acceptance=True,
            deferrable=deferrable,
        )
        assert "A retry would change nothing" in str(ran.errors["task"])
        assert ran.results["task"]["counts"]["failed"] == 1
        assert desk.sandbox.sent("superoffice") == ["201"]
        assert set(tries) == {1}

    @needs_policies
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_a_task_of_which_one_was_rejected_and_one_not_sent_is_tried_again_for_that_one(
        self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int], deferrable: bool
    ) -> None:
        desk = SuperOfficeDesk(sandbox)
        chats = [{"id": 201, "owner": SENDER}, {"id": 202, "owner": SENDER}]
        desk.reset(chats=chats, people={"reject": 1.0, "accept_after": [0.2, 0.3]})
        ran = do(
            TransferChatsOperator,
            conn_id=desk.conn_id,
            transfers=[{"chat_id": 201, "to": "agent:12"}, {"chat_id": 202, "to": "agent:90"}],
            wait_for_acceptance=True,
            deferrable=deferrable,
        )
        assert "A retry reads 1 of them again" in str(ran.errors["task"])
        assert [each["reason"].split(":")[0] for each in ran.results["task"]["transfers"]] == [
            "rejected",
            "not performed",
        ]
        assert desk.sandbox.sent("superoffice") == ["201"]
        assert set(tries) == {1, 2, 3}

    @needs_policies
    def test_obeys_the_policy_of_its_user(self, sandbox: Sandbox, do: Callable[..., Ran], tries: list[int]) -> None:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

        mine = ExceptionRetryPolicy(rules=[RetryRule(exception=ValueError, action=RetryAction.RETRY)])
        do(TransferChatOperator, chat_id=112, to="agnet:12", retry_policy=mine)
        assert tries == [1, 2, 3]

    @needs_policies
    def test_a_task_that_meets_a_limit_comes_back_when_the_service_says(
        self, sandbox: Sandbox, tries: list[int], do: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow is told the hint, and waits for it instead of the task's hour."""
        from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

        find = Bitrix24Platform.find_agents_chats

        def limited_once(self: Any, agents: Any) -> Any:
            if tries == [1]:
                raise error(RateLimitError, retry_after=0.01)
            return find(self, agents)

        monkeypatch.setattr(Bitrix24Platform, "find_agents_chats", limited_once)
        ran = do(ReassignChatsOperator, from_agents=[SENDER], to=["agent:12"], retry_delay=timedelta(hours=1))
        assert (ran.state, tries) == ("success", [1, 2])

    @pytest.mark.usefixtures("no_pauses")
    @pytest.mark.parametrize(("hint", "told"), [(700.0, pytest.approx(700, abs=60)), (0.001, None), (None, None)])
    def test_a_task_whose_run_met_a_limit_tells_how_long_it_lasts(
        self, sandbox: Sandbox, do: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, hint: float | None, told: Any
    ) -> None:
        from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

        def limited(self: Any, moves: Any, options: Any) -> Any:
            raise error(RateLimitError, retry_after=hint)

        monkeypatch.setattr(Bitrix24Platform, "send", limited)
        ran = do(ReassignChatsOperator, from_agents=[SENDER], to=["agent:12"], retries=0)
        failed: Any = ran.errors["task"]
        assert isinstance(failed, ChatsNotTransferredError)
        assert (failed.retry_after, failed.permanent) == (told, False)
        assert ("the service takes requests again in" in str(failed)) == (told is not None)

    @pytest.mark.usefixtures("no_pauses")
    def test_a_task_whose_wait_met_a_limit_tells_how_long_it_lasts(
        self, sandbox: Sandbox, do: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

        desk = SuperOfficeDesk(sandbox)
        transfers = desk.open([12], **NEVER)
        read, looks = SuperOfficePlatform.read_chats, []

        def limited(self: Any, chat_ids: Any) -> Any:
            looks.append(1)
            if len(looks) > 1:
                raise error(RateLimitError, retry_after=700.0)
            return read(self, chat_ids)

        monkeypatch.setattr(SuperOfficePlatform, "read_chats", limited)
        monkeypatch.setattr("airflow_provider_chattransfer.chats.acceptance.MAX_FAILED_POLLS", 2)
        ran = do(AcceptTransferSensor, conn_id=desk.conn_id, transfers=transfers, deferrable=True, retries=0)
        failed: Any = ran.errors["task"]
        assert isinstance(failed, WaitInterruptedError)
        assert failed.retry_after == 700.0


def after_the_first_send(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Once chats were sent for the first time, something happens, before they are read back."""
    from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

    send = Bitrix24Platform.send
    struck: list[bool] = []

    def sending(self: Any, *arguments: Any) -> Any:
        sent = send(self, *arguments)
        if not struck:
            struck.append(True)
            happens()
        return sent

    monkeypatch.setattr(Bitrix24Platform, "send", sending)
