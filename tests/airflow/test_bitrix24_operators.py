# SPDX-License-Identifier: Apache-2.0
"""Operators on Bitrix24: real tasks, real HTTP."""

from __future__ import annotations

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator

from .conftest import Sandbox, a_dag, run


class TestReassign:
    def test_x(self, sandbox: Sandbox) -> None:
        with a_dag() as dag:
            ReassignChatsOperator(
                task_id="hand_over",
                conn_id="bitrix24_default",
                from_agents=["7", "8"],
                to=["agent:12", "agent:15", "queue:3"],
                wait_for_acceptance=True,
                poll_interval=0.1,
            )
        ran = run(dag)
        assert ran.state == "success", ran.errors
        print(ran.results)
