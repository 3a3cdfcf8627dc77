# SPDX-License-Identifier: Apache-2.0
"""What no document tells of the services is a switch of the sandbox; the provider is right in every position of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.chats.model import Chat, Result, Target
from airflow_provider_chattransfer.chats.planning import plan_transfers
from airflow_provider_chattransfer.chats.reconciliation import Answer
from airflow_provider_chattransfer.chats.run import Move, Sent, run_acceptance
from airflow_provider_chattransfer.exceptions import RequestRefusedError
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.bots import register_bot
from airflow_provider_chattransfer.platforms.bitrix24.connection_check import check_connection
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.sandbox.bitrix24.switches import Switches
from airflow_provider_chattransfer.testing.audit import audit

from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, report, to

TRANSFER = "imopenlines.bot.session.transfer"

GUESSES: dict[str, Sequence[Any]] = {
    "accept_mode": ["auto", "pending"],
    "answer_owned": ["takes_over", "refused", "nothing"],
    "bot_codes": ["v2", "old"],
    "bot_list": [True, False],
    "bot_transfer_mode": ["BOT", "MANUAL", "AUTO"],
    "lists_take_strings": [True, False],
    "new_session_has_operator": [True, False],
    "new_until_written": [False, True],
    "reports_lag": [0, 10**6],
}
"""The switches and their positions, the default first."""

POSITIONS = [pytest.param({name: each}, id=f"{name}-{each}") for name, each in
             ((name, each) for name, positions in GUESSES.items() for each in positions)]  # fmt: skip


def of(*names: str) -> list[dict[str, Any]]:
    """Every combination of the positions of these switches."""
    return [dict(zip(names, each, strict=True)) for each in product(*(GUESSES[name] for name in names))]


def set_up(
    stage: ClockedSandbox, switches: dict[str, Any], *, chats: Sequence[dict[str, Any]], **scenario: Any
) -> None:
    people = scenario.pop("people", {"ignore": 1.0})
    stage.reset(bitrix24={"switches": switches, "chats": list(chats), "people": people, **scenario})


def call(stage: ClockedSandbox, user: int, method: str, **params: Any) -> Any:
    """Return what an operator does themselves."""
    answer = requests.post(f"{stage.url}/rest/{user}/secretcode{user}/{method}", json=params, timeout=10).json()
    assert "result" in answer, answer
    return answer["result"]


def owners(stage: ClockedSandbox) -> dict[str, str | None]:
    return {chat_id: chat["owner"] for chat_id, chat in stage.chats("bitrix24").items()}


def test_the_first_position_is_the_sandboxs_default() -> None:
    defaults = Switches()
    assert {name: getattr(defaults, name) for name in GUESSES} == {name: each[0] for name, each in GUESSES.items()}


@pytest.mark.parametrize("switches", POSITIONS)
def test_a_hand_over_of_a_leavers_chats_reports_what_is_so(stage: ClockedSandbox, switches: dict[str, Any]) -> None:
    """Listed, planned, sent, read back."""
    set_up(stage, switches, chats=[{"id": 101 + place, "owner": (7, 8)[place % 2]} for place in range(8)])
    lag = switches.get("reports_lag", 0)
    platform = stage.bitrix24()
    found = platform.find_agents_chats(["7"]) if not lag else list(_read(platform, "101", "103", "105", "107"))
    plan = plan_transfers(found, [Target.agent("12")], sources=[Target.agent("7")])
    results = stage.run_to_end(platform, plan)
    assert Counter(stage.moved("bitrix24")) == Counter(["101", "103", "105", "107"])
    assert audit(report(platform, results), changes=stage.ledger("bitrix24")) == []
    wanted = "requested" if switches.get("accept_mode") == "pending" else "accepted"
    assert outcomes_of(results) == [wanted] * 4


@pytest.mark.parametrize("late", [0, 45])
@pytest.mark.parametrize("target", ["agent:12", "queue:4", "queue"])
@pytest.mark.parametrize("habit", ["accept", "ignore", "reject"])
@pytest.mark.parametrize(
    "switches",
    [each for each in of("accept_mode", "bot_transfer_mode", "reports_lag") if each["bot_transfer_mode"] != "MANUAL"],
    ids=str,
)
def test_a_transfer_whose_answer_is_lost_is_sent_once_and_never_called_not_performed(
    stage: ClockedSandbox, switches: dict[str, Any], habit: str, target: str, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the transfer log tells of it, or does not yet tell, and whoever has the chat by the time we look."""
    people = {"accept_after": [3, 30], **({habit: 1.0} if habit != "accept" else {})}
    chat_ids = ["101", "102", "103"]
    set_up(stage, switches, chats=[{"id": int(each), "owner": 7} for each in chat_ids], people=people)
    stage.fault(kind="drop_after", method=TRANSFER)
    platform = stage.bitrix24()

    def looked_at_late(moves: Sequence[Move], options: SendOptions) -> Sent:
        sent = Bitrix24Platform.send(platform, moves, options)
        stage.sleep(late)
        return sent

    monkeypatch.setattr(platform, "send", looked_at_late)
    results = stage.run_to_end(platform, to(target, *chat_ids, source="agent:7"))
    assert Counter(stage.moved("bitrix24")) == Counter(chat_ids)
    assert audit(report(platform, results), changes=stage.ledger("bitrix24")) == []
    assert not [each.reason for each in results if "not performed" in (each.reason or "")]


@pytest.mark.parametrize("switches", of("new_session_has_operator", "new_until_written"), ids=str)
class TestWhatIsNew:
    CHATS = (
        {"id": 101, "owner": 7},
        {"id": 102, "offered_to": 7},
        {"id": 103, "offered_to": 7},
        {"id": 104, "offered_to": 8},
        {"id": 105, "owner": 8},
    )

    def set_up(self, stage: ClockedSandbox, switches: dict[str, Any]) -> Bitrix24Platform:
        """Of the chats of 7, 102 has been accepted and not yet been answered; 103 rings."""
        set_up(stage, switches, chats=self.CHATS)
        call(stage, 7, "imopenlines.operator.answer", CHAT_ID=102)
        return stage.bitrix24()

    def test_what_the_leaver_has_is_moved_and_nobody_elses(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        platform = self.set_up(stage, switches)
        found = platform.find_agents_chats(["7"])
        offers = ["103"] if switches["new_session_has_operator"] else []
        assert [chat.id for chat in found] == ["101", "102", *offers]
        plan = plan_transfers(found, [Target.agent("12")], sources=[Target.agent("7")])
        results = stage.run_to_end(platform, plan)
        assert outcomes_of(results) == ["accepted"] * len(found)
        moved = {"101": "12", "102": "12", "104": None, "105": "8"}
        assert owners(stage) == {**moved, "103": "12" if offers else None}

    def test_what_waits_in_a_line_is_moved_and_nothing_that_somebody_has(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        platform = self.set_up(stage, switches)
        found = platform.find_waiting_chats("3")
        plan = plan_transfers(found, [Target.agent("12")], sources=[Target.parse("queue:3")])
        stage.run_to_end(platform, plan)
        assert owners(stage) == {"101": "7", "102": "7", "103": "12", "104": "12", "105": "8"}


@pytest.mark.parametrize("switches", of("lists_take_strings"), ids=str)
def test_ids_are_numbers_in_every_filter(stage: ClockedSandbox, switches: dict[str, Any]) -> None:
    """Also where one command is sent alone, as JSON: in a batch all is text."""
    set_up(stage, switches, chats=[{"id": 101, "owner": 7}, {"id": 102, "state": "waiting", "queue": 3}])
    platform = stage.bitrix24()
    assert [chat.id for chat in platform.find_agents_chats(["7"])] == ["101"]
    assert platform.find_agents_chats(["15"]) == [], "idle, as the list of operators tells"
    assert [chat.id for chat in platform.find_waiting_chats("3")] == ["102"]


@pytest.mark.parametrize("switches", of("bot_list", "bot_codes"), ids=str)
class TestTheBot:
    def test_the_bot_is_registered_and_lets_chats_be_transferred(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        set_up(stage, switches, chats=[{"id": 101, "owner": 7}], bots=[])
        client = stage.webhook()
        first, again = (register_bot(client, code="handover", name="Hand-over") for _ in range(2))
        assert (first.id, first.code) == (again.id, again.code)
        assert (first.is_new, again.is_new) == ((True, False) if switches["bot_list"] else (None, None))
        assert str(again).startswith("The bot handover ")
        assert check_connection(client).is_good
        assert outcomes_of(stage.run_to_end(stage.bitrix24(), to("agent:12", "101"))) == ["accepted"]

    def test_the_bot_whose_code_is_taken_is_refused_with_the_services_code(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        set_up(stage, switches, chats=[])
        with pytest.raises(RequestRefusedError) as refused:
            register_bot(stage.webhook(bot="another"), code="chattransfer", name="Hand-over")
        assert refused.value.code == {"v2": "BOT_CODE_ALREADY_TAKEN", "old": "WRONG_REQUEST"}[switches["bot_codes"]]
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("switches", of("answer_owned"), ids=str)
class TestAcceptingWhatSomebodyOwns:
    def test_accepting_what_somebody_owns_is_not_tried(self, stage: ClockedSandbox, switches: dict[str, Any]) -> None:
        set_up(stage, switches, chats=[{"id": 101, "owner": 8}])
        (result,) = self.accept(stage, stage.bitrix24(user=7, code="secretcode7"))
        assert (result.outcome, result.reason) == ("skipped", "nothing to accept: agent:8 has it")
        assert owners(stage) == {"101": "8"}

    def test_when_they_took_it_a_moment_ago_ends_as_the_state_tells(
        self, stage: ClockedSandbox, switches: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up(stage, switches, chats=[{"id": 101, "offered_to": 7}])
        platform = stage.bitrix24(user=7, code="secretcode7")

        def taken_first(chat: Chat) -> Answer:
            call(stage, 8, "imopenlines.operator.answer", CHAT_ID=101)
            return Bitrix24Platform.accept(platform, chat)

        monkeypatch.setattr(platform, "accept", taken_first)
        (result,) = self.accept(stage, platform)
        takes_over = switches["answer_owned"] == "takes_over"
        assert owners(stage) == {"101": "7" if takes_over else "8"}
        assert result.outcome == ("accepted" if takes_over else "failed")
        assert takes_over or (result.reason or "").startswith("not accepted")

    @staticmethod
    def accept(stage: ClockedSandbox, platform: Bitrix24Platform) -> Sequence[Result]:
        return run_to_end(run_acceptance(to("agent:7", "101")[0]), platform, sleep=stage.sleep).results


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("habit", ["accept", "ignore", "reject"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
class TestSuperOfficesSpecialMessages:
    def test_super_offices_special_messages_tell_of_a_transfer_whose_answer_is_lost_only_where_there_are_some(
        self, stage: ClockedSandbox, kind: str, habit: str, leaves: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A chat that its receiver has rejected looks as before.

        Without such messages nothing tells it from one that was never sent, and it is not sent again.
        """
        people = {"accept_after": [0.02, 0.05], **({habit: 1.0} if habit != "accept" else {})}
        chats = [{"id": 157, "owner": 7}]
        stage.reset(superoffice={"chats": chats, "people": people, "switches": {"special_messages": leaves}})
        stage.fault(kind=kind, method="TransferChatSession")
        platform = stage.superoffice()

        def looked_at_late(moves: Sequence[Move], options: SendOptions) -> Sent:
            sent = SuperOfficePlatform.send(platform, moves, options)
            time.sleep(0.2)  # by both clocks: the messages are dated by the service's
            return sent

        monkeypatch.setattr(platform, "send", looked_at_late)
        results = stage.run_to_end(platform, to("agent:12", "157", source="agent:7"))
        known = leaves or (kind, habit) in (("drop_after", "accept"), ("drop_after", "ignore"))
        sent = kind == "drop_after" or known
        assert stage.moved("superoffice") == ["157"] * sent
        assert audit(report(platform, results), changes=stage.ledger("superoffice")) == []
        assert (results[0].reason or "").startswith("not known") is not known


def _read(platform: Bitrix24Platform, *chat_ids: str) -> list[Chat]:
    return [chat for chat in platform.read_chats(chat_ids).values() if isinstance(chat, Chat)]
