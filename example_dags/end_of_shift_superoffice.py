# SPDX-License-Identifier: Apache-2.0
"""End of shift on SuperOffice: every chat is sent by the agent who owns it, and accepted by the one who gets it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator

# No start date, and no run for a shift that is over: unpausing the DAG must not hand over at once.
AT_TEN = CronTriggerTimetable("0 22 * * *", timezone="Europe/Berlin", run_immediately=timedelta(0))


@dag(schedule=AT_TEN, max_active_runs=1, tags=["chattransfer"])
def end_of_shift_superoffice() -> None:
    # The connection's agent_conn_id, "superoffice_agent_{agent}", names the connections of agents 7 and 8.
    hand_over = ReassignChatsOperator(
        task_id="hand_over",
        conn_id="superoffice_default",
        from_agents=["7", "8"],
        to=["agent:12", "agent:15", "agent:21"],
        strategy="least_loaded",
        wait_for_acceptance=True,
        # A Variable of Airflow changes it without a new version of this file.
        accept_within="{{ var.value.get('end_of_shift_accept_within', 'PT10M') }}",
        poll_interval=5.0,
        deferrable=True,
        max_failed_ratio=0.1,
        # A worker that dies loses nobody: the next try goes on where this one was. Airflow 3.1 and 3.2 need a
        # report_path for that.
        retries=2,
        retry_delay=timedelta(minutes=1),
    )

    @task(trigger_rule="all_done")
    def needs_a_human(report: dict[str, Any] | None) -> list[str]:
        """Return the chats that somebody has to look after, for whoever is on duty."""
        if report is None:
            raise RuntimeError("hand_over left no report. Its log says why; mend that, and clear the task.")
        return [each["chat_id"] for each in report["transfers"] if each["outcome"] in ("requested", "failed")]

    needs_a_human(hand_over.output)


end_of_shift_superoffice()
