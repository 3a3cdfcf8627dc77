# SPDX-License-Identifier: Apache-2.0
"""Retry tasks by the cause of a failure. Needs Airflow 3.3; importing this before raises ``ImportError``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from airflow.sdk import RetryDecision, RetryPolicy

from .exceptions import TransferError
from .retry_decision import NextStep, decide

if TYPE_CHECKING:
    from airflow.sdk import Context

MAX_DELAY_SECONDS = 86_400.0
"""Seconds until a retry at most: a longer hint of the service is not believed."""


class ChatTransferRetryPolicy(RetryPolicy):
    """Retry what a retry can change, when the service says so, and nothing else.

    The operators and the sensor have it unless they are given another ``retry_policy``. It can only use the retries
    that a task has (``retries``), never add to them.

    * Bad input (``ValueError``), wrong credentials, a request that is refused or an answer that is not understood:
      no retry. Neither when chats failed and no retry can change that.
    * A limit, also one that ended a run or a wait: a retry after the service's hint.
    * A service out of reach, a connection that broke, chats that were not moved, a task that ran out of time: a retry
      after the task's ``retry_delay``.
    * Anything else is not ours to judge: what the task would do without a policy.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Tell Airflow what to do about a task that ended with ``exception``; called on the worker."""
        decision = decide(exception)
        if decision.permanent:
            return RetryDecision.fail(_reason(exception))
        if decision.after_seconds:
            delay = timedelta(seconds=min(decision.after_seconds, MAX_DELAY_SECONDS))
            return RetryDecision.retry(delay, _reason(exception))
        if decision.next_step is not NextStep.NOT_OURS or isinstance(exception, AirflowTaskTimeout):
            return RetryDecision.retry(reason=_reason(exception))
        return RetryDecision.default()


def _reason(error: BaseException) -> str:
    """Return what Airflow shows beside the try: fixed words, so that nothing of the error's text gets there."""
    if isinstance(error, ValueError):
        return f"{type(error).__name__}: a retry would be given the same input"
    retry_advice = error.retry_advice if isinstance(error, TransferError) else TransferError.retry_advice
    return f"{type(error).__name__}: {retry_advice}"
