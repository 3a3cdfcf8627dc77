# SPDX-License-Identifier: Apache-2.0
"""How a task hands over its report, whether it succeeds or fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..chats.model import Outcome, Result, Retry, TransferReport
from ..platforms.errors import TransferError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..chats.ledger import Ledger

log = logging.getLogger(__name__)

NAMED = 5
"""How many chats an error names."""

SENDS_NOTHING = "a retry would change nothing: what failed was moved and did not stay, or is closed"
STOPS_AGAIN = "a retry would be stopped by the same cause; put it right, then clear the task: it goes on from here"
LOOKS_AGAIN = "a retry goes on waiting"
LOOKS_NO_MORE = "a retry would be turned away as well; put the cause right, then clear the task"


class ChatsNotTransferred(TransferError):
    """More chats failed than the task may leave behind. The report has been pushed as ``return_value``."""

    def __init__(self, summary: str, *, a_retry: str, permanent: bool) -> None:
        """``permanent``: all that failed was moved and did not stay, or a retry would be stopped by the same cause."""
        super().__init__(
            f"{summary}. Every chat is accounted for in the report, in the XCom return_value. {_sentence(a_retry)}"
        )
        self.a_retry = a_retry
        self.permanent = permanent


class WaitBrokenOff(TransferError):
    """The service could not be asked any more whether chats are accepted. The report has been pushed."""

    def __init__(self, cause: str, *, open_chats: int, permanent: bool) -> None:
        """``open_chats`` is how many transfers nobody was seen to accept."""
        self.a_retry = LOOKS_NO_MORE if permanent else LOOKS_AGAIN
        self.permanent = permanent
        left = f"{open_chats} transfers were not seen to be accepted"
        super().__init__(f"the wait for acceptance broke off: {cause}. {left}. {_sentence(self.a_retry)}")


def hand_in(
    context: Context, report: TransferReport, *, max_failed_ratio: float = 1.0, stopped_for_good: bool = False
) -> dict[str, Any]:
    """Write the report to its path, and return it as the task's result.

    Raises ``ChatsNotTransferred`` when a greater share than ``max_failed_ratio`` failed, or all of them; the
    report has been pushed under ``return_value`` by then. ``stopped_for_good`` tells that the run ended before its
    end for a cause that a retry would meet again.
    """
    value = report.to_json()
    if report.report_path:
        report_file(report.report_path).write_text(json.dumps(value, indent=1))
    failed = report.counts[Outcome.FAILED]
    if failed and (report.failed_ratio > max_failed_ratio or failed == len(report.results)):
        push(context, report)
        raise _not_transferred(report, stopped_for_good=stopped_for_good)
    return value


def waited_for(context: Context, event: Any, *, ledger: Ledger) -> TransferReport:
    """The report of a wait in the triggerer, from its event alone; what was settled goes into ``ledger``.

    Raises ``WaitBrokenOff`` when the wait could not go on, the report pushed by then, and ``ValueError`` for what is
    no event of the trigger.
    """
    from ..triggers.accept_transfer import WaitEnded

    ended = WaitEnded.from_event(event)
    log.info("%s", ended.report)
    ledger.write_waited_for(ended.report.results)
    if ended.error:
        push(context, ended.report)
        raise WaitBrokenOff(ended.error, open_chats=len(ended.report.waiting), permanent=ended.permanent)
    return ledger.with_retries(ended.report)


def push(context: Context, report: TransferReport) -> None:
    """Push the report where the result of a task is found, for a task that is about to fail."""
    context["ti"].xcom_push(key="return_value", value=report.to_json())


def report_file(path: str) -> Any:
    """The object store or local path at which a report is written; its folder is made."""
    from airflow.sdk import ObjectStoragePath

    file = ObjectStoragePath(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _not_transferred(report: TransferReport, *, stopped_for_good: bool) -> ChatsNotTransferred:
    failed = [result for result in report.results if result.outcome is Outcome.FAILED]
    unsettled = [result for result in failed if result.retry is not Retry.NOTHING]
    a_retry = SENDS_NOTHING if not unsettled else STOPS_AGAIN if stopped_for_good else _goes_on(unsettled)
    return ChatsNotTransferred(
        f"{len(failed)} of {len(report.results)} chats were not moved. {_named(failed)}",
        a_retry=a_retry,
        permanent=stopped_for_good or not unsettled,
    )


def _named(failed: Sequence[Result]) -> str:
    named = "; ".join(f"chat {result.transfer.chat_id}: {result.reason}" for result in failed[:NAMED])
    return named + (f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else "")


def _goes_on(unsettled: Sequence[Result]) -> str:
    return f"a retry reads {len(unsettled)} of them again, and sends those that were surely not moved"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
