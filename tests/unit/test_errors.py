# SPDX-License-Identifier: Apache-2.0
"""What is taken for an error code of a service, and what is text that nobody may see."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    RateLimitError,
    UnexpectedResponseError,
    as_code,
)
from airflow_provider_chattransfer.retry_decision import decide


@pytest.mark.parametrize(
    ("value", "code"),
    [("OPERATOR_WRONG", "OPERATOR_WRONG"), ("100", "100"), (100, "100"), (0, "0"), ("So.Not`1", "So.Not`1")],
)
def test_a_code_is_a_word_or_a_short_number(value: Any, code: str) -> None:
    assert as_code(value) == code


DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", " ", "Ann wrote: hi", "X" * 101, -1, 100_000, 10**5000, 1.5, math.inf, [], ["X"], {}, DEEP],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_not_a_code(value: Any) -> None:
    assert as_code(value) is None


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (ValueError("to: the list is empty"), True),
        (CredentialsError("no", method="profile"), True),
        (RateLimitError("too many requests", method="batch"), False),
        (UnicodeError(), False),
        (json.JSONDecodeError("", "", 0), False),
        (KeyError("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_bad_input_and_errors_that_say_so_are_permanent(error: BaseException, permanent: bool) -> None:
    assert decide(error).permanent is permanent


def test_an_error_has_300_letters_at_most_and_ends_with_its_code() -> None:
    text = str(UnexpectedResponseError("a" * 400, method="batch", code="ACCESS_DENIED"))
    assert len(text) == 300
    assert text.startswith("batch: aaa")
    assert text.endswith("aaa [ACCESS_DENIED]")
