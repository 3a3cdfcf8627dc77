# SPDX-License-Identifier: Apache-2.0
"""The estimate of a run against the requests that the sandbox counts."""

from __future__ import annotations

import pytest

from airflow_provider_chattransfer.chats.estimate import estimate

from .conftest import ClockedSandbox, to


class TestAnEstimate:
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    @pytest.mark.parametrize("count", [1, 120, 500])
    def test_an_estimate_is_within_a_tenth_of_what_a_clean_run_takes(
        self, stage: ClockedSandbox, service: str, count: int
    ) -> None:
        stage.reset(**{service: {"chats": [{"id": 1000 + each, "owner": 7, "queue": 3} for each in range(count)]}})
        with getattr(stage, service)() as platform:
            told = estimate(count, platform.cost)
            results = stage.run_to_end(platform, to("agent:12", *(str(1000 + each) for each in range(count))))
            assert {result.outcome for result in results} <= {"accepted", "requested"}
            made = len(stage.asked(service))
            assert platform.requests == made
        assert abs(told.requests - made) <= 0.1 * made
