# SPDX-License-Identifier: Apache-2.0
"""The end that ``execution_timeout`` sets to a task that waits in the triggerer, which Airflow itself leaves alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

if TYPE_CHECKING:
    from airflow.sdk import Context

SPARE = timedelta(seconds=30)
"""How much longer than the trigger Airflow waits before it fails the task itself: for a triggerer that is gone."""


@dataclass(frozen=True, slots=True)
class ExecutionTimeout:
    """When a task runs out of its ``execution_timeout``, in epoch seconds; ``at`` is ``None`` where it has none.

    On Airflow 3.3 a deferred task is not ended by its ``execution_timeout`` (measured): the deferral is given what is
    left of it.
    """

    at: float | None

    @classmethod
    def of(cls, operator: Any, context: Context) -> ExecutionTimeout:
        """Counted from the task's start, which a deferral does not change."""
        started_at = getattr(context["ti"], "start_date", None)
        if operator.execution_timeout is None or started_at is None:
            return cls(None)
        return cls((started_at + operator.execution_timeout).timestamp())

    @property
    def of_deferral(self) -> timedelta | None:
        """How long a deferral may take; raises ``AirflowTaskTimeout`` when nothing is left."""
        if self.at is None:
            return None
        left = timedelta(seconds=self.at - datetime.now(UTC).timestamp())
        if left <= timedelta(0):
            raise AirflowTaskTimeout("the task ran out of its execution_timeout")
        return left + SPARE
