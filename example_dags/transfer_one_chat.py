# SPDX-License-Identifier: Apache-2.0
"""One chat by hand: trigger the DAG, type the chat and the target."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Param, dag

from airflow_provider_chattransfer.operators.transfer import TransferChatOperator


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    tags=["chattransfer"],
    params={
        "conn_id": Param("bitrix24_default", type="string", description="Connection"),
        "chat_id": Param(112, type="integer", minimum=1, description="Number of the chat"),
        "to": Param("agent:12", type="string", pattern="^(agent:[0-9]+|queue(:[0-9]+)?)$", description="Target"),
    },
)
def transfer_one_chat() -> None:
    TransferChatOperator(
        task_id="transfer",
        conn_id="{{ params.conn_id }}",
        chat_id="{{ params.chat_id }}",
        to="{{ params.to }}",
    )


transfer_one_chat()
