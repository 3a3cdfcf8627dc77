# SPDX-License-Identifier: Apache-2.0
"""Whole runs in bad weather: every chat is moved exactly once, and the report equals the ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Transfer
from airflow_provider_chattransfer.chats.run import PAUSES_SECONDS, run_transfers
from airflow_provider_chattransfer.chats.run_record import NullRecordStore, RunRecord
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.testing.audit import audit

from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, Script, Scripted, report, to

TRANSFERS = {"bitrix24": "imopenlines.bot.session.transfer", "superoffice": "TransferChatSession"}
READS = {"bitrix24": "imopenlines.dialog.get", "superoffice": "ChatSessionsForUser"}
NUMBER = {"bitrix24": 60, "superoffice": 25}
SERVICES = list(TRANSFERS)
ONCE = ["drop_before", "drop_after", "html_502_before", "html_502_after", "html_503_before", "html_503_after"]


def platform_of(stage: ClockedSandbox, service: str, **scenario: Any) -> tuple[ChatPlatform, list[str]]:
    """Return a platform with that many open chats of agent 7, and their ids."""
    chats = [{"id": 201 + index, "owner": 7} for index in range(NUMBER[service])]
    stage.reset(**{service: {"chats": chats, "people": {"accept_after": [0.1, 1]}, **scenario}})
    platform = stage.bitrix24() if service == "bitrix24" else stage.superoffice()
    return platform, [str(chat["id"]) for chat in chats]


def check(stage: ClockedSandbox, platform: ChatPlatform, transfers: list[Transfer]) -> list[str]:
    """Carry out a run, hold its report against the ledger, and return the outcomes."""
    results = stage.run_to_end(platform, transfers)
    assert audit(report(platform, results), changes=stage.ledger(platform.name)) == []
    return outcomes_of(results)


class TestATransferThatMeetsTrouble:
    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("kind", ONCE)
    @pytest.mark.parametrize("service", SERVICES)
    def test_a_run_that_meets_a_fault_moves_every_chat_exactly_once(
        self, stage: ClockedSandbox, service: str, kind: str, count: int
    ) -> None:
        platform, chat_ids = platform_of(stage, service)
        stage.fault(kind=kind, service=service, method=TRANSFERS[service], count=count)
        came_to = check(stage, platform, to("agent:12", *chat_ids, source="agent:7"))
        assert set(came_to) <= {"accepted", "requested"}
        assert Counter(stage.moved(service)) == Counter(chat_ids)

    @pytest.mark.parametrize("kind", ["drop_after", "html_502_after", "html_503_after"])
    @pytest.mark.parametrize("service", SERVICES)
    def test_a_run_to_a_queue_that_meets_a_fault_moves_every_chat_exactly_once(
        self, stage: ClockedSandbox, service: str, kind: str
    ) -> None:
        platform, chat_ids = platform_of(stage, service, people={"ignore": 1.0})
        method = TRANSFERS[service] if service == "bitrix24" else "ResetChatSession"
        stage.fault(kind=kind, service=service, method=method)
        assert check(stage, platform, to("queue", *chat_ids, source="agent:7")) == ["requested"] * len(chat_ids)
        assert Counter(stage.moved(service)) == Counter(chat_ids)

    @pytest.mark.parametrize("service", SERVICES)
    def test_a_fault_that_never_ends_fails_every_chat_whose_outcome_is_unknown(
        self, stage: ClockedSandbox, service: str
    ) -> None:
        platform, chat_ids = platform_of(stage, service)
        stage.fault(kind="html_502_before", service=service, method=TRANSFERS[service], count=10**6)
        assert check(stage, platform, to("agent:12", *chat_ids)) == ["failed"] * len(chat_ids)
        assert stage.moved(service) == []
        assert [stage.slept.count(seconds) for seconds in PAUSES_SECONDS[1:4]] == [1] * 3

    def test_a_transfer_that_waits_for_its_receiver_is_not_sent_twice_on_bitrix24(self, stage: ClockedSandbox) -> None:
        """Nothing shows that a pending transfer is under way, except that something has changed."""
        people = {"accept_after": [3, 9]}
        platform, chat_ids = platform_of(stage, "bitrix24", people=people, switches={"accept_mode": "pending"})
        stage.fault(kind="drop_after", method=TRANSFERS["bitrix24"])
        stage.run_to_end(platform, to("agent:12", *chat_ids))
        assert Counter(stage.moved("bitrix24")) == Counter(chat_ids)


class TestAReadThatMeetsTrouble:
    @pytest.mark.parametrize("kind", ONCE)
    @pytest.mark.parametrize("service", SERVICES)
    def test_a_read_that_fails_is_repeated_without_an_effect_on_the_run(
        self, stage: ClockedSandbox, service: str, kind: str
    ) -> None:
        platform, chat_ids = platform_of(stage, service)
        stage.fault(kind=kind, service=service, method=READS[service], count=3)
        came_to = check(stage, platform, to("agent:12", *chat_ids))
        assert set(came_to) <= {"accepted", "requested"}

    @pytest.mark.parametrize("service", SERVICES)
    def test_a_read_that_fails_for_good_stops_the_run_before_anything_is_sent(
        self, stage: ClockedSandbox, service: str
    ) -> None:
        platform, chat_ids = platform_of(stage, service)
        stage.fault(kind="html_502_before", service=service, method=READS[service], count=10**6)
        assert check(stage, platform, to("agent:12", *chat_ids)) == ["failed"] * len(chat_ids)
        assert stage.moved(service) == []


class TestAReadBackThatFails:
    def test_a_read_back_that_fails_leaves_the_outcome_not_known(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform, chat_ids = platform_of(stage, "bitrix24")
        send = platform.send

        def send_and_lose(*arguments: Any) -> Any:
            answers = send(*arguments)
            stage.fault(kind="html_502_before", service="bitrix24", count=10**6)
            return answers

        monkeypatch.setattr(platform, "send", send_and_lose)
        results = stage.run_to_end(platform, to("agent:12", *chat_ids[:50]))
        assert outcomes_of(results) == ["failed"] * 50
        assert all("not known: it was sent, and could not be read back" in (each.reason or "") for each in results)


class TestALimit:
    def test_a_run_copes_with_a_limit_of_bitrix24(self, stage: ClockedSandbox) -> None:
        platform, chat_ids = platform_of(stage, "bitrix24", rate={"per_second": 0.5, "burst": 2})
        assert check(stage, platform, to("agent:12", *chat_ids)) == ["accepted"] * len(chat_ids)

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_run_copes_with_a_limit_of_superoffice(self, stage: ClockedSandbox, status: int) -> None:
        platform, chat_ids = platform_of(stage, "superoffice", rate=5, switches={"rate_status": status})
        assert set(check(stage, platform, to("agent:12", *chat_ids))) <= {"accepted", "requested"}
        assert Counter(stage.moved("superoffice")) == Counter(chat_ids)


class TestALimitThatLasts:
    """Longer than is ever waited for."""

    HOUR = 3600

    def test_a_long_limit_on_a_transfer_ends_the_run_and_tells_how_long_it_lasts(
        self, stage: ClockedSandbox, script: Script, tenant: SuperOfficeClient
    ) -> None:
        script.play(self.sessions("150", "151"), self.limit())
        results, lasts = self.run_to_end(stage, tenant)
        assert {each.reason for each in results} == {"not sent: the service takes no more requests for 3600 s"}
        assert len(script.heard) == 2, "one list, one transfer"
        assert lasts == pytest.approx(self.HOUR, abs=60)
        assert stage.slept == []

    def test_a_long_limit_on_a_read_ends_the_run_and_tells_how_long_it_lasts(
        self, stage: ClockedSandbox, script: Script, tenant: SuperOfficeClient
    ) -> None:
        script.play(self.limit())
        results, lasts = self.run_to_end(stage, tenant)
        assert outcomes_of(results) == ["failed", "failed"]
        assert len(script.heard) == 1
        assert lasts == pytest.approx(self.HOUR, abs=60)

    def run_to_end(self, stage: ClockedSandbox, tenant: SuperOfficeClient) -> tuple[Any, float]:
        record, now = RunRecord(NullRecordStore()), stage.server.sandbox.clock.utc
        begin = now().timestamp()
        steps = run_transfers(to("agent:12", "150", "151"), chunk=50, record=record)
        run = run_to_end(steps, SuperOfficePlatform(tenant), record=record, sleep=stage.sleep, now=now)
        return run.results, run.limited_until - begin

    @classmethod
    def limit(cls) -> Scripted:
        return Scripted(429, b"{}", {"Retry-After": str(cls.HOUR)})

    @staticmethod
    def sessions(*chat_ids: str) -> Scripted:
        owned = {"TopicId": 3, "User": {"AssociateId": 7}, "TransferTo": None, "Status": "CustomerLast"}
        return Scripted.json([{"ChatSessionId": int(chat_id), **owned} for chat_id in chat_ids])
