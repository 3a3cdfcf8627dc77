# SPDX-License-Identifier: Apache-2.0
"""What the portal tells of its time, and what is decided by it. No clock runs here."""

from __future__ import annotations

import heapq
import json
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
    RESERVED_SECONDS,
    ROUNDING_SECONDS,
    SETTLE_SECONDS,
    SLOW_FROM_SECONDS,
    OperatingTime,
    Room,
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
        assert portal((READ, used(SLOW_FROM_SECONDS - 20))).reserve([READ] * 20, name="us", now=1000).seconds == 0

    def test_the_operating_time_is_spread_over_the_time_until_the_reset_from_there_on(self) -> None:
        spent = Spent(FULL_SECONDS - 20, reset_at=1600)
        assert spent.room(5, reserved=0, now=1000).seconds == pytest.approx(150)
        assert spent.room(10, reserved=0, now=1000).seconds == pytest.approx(300)
        assert spent.room(20, reserved=0, now=1000).seconds == pytest.approx(600)

    def test_the_operating_time_is_waited_for_until_the_reset_by_what_would_go_past_nine_tenths(self) -> None:
        assert portal((READ, used(400))).reserve([READ] * 45, name="us", now=1000).seconds == pytest.approx(
            600 + ROUNDING_SECONDS
        )
        assert portal((READ, used(479))).reserve([READ], name="us", now=1000).seconds == pytest.approx(
            600 + ROUNDING_SECONDS
        )

    def test_the_operating_time_is_not_waited_for_any_more_after_the_reset(self) -> None:
        assert portal((READ, used(479))).reserve([READ], name="us", now=1600 + ROUNDING_SECONDS).seconds == 0

    def test_the_operating_time_is_measured_by_the_portals_clock(self) -> None:
        time = OperatingTime()
        time.note(READ, [used(479, reset_at=1_700_000_600)], ahead=1_700_000_000)
        assert time.reserve([READ], name="us", now=100).seconds == pytest.approx(500 + ROUNDING_SECONDS)

    def test_the_operating_time_does_not_delay_a_call_that_is_too_short_to_count(self) -> None:
        assert portal((READ, used(470, each=0.1))).reserve([READ] * 50, name="us", now=1000).seconds == 0

    def test_the_operating_time_of_another_method_does_not_matter(self) -> None:
        time = portal((READ, used(470)), (MOVE, used(10)))
        assert time.reserve([MOVE] * 40, name="us", now=1000).seconds == 0
        assert time.reserve([MOVE, READ], name="us", now=1000).seconds > 0

    def test_the_operating_time_of_a_batch_counts_for_every_batch_and_for_no_single_call(self) -> None:
        time = portal((READ, took(1.0)), (BATCH, used(470)))
        assert time.reserve([READ] * 2, name="us", now=1000).seconds > 0
        assert time.reserve([READ], name="us", now=1000).seconds == 0

    def test_the_operating_time_of_a_method_is_the_most_that_any_of_its_calls_showed(self) -> None:
        time = OperatingTime()
        time.note(READ, [used(430), used(470), used(450)], in_batch=True, ahead=0)
        assert time.reserve([READ], name="us", now=1000).seconds > 0

    def test_the_operating_time_of_calls_in_a_batch_and_of_plain_ones_are_both_watched(self) -> None:
        time = portal((READ, used(470)))
        time.note(READ, [used(5)], ahead=0)
        assert time.reserve([READ], name="us", now=1000).seconds > 0

    @pytest.mark.parametrize(
        "timing",
        [None, [], {}, {"duration": 2.0}, {"operating": 479}, {"operating": "479", "operating_reset_at": 1600}],
    )
    def test_the_operating_time_that_the_portal_does_not_tell_is_not_waited_for(self, timing: Any) -> None:
        time = OperatingTime()
        time.note(READ, [timing], in_batch=True, ahead=0)
        assert time.reserve([READ] * 20, name="us", now=1000).seconds == 0

    def test_the_operating_time_that_is_used_up_though_nothing_was_told_is_waited_for_a_little(self) -> None:
        time = OperatingTime()
        assert time.note_blocked(READ, now=1000) == MIN_BLOCK_SECONDS
        assert time.reserve([READ], name="us", now=1000).seconds == MIN_BLOCK_SECONDS
        assert time.reserve([MOVE], name="us", now=1000).seconds == 0

    def test_the_operating_time_that_is_used_up_is_waited_for_until_the_reset_that_was_told(self) -> None:
        time = portal((READ, used(300)))
        assert time.note_blocked(READ, now=1000) == pytest.approx(600 + ROUNDING_SECONDS)

    def test_the_operating_time_of_a_request_that_was_cut_off_is_guessed_since_nobody_tells_it(self) -> None:
        time = portal((READ, used(350)))
        time.note_cut_off([READ] * 50)
        assert time.reserve([READ], name="us", now=1000).seconds > 0

    def test_the_operating_time_is_divided_among_requests_that_are_under_way_together(self) -> None:
        """Each thinks that it is alone, but for what is reserved."""
        time = portal((READ, used(FULL_SECONDS - 20)))
        rooms = [time.reserve([READ] * 8, name=str(number), now=1000) for number in range(3)]
        assert [room.is_reserved for room in rooms] == [True, True, False]
        assert [round(room.seconds) for room in rooms] == [241, 482, 602]
        time.settle("0")
        assert time.reserve([READ] * 8, name="3", now=1000).is_reserved

    def test_the_operating_time_is_asked_for_by_few_at_first_after_a_reset(self) -> None:
        time = portal((READ, used(FULL_SECONDS)))
        rooms = [time.reserve([READ] * 2, name=str(number), now=1700) for number in range(4)]
        assert [room.seconds for room in rooms] == [0, 0, SETTLE_SECONDS, SETTLE_SECONDS]

    def test_the_operating_time_of_a_request_that_nobody_settles_is_free_again_after_a_while(self) -> None:
        time = portal((READ, used(FULL_SECONDS - 10)))
        assert time.reserve([READ] * 8, name="dead", now=1000).is_reserved
        assert not time.reserve([READ] * 8, name="us", now=1000).is_reserved
        assert time.reserve([READ] * 8, name="us", now=1001 + 0.8 * 602 + RESERVED_SECONDS).is_reserved

    def test_the_operating_time_that_was_told_last_counts_in_whatever_order_answers_come(self) -> None:
        time = portal((READ, used(470)), (READ, used(450)))
        assert time.reserve([READ], name="us", now=1000).seconds > 0
        time = portal((READ, used(200, reset_at=1660)), (READ, used(470)))
        assert time.reserve([READ], name="us", now=1000).seconds == 0

    @given(
        st.none()
        | st.dictionaries(
            st.sampled_from(["took", "spent", "reserved"]),
            st.none()
            | st.floats()
            | st.lists(st.text() | st.lists(st.integers()))
            | st.dictionaries(st.text(), st.text()),
        )
    )
    def test_the_operating_time_of_a_document_that_is_not_ours_is_not_known(self, document: Any) -> None:
        assert OperatingTime.read(document).reserve([READ], name="us", now=1000) == Room(0.0)

    def test_the_operating_time_is_read_as_it_was_written(self) -> None:
        time = portal((READ, used(FULL_SECONDS - 10)))
        time.reserve([READ] * 8, name="one", now=1000)
        written = json.loads(json.dumps(time.to_json()))
        assert OperatingTime.read(written).to_json() == time.to_json()
        assert not OperatingTime.read(written).reserve([READ] * 8, name="us", now=1000).is_reserved

    @settings(max_examples=15)
    @given(each=st.floats(0.2, 4), users=st.integers(1, 16))
    def test_many_at_once_never_use_up_the_operating_time(self, each: float, users: int) -> None:
        """Threads or hosts; each asks for as much as it may, and again when it is answered."""
        document: Any = portal((READ, took(each))).to_json()
        spent, blocked, done = dict[int, float](), 0, 0.0
        events: list[tuple[float, int, str, int]] = [(number / 10, number, "ask", 0) for number in range(users)]
        heapq.heapify(events)
        while events and events[0][0] < 1800:
            now, user, what, count = heapq.heappop(events)
            spent = {minute: seconds for minute, seconds in spent.items() if minute > now // 60 - 10}
            time = OperatingTime.read(document)
            if what == "ask":
                count = time.fitting([READ] * 50)
                room = time.reserve([READ] * count, name=str(user), now=now)
                heapq.heappush(events, (now + room.seconds, user, "go" if room.is_reserved else "ask", count))
            elif what == "go":
                heapq.heappush(events, (now + each * count, user, "answer", count))
            else:
                blocked += sum(spent.values()) > LIMIT_SECONDS
                spent[int(now // 60)] = spent.get(int(now // 60), 0.0) + each * count
                done += each * count
                time.settle(str(user))
                told = used(sum(spent.values()), reset_at=(min(spent) + 10) * 60, each=each)
                time.note(READ, [told], in_batch=True, ahead=0)
                heapq.heappush(events, (now, user, "ask", 0))
            document = time.to_json()
        assert blocked == 0
        assert done >= 0.85 * min(users * 1800, 0.8 * 1800), "and what there is is used"

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.floats(0.11, 20), st.integers(1, 50)), min_size=1, max_size=60))
    def test_our_requests_alone_never_use_up_the_operating_time(self, calls: list[tuple[float, int]]) -> None:
        """Against ten buckets of a minute, as the server counts, whose requests end when their time is over."""
        time, now, spent = OperatingTime(), 0.0, dict[int, float]()
        for each, number in calls:
            methods = [READ] * time.fitting([READ] * number)
            now += time.reserve(methods, name="us", now=now).seconds
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
