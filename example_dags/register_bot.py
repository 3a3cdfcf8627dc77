# SPDX-License-Identifier: Apache-2.0
"""Register the bot without which Bitrix24 transfers no chat, where nobody has a shell: trigger the DAG once.

Where the bot is there already, nothing changes. On a machine of Airflow, this does the same:
``python -m airflow_provider_chattransfer register-bot bitrix24_default``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    tags=["chattransfer"],
    params={
        "conn_id": Param("bitrix24_default", type="string", description="Connection"),
        "code": Param("chattransfer", type="string", minLength=1, description="The bot's code, its name for good"),
        "name": Param("Chat transfer", type="string", minLength=1, description="The bot's name, as operators see it"),
    },
)
def register_bot() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=30))
    def register(params: dict[str, Any] | None = None) -> str:
        """Register it, and say which user it is."""
        from airflow_provider_chattransfer.hooks.bitrix24 import Bitrix24Hook

        asked = params or {}
        bot = Bitrix24Hook(asked["conn_id"]).register_bot(code=asked["code"], name=asked["name"])
        print(bot)
        return str(bot)

    register()


register_bot()
