# SPDX-License-Identifier: Apache-2.0
"""One try of a real task instance, scheduled, run and, after a kill, given up as Airflow's scheduler does it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_chattransfer.tasks.task_state_record_store import KEY_PREFIX

from ..airflow.conftest import noted_errors, publish

RUN_ID = "chaos"


def next_try(dag_id: str, operator: Callable[..., Any]) -> dict[str, Any]:
    """Run the next try of the only task of the DAG ``dag_id``, and return its state, its report and its error.

    A try that has left its task instance running was killed: it fails first, as it does when no heartbeat comes.
    """
    from airflow.sdk import DAG
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session

    with DAG(dag_id=dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        operator(retries=9, retry_delay=timedelta(0))
    publish(dag)
    scheduled = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    with create_session() as session:
        run = _run_of(scheduled, session)
        (ti,) = run.get_task_instances(session=session)
        ti.task = scheduled.get_task("task")
        if str(ti.state) == "running":
            ti.handle_failure(error="the worker does not answer any more", session=session)
            session.commit()
        ready, _ = run.update_state(session=session)
        assert [each.task_id for each in ready] == ["task"], f"the task is {ti.state}, not ready for a next try"
        ti.try_number += 1
        ti.state = "scheduled"
        session.commit()
        with noted_errors() as errors:
            _run_task(ti=ti, task=dag.task_dict["task"])
        session.expire_all()
        error = errors.get("task")
        return {
            "report": _report(dag_id, session),
            "error": None if error is None else "".join(traceback.format_exception(error)),
            "record": _record(dag_id, session),
        }


def _run_of(dag: Any, session: Any) -> Any:
    """Return the DAG's run, which is made at the first try."""
    from airflow.models.dagrun import DagRun, get_or_create_dagrun
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag.dag_id))
    if run is not None:
        run.dag = dag
        return run
    now = datetime.now(UTC)
    return get_or_create_dagrun(
        dag=dag,
        start_date=now,
        logical_date=now,
        data_interval=(now, now),
        run_after=now,
        run_id=RUN_ID,
        session=session,
        conf=None,
        triggered_by=DagRunTriggeredByType.TEST,
        triggering_user_name="chaos",
    )


def _report(dag_id: str, session: Any) -> Any:
    from airflow.models.xcom import XComModel

    found = XComModel.get_many(run_id=RUN_ID, dag_ids=[dag_id], key="return_value")
    row = session.scalars(found).first()
    return None if row is None else XComModel.deserialize_value(row)


def _record(dag_id: str, session: Any) -> list[Any]:
    """Return the record's entries in the task state store, in the order of their keys, which end in numbers."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from sqlalchemy import select

    rows = session.scalars(select(TaskStateStoreModel).where(TaskStateStoreModel.dag_id == dag_id)).all()
    entries = [row for row in rows if row.key.startswith(KEY_PREFIX)]
    return [json.loads(row.value) for row in sorted(entries, key=lambda row: (len(row.key), row.key))]
