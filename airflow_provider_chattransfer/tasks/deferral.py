# SPDX-License-Identifier: Apache-2.0
"""End a task that waits in the triggerer when its ``execution_timeout`` is over, which Airflow itself does not do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFERRAL_MARGIN = timedelta(seconds=30)
"""How much longer than the trigger Airflow waits before it fails the task itself, in case the triggerer is gone."""


@dataclass(frozen=True, slots=True)
class ExecutionTimeout:
    """When a task's ``execution_timeout`` is over: ``at``, in seconds since the epoch; ``None`` where it has none.

    On Airflow 3.3 a deferred task is not ended by its ``execution_timeout`` (measured), so the deferral is given what
    is left of it.
    """

    at: float | None

    @classmethod
    def of(cls, operator: Any, context: Context) -> ExecutionTimeout:
        """Count from the task's start, which a deferral does not change."""
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
        return left + DEFERRAL_MARGIN
