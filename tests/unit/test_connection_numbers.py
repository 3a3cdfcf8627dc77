# SPDX-License-Identifier: Apache-2.0
"""The numbers of a connection: finite, within limits, and refused by the field's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_chattransfer.hooks.settings import NetworkSettings
from airflow_provider_chattransfer.platforms.rate import RateLimit

DEFAULT = RateLimit(per_second=2.0, burst=50)


def read(extra: Mapping[str, Any]) -> NetworkSettings:
    return NetworkSettings.read(extra, rate_limit=DEFAULT, timeout_seconds=75.0)


READERS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "requests_per_second": lambda extra: read(extra).rate_limit.per_second,
    "burst": lambda extra: read(extra).rate_limit.burst,
    "timeout": lambda extra: read(extra).timeout_seconds,
    "max_answer_megabytes": lambda extra: read(extra).max_answer_megabytes,
}
DEFAULTS = {"requests_per_second": 2.0, "burst": 50, "timeout": 75.0, "max_answer_megabytes": 64}
NUMBERS = pytest.mark.parametrize("name", READERS)
WRONG = [float("nan"), float("inf"), float("-inf"), "nan", "inf", "Infinity", 1e300, "1e300", 10**400, "9" * 5000]
WRONG += [True, False, "true", 0, -1, "0", "fast", "1_000", "{{ x }}", [], {}, b"5", "5 s"]


class TestANumber:
    @NUMBERS
    @pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
    def test_an_invalid_number_of_a_connection_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=f"^{name}: ") as refused:
            READERS[name]({name: value})
        assert len(str(refused.value)) < 300

    @NUMBERS
    @pytest.mark.parametrize("value", [7, "7", " 7 ", 7.0, "7.0"])
    def test_a_number_of_a_connection_is_read_from_text_too(self, name: str, value: Any) -> None:
        assert READERS[name]({name: value}) == 7

    @NUMBERS
    @pytest.mark.parametrize("extra", [{}, {"timeout": "", "burst": None, "requests_per_second": ""}])
    def test_a_number_that_is_not_given_is_the_services_default(self, name: str, extra: dict[str, Any]) -> None:
        assert READERS[name](extra) == DEFAULTS[name]

    def test_the_number_of_requests_at_once_is_a_whole_number(self) -> None:
        with pytest.raises(ValueError, match=r"burst: 2\.5 is not a whole number"):
            read({"burst": 2.5})
