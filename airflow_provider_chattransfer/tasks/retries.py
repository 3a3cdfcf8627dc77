# SPDX-License-Identifier: Apache-2.0
"""How a task's errors become retries or not: by a policy since Airflow 3.3, by ``AirflowFailException`` before."""

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
    """Give an operator the ``ChatTransferRetryPolicy``, where there are policies and its user has given it none."""
    if HAS_RETRY_POLICIES and operator.retry_policy is None:
        from ..retry_policy import ChatTransferRetryPolicy

        operator.retry_policy = ChatTransferRetryPolicy()


def fail_fast_if_permanent(method: Callable[P, R]) -> Callable[P, R]:
    """Where there are no policies, let an error of ``method`` that a retry would meet again fail the task for good."""
    return method if HAS_RETRY_POLICIES else failing_for_good(method)


def failing_for_good(method: Callable[P, R]) -> Callable[P, R]:
    """Raise an ``AirflowFailException`` with the same message from an error that a retry would meet again."""

    @wraps(method)
    def ending(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            if decide(error).permanent:
                raise AirflowFailException(str(error)) from error
            raise

    return ending
