# SPDX-License-Identifier: Apache-2.0
"""The acceptance poller, and the loop that drives it: who is watched, when it ends, what it returns."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.acceptance import MAX_FAILED_POLLS, AcceptancePoller
from airflow_provider_chattransfer.chats.model import (
    Chat,
    Outcome,
    Reading,
    Result,
    Target,
    Transfer,
    TransferReport,
    UnreadableChat,
)
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.polling import poll_once, poll_until_done

from ..support.reports import outcomes_of

BEGIN = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
OFFERED = Chat(id="0", owner="7", offered_to="12", shows_offers=True)
TAKEN = Chat(id="0", owner="12", shows_offers=True)
REJECTED = Chat(id="0", owner="7", shows_offers=True)


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def poller(*outcomes: str, seconds: float = 60) -> AcceptancePoller:
    """Return a wait for chats 1, 2, … with these outcomes so far."""
    results = tuple(
        Result(Transfer(str(number), Target.agent("12"), Target.agent("7")), Outcome(outcome))
        for number, outcome in enumerate(outcomes, start=1)
    )
    report = TransferReport("superoffice", "test", results, started_at=BEGIN, finished_at=BEGIN)
    return AcceptancePoller(report, deadline=after(seconds).timestamp())


class TestThePoller:
    def test_the_poller_watches_only_requested_transfers(self) -> None:
        assert poller("accepted", "requested", "failed", "requested", "skipped", "unchanged").chat_ids == ["2", "4"]

    def test_the_poller_is_done_at_once_when_nothing_is_under_way(self) -> None:
        assert poller("accepted", "failed").verdict(now=BEGIN).done
        assert poller().verdict(now=BEGIN).done

    def test_the_poller_settles_what_is_proved_and_goes_on_with_the_rest(self) -> None:
        wait = poller("requested", "requested", "requested")
        verdict = wait.observe({"1": TAKEN, "2": OFFERED, "3": REJECTED}, now=after(1))
        assert not verdict.done
        assert outcomes_of(verdict.report.results) == ["accepted", "requested", "failed"]
        assert wait.chat_ids == ["2"]

    def test_the_poller_is_done_when_the_last_transfer_is_settled(self) -> None:
        wait = poller("requested", "requested")
        assert not wait.observe({"1": TAKEN, "2": OFFERED}, now=after(1)).done
        assert wait.observe({"2": TAKEN}, now=after(2)).done

    def test_the_poller_keeps_chats_open_that_were_not_read(self) -> None:
        wait = poller("requested", "requested")
        wait.observe({"1": TAKEN}, now=after(1))
        assert wait.chat_ids == ["2"]

    def test_the_poller_says_what_it_has_settled_itself(self) -> None:
        wait = poller("accepted", "requested", "requested")
        wait.observe({"2": TAKEN}, now=after(1))
        wait.observe({"3": REJECTED}, now=after(2))
        assert [(each.transfer.chat_id, each.outcome) for each in wait.settled] == [("2", "accepted"), ("3", "failed")]

    def test_the_poller_never_reads_a_settled_chat_again(self) -> None:
        wait = poller("requested")
        wait.observe({"1": TAKEN}, now=after(1))
        assert outcomes_of(wait.observe({"1": REJECTED}, now=after(2)).report.results) == ["accepted"]

    def test_the_poller_ends_at_its_deadline_with_the_rest_requested(self) -> None:
        wait = poller("requested", seconds=60)
        assert not wait.observe({"1": OFFERED}, now=after(59.9)).done
        verdict = wait.observe({"1": OFFERED}, now=after(60))
        assert verdict.done
        assert outcomes_of(verdict.report.results) == ["requested"]

    def test_an_acceptance_seen_at_the_deadline_counts(self) -> None:
        assert outcomes_of(poller("requested").observe({"1": TAKEN}, now=after(60)).report.results) == ["accepted"]

    def test_the_poller_says_why_a_chat_cannot_be_read_any_more(self) -> None:
        verdict = poller("requested").observe({"1": UnreadableChat("gone")}, now=after(1))
        assert verdict.report.results[0].reason == "gone"

    def test_the_poller_sleeps_for_the_interval_but_not_beyond_the_deadline(self) -> None:
        wait = poller("requested", seconds=60)
        assert wait.seconds_to_next_poll(now=BEGIN, interval=15) == 15
        assert wait.seconds_to_next_poll(now=after(50), interval=15) == 10
        assert wait.seconds_to_next_poll(now=after(70), interval=15) == 0

    def test_the_report_keeps_its_start_and_notes_its_end(self) -> None:
        report = poller("requested").observe({"1": TAKEN}, now=after(5)).report
        assert (report.started_at, report.finished_at) == (BEGIN, after(5))

    @given(
        begin=st.lists(st.sampled_from([each.value for each in Outcome]), max_size=12),
        looks=st.lists(st.lists(st.sampled_from([TAKEN, OFFERED, REJECTED]), min_size=12, max_size=12), max_size=5),
    )
    def test_a_new_poller_goes_on_from_a_report_as_if_it_had_never_stopped(
        self, begin: list[str], looks: list[list[Chat]]
    ) -> None:
        """A wait that moves to another process carries nothing but its report."""
        one = poller(*begin)
        other = poller(*begin)
        for number, states in enumerate(looks):
            chats = {str(place): state for place, state in enumerate(states, start=1)}
            one.observe(chats, now=after(number))
            carried = TransferReport.from_json(json.loads(json.dumps(other.report.to_json())))
            other = AcceptancePoller(carried, deadline=other.deadline)
            other.observe(chats, now=after(number))
        assert outcomes_of(one.report.results) == outcomes_of(other.report.results)
        assert one.chat_ids == other.chat_ids
        assert len(one.report.results) == len(begin)
        assert sum(one.report.counts.values()) == len(begin)


def to(*targets: str) -> AcceptancePoller:
    """Return a wait for chats 1, 2, … that nobody has accepted, each with the target given."""
    results = tuple(
        Result(Transfer(str(number), Target.parse(target), Target.agent("7")), Outcome.REQUESTED)
        for number, target in enumerate(targets, start=1)
    )
    report = TransferReport("superoffice", "test", results, started_at=BEGIN, finished_at=BEGIN)
    return AcceptancePoller(report, deadline=after(600).timestamp())


class TestTheLog:
    def test_the_log_says_who_has_not_accepted_until_when_and_the_counts(self) -> None:
        wait = to("queue:4", "agent:12", "agent:12", "agent:12", "agent:15")
        wait.observe({"5": REJECTED, "2": TAKEN}, now=after(1))
        assert wait.log_line(now=after(1)) == (
            "Waiting for acceptance until 2026-11-21 21:10:00 UTC: chats: 1 accepted, 3 requested, 1 failed; "
            "not accepted by queue:4: 1, agent:12: 2"
        )

    def test_the_log_has_a_line_at_each_change_and_one_a_minute_otherwise(self) -> None:
        wait = to("agent:12", "agent:12", "agent:12")
        told = []
        for second in range(0, 300, 5):
            taken = {"1": TAKEN} if second >= 65 else {}
            wait.observe({"2": OFFERED, "3": OFFERED} | taken, now=after(second))
            told += [second] if wait.log_line(now=after(second)) else []
        assert told == [0, 60, 65, 125, 185, 245]

    def test_the_log_shows_no_deadline_where_none_was_set(self) -> None:
        line = poller("requested", seconds=1e9).log_line(now=BEGIN)
        assert line == "Waiting for acceptance: chats: 1 requested; not accepted by agent:12: 1"

    def test_the_log_says_when_all_chats_are_settled(self) -> None:
        wait = to("agent:12")
        wait.observe({"1": TAKEN}, now=after(1))
        assert wait.log_line(now=after(1)) == "The wait for acceptance is over: chats: 1 accepted"

    def test_the_log_line_is_short_however_many_have_not_accepted(self) -> None:
        wait = to(*(f"agent:{number}" for number in range(10, 510)))
        wait.observe({}, now=after(1))
        line = wait.log_line(now=after(1))
        assert line is not None
        assert len(line) < 300
        assert line.endswith("agent:18: 1, agent:19: 1, 490 others: 490")


class Service:
    """Shows the chats look by look; an error is raised, the last look repeats."""

    def __init__(self, *looks: Chat | PlatformError) -> None:
        self.looks = list(looks)
        self.asked: list[list[str]] = []

    def read_chats(self, chat_ids: Sequence[str]) -> Mapping[str, Reading]:
        self.asked.append(list(chat_ids))
        seen = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(seen, PlatformError):
            raise seen
        return dict.fromkeys(chat_ids, seen)


class Wait:
    """A clock that a sleep moves forward."""

    def __init__(self) -> None:
        self.time = BEGIN
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def poll_until_done(self, wait: AcceptancePoller, service: Service) -> TransferReport:
        platform = cast(ChatPlatform, service)
        return poll_until_done(wait, platform, interval=15.0, now=self.now, sleep=self.sleep)


class TestTheLoop:
    def test_a_wait_polls_at_once_and_then_every_interval_until_all_are_settled(self) -> None:
        service, wait = Service(OFFERED, OFFERED, TAKEN), Wait()
        assert outcomes_of(wait.poll_until_done(poller("requested", "requested"), service).results) == ["accepted"] * 2
        assert service.asked == [["1", "2"]] * 3
        assert wait.slept == [15.0, 15.0]

    def test_a_wait_ends_at_its_deadline_after_a_last_poll(self) -> None:
        service, wait = Service(OFFERED), Wait()
        assert outcomes_of(wait.poll_until_done(poller("requested", seconds=40), service).results) == ["requested"]
        assert wait.slept == [15.0, 15.0, 10.0]
        assert len(service.asked) == 4

    def test_a_wait_makes_no_request_when_nothing_is_under_way(self) -> None:
        service, wait = Service(OFFERED), Wait()
        wait.poll_until_done(poller("accepted"), service)
        assert (service.asked, wait.slept) == ([], [])

    @pytest.mark.parametrize("kind", [ResponseLostError, RateLimitError, UnreachableError])
    def test_a_poll_that_fails_settles_nothing(self, kind: type[PlatformError]) -> None:
        service, wait = Service(kind("trouble", method="read"), TAKEN), Wait()
        assert outcomes_of(wait.poll_until_done(poller("requested"), service).results) == ["accepted"]
        assert wait.slept == [15.0]

    def test_a_wait_ends_at_its_deadline_even_when_no_poll_succeeds(self) -> None:
        service, wait = Service(ResponseLostError("trouble", method="read")), Wait()
        assert outcomes_of(wait.poll_until_done(poller("requested", seconds=40), service).results) == ["requested"]
        assert wait.time == after(40)

    @pytest.mark.parametrize("kind", [ResponseLostError, RateLimitError, UnreachableError, UnexpectedResponseError])
    def test_a_wait_ends_with_the_error_when_too_many_polls_in_a_row_failed(self, kind: type[PlatformError]) -> None:
        service, wait = Service(OFFERED, kind("trouble", method="read")), Wait()
        with pytest.raises(kind):
            wait.poll_until_done(poller("requested", seconds=10_000), service)
        assert len(service.asked) == 1 + MAX_FAILED_POLLS

    def test_failed_polls_are_counted_anew_after_one_that_succeeded(self) -> None:
        trouble = [ResponseLostError("trouble", method="read")] * (MAX_FAILED_POLLS - 1)
        service, wait = Service(*trouble, OFFERED, *trouble, TAKEN), Wait()
        assert outcomes_of(wait.poll_until_done(poller("requested", seconds=10_000), service).results) == ["accepted"]

    def test_failed_polls_of_an_earlier_process_count(self) -> None:
        one = poller("requested")
        one.failed_polls = MAX_FAILED_POLLS - 1
        other = AcceptancePoller(one.report, deadline=one.deadline, failed_polls=one.failed_polls)
        with pytest.raises(ResponseLostError):
            poll_once(
                other, cast(ChatPlatform, Service(ResponseLostError("trouble", method="read"))), now=lambda: BEGIN
            )

    @pytest.mark.parametrize("kind", [CredentialsError, RequestRefusedError])
    def test_a_wait_ends_at_once_when_no_later_poll_can_succeed(self, kind: type[PlatformError]) -> None:
        service, wait = Service(kind("no", method="read")), Wait()
        with pytest.raises(kind):
            wait.poll_until_done(poller("requested"), service)
        assert wait.slept == []

    def test_a_wait_logs_each_change_and_a_line_a_minute_and_not_every_poll(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        Wait().poll_until_done(poller("requested", seconds=900), Service(*[OFFERED] * 40, TAKEN))
        lines = [record.getMessage() for record in caplog.records]
        assert [line.partition(" until")[0] for line in lines] == [
            *["Waiting for acceptance"] * (40 * 15 // 60),
            "The wait for acceptance is over: chats: 1 accepted",
        ]

    def test_a_wait_may_be_a_single_poll(self) -> None:
        verdict = poll_once(poller("requested"), cast(ChatPlatform, Service(TAKEN)), now=lambda: after(1))
        assert verdict.done
        assert outcomes_of(verdict.report.results) == ["accepted"]
