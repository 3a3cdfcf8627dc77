# SPDX-License-Identifier: Apache-2.0
"""Identify a task of a DAG run, whatever its try."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """Which task this is, whatever its try, and in which of the runs that had its name."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    run_started_at: float
    run_was_cleared: bool

    @classmethod
    def of(cls, context: Context) -> TaskIdentity:
        """Read the identity from a task's context.

        A run that is deleted and made again for its date has the same name and another start. Airflow changes the start
        of a run only when a finished one is cleared.
        """
        ti, run = context["ti"], context.get("dag_run")
        started = getattr(run, "start_date", None) or getattr(run, "run_after", None)
        return cls(
            dag_id=str(getattr(ti, "dag_id", "")),
            run_id=str(getattr(ti, "run_id", "")),
            task_id=str(getattr(ti, "task_id", "")),
            map_index=-1 if (index := getattr(ti, "map_index", None)) is None else int(index),
            run_started_at=started.timestamp() if started else 0.0,
            run_was_cleared=bool(getattr(run, "clear_number", 0)),
        )

    @property
    def name(self) -> str:
        """Name of a folder, the same for all runs of one name."""
        number = digest([self.dag_id, self.run_id, self.task_id, self.map_index])
        return f"{self.dag_id}.{self.task_id}.{number}"


def digest(value: Any) -> str:
    """Return 16 letters that stand for a JSON value, the same for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
