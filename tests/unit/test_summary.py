# SPDX-License-Identifier: Apache-2.0
"""What the log and the error of a task say to the person on call."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Outcome, Result, RetryAction, Target, Transfer, TransferReport
from airflow_provider_chattransfer.chats.run import RunResult
from airflow_provider_chattransfer.exceptions import WaitInterruptedError
from airflow_provider_chattransfer.tasks.report import _not_transferred
from airflow_provider_chattransfer.tasks.summary import MAX_LISTED_CHATS, group_by_reason, summary

NOW = datetime(2026, 11, 30, 21, 0, tzinfo=UTC)


def result(chat: int, outcome: Outcome, reason: str | None = None, to: str = "agent:12", **more: RetryAction) -> Result:
    return Result(Transfer(str(chat), Target.parse(to), Target.agent("7")), outcome, reason, **more)


def report(*results: Result) -> TransferReport:
    return TransferReport("bitrix24", "bitrix24_default", results, NOW, NOW)


class TestTheSummary:
    def test_the_summary_has_the_counts_of_each_receiver_and_every_chat_that_needs_a_human(self) -> None:
        lines = list(
            summary(
                report(
                    result(1, Outcome.FAILED, "not sent: why"),
                    result(2, Outcome.ACCEPTED),
                    result(3, Outcome.REQUESTED, to="queue:3"),
                    result(4, Outcome.ACCEPTED),
                )
            )
        )
        assert lines == [
            "receiver   accepted  requested     failed",
            "agent:12          2          0          1",
            "queue:3           0          1          0",
            "all               2          1          1",
            "2 chats need a human:",
            "  chat 1  agent:7 -> agent:12  failed: not sent: why",
            "  chat 3  agent:7 -> queue:3  requested: nobody has accepted it yet",
        ]

    def test_the_summary_says_when_nobody_is_needed(self) -> None:
        assert list(summary(report(result(2, Outcome.ACCEPTED))))[-1] == "No chat needs a human."
        assert list(summary(report())) == ["No chat was to be moved.", "No chat needs a human."]

    @given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=30))
    def test_the_summary_has_the_outcomes_always_in_the_same_order(self, outcomes: list[Outcome]) -> None:
        head = next(summary(report(*(result(number, each) for number, each in enumerate(outcomes, 1)))))
        shown = head.split()[1:]
        assert shown == [each.value for each in Outcome if each in outcomes]

    def test_the_summary_of_very_many_chats_says_how_many_more_there_are(self) -> None:
        lines = list(summary(report(*(result(number, Outcome.FAILED, "why") for number in range(1, 1001)))))
        assert len(lines) < MAX_LISTED_CHATS + 10
        assert lines[-1] == f"  and {1000 - MAX_LISTED_CHATS} more, all in the report"


class TestReasons:
    def test_reasons_are_grouped_the_most_frequent_first(self) -> None:
        failed = [result(number, Outcome.FAILED, "lost" if number == 3 else "refused [X]") for number in range(1, 7)]
        assert group_by_reason(failed, room=100) == "chats 1, 2 and 3 more: refused [X]; chat 3: lost"


class TestAnError:
    @given(
        reasons=st.lists(st.one_of(st.none(), st.text(max_size=400)), min_size=1, max_size=60),
        retry=st.sampled_from(RetryAction),
        stopped=st.booleans(),
        limited=st.sampled_from([0.0, 86_400.0]),
    )
    def test_an_error_about_chats_has_less_than_three_hundred_letters(
        self, reasons: list[str | None], retry: RetryAction, stopped: bool, limited: float
    ) -> None:
        limited_until = datetime.now(UTC).timestamp() + limited if limited else 0.0
        failed = [result(10**9 + number, Outcome.FAILED, reason, retry=retry) for number, reason in enumerate(reasons)]
        assert (
            len(str(_not_transferred(report(*failed), RunResult((), permanent=stopped, limited_until=limited_until))))
            < 300
        )

    @pytest.mark.parametrize("cause", ["", "x" * 10_000])
    def test_an_error_about_a_wait_has_less_than_three_hundred_letters(self, cause: str) -> None:
        for permanent in (True, False):
            assert len(str(WaitInterruptedError(cause, open_chats=10**6, permanent=permanent))) < 300
