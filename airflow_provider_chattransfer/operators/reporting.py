# SPDX-License-Identifier: Apache-2.0
"""How a task hands over its report, whether it succeeds or fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from ..chats.model import Outcome, Result, Retry, TransferReport
from ..platforms.errors import TransferError
from .journal import NotWritten, TakenOver
from .summary import cut, grouped, log_summary

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..chats.ledger import Ledger

log = logging.getLogger(__name__)

LONGEST_ERROR = 299
"""Letters of an error."""

IN_THE_REPORT = "Every chat is in the report (XCom)"

SENDS_NOTHING = "a retry would change nothing: what failed was moved and did not stay, or is closed"
STOPS_AGAIN = "a retry would be stopped by the same cause; put it right, then clear the task: it goes on from here"
LOOKS_AGAIN = "a retry goes on waiting"
LOOKS_NO_MORE = "a retry would be turned away as well; put the cause right, then clear the task"


class ChatsNotTransferred(TransferError):
    """More chats failed than the task may leave behind. The report has been pushed as ``return_value``."""

    def __init__(self, summary: str, *, a_retry: str, permanent: bool, retry_after: float | None = None) -> None:
        """``permanent``: all that failed was moved and did not stay, or a retry would be stopped by the same cause."""
        super().__init__(f"{summary}. {IN_THE_REPORT}. {_sentence(a_retry)}")
        self.a_retry = a_retry
        self.permanent = permanent
        self.retry_after = retry_after


class WaitBrokenOff(TransferError):
    """The service could not be asked any more whether chats are accepted. The report has been pushed."""

    def __init__(self, cause: str, *, open_chats: int, permanent: bool, retry_after: float | None = None) -> None:
        """``open_chats`` is how many transfers nobody was seen to accept."""
        self.a_retry = LOOKS_NO_MORE if permanent else LOOKS_AGAIN
        self.permanent = permanent
        self.retry_after = retry_after
        left = f"{open_chats} transfers were not seen to be accepted"
        super().__init__(f"the wait for acceptance broke off: {cut(cause, 120)}. {left}. {_sentence(self.a_retry)}")


class ReportSoFar:
    """What a task can tell of its chats at any moment; ``tell`` is given a reason for those that are still open.

    ``None`` before anything is on record.
    """

    def __init__(self) -> None:
        self.tell: Callable[[str], TransferReport | None] = lambda reason: None


@contextmanager
def report_left_behind(context: Context) -> Iterator[ReportSoFar]:
    """Leave the report of what is known when the block ends with an error of any kind, and raise the error.

    A task that is deferred or rescheduled has not ended; one whose record another try has taken over tells nothing.
    """
    so_far = ReportSoFar()
    try:
        yield so_far
    except (TaskDeferred, AirflowRescheduleException, TakenOver):
        raise
    except BaseException as error:
        try:
            report = so_far.tell(_why_it_ended(error))
        except Exception as trouble:
            log.error("What became of the chats cannot be told: %s", type(trouble).__name__)
        else:
            if report is not None:
                leave(context, report)
        raise


def leave(context: Context, report: TransferReport) -> None:
    """Write the report to its path, and push it where the result of a task is found; what cannot be done is logged."""
    try:
        _write(report)
    except NotWritten as error:
        log.error("%s", error)
    try:
        context["ti"].xcom_push(key="return_value", value=report.to_json())
    except Exception as error:
        log.error("The report could not be pushed as return_value: %s", type(error).__name__)


def hand_in(
    context: Context, report: TransferReport, *, ledger: Ledger, max_failed_ratio: float = 1.0
) -> dict[str, Any]:
    """Write the report to its path, note in ``ledger`` that the task is done, and return the report as its result.

    Raises ``ChatsNotTransferred`` when a greater share than ``max_failed_ratio`` failed, or all of them, and
    ``NotWritten``; ``report_left_behind`` has to be around it.
    """
    log_summary(report)
    _write(report)
    failed = report.counts[Outcome.FAILED]
    if failed and (report.failed_ratio > max_failed_ratio or failed == len(report.results)):
        raise _not_transferred(report, ledger)
    ledger.write_finished(series=context["ti"].max_tries)
    return report.to_json()


def waited_for(event: Any, *, ledger: Ledger, so_far: ReportSoFar) -> TransferReport:
    """The report of a wait in the triggerer, from its event alone; what was settled goes into ``ledger``.

    Raises ``WaitBrokenOff`` when the wait could not go on, ``AirflowTaskTimeout`` when the task's ``execution_timeout``
    ended it, ``NotWritten``, and ``ValueError`` for what is no event of the trigger.
    """
    from ..triggers.accept_transfer import WaitEnded

    ended = WaitEnded.from_event(event)
    so_far.tell = lambda reason: ended.report
    ledger.write_waited_for(ended.report.results)
    if ended.error:
        raise WaitBrokenOff(
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
    return ledger.with_retries(ended.report)


def told_by(event: Any) -> TransferReport | None:
    """The report in the event of a trigger; ``None`` for what is no such event."""
    from ..triggers.accept_transfer import WaitEnded

    try:
        return WaitEnded.from_event(event).report
    except ValueError:
        return None


def _why_it_ended(error: BaseException) -> str:
    if isinstance(error, AirflowTaskTimeout):
        return "the task ran out of time"
    if isinstance(error, NotWritten):
        return "the record could not be written"
    return f"the task ended early: {type(error).__name__}"


def _write(report: TransferReport) -> None:
    if report.report_path:
        from airflow.sdk import ObjectStoragePath

        try:
            ObjectStoragePath(report.report_path).write_text(json.dumps(report.to_json(), indent=1))
        except Exception as cause:
            raise NotWritten("the report", cause) from cause


def _not_transferred(report: TransferReport, ledger: Ledger) -> ChatsNotTransferred:
    failed = [result for result in report.results if result.outcome is Outcome.FAILED]
    unsettled = [result for result in failed if result.retry not in (Retry.NOTHING, Retry.CLEAR)]
    limited_for = max(0.0, ledger.limited_until - datetime.now(UTC).timestamp())
    a_retry = _goes_on(unsettled, limited_for=limited_for)
    if not unsettled or ledger.stopped_for_good:
        may_be_sent = any(result.retry is not Retry.NOTHING for result in failed)
        a_retry = STOPS_AGAIN if may_be_sent else SENDS_NOTHING
    what = f"{len(failed)} of {len(report.results)} chats were not moved: "
    room = LONGEST_ERROR - len(f"{what}. {IN_THE_REPORT}. {a_retry}")
    return ChatsNotTransferred(
        f"{what}{grouped(failed, room=room)}",
        a_retry=a_retry,
        permanent=ledger.stopped_for_good or not unsettled,
        retry_after=limited_for or None,
    )


def _goes_on(unsettled: Sequence[Result], *, limited_for: float) -> str:
    limit = f"; the service takes requests again in {limited_for:.0f} s" if limited_for else ""
    return f"a retry reads {len(unsettled)} of them again, and sends those that were surely not moved{limit}"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
