# SPDX-License-Identifier: Apache-2.0
"""Wait until transfers are accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)

from ..chats.acceptance import AcceptancePoller
from ..chats.model import Outcome, TransferReport
from ..chats.run_record import RunRecord
from ..exceptions import PlatformError, WaitInterruptedError
from ..tasks.deferral import ExecutionTimeout
from ..tasks.open_record import open_record, reopen_record
from ..tasks.options import DEFERRABLE, WaitOptions, as_conn_id
from ..tasks.report import (
    LatestReport,
    deliver_report,
    finish_task,
    push_report_on_failure,
    report_from_event,
    report_in,
)
from ..tasks.retries import fail_fast_if_permanent, retry_by_cause
from ..tasks.templates import RenderOnlyTemplates
from .awaited_transfers import AwaitedTransfers

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..platforms.base import ChatPlatform


class AcceptTransferSensor(RenderOnlyTemplates, BaseSensorOperator):
    """Wait until every transfer is accepted, rejected or otherwise settled, and return the report.

    When ``accept_within`` is over the sensor succeeds, and reports transfers that nobody has accepted as ``requested``,
    so that a DAG can go on from there. When ``timeout`` comes first it fails as any sensor does; the report has been
    pushed then, too. Works in the modes ``poke`` and ``reschedule``, and deferrable.

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice`` (templated).
    :param transfers: the report of a task that moved chats, a list of such reports (of several tasks, mapped or not),
        or rows, ``[{"chat_id": 112, "to": "agent:12"}, …]``. Rows whose ``outcome`` is another than ``requested`` stay
        as they are; nothing to wait for is an empty success (templated).
    :param accept_within: how long the receivers have, from the sensor's start: a ``timedelta``, seconds, or text such
        as ``PT15M``. ``None``, the default, waits until ``timeout`` (templated).
    :param poll_interval: seconds between two polls, 15 by default, or a ``timedelta``, or text such as ``PT15S``
        (templated).
    :param deferrable: wait in the triggerer, without a worker; Airflow's ``default_deferrable`` by default (templated).
    :raises ValueError: for bad input.
    :raises AirflowSensorTimeout: when ``timeout`` is over.
    :raises PlatformError: when no poll can succeed any more; ``WaitInterruptedError`` from the triggerer.
    :raises ChatsNotTransferredError: when all chats failed.
    :raises RecordWriteError: when the record of the run cannot be kept.
    """

    template_fields: Sequence[str] = ("conn_id", "transfers", "accept_within", "poll_interval", "deferrable")
    template_fields_renderers: ClassVar[dict[str, str]] = {"transfers": "json"}
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        conn_id: str | XComArg,
        transfers: Mapping[str, Any] | Sequence[Mapping[str, Any] | XComArg | None] | str | XComArg,
        accept_within: timedelta | float | str | XComArg | None = None,
        poll_interval: float | str | timedelta | XComArg = 15.0,
        deferrable: bool | str | XComArg = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        self._paced_by_poll_interval = "poke_interval" not in kwargs
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.transfers = transfers
        self.accept_within = accept_within
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._poller: AcceptancePoller | None = None
        self._found_record: RunRecord | None = None

    @fail_fast_if_permanent
    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, and return the report as plain JSON.

        Except for bad input, the report is pushed however the sensor ends. Raises what the class lists.
        """
        options, awaited = WaitOptions.read(self), AwaitedTransfers.read(self.transfers)
        if self._paced_by_poll_interval:
            self.poke_interval = options.poll_interval
        try:
            record = self._read_record(context, awaited)
            with push_report_on_failure(context) as latest:
                latest.make = lambda reason: self._known(awaited, record)
                try:
                    poller = self._make_poller(context, options, awaited)
                    latest.make = lambda reason: poller.report
                    if options.deferrable:
                        self._execute_deferred(context, options)
                    else:
                        super().execute(context)
                except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout, PlatformError) as ended:
                    record.write_failed_polls(0)
                    self._skip_instead_of(ended)
                    raise
                return finish_task(context, poller.report, record=record)
        finally:
            self._close()

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        from ..platforms.polling import poll_once

        poller = self._poller
        if poller is None:
            options, awaited = WaitOptions.read(self), AwaitedTransfers.read(self.transfers)
            self._read_record(context, awaited)
            poller = self._make_poller(context, options, awaited)
        verdict = poll_once(poller, self._platform, silent_fail=self.silent_fail)
        self._record.write_wait_results(poller.settled)
        if self.reschedule:
            self._record.write_failed_polls(poller.failed_polls)
        return PokeReturnValue(is_done=verdict.done)

    @fail_fast_if_permanent
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer; one that was interrupted obeys ``never_fail`` as a poll does.

        When the trigger failed or timed out, Airflow does not call ``execute_complete``; the report is then the one on
        record.
        """
        try:
            if hasattr(self, next_method):
                return super().resume_execution(next_method, next_kwargs, context)
            with push_report_on_failure(context) as latest:
                self._use_record(context, latest)
                return super().resume_execution(next_method, next_kwargs, context)
        except WaitInterruptedError as error:
            self._skip_instead_of(error)
            raise

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer, from the event alone."""
        with push_report_on_failure(context) as latest:
            latest.make = lambda reason: report_in(event)
            record = self._use_record(context, latest)
            report = report_from_event(event, record=record, latest=latest)
            latest.make = lambda reason: report
            if report.waiting and self._times_out_first(WaitOptions.read(self)):
                raise AirflowSensorTimeout(
                    f"{len(report.waiting)} transfers were not accepted within the timeout of {self.timeout} s; "
                    "the report is in the XCom return_value"
                )
            return finish_task(context, report, record=record)

    def _execute_deferred(self, context: Context, options: WaitOptions) -> None:
        from ..triggers.accept_transfer import AcceptTransferTrigger

        if self.poke(context):
            return
        assert self._poller is not None
        limit, deadline = ExecutionTimeout.of(self, context), self._poller.deadline
        if self._times_out_first(options):
            deadline = datetime.now(UTC).timestamp() + self.timeout
        deliver_report(context, self._poller.report)
        trigger = AcceptTransferTrigger(
            conn_id=as_conn_id(self.conn_id),
            report=self._poller.report.to_json(),
            deadline=deadline,
            ends_at=limit.at,
            poll_interval=options.poll_interval,
            silent_fail=self.silent_fail,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=limit.of_deferral)

    def _use_record(self, context: Context, latest: LatestReport) -> RunRecord:
        """Reopen the record, and let the latest report be the transfers of this sensor as it stands on record."""
        record = reopen_record(context)
        latest.make = lambda reason: self._known(AwaitedTransfers.read(self.transfers), record)
        return record

    def _known(self, awaited: AwaitedTransfers, record: RunRecord) -> TransferReport:
        return awaited.report(record, conn_id=as_conn_id(self.conn_id), at=datetime.now(UTC))

    def _skip_instead_of(self, error: BaseException) -> None:
        """Skip with ``never_fail``, as Airflow's sensor does itself for a poll that it makes itself."""
        if self.never_fail and isinstance(error, PlatformError | WaitInterruptedError):
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from error

    def _times_out_first(self, options: WaitOptions) -> bool:
        return options.accept_within is None or options.accept_within > self.timeout

    @cached_property
    def _platform(self) -> ChatPlatform:
        from ..hooks.dispatch import open_platform

        return open_platform(as_conn_id(self.conn_id))

    def _close(self) -> None:
        if "_platform" in self.__dict__:
            self.__dict__.pop("_platform").close()

    @property
    def _record(self) -> RunRecord:
        """What earlier polls and tries have settled: a chat that was accepted then may be closed by now."""
        assert self._found_record is not None
        return self._found_record

    def _read_record(self, context: Context, awaited: AwaitedTransfers) -> RunRecord:
        """Open the record of this sensor; raises ``ValueError`` for transfers of another service."""
        awaited.check(self._platform, conn_id=as_conn_id(self.conn_id))
        self._found_record = open_record(context, inputs=awaited.to_json(), platform=self._platform)
        return self._found_record

    def _make_poller(self, context: Context, options: WaitOptions, awaited: AwaitedTransfers) -> AcceptancePoller:
        started_at = self._started_at(context)
        within = timedelta(days=36_500) if options.accept_within is None else timedelta(seconds=options.accept_within)
        if not self._record.has_plan:
            results = awaited.resolved(self._platform).results
            self._record.write_plan([each.transfer for each in results], now=datetime.now(UTC).timestamp())
            self._record.write_results([each for each in results if each.outcome is not Outcome.REQUESTED])
        self._poller = AcceptancePoller(
            awaited.report(self._record, conn_id=as_conn_id(self.conn_id), at=started_at),
            deadline=(started_at + within).timestamp(),
            failed_polls=self._record.failed_polls,
        )
        return self._poller

    def _started_at(self, context: Context) -> datetime:
        """Return when the wait began: for a sensor that is rescheduled, in an earlier process."""
        first: datetime | None = context["ti"].get_first_reschedule_date(context) if self.reschedule else None
        return first or datetime.now(UTC)
