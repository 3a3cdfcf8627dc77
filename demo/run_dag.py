# SPDX-License-Identifier: Apache-2.0
"""``python -m demo.run_dag <dag> <file> <seconds>``: run an example DAG and write what ``hand_over`` returned.

A process of its own, so that the demo can show what happens while Airflow runs.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from .environment import ROOT

TASK = "hand_over"


def main(dag_id: str, report_file: str, accept_within: str) -> int:
    """Run ``dag_id`` with real tasks; 0 when it succeeded. Receivers get ``accept_within`` seconds."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    dag = DagBag(dag_folder=str(ROOT / "example_dags" / f"{dag_id}.py")).dags[dag_id]
    task: Any = dag.get_task(TASK)
    task.accept_within = timedelta(seconds=float(accept_within))
    task.poll_interval = 1.0
    run: Any = dag.test()
    report = returned_by(TASK, dag_id=dag_id, run_id=run.run_id)
    Path(report_file).write_text(json.dumps(report))
    return 0 if run.state == "success" else 1


def returned_by(task_id: str, *, dag_id: str, run_id: str) -> Any:
    """Return what a task returned, also one that failed after it; ``None`` when it returned nothing."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = XComModel.get_many(run_id=run_id, dag_ids=[dag_id], task_ids=[task_id], key="return_value")
        rows: Any = session.scalars(found).all()
        return XComModel.deserialize_value(rows[0]) if rows else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
