# SPDX-License-Identifier: Apache-2.0
"""The hand-overs that the cluster runs; their connections come from the environment."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator

AGAIN = {"retries": 20, "retry_delay": timedelta(0)}
"""A loaded machine may make Airflow take a task for dead that is not: that costs a try, and shall cost no more."""

with DAG(dag_id="bitrix24", schedule=None, default_args=AGAIN):
    ReassignChatsOperator(task_id="hand_over", conn_id="bitrix24_default", from_agents=[7], to=["agent:12", "agent:15"])

with DAG(dag_id="superoffice", schedule=None, default_args=AGAIN):
    ReassignChatsOperator(
        task_id="hand_over",
        conn_id="superoffice_default",
        from_agents=[7],
        to=["agent:12", "agent:15"],
        wait_for_acceptance=True,
        accept_within=timedelta(hours=1),
        poll_interval=0.5,
        deferrable=True,
    )

with DAG(dag_id="bitrix24_with_a_report", schedule=None, default_args=AGAIN):
    ReassignChatsOperator(
        task_id="hand_over",
        conn_id="bitrix24_default",
        from_agents=[7],
        to=["agent:12", "agent:15"],
        report_path=os.environ.get("REPORTS", "") + "/{{ run_id }}.json",
    )
