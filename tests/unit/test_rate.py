# SPDX-License-Identifier: Apache-2.0
"""The rate gate, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.exceptions import MAX_PAUSE_SECONDS, RateLimitError
from airflow_provider_chattransfer.platforms.rate import (
    HEADROOM,
    MIN_SHARE,
    PACED_TOGETHER,
    RECOVERY_PER_SECOND,
    REPEATED_WITHIN_SECONDS,
    RateGate,
    RateLimit,
    Share,
    gate_for,
)

DOCUMENTED = RateLimit(per_second=2.0, burst=50)


@dataclass
class Time:
    """A clock that a sleep moves forward."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def passed(gate: RateGate, time: Time, number: int) -> list[float]:
    """Return the times at which that many requests pass, asked for as fast as the gate lets them."""
    times = []
    for _ in range(number):
        gate.wait()
        times.append(time.now)
    return times


def gaps(times: list[float]) -> list[float]:
    """Return the seconds between one and the next, to a tenth of a millisecond."""
    return [round(later - earlier, 4) for earlier, later in pairwise(times)]


def overflows(times: list[float], limit: RateLimit) -> bool:
    """Whether a leaky bucket of exactly this limit would refuse one of the requests."""
    level, last = 0.0, times[0]
    for at in times:
        level = max(0.0, level - (at - last) * limit.per_second) + 1
        last = at
        if level > limit.burst + 1e-6:
            return True
    return False


class TestTheGate:
    def test_the_gate_lets_a_burst_through_at_once(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        assert set(passed(gate, time, int(50 * HEADROOM))) == {1000.0}
        assert not time.slept

    def test_the_gate_keeps_the_pace_after_a_burst(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        passed(gate, time, int(50 * HEADROOM))
        assert set(gaps(passed(gate, time, 30))) == {0.0, round(PACED_TOGETHER / (2 * HEADROOM), 4)}

    def test_the_gate_is_full_again_after_a_rest(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        passed(gate, time, 100)
        time.now += 3600
        assert len(set(passed(gate, time, int(50 * HEADROOM)))) == 1

    def test_the_gate_does_not_save_up_more_than_a_burst(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        time.now += 3600
        assert len(set(passed(gate, time, 48))) == 2

    @given(
        per_second=st.floats(0.1, 50),
        burst=st.integers(1, 60),
        rests=st.lists(st.floats(0, 20), min_size=1, max_size=120),
    )
    def test_the_gate_never_fills_the_services_bucket(self, per_second: float, burst: int, rests: list[float]) -> None:
        limit, time = RateLimit(per_second, burst), Time()
        gate = RateGate(limit, clock=time, sleep=time.sleep)
        times = []
        for rest in rests:
            time.now += rest
            times += passed(gate, time, 3)
        assert not overflows(times, limit)

    def test_the_gate_keeps_the_pace_also_where_nothing_may_come_together(self) -> None:
        time = Time()
        gate = RateGate(RateLimit(per_second=2, burst=1), clock=time, sleep=time.sleep)
        assert set(gaps(passed(gate, time, 20))) == {round(1 / (2 * HEADROOM), 4)}

    def test_the_gate_counts_each_request_of_several_threads_once(self) -> None:
        gate = RateGate(RateLimit(per_second=1000 / HEADROOM, burst=1))
        begin = time.monotonic()

        def ask() -> None:
            for _ in range(10):
                gate.wait()

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begin >= 0.099


class TestAHint:
    @pytest.mark.parametrize("seconds", [math.nan, -5.0, math.inf, 1e300])
    def test_an_invalid_hint_closes_the_gate_for_a_day_at_most(self, seconds: float) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        begin = time.now
        gate.close_for(seconds)
        gate.wait()
        assert time.now - begin < MAX_PAUSE_SECONDS + 60

    @pytest.mark.parametrize(
        ("seconds", "believed"), [(math.nan, None), (None, None), (-5.0, 0.0), (7, 7.0), (math.inf, MAX_PAUSE_SECONDS)]
    )
    def test_a_hint_is_in_no_error_unless_it_is_a_time_of_a_day_at_most(
        self, seconds: float | None, believed: float | None
    ) -> None:
        assert RateLimitError("too many requests", method="asked", retry_after=seconds).retry_after == believed

    def test_a_hint_closes_the_gate(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        gate.close_for(30)
        assert passed(gate, time, 1) == [pytest.approx(1030.0 + (PACED_TOGETHER - 1) / (2 * HEADROOM))]

    def test_a_hint_leaves_the_bucket_full(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        gate.close_for(30)
        assert gaps(passed(gate, time, 6)) == [0, 0, round(PACED_TOGETHER / (2 * HEADROOM), 4), 0, 0]

    def test_a_shorter_hint_does_not_open_the_gate_earlier(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        gate.close_for(30)
        gate.close_for(1)
        assert passed(gate, time, 1) == [pytest.approx(1030.0 + (PACED_TOGETHER - 1) / (2 * HEADROOM))]

    def test_a_hint_that_comes_while_a_request_waits_delays_it_too(self) -> None:
        time = Time()
        gate = RateGate(RateLimit(per_second=1.0, burst=1), clock=time, sleep=time.sleep)
        gate.wait()
        sleep = time.sleep

        def sleep_and_be_told(seconds: float) -> None:
            sleep(seconds)
            if len(time.slept) == 1:
                gate.close_for(60)

        gate._sleep = sleep_and_be_told
        assert passed(gate, time, 1)[0] >= 1060


class TestOurShare:
    def shared(self, *, now: float = 0) -> Share:
        """Return the share after somebody has shown up."""
        share = Share()
        for _ in range(2):
            self.let_through(share)
            share.refused(now)
        return share

    def let_through(self, share: Share, number: int = 5) -> None:
        for _ in range(number):
            share.count()

    def test_our_share_is_all_of_it_at_first_and_after_one_refusal(self) -> None:
        share = Share()
        self.let_through(share)
        assert not share.refused(1000)
        assert share.at(1000) == 1

    def test_our_share_is_half_after_another_soon(self) -> None:
        assert self.shared(now=1000).at(1000) == 0.5

    def test_our_share_is_all_of_it_when_the_other_refusal_is_long_ago(self) -> None:
        share = Share()
        for now in (1000, 1000 + REPEATED_WITHIN_SECONDS + 1):
            self.let_through(share)
            assert not share.refused(now)

    def test_our_share_grows_back_slowly(self) -> None:
        share = self.shared(now=1000)
        assert share.at(1060) == pytest.approx(0.5 + 60 * RECOVERY_PER_SECOND)
        assert share.at(1000 + 0.5 / RECOVERY_PER_SECOND) == pytest.approx(1)
        assert share.at(10**6) == 1

    def test_our_share_is_halved_by_each_further_refusal_from_what_it_is_then(self) -> None:
        share = self.shared(now=1000)
        self.let_through(share)
        assert share.refused(1300)
        assert share.at(1300) == pytest.approx((0.5 + 300 * RECOVERY_PER_SECOND) / 2)

    def test_our_share_is_never_less_than_a_tenth(self) -> None:
        share = self.shared()
        for _ in range(20):
            self.let_through(share)
            share.refused(0)
        assert share.at(0) == MIN_SHARE

    def test_our_share_does_not_suffer_from_an_outage(self) -> None:
        """Nothing is let through between its refusals but the request itself that is repeated."""
        share = Share()
        self.let_through(share)
        for now in range(20):
            assert not share.refused(now)
            share.count()

    def test_our_share_is_logged_once_per_change_and_when_it_is_whole_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        with caplog.at_level("INFO"):
            for _ in range(2):
                passed(gate, time, 5)
                gate.close_for(1, too_fast=True)
            passed(gate, time, 20)
            assert [each.split(";")[-1] for each in caplog.messages] == [" going on with 0.95 a second"]
            time.now += 0.5 / RECOVERY_PER_SECOND
            passed(gate, time, 20)
        assert caplog.messages[1:] == ["Going on with 1.90 requests per second again"]

    def test_our_share_is_how_fast_the_gate_lets_through(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        for _ in range(2):
            passed(gate, time, 5)
            gate.close_for(1, too_fast=True)
        begin = time.now
        passed(gate, time, 30)
        assert 30 / (time.now - begin) == pytest.approx(0.5 * 2 * HEADROOM, rel=0.1)

    def test_our_share_is_not_touched_by_a_limit_that_fewer_requests_would_not_have_met(self) -> None:
        time = Time()
        gate = RateGate(DOCUMENTED, clock=time, sleep=time.sleep)
        for _ in range(4):
            passed(gate, time, 5)
            gate.close_for(1)
        begin = time.now
        passed(gate, time, 30)
        assert 30 / (time.now - begin) == pytest.approx(2 * HEADROOM, rel=0.1)


class TestALimit:
    @pytest.mark.parametrize(
        ("per_second", "burst"),
        [(0, 1), (-1, 1), (1e-300, 1), (math.nan, 1), (math.inf, 1), (1, 0), (1, math.nan), (1, math.inf)],
    )
    def test_a_limit_that_lets_nothing_or_everything_through_is_an_error(self, per_second: float, burst: Any) -> None:
        with pytest.raises(ValueError, match="requests_per_second and burst must be positive and finite"):
            RateLimit(per_second, burst)


class TestAnAccount:
    def test_an_account_has_one_gate_in_a_process(self) -> None:
        assert gate_for("https://one.example", DOCUMENTED) is gate_for("https://one.example", DOCUMENTED)
        assert gate_for("https://one.example", DOCUMENTED) is not gate_for("https://two.example", DOCUMENTED)

    def test_an_account_whose_limit_has_changed_has_a_new_one(self) -> None:
        before = gate_for("https://three.example", DOCUMENTED)
        after = gate_for("https://three.example", RateLimit(per_second=5, burst=250))
        assert after is not before
        assert gate_for("https://three.example", RateLimit(per_second=5, burst=250)) is after
