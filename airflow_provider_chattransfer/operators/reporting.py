# SPDX-License-Identifier: Apache-2.0
"""How a task hands over its report, whether it succeeds or fails."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from ..chats.model import Outcome, TransferReport

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

NAMED = 5
"""How many chats an error names."""


class ChatsNotTransferred(RuntimeError):
    """More chats failed than the task may leave behind. The report has been pushed as ``return_value``."""


class WaitBrokenOff(RuntimeError):
    """The service could not be asked any more whether chats are accepted. The report has been pushed."""


def hand_in(context: Context, report: TransferReport, *, max_failed_ratio: float = 1.0) -> dict[str, Any]:
    """Write the report to its path, and return it as the task's result.

    Raises ``ChatsNotTransferred`` when a greater share than ``max_failed_ratio`` failed, or all of them; the
    report has been pushed under ``return_value`` by then.
    """
    value = report.to_json()
    if report.report_path:
        report_file(report.report_path).write_text(json.dumps(value, indent=1))
    failed = report.counts[Outcome.FAILED]
    if failed and (report.failed_ratio > max_failed_ratio or failed == len(report.results)):
        push(context, report)
        raise ChatsNotTransferred(_summary(report, failed))
    return value


def waited_for(context: Context, event: Any) -> TransferReport:
    """The report of a wait in the triggerer, from its event alone.

    Raises ``WaitBrokenOff`` when the wait could not go on, the report pushed by then, and ``ValueError`` for what is
    no event of the trigger.
    """
    from ..triggers.accept_transfer import WaitEnded

    ended = WaitEnded.from_event(event)
    log.info("%s", ended.report)
    if ended.error:
        push(context, ended.report)
        raise WaitBrokenOff(f"the wait for acceptance broke off: {ended.error}")
    return ended.report


def push(context: Context, report: TransferReport) -> None:
    """Push the report where the result of a task is found, for a task that is about to fail."""
    context["ti"].xcom_push(key="return_value", value=report.to_json())


def report_file(path: str) -> Any:
    """The object store or local path at which a report is written; its folder is made."""
    from airflow.sdk import ObjectStoragePath

    file = ObjectStoragePath(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _summary(report: TransferReport, failed: int) -> str:
    broken = [result for result in report.results if result.outcome is Outcome.FAILED]
    named = "; ".join(f"chat {result.transfer.chat_id}: {result.reason}" for result in broken[:NAMED])
    more = f"; and {failed - NAMED} more" if failed > NAMED else ""
    return (
        f"{failed} of {len(report.results)} chats were not moved. {named}{more}. "
        "Every chat is accounted for in the report, in the XCom return_value"
    )
