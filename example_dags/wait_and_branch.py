# SPDX-License-Identifier: Apache-2.0
"""Move chats, wait until they are accepted, and do something about those that were not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task

from airflow_provider_chattransfer.operators.transfer import TransferChatsOperator
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["chattransfer"],
)
def wait_and_branch() -> None:
    move = TransferChatsOperator(
        task_id="move",
        conn_id="bitrix24_default",
        transfers=[{"chat_id": 112, "to": "queue:3"}, {"chat_id": 113, "to": "queue:4"}],
    )
    wait = AcceptTransferSensor(
        task_id="wait",
        conn_id="bitrix24_default",
        transfers=move.output,
        accept_within=timedelta(minutes=5),
        poll_interval=5.0,
        deferrable=True,
    )

    @task.branch
    def anybody_waiting(report: dict[str, Any]) -> str:
        return "call_the_supervisor" if report["counts"]["requested"] else "all_accepted"

    anybody_waiting(wait.output) >> [
        EmptyOperator(task_id="call_the_supervisor"),
        EmptyOperator(task_id="all_accepted"),
    ]


wait_and_branch()
