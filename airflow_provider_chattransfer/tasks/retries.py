# SPDX-License-Identifier: Apache-2.0
"""Decide whether a task's error is retried: by a policy since Airflow 3.3, by ``AirflowFailException`` before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from ..retry_decision import decide

P = ParamSpec("P")
R = TypeVar("R")

HAS_RETRY_POLICIES = hasattr(BaseOperator, "retry_policy")


def retry_by_cause(operator: BaseOperator) -> None:
    """Give an operator the ``ChatTransferRetryPolicy``, where Airflow has policies and its user has given it none."""
    if HAS_RETRY_POLICIES and operator.retry_policy is None:
        from ..retry_policy import ChatTransferRetryPolicy

        operator.retry_policy = ChatTransferRetryPolicy()


def fail_fast_if_permanent(method: Callable[P, R]) -> Callable[P, R]:
    """Where Airflow has no retry policies, fail the task for good on an error that a retry would meet again."""
    return method if HAS_RETRY_POLICIES else fail_for_good_if_permanent(method)


def fail_for_good_if_permanent(method: Callable[P, R]) -> Callable[P, R]:
    """Raise an ``AirflowFailException`` with the same message for an error that a retry would meet again."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            if decide(error).permanent:
                raise AirflowFailException(str(error)) from error
            raise

    return wrapped
