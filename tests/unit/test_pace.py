# SPDX-License-Identifier: Apache-2.0
"""The pace of an account, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import heapq
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Json
from airflow_provider_chattransfer.exceptions import MAX_PAUSE_SECONDS, RateLimitError
from airflow_provider_chattransfer.platforms.coordination.account_pace import (
    CLOCK_HEADROOM,
    COUNT_HEADROOM,
    FUTURE_SECONDS,
    MAX_USERS,
    MIN_SHARE,
    RECOVERY_PER_SECOND,
    REPEATED_WITHIN_SECONDS,
    USER_SECONDS,
    AccountPace,
    Bucket,
    User,
    close,
    keep,
    meet,
    reserve,
)
from airflow_provider_chattransfer.platforms.coordination.pace import (
    RETRY_SECONDS,
    UNKNOWN_USERS,
    Pace,
    Turns,
    pace_for,
    pace_waits,
)
from airflow_provider_chattransfer.platforms.rate import RateLimit

from ..support.memory_store import MemoryStore, VirtualTime
from ..support.paces import NO_LIMIT, open_pace
from ..support.pacing import jain

DOCUMENTED = RateLimit(per_second=2.0, burst=50)
AT_ONCE = 47
PACED = 1 / (2 * CLOCK_HEADROOM)
LIMITS = st.builds(RateLimit, per_second=st.floats(0.1, 50), burst=st.integers(1, 120))


def account(limit: RateLimit = DOCUMENTED, time: VirtualTime | None = None) -> tuple[Pace, VirtualTime]:
    """Return the pace of an account, and its time."""
    time = time or VirtualTime()
    return Pace(MemoryStore(time), "account", limit, clock=time, sleep=time.sleep), time


def passed(pace: Pace, time: VirtualTime, number: int) -> list[float]:
    """Return the times at which that many requests pass, asked for as fast as the pace lets them."""
    times = []
    for _ in range(number):
        pace.wait()
        times.append(time.now)
    return times


def gaps(times: Sequence[float]) -> list[float]:
    """Return the seconds between one and the next, to a tenth of a millisecond."""
    return [round(later - earlier, 4) for earlier, later in pairwise(times)]


def refused(times: Sequence[float], limit: RateLimit) -> int:
    """Return how many of the requests a leaky bucket of exactly this limit would refuse."""
    level, last, count = 0.0, times[0], 0
    for at in times:
        level, last = max(0.0, level - (at - last) * limit.per_second), at
        if level + 1 > limit.burst + 1e-6:
            count += 1
        else:
            level += 1
    return count


class TestThePace:
    def test_the_pace_lets_a_burst_through_at_once(self) -> None:
        pace, time = account()
        assert set(passed(pace, time, AT_ONCE)) == {1000.0}
        assert not time.slept

    def test_the_pace_is_nearly_the_limit_after_a_burst(self) -> None:
        pace, time = account()
        passed(pace, time, AT_ONCE)
        assert set(gaps(passed(pace, time, 30))) == {round(PACED, 4)}

    def test_the_pace_of_600_requests_takes_a_hundredth_longer_than_the_limit_itself(self) -> None:
        pace, time = account()
        took = passed(pace, time, 600)[-1] - 1000
        assert took <= 1.01 * (600 - 50) / 2

    def test_the_pace_allows_a_burst_again_after_a_rest_and_no_more(self) -> None:
        pace, time = account()
        passed(pace, time, 100)
        time.now += 3600
        assert Counter(passed(pace, time, 48)).most_common()[0] == (time.now - time.slept[-1], AT_ONCE)

    def test_the_pace_counts_each_request_of_several_threads_once(self) -> None:
        pace = open_pace(limit=RateLimit(per_second=1000 / COUNT_HEADROOM, burst=1))
        begin = time.monotonic()

        def ask() -> None:
            for _ in range(10):
                pace.wait()

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begin >= 0.098

    def test_the_pace_of_a_count_per_second_has_no_second_with_more_than_that(self) -> None:
        pace, time = account(RateLimit(per_second=10, burst=10))
        times = passed(pace, time, 60)
        assert max(sum(at <= each < at + 1 for each in times) for at in times) == 10
        assert (times[-1] - times[0]) / 59 == pytest.approx(1 / (10 * COUNT_HEADROOM))

    @pytest.mark.parametrize(
        ("per_second", "burst", "at_once", "rate"),
        [
            (2.0, 50, 47, 2 * CLOCK_HEADROOM),
            (5.0, 250, 235, 5 * CLOCK_HEADROOM),
            (10.0, 10, 1, 10 * COUNT_HEADROOM),
            (1000.0, 1000, 50, 1000 * COUNT_HEADROOM),
            (2.0, 1, 1, 2 * COUNT_HEADROOM),
            (1.0, 2, 1, CLOCK_HEADROOM),
        ],
    )
    def test_the_pace_leaves_its_margin_in_the_bucket_where_there_is_one(
        self, per_second: float, burst: int, at_once: int, rate: float
    ) -> None:
        bucket = Bucket.of(RateLimit(per_second, burst))
        assert round(bucket.ahead / bucket.interval) + 1 == at_once
        assert 1 / bucket.interval == pytest.approx(rate)


class TestSeveralUsers:
    """Each is a process; what they do is decided by one document. Each asks again when its request has gone."""

    @settings(max_examples=100)
    @given(
        limit=LIMITS,
        users=st.integers(1, 8),
        jitter=st.lists(st.floats(0, 1), min_size=1, max_size=20),
        rests=st.lists(st.floats(0, 20) | st.just(0.0), min_size=1, max_size=20),
    )
    @example(limit=RateLimit(0.5, 1), users=2, jitter=[0.0, 1.0], rests=[0.0])
    def test_several_users_never_fill_the_services_bucket(
        self, limit: RateLimit, users: int, jitter: list[float], rests: list[float]
    ) -> None:
        """However late they wake up: who is later than the bucket's margin takes another slot."""
        went = _simulated(limit, users, 150, jitter=jitter, rests=rests)
        if limit.burst > limit.per_second:
            assert refused(sorted(at for at, _ in went), limit) == 0

    @settings(max_examples=50)
    @given(limit=LIMITS, users=st.integers(2, 8))
    def test_several_users_who_all_want_slots_get_the_same(self, limit: RateLimit, users: int) -> None:
        went = _simulated(limit, users, 200, jitter=[0.0], rests=[0.0])
        counts = Counter(user for _, user in went[limit.burst :] or went)
        assert jain([counts[user] for user in range(users)]) >= 0.95

    @given(limit=LIMITS, users=st.lists(st.integers(0, 5), min_size=1, max_size=100))
    def test_several_users_get_their_slots_in_the_order_in_which_they_ask(
        self, limit: RateLimit, users: list[int]
    ) -> None:
        document, bucket = None, Bucket.of(limit)
        slots = []
        for user in users:
            document, slot = reserve(1000.0, document, User(str(user), limit))
            slots.append(slot.at)
        assert slots == sorted(slots)
        places = round(bucket.ahead / bucket.interval) + 1
        for before, at in enumerate(slots):
            queue = max(0, before - places + 1)
            assert at - 1000 <= queue * bucket.interval + 1e-6, "nobody waits longer than the queue before them"

    def test_several_users_share_the_stricter_limit_while_its_user_is_there(self) -> None:
        time = VirtualTime()
        store = MemoryStore(time)
        fast = Pace(store, "account", RateLimit(5, 250), clock=time, sleep=time.sleep)
        strict = Pace(store, "account", DOCUMENTED, clock=time, sleep=time.sleep)
        passed(fast, time, 240)
        strict.wait()
        assert set(gaps(passed(fast, time, 10))) == {round(PACED, 4)}
        time.now += USER_SECONDS + 1
        assert set(gaps(passed(fast, time, 240)[-3:])) == {round(1 / (5 * CLOCK_HEADROOM), 4)}

    def test_several_users_of_other_accounts_do_not_wait(self) -> None:
        time = VirtualTime()
        store = MemoryStore(time)
        one, two = (Pace(store, name, DOCUMENTED, clock=time, sleep=time.sleep) for name in ("one", "two"))
        passed(one, time, AT_ONCE)
        passed(two, time, AT_ONCE)
        assert not time.slept

    def test_a_user_who_dies_with_a_slot_costs_the_others_that_slot_alone(self) -> None:
        pace, time = account()
        passed(pace, time, AT_ONCE)
        dead = Pace(pace._store, "account", DOCUMENTED, clock=time, sleep=_die)
        with pytest.raises(SystemExit):
            dead.wait()
        assert passed(pace, time, 1) == [pytest.approx(1000 + 2 * PACED)]

    def test_a_user_who_was_stopped_does_not_send_beside_those_whose_turn_it_is(self) -> None:
        document, stopped = None, User("stopped", DOCUMENTED)
        for _ in range(AT_ONCE + 1):
            document, slot = reserve(1000.0, document, stopped)
        for _ in range(120):
            document, _ = reserve(1000.0, document, User("other", DOCUMENTED))
        late, again = keep(1060.0, document, stopped, slot)
        assert late is not None
        assert again.at == pytest.approx(1000 + 122 * PACED)

    def test_many_users_are_not_all_remembered(self) -> None:
        document = None
        for number in range(MAX_USERS + 20):
            document, slot = reserve(1000.0 + number, document, User(str(number), DOCUMENTED))
        assert slot.users == MAX_USERS
        assert document is not None
        assert str(MAX_USERS + 19) in document["users"]
        assert len(json.dumps(document)) < 4000

    @given(
        st.none()
        | st.dictionaries(st.sampled_from(list(AccountPace.__dataclass_fields__)), st.none() | st.floats() | st.text())
    )
    def test_a_document_that_is_not_ours_is_replaced(self, document: Json | None) -> None:
        after, slot = reserve(1000.0, document, User("one", DOCUMENTED))
        assert slot.at == 1000.0
        assert AccountPace.read(after, now=1000.0).users == {"one": (2.0, 50, 1000.0)}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"empty_at": math.nan},
            {"empty_at": 1000 + FUTURE_SECONDS + 1},
            {"halved_to": 0.0},
            {"halved_to": None},
            {"moved": True},
            {"users": {"one": [0, 0, 0]}},
            {"users": {"one": [2.0, 50, "now"]}},
            {"users": []},
        ],
    )
    def test_a_document_with_one_wrong_member_is_replaced(self, wrong: Json) -> None:
        document, _ = reserve(1000.0, None, User("one", DOCUMENTED))
        assert reserve(1000.0, {**document, **wrong}, User("two", DOCUMENTED))[1].users == 1


def _die(_: float) -> None:
    raise SystemExit


def _simulated(
    limit: RateLimit, users: int, number: int, *, jitter: list[float], rests: list[float]
) -> list[tuple[float, int]]:
    """Return when so many requests go, and whose they are. A user wakes up too late, by a share of what is allowed."""
    document: Json | None = None
    events: list[tuple[float, int, Any]] = [(1000.0, user, None) for user in range(users)]
    went: list[tuple[float, int]] = []
    heapq.heapify(events)
    while len(went) < number:
        now, user, slot = heapq.heappop(events)
        who = User(str(user), limit)
        changed, slot = reserve(now, document, who) if slot is None else keep(now, document, who, slot)
        document = document if changed is None else changed
        if slot.wait <= 1e-9:
            went.append((now, user))
            heapq.heappush(events, (now + rests[len(went) % len(rests)], user, None))
        else:
            late = jitter[len(events) * len(went) % len(jitter)] * 2 * Bucket.of(limit).late
            heapq.heappush(events, (slot.at + late, user, slot))
    return went


class TestAHint:
    @pytest.mark.parametrize("seconds", [math.nan, -5.0, math.inf, 1e300])
    def test_an_invalid_hint_closes_the_pace_for_a_day_at_most(self, seconds: float) -> None:
        pace, time = account()
        pace.close_for(seconds)
        pace.wait()
        assert time.now - 1000 < MAX_PAUSE_SECONDS + 60

    @pytest.mark.parametrize(
        ("seconds", "believed"), [(math.nan, None), (None, None), (-5.0, 0.0), (7, 7.0), (math.inf, MAX_PAUSE_SECONDS)]
    )
    def test_a_hint_is_in_no_error_unless_it_is_a_time_of_a_day_at_most(
        self, seconds: float | None, believed: float | None
    ) -> None:
        assert RateLimitError("too many requests", method="asked", retry_after=seconds).retry_after == believed

    def test_a_hint_closes_the_pace(self) -> None:
        pace, time = account()
        pace.close_for(30)
        assert passed(pace, time, 1) == [pytest.approx(1030.0)]

    def test_a_hint_leaves_the_bucket_full(self) -> None:
        pace, time = account()
        pace.close_for(30)
        assert gaps(passed(pace, time, 6)) == [round(PACED, 4)] * 5

    def test_a_shorter_hint_does_not_open_the_pace_earlier(self) -> None:
        pace, time = account()
        pace.close_for(30)
        pace.close_for(1)
        assert passed(pace, time, 1) == [pytest.approx(1030.0)]

    def test_a_hint_that_comes_while_a_request_waits_delays_it_too(self) -> None:
        pace, time = account(RateLimit(per_second=1.0, burst=1))
        pace.wait()

        def sleep_and_be_told(seconds: float) -> None:
            time.sleep(seconds)
            if len(time.slept) == 1:
                Pace(pace._store, "account", DOCUMENTED, clock=time, sleep=time.sleep).close_for(60)

        pace._sleep = sleep_and_be_told
        assert passed(pace, time, 1)[0] >= 1060

    @given(waiting=st.integers(1, 20), later=st.integers(0, 5), pauses=st.lists(st.floats(0, 40), min_size=1))
    def test_a_hint_takes_nobodys_turn(self, waiting: int, later: int, pauses: list[float]) -> None:
        """Those who wait keep their order, before those who come while the account is closed."""
        document, user = None, User("one", DOCUMENTED)
        for _ in range(AT_ONCE + waiting):
            document, slot = reserve(1000.0, document, user)
        queue = [slot]
        for seconds in pauses:
            document, _ = close(1000.2, document, user, seconds=seconds)
        for _ in range(later):
            document, slot = reserve(1000.3, document, user)
            queue.append(slot)
        opens = 1000.2 + max(pauses)
        moved = [keep(each.at, document, user, each)[1] for each in queue]
        assert [each.at for each in moved] == sorted({each.at for each in moved})
        assert all(each.at >= opens - 1e-6 for each in moved)
        assert moved[0].at <= max(opens, queue[0].at) + waiting * PACED + 1e-6, "and not longer than it was closed"


class TestAnotherClient:
    def halved(self, *, now: float = 1000.0) -> AccountPace:
        """Return the pace after somebody has shown up."""
        pace = AccountPace(refused_at=now - 10, served_at=now - 5)
        return pace.refused(now - 1, now=now)

    def test_the_share_is_all_of_it_at_first_and_after_one_refusal(self) -> None:
        assert AccountPace(served_at=990.0).refused(995.0, now=1000.0).share(1000.0) == 1

    def test_the_share_is_half_after_another_soon(self) -> None:
        assert self.halved().share(1000.0) == 0.5

    def test_the_share_is_all_of_it_when_the_other_refusal_is_long_ago(self) -> None:
        now = 1000 + REPEATED_WITHIN_SECONDS + 1
        pace = AccountPace(refused_at=1000.0, served_at=1050.0).refused(now - 1, now=now)
        assert pace.share(now) == 1

    def test_the_share_grows_back_slowly(self) -> None:
        pace = self.halved()
        assert pace.share(1060.0) == pytest.approx(0.5 + 60 * RECOVERY_PER_SECOND)
        assert pace.share(1000 + 0.5 / RECOVERY_PER_SECOND) == pytest.approx(1)
        assert pace.share(10.0**6) == 1

    def test_the_share_is_halved_by_each_further_refusal_from_what_it_is_then(self) -> None:
        document, _ = reserve(1300.0, _document(self.halved()), User("one", DOCUMENTED, served_at=1200.0))
        pace = AccountPace.read(document, now=1300.0).refused(1299.0, now=1300.0)
        assert pace.share(1300.0) == pytest.approx((0.5 + 300 * RECOVERY_PER_SECOND) / 2)

    def test_the_share_is_never_less_than_a_tenth(self) -> None:
        pace = self.halved()
        for now in range(1002, 1042, 2):
            pace, _ = pace.joined(User("one", DOCUMENTED, served_at=now - 0.5), now=now), None
            pace = pace.refused(now - 0.2, now=now)
        assert pace.share(1040.0) == MIN_SHARE

    def test_the_share_does_not_suffer_from_an_outage(self) -> None:
        """Nothing is served between its refusals."""
        pace = AccountPace(served_at=999.0)
        for now in range(1000, 1020):
            pace = pace.refused(now - 0.1, now=now)
        assert pace.share(1020.0) == 1

    def test_the_share_suffers_once_from_requests_that_were_under_way_together(self) -> None:
        pace = AccountPace(refused_at=990.0, served_at=995.0)
        for number in range(5):
            pace = pace.refused(998.0 + number / 10, now=1000.0 + number)
            pace = pace.joined(User("one", DOCUMENTED, served_at=998.05), now=1000.0 + number)
        assert pace.share(1004.0) == pytest.approx(0.5, rel=0.02)

    def test_the_share_is_logged_by_each_process_once_per_change_and_when_it_is_whole_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        pace, time = account()
        other = Pace(pace._store, "account", DOCUMENTED, clock=time, sleep=time.sleep)
        with caplog.at_level("INFO"):
            _meet_somebody(pace)
            passed(pace, time, 20)
            passed(other, time, 20)
            assert [each.split(";")[-1] for each in caplog.messages] == [
                " going on with 1.00 a second",
                " going on with 1.03 a second",
            ]
            time.now += 0.5 / RECOVERY_PER_SECOND
            passed(pace, time, 20)
            passed(other, time, 20)
        assert caplog.messages[2:] == ["Going on with 2.00 requests per second again"] * 2

    def test_the_share_is_how_fast_requests_pass(self) -> None:
        pace, time = account()
        _meet_somebody(pace)
        begin = time.now
        passed(pace, time, 30)
        assert 30 / (time.now - begin) == pytest.approx(0.5 * 2, rel=0.1)

    def test_the_share_is_not_touched_by_a_limit_that_fewer_requests_would_not_have_met(self) -> None:
        pace, time = account()
        _meet_somebody(pace, too_fast=False)
        begin = time.now
        passed(pace, time, 30)
        assert 30 / (time.now - begin) == pytest.approx(2, rel=0.1)


def _document(pace: AccountPace) -> Json:
    return {name: getattr(pace, name) for name in AccountPace.__dataclass_fields__}


def _meet_somebody(pace: Pace, *, too_fast: bool = True) -> None:
    """Have one request in five refused, twice."""
    for _ in range(2):
        for _ in range(4):
            pace.wait()
            pace.served()
        pace.wait()
        pace.close_for(1, too_fast=too_fast)


class TestAStoreThatIsLost:
    def test_a_lost_store_leaves_a_process_its_part_of_the_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        pace, time = account()
        store = pace._store
        assert isinstance(store, MemoryStore)
        store.lost = True
        with caplog.at_level("INFO"):
            times = passed(pace, time, 20)
            assert set(gaps(times)) == {round(UNKNOWN_USERS * PACED, 4)}
            assert store.asked <= 1 + (times[-1] - times[0]) / RETRY_SECONDS
            assert len(caplog.messages) == 1
            assert "the store of this test is lost" in caplog.messages[0]
            store.lost = False
            assert set(gaps(passed(pace, time, 3))) == {round(UNKNOWN_USERS * PACED, 4)}, (
                "until others have noticed too"
            )
            assert set(gaps(passed(pace, time, 5))[1:]) == {round(PACED, 4)}, "and then all of it"
            assert len(caplog.messages) == 2

    def test_a_lost_store_has_told_among_how_many_the_limit_is_to_be_divided(self) -> None:
        pace, time = account()
        others = [Pace(pace._store, "account", DOCUMENTED, clock=time, sleep=time.sleep) for _ in range(2)]
        for each in [*others, pace]:
            each.wait()
        pace._store.lost = True  # type: ignore[attr-defined]
        assert set(gaps(passed(pace, time, 4))) == {round(3 * PACED, 4)}

    def test_a_store_that_is_back_finds_the_bucket_full(self) -> None:
        """The others may have filled it unseen."""
        pace, time = account()
        pace._store.lost = True  # type: ignore[attr-defined]
        pace.wait()
        pace._store.lost = False  # type: ignore[attr-defined]
        time.now += RETRY_SECONDS
        pace.wait()
        time.now += 300
        assert gaps(passed(pace, time, 4)) == [round(PACED, 4)] * 3

    def test_a_store_that_is_lost_while_somebody_waits_lets_them_go_in_their_slot(self) -> None:
        pace, time = account()
        passed(pace, time, AT_ONCE)
        sleep = time.sleep

        def sleep_and_lose(seconds: float) -> None:
            sleep(seconds)
            pace._store.lost = True  # type: ignore[attr-defined]

        pace._sleep = sleep_and_lose
        assert passed(pace, time, 1) == [pytest.approx(1000 + PACED)]

    def test_a_store_that_is_lost_gives_nobody_a_request_more(self) -> None:
        pace, time = account()
        pace.wait()
        time.now += 100
        pace._store.lost = True  # type: ignore[attr-defined]
        assert gaps(passed(pace, time, 3)) == [round(PACED, 4)] * 2

    def test_a_store_that_is_back_is_used_by_all_from_one_time_on(self) -> None:
        """One who used it before would add the whole pace to the shares of those who are still alone."""
        document, first = meet(1000.0, None, within=9.0)
        assert first == 9.0
        for later in (1000.0, 1004.0, 1008.9):
            again, seconds = meet(later, document, within=9.0)
            assert again is None
            assert later + seconds == pytest.approx(1009.0)
        _, seconds = meet(1009.1, document, within=9.0)
        assert seconds == 9.0
        _, seconds = meet(900.0, document, within=9.0)
        assert seconds == 9.0, "and not at a time of another clock"

    def test_a_store_that_is_back_and_lost_again_is_met_again(self) -> None:
        pace, time = account()
        store = pace._store
        assert isinstance(store, MemoryStore)
        for lost in (True, False, True, False):
            store.lost = lost
            passed(pace, time, 1)
        passed(pace, time, 20)
        assert set(gaps(passed(pace, time, 5))) == {round(PACED, 4)}

    def test_a_hint_is_kept_to_also_without_the_store(self) -> None:
        pace, time = account()
        pace._store.lost = True  # type: ignore[attr-defined]
        pace.close_for(30, too_fast=True)
        assert passed(pace, time, 1)[0] >= 1030


class TestTurns:
    def test_turns_are_taken_in_the_order_of_coming_also_when_somebody_leaves_the_queue(self) -> None:
        turns, order = Turns(), list[int]()

        def come(number: int) -> None:
            with turns.turn():
                order.append(number)

        with turns.turn():
            threads = []
            for number in range(20):
                threads.append(threading.Thread(target=come, args=(number,)))
                threads[-1].start()
                while len(turns._waiting) <= number:
                    time.sleep(0.001)
        for thread in threads:
            thread.join(5)
        assert order == list(range(20))
        with turns.turn():
            """It is free again."""

    def test_a_turn_is_passed_on_by_who_fails(self) -> None:
        turns = Turns()
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
        with turns.turn():
            """It is free again."""


class TestWaits:
    def test_waits_are_counted_for_the_work_of_this_thread_alone(self) -> None:
        pace, time = account()
        passed(pace, time, AT_ONCE)
        with pace_waits() as outer:
            assert pace.wait() == pytest.approx(PACED)
            with pace_waits() as waits:
                pace.wait()
                pace.wait()
            thread = threading.Thread(target=pace.wait)
            thread.start()
            thread.join(5)
        assert waits.seconds == pytest.approx(2 * PACED)
        assert outer.seconds == pytest.approx(PACED)
        pace.wait()


class TestALimit:
    @pytest.mark.parametrize(
        ("per_second", "burst"),
        [(0, 1), (-1, 1), (1e-300, 1), (math.nan, 1), (math.inf, 1), (1, 0), (1, math.nan), (1, math.inf)],
    )
    def test_a_limit_that_lets_nothing_or_everything_through_is_an_error(self, per_second: float, burst: Any) -> None:
        with pytest.raises(ValueError, match="requests_per_second and burst must be positive and finite"):
            RateLimit(per_second, burst)


class TestAnAccount:
    def test_an_account_has_one_pace_in_a_process_for_each_limit(self) -> None:
        store = MemoryStore()
        assert pace_for("one", DOCUMENTED, store=store) is pace_for("one", DOCUMENTED, store=store)
        assert pace_for("one", DOCUMENTED, store=store) is not pace_for("two", DOCUMENTED, store=store)
        assert pace_for("one", DOCUMENTED, store=store) is not pace_for("one", NO_LIMIT, store=store)
        assert pace_for("one", DOCUMENTED, store=store) is not pace_for("one", DOCUMENTED, store=MemoryStore())
