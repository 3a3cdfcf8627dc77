# SPDX-License-Identifier: Apache-2.0
"""One chat by hand: trigger the DAG, type the chat and the target."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import Param, dag

from airflow_provider_chattransfer.operators.transfer import TransferChatOperator


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    tags=["chattransfer"],
    params={
        "conn_id": Param("bitrix24_default", type="string", description="Connection"),
        "chat_id": Param("112", type=["string", "integer"], description="Chat: 112, session:332 or crm:deal:42"),
        "to": Param(
            "agent:12",
            type=["string", "integer"],
            description="Target: agent:12, agent:jane@example.com, queue:3, queue:Support, or queue for the chat's own",
        ),
    },
)
def transfer_one_chat() -> None:
    TransferChatOperator(
        task_id="transfer",
        conn_id="{{ params.conn_id }}",
        chat_id="{{ params.chat_id }}",
        to="{{ params.to }}",
        retries=2,
        retry_delay=timedelta(minutes=1),
    )


transfer_one_chat()
