# SPDX-License-Identifier: Apache-2.0
"""Deliver a task's report, whether the task succeeds or fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from ..airflow_internals import reschedule_exception
from ..chats.model import Outcome, Result, RetryAction, TransferReport
from ..chats.run import RunResult
from ..exceptions import (
    IN_THE_REPORT,
    ChatsNotTransferredError,
    RecordTakenOverError,
    RecordWriteError,
    WaitInterruptedError,
)
from ..shortening import MAX_SENTENCE_LETTERS
from .summary import group_by_reason, log_summary
from .wait_event import WaitEnded

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..chats.run_record import RunRecord

log = logging.getLogger(__name__)

NOTHING_TO_RETRY = "a retry would change nothing: what failed was moved and did not stay, or is closed"
FIX_BEFORE_RETRY = "a retry would be stopped by the same cause; put it right, then clear the task: it goes on from here"


class LatestReport:
    """What a task knows about its chats at any moment.

    ``make`` is given a reason for the chats that are still open; it returns ``None`` before anything is on record.
    """

    def __init__(self) -> None:
        self.make: Callable[[str], TransferReport | None] = lambda reason: None


@contextmanager
def push_report_on_failure(context: Context) -> Iterator[LatestReport]:
    """Deliver the report of what is known when the block ends with an error of any kind, and raise the error.

    A task that is deferred or rescheduled has not ended, and one whose record another try has taken over delivers
    nothing.
    """
    latest = LatestReport()
    try:
        yield latest
    except (TaskDeferred, reschedule_exception(), RecordTakenOverError):
        raise
    except BaseException as error:
        try:
            report = latest.make(_reason_of(error))
        except Exception as trouble:
            log.error("What became of the chats cannot be told: %s", type(trouble).__name__)
        else:
            if report is not None:
                deliver_report(context, report)
        raise


def deliver_report(context: Context, report: TransferReport) -> None:
    """Write the report to its path, and push it as the task's result; what fails is logged."""
    try:
        _write(report)
    except RecordWriteError as error:
        log.error("%s", error)
    try:
        context["ti"].xcom_push(key="return_value", value=report.to_json())
    except Exception as error:
        log.error("The report could not be pushed as return_value: %s", type(error).__name__)


def finish_task(
    context: Context,
    report: TransferReport,
    *,
    record: RunRecord,
    run: RunResult | None = None,
    max_failed_ratio: float = 1.0,
) -> dict[str, Any]:
    """Write the report to its path, note in ``record`` that the task is done, and return the report as its result.

    ``run`` is what the run of this try came to; ``None`` in a task that only waited.

    Raises ``ChatsNotTransferredError`` when a greater share than ``max_failed_ratio`` failed, or all of them, and
    ``RecordWriteError``. Call it inside ``push_report_on_failure``.
    """
    log_summary(report)
    _write(report)
    failed = report.counts[Outcome.FAILED]
    if failed and (report.failed_ratio > max_failed_ratio or failed == len(report.results)):
        raise _not_transferred(report, run or RunResult(report.results))
    record.write_finished(series=context["ti"].max_tries)
    return report.to_json()


def report_from_event(event: Any, *, record: RunRecord, latest: LatestReport) -> TransferReport:
    """Return the report of a wait in the triggerer, from its event alone; what it settled goes into ``record``.

    Raises ``WaitInterruptedError`` when the wait could not go on, ``AirflowTaskTimeout`` when the task's
    ``execution_timeout`` ended it, ``RecordWriteError``, and ``ValueError`` for what is not an event of the trigger.
    """
    ended = WaitEnded.from_event(event)
    latest.make = lambda reason: ended.report
    record.write_wait_results(ended.report.results)
    if ended.error:
        raise WaitInterruptedError(
            ended.error,
            open_chats=len(ended.report.waiting),
            permanent=ended.permanent,
            retry_after=ended.retry_after,
        )
    if ended.out_of_time:
        raise AirflowTaskTimeout(
            f"{len(ended.report.waiting)} transfers were not accepted before the task ran out of its "
            "execution_timeout; the report is in the XCom return_value"
        )
    return record.with_retry_actions(ended.report)


def report_in(event: Any) -> TransferReport | None:
    """Return the report in the event of a trigger; ``None`` for anything else."""
    try:
        return WaitEnded.from_event(event).report
    except ValueError:
        return None


def _reason_of(error: BaseException) -> str:
    if isinstance(error, AirflowTaskTimeout):
        return "the task ran out of time"
    if isinstance(error, RecordWriteError):
        return "the record could not be written"
    return f"the task ended early: {type(error).__name__}"


def _write(report: TransferReport) -> None:
    if report.report_path:
        from airflow.sdk import ObjectStoragePath

        try:
            path: Any = ObjectStoragePath(report.report_path)
            with path.open("w") as file:
                file.writelines(report.lines())
        except Exception as cause:
            raise RecordWriteError("the report", cause) from cause


def _not_transferred(report: TransferReport, run: RunResult) -> ChatsNotTransferredError:
    failed = [result for result in report.results if result.outcome is Outcome.FAILED]
    unsettled = [result for result in failed if result.retry not in (RetryAction.NONE, RetryAction.AFTER_FIX)]
    limited_for = max(0.0, run.limited_until - datetime.now(UTC).timestamp())
    retry_advice = _what_a_retry_does(unsettled, limited_for=limited_for)
    if not unsettled or run.permanent:
        may_be_sent = any(result.retry is not RetryAction.NONE for result in failed)
        retry_advice = FIX_BEFORE_RETRY if may_be_sent else NOTHING_TO_RETRY
    what = f"{len(failed)} of {len(report.results)} chats were not moved: "
    room = MAX_SENTENCE_LETTERS - 1 - len(f"{what}. {IN_THE_REPORT}. {retry_advice}")
    return ChatsNotTransferredError(
        f"{what}{group_by_reason(failed, room=room)}",
        retry_advice=retry_advice,
        permanent=run.permanent or not unsettled,
        retry_after=limited_for or None,
    )


def _what_a_retry_does(unsettled: Sequence[Result], *, limited_for: float) -> str:
    limit = f"; the service takes requests again in {limited_for:.0f} s" if limited_for else ""
    return f"a retry reads {len(unsettled)} of them again, and sends those that were surely not moved{limit}"
