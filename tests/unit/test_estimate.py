# SPDX-License-Identifier: Apache-2.0
"""What a run is estimated to cost, by the facts of a service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.estimate import (
    Cost,
    Estimate,
    LimitedBy,
    OperatingCost,
    estimate,
    shown_seconds,
)

BATCHES = Cost(chats_per_request=(50, 50, 50), per_second=2.0, burst=50, once=2)
ONE_BY_ONE = Cost(chats_per_request=(50, 1, 50), per_second=10.0, burst=10)


class TestAnEstimate:
    @pytest.mark.parametrize(
        ("cost", "chats", "requests", "seconds", "limited_by"),
        [
            (BATCHES, 0, 0, 0.0, "requests per second"),
            (BATCHES, 1, 5, 1.0, "one request at a time"),
            (BATCHES, 50, 5, 1.0, "one request at a time"),
            (BATCHES, 51, 8, 1.6, "one request at a time"),
            (BATCHES, 10_000, 602, 276.0, "requests per second"),
            (ONE_BY_ONE, 500, 520, 104.0, "one request at a time"),
        ],
    )
    def test_an_estimate_counts_requests_and_says_what_binds(
        self, cost: Cost, chats: int, requests: int, seconds: float, limited_by: str
    ) -> None:
        told = estimate(chats, cost).to_json()
        assert told == {"requests": requests, "seconds": seconds, "limited_by": limited_by}

    def test_an_estimate_of_several_in_flight_waits_for_answers_or_for_the_pace(self) -> None:
        wide = Cost(chats_per_request=(50, 1, 50), per_second=10.0, burst=10, in_flight=16)
        assert estimate(500, wide) == Estimate(520, 51.0, LimitedBy.REQUESTS_PER_SECOND)
        assert estimate(20, wide) == Estimate(22, 1.2, LimitedBy.REQUESTS_PER_SECOND)
        assert estimate(5, wide) == Estimate(7, 0.6, LimitedBy.ANSWERS), "a chat's three requests follow one another"

    def test_an_estimate_knows_the_time_that_a_service_works(self) -> None:
        slow = Cost(
            chats_per_request=(50, 50, 50), per_second=2.0, burst=50, operating=OperatingCost(0.5, 480.0, 600.0)
        )
        assert estimate(960, slow).limited_by is LimitedBy.ONE_AT_A_TIME
        assert estimate(1920, slow) == Estimate(117, 600.0, LimitedBy.OPERATING_TIME)

    @given(chats=st.integers(1, 10**6), more=st.integers(0, 1000))
    def test_an_estimate_of_more_chats_is_not_smaller(self, chats: int, more: int) -> None:
        for cost in (BATCHES, ONE_BY_ONE):
            few, many = estimate(chats, cost), estimate(chats + more, cost)
            assert (few.requests, few.seconds) <= (many.requests, many.seconds)

    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [(0.0, "0 s"), (99.4, "99 s"), (120.0, "2 min"), (5940.0, "99 min"), (12_600.0, "3.5 h")],
    )
    def test_an_estimate_shows_a_time_as_people_read_it(self, seconds: float, shown: str) -> None:
        assert shown_seconds(seconds) == shown
