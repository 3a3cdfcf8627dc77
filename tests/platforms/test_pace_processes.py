# SPDX-License-Identifier: Apache-2.0
"""One pace for eight real processes, in each store, also while the store is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from airflow_provider_chattransfer.platforms.coordination.account_pace import Bucket
from airflow_provider_chattransfer.platforms.rate import RateLimit

from ..support.pacing import Passed, jain, pass_in_processes
from ..support.postgres import PostgresServer
from ..support.redis_server import RedisServer

PROCESSES = 8
PER_SECOND = RateLimit(per_second=50, burst=10)
"""A limit of which we use no burst, so that its bucket is empty but for who is late."""
BUCKET = RateLimit(per_second=20, burst=60)
"""A bucket, as Bitrix24 has one."""
SECONDS = 3.0


@pytest.fixture(params=["host", "redis", "postgres"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Return where each store is."""
    if request.param == "host":
        return None
    server: RedisServer | PostgresServer = request.getfixturevalue(f"{request.param}_server")
    server.empty()
    return server.address


def all_times(passed: Sequence[Passed]) -> list[float]:
    """Return when anybody passed, in order."""
    return sorted(each for one in passed for each in one.times)


def fullest(times: Sequence[float], limit: RateLimit) -> float:
    """Return how full the service's bucket has been."""
    level, last, most = 0.0, times[0], 0.0
    for at in times:
        level = max(0.0, level - (at - last) * limit.per_second) + 1
        last, most = at, max(most, level)
    return most


class TestEightProcesses:
    def test_share_a_limit_equally_and_use_it(self, address: str | None) -> None:
        passed = pass_in_processes(address, PER_SECOND, processes=PROCESSES, seconds=SECONDS)
        assert jain([len(each.times) for each in passed]) >= 0.95
        times = all_times(passed)
        assert fullest(times, PER_SECOND) <= PER_SECOND.burst
        paced = (times[-1] - times[0]) / Bucket.of(PER_SECOND).interval
        assert len(times) >= 0.95 * paced
        assert not [told for each in passed for told in each.told]

    def test_never_fill_the_services_bucket(self, address: str | None) -> None:
        passed = pass_in_processes(address, BUCKET, processes=PROCESSES, seconds=SECONDS)
        times = all_times(passed)
        assert fullest(times, BUCKET) <= BUCKET.burst
        bucket = Bucket.of(BUCKET)
        assert len(times) >= 0.95 * (bucket.ahead + times[-1] - times[0]) / bucket.interval
        after = times[round(bucket.ahead / bucket.interval) + PROCESSES]
        assert jain([sum(at > after for at in each.times) for each in passed]) >= 0.95


class TestAServerThatIsLost:
    """For two seconds, in the middle of nine seconds."""

    LOST = (2.0, 4.0)
    SECONDS = 9.0

    @pytest.mark.parametrize("server", ["redis", "postgres"])
    def test_keeps_nobody_waiting_and_lets_nobody_exceed_the_limit(
        self, request: pytest.FixtureRequest, server: str
    ) -> None:
        running: RedisServer | PostgresServer = request.getfixturevalue(f"{server}_server")
        running.empty()
        moments: list[float] = []

        def lose() -> None:
            moments.append(time.monotonic())
            time.sleep(self.LOST[0])
            running.stop()
            moments.append(time.monotonic())
            time.sleep(self.LOST[1] - self.LOST[0])
            running.start()
            moments.append(time.monotonic())

        passed = pass_in_processes(
            running.address, PER_SECOND, processes=PROCESSES, seconds=self.SECONDS, meanwhile=lose
        )
        _, lost, back = moments
        times = all_times(passed)
        assert fullest(times, PER_SECOND) <= PER_SECOND.burst
        assert jain([len(each.times) for each in passed]) >= 0.95
        for each in passed:
            assert [at for at in each.times if lost + 0.5 < at < back], "each goes on alone"
            alone, again = each.told
            assert "this process goes on alone" in alone
            assert "answers again" in again
        end = times[-1]
        assert sum(end - 1.5 < at for at in times) >= 0.9 * 1.5 * PER_SECOND.per_second * 0.95
