# SPDX-License-Identifier: Apache-2.0
"""What the portal tells of its time, and what is decided by it. No clock runs here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.platforms.bitrix24.operating_time import (
    BATCH,
    FILLED_SECONDS,
    FULL_SECONDS,
    LIMIT_SECONDS,
    MIN_BLOCK_SECONDS,
    REQUEST_SECONDS,
    ROUNDING_SECONDS,
    SLOW_FROM_SECONDS,
    OperatingTime,
    Spent,
)

READ, MOVE = "imopenlines.dialog.get", "imopenlines.bot.session.transfer"


def took(seconds: float, **counter: Any) -> dict[str, Any]:
    """Return the ``time`` of a call."""
    return {"duration": seconds, **counter}


def used(seconds: float, *, reset_at: float = 1600, each: float = 1.0) -> dict[str, Any]:
    """Return the ``time`` of a call whose method has used up that many seconds."""
    return took(each, operating=seconds, operating_reset_at=reset_at)


def portal(*notes: tuple[str, dict[str, Any]], in_batch: bool = True) -> OperatingTime:
    """Return a portal that has told this."""
    time = OperatingTime()
    for method, timing in notes:
        time.note(method, [timing], in_batch=in_batch, ahead=0)
    return time


class TestARequest:
    def test_a_request_is_as_long_as_it_may_be_while_nothing_is_known(self) -> None:
        assert OperatingTime().fitting([READ] * 50) == 50

    @pytest.mark.parametrize(("seconds", "number"), [(0.05, 50), (0.1, 50), (0.125, 40), (1.0, 5), (5.0, 1), (80.0, 1)])
    def test_a_request_holds_what_the_portal_does_in_five_seconds(self, seconds: float, number: int) -> None:
        assert portal((READ, took(seconds))).fitting([READ] * 50) == number

    def test_a_request_is_judged_by_the_methods_that_it_holds(self) -> None:
        time = portal((READ, took(0.04)), (MOVE, took(2.5)))
        assert time.fitting([READ] * 50) == 50
        assert time.fitting([MOVE] * 50) == 2
        assert time.fitting([READ] * 50 + [MOVE] * 50) == 51

    def test_a_request_with_an_unknown_method_expects_the_slowest_known(self) -> None:
        assert portal((READ, took(1.0))).fitting([MOVE] * 50) == 5

    def test_a_request_that_was_cut_off_is_less_than_half_as_long_next_time(self) -> None:
        time, number = OperatingTime(), 50
        lengths = []
        while number > 1:
            time.note_cut_off([READ] * number)
            number = time.fitting([READ] * 50)
            lengths.append(number)
        assert lengths == [2, 1]

    def test_a_request_grows_again_by_and_by_when_the_portal_is_faster(self) -> None:
        time = OperatingTime()
        time.note_cut_off([READ] * 10)
        lengths = []
        for _ in range(6):
            time.note(READ, [took(0.4)], in_batch=True, ahead=0)
            lengths.append(time.fitting([READ] * 50))
        assert lengths == [1, 1, 2, 4, 6, 8]

    @given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.integers(1, 50))
    def test_a_request_is_never_too_long_for_what_is_known_and_never_empty(
        self, durations: list[float], number: int
    ) -> None:
        time = portal(*((READ, took(each)) for each in durations))
        fitting = time.fitting([READ] * number)
        assert 1 <= fitting <= number
        assert fitting == 1 or fitting * durations[-1] <= FILLED_SECONDS + 1e-6


class TestTheOperatingTime:
    def test_the_operating_time_is_not_waited_for_below_four_fifths(self) -> None:
        assert portal((READ, used(SLOW_FROM_SECONDS - 20))).wait([READ] * 20, now=1000) == 0

    def test_the_operating_time_is_spread_over_the_time_until_the_reset_from_there_on(self) -> None:
        spent = Spent(FULL_SECONDS - 20, reset_at=1600)
        assert spent.wait(5, now=1000) == pytest.approx(150)
        assert spent.wait(10, now=1000) == pytest.approx(300)
        assert spent.wait(20, now=1000) == pytest.approx(600)

    def test_the_operating_time_is_waited_for_until_the_reset_by_what_would_go_past_nine_tenths(self) -> None:
        assert portal((READ, used(400))).wait([READ] * 45, now=1000) == pytest.approx(600 + ROUNDING_SECONDS)
        assert portal((READ, used(479))).wait([READ], now=1000) == pytest.approx(600 + ROUNDING_SECONDS)

    def test_the_operating_time_is_not_waited_for_any_more_after_the_reset(self) -> None:
        assert portal((READ, used(479))).wait([READ], now=1600 + ROUNDING_SECONDS) == 0

    def test_the_operating_time_is_measured_by_the_portals_clock(self) -> None:
        time = OperatingTime()
        time.note(READ, [used(479, reset_at=1_700_000_600)], ahead=1_700_000_000)
        assert time.wait([READ], now=100) == pytest.approx(500 + ROUNDING_SECONDS)

    def test_the_operating_time_does_not_delay_a_call_that_is_too_short_to_count(self) -> None:
        assert portal((READ, used(470, each=0.1))).wait([READ] * 50, now=1000) == 0

    def test_the_operating_time_of_another_method_does_not_matter(self) -> None:
        time = portal((READ, used(470)), (MOVE, used(10)))
        assert time.wait([MOVE] * 40, now=1000) == 0
        assert time.wait([MOVE, READ], now=1000) > 0

    def test_the_operating_time_of_a_batch_counts_for_every_batch_and_for_no_single_call(self) -> None:
        time = portal((READ, took(1.0)), (BATCH, used(470)))
        assert time.wait([READ] * 2, now=1000) > 0
        assert time.wait([READ], now=1000) == 0

    def test_the_operating_time_of_a_method_is_the_most_that_any_of_its_calls_showed(self) -> None:
        time = OperatingTime()
        time.note(READ, [used(430), used(470), used(450)], in_batch=True, ahead=0)
        assert time.wait([READ], now=1000) > 0

    def test_the_operating_time_of_calls_in_a_batch_and_of_plain_ones_are_both_watched(self) -> None:
        time = portal((READ, used(470)))
        time.note(READ, [used(5)], ahead=0)
        assert time.wait([READ], now=1000) > 0

    @pytest.mark.parametrize(
        "timing",
        [None, [], {}, {"duration": 2.0}, {"operating": 479}, {"operating": "479", "operating_reset_at": 1600}],
    )
    def test_the_operating_time_that_the_portal_does_not_tell_is_not_waited_for(self, timing: Any) -> None:
        time = OperatingTime()
        time.note(READ, [timing], in_batch=True, ahead=0)
        assert time.wait([READ] * 20, now=1000) == 0

    def test_the_operating_time_that_is_used_up_though_nothing_was_told_is_waited_for_a_little(self) -> None:
        time = OperatingTime()
        assert time.note_blocked(READ, now=1000) == MIN_BLOCK_SECONDS
        assert time.wait([READ], now=1000) == MIN_BLOCK_SECONDS
        assert time.wait([MOVE], now=1000) == 0

    def test_the_operating_time_that_is_used_up_is_waited_for_until_the_reset_that_was_told(self) -> None:
        time = portal((READ, used(300)))
        assert time.note_blocked(READ, now=1000) == pytest.approx(600 + ROUNDING_SECONDS)

    def test_the_operating_time_of_a_request_that_was_cut_off_is_guessed_since_nobody_tells_it(self) -> None:
        time = portal((READ, used(350)))
        time.note_cut_off([READ] * 50)
        assert time.wait([READ], now=1000) > 0

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.floats(0.11, 20), st.integers(1, 50)), min_size=1, max_size=60))
    def test_our_requests_alone_never_use_up_the_operating_time(self, calls: list[tuple[float, int]]) -> None:
        """Against ten buckets of a minute, as the server counts, whose requests end when their time is over."""
        time, now, spent = OperatingTime(), 0.0, dict[int, float]()
        for each, number in calls:
            methods = [READ] * time.fitting([READ] * number)
            now += time.wait(methods, now=now)
            done = min(len(methods), int(REQUEST_SECONDS // each) + 1)
            for _ in range(done):
                spent = {minute: seconds for minute, seconds in spent.items() if minute > now // 60 - 10}
                assert sum(spent.values()) <= LIMIT_SECONDS
                spent[int(now // 60)] = spent.get(int(now // 60), 0.0) + each
                now += each
            if done < len(methods):
                time.note_cut_off(methods)
            else:
                reset_at = (min(spent) + 10) * 60
                time.note(READ, [used(sum(spent.values()), reset_at=reset_at, each=each)], in_batch=True, ahead=0)
