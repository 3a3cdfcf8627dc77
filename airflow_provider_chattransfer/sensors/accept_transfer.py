# SPDX-License-Identifier: Apache-2.0
"""The sensor that waits until transfers are accepted."""

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
    conf,
)

from ..chats.ledger import Ledger
from ..chats.model import Outcome, Result, TransferReport, transfers_from_json
from ..chats.waiting import AcceptancePoller
from ..operators.journal import ledger_of
from ..operators.reporting import WaitBrokenOff, hand_in, push, pushed_if_not_written, waited_for
from ..operators.retrying import retry_by_cause, without_vain_retries
from ..operators.transfer import check_wait
from ..platforms.errors import PlatformError

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..platforms.base import ChatPlatform


class AcceptTransferSensor(BaseSensorOperator):
    """Wait until every transfer is accepted, rejected or otherwise settled, and return the report.

    When ``accept_within`` is over the sensor succeeds, with those that nobody has accepted ``requested`` in its
    report, so that a DAG can go on from there. When ``timeout`` comes first it fails as any sensor does; the
    report has been pushed then, too. Works in the modes ``poke`` and ``reschedule``, and deferrable.

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice`` (templated).
    :param transfers: the report of a task that moved chats, or ``[{"chat_id": 112, "to": "agent:12"}, …]``
        (templated).
    :param accept_within: how long the receivers have, from the sensor's start. ``None``: until ``timeout``.
    :param poll_interval: seconds between two looks.
    :param deferrable: wait in the triggerer, without a worker.
    """

    template_fields: Sequence[str] = ("conn_id", "transfers")
    template_fields_renderers: ClassVar[dict[str, str]] = {"transfers": "json"}
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        conn_id: str,
        transfers: Mapping[str, Any] | Sequence[Mapping[str, Any]] | XComArg,
        accept_within: timedelta | None = None,
        poll_interval: float = 15.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("poke_interval", poll_interval)
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.transfers = transfers
        self.accept_within = accept_within
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._poller: AcceptancePoller | None = None
        self._ledger: Ledger | None = None

    @without_vain_retries
    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, and return the report as plain JSON.

        Raises ``ValueError`` for bad input, ``AirflowSensorTimeout`` when ``timeout`` is over, a ``PlatformError``
        when no look can succeed any more, and ``ChatsNotTransferred`` when all chats failed. But for bad input,
        the report has been pushed under ``return_value`` by then.
        """
        check_wait(self.accept_within, self.poll_interval)
        ledger = self._ledger_of(context)
        poller = self._make_poller(context, ledger)
        try:
            with pushed_if_not_written(context, lambda: poller.report):
                if self.deferrable:
                    self._execute_deferred(context)
                else:
                    super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout, PlatformError) as ended:
            push(context, poller.report)
            ledger.write_failed_looks(0)
            self._skip_instead_of(ended)
            raise
        finally:
            self._close()
        return hand_in(context, poller.report, ledger=ledger)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        from ..platforms.driving import look

        ledger = self._ledger or self._ledger_of(context)
        poller = self._poller or self._make_poller(context, ledger)
        verdict = look(poller, self._platform, silent_fail=self.silent_fail)
        ledger.write_waited_for(poller.settled)
        if self.reschedule:
            ledger.write_failed_looks(poller.failed_looks)
        return PokeReturnValue(is_done=verdict.done)

    @without_vain_retries
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer; a wait that broke off obeys ``never_fail`` as a look does."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except WaitBrokenOff as error:
            self._skip_instead_of(error)
            raise

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer, from the event alone."""
        ledger = self._ledger_of(context)
        report = waited_for(context, event, ledger=ledger)
        if report.waiting and self._times_out_first:
            push(context, report)
            raise AirflowSensorTimeout(
                f"{len(report.waiting)} transfers were not accepted within the timeout of {self.timeout} s; "
                "the report is in the XCom return_value"
            )
        return hand_in(context, report, ledger=ledger)

    def _execute_deferred(self, context: Context) -> None:
        from ..triggers.accept_transfer import AcceptTransferTrigger

        if self.poke(context):
            return
        assert self._poller is not None
        deadline = self._poller.deadline
        if self._times_out_first:
            deadline = datetime.now(UTC).timestamp() + self.timeout
        trigger = AcceptTransferTrigger(
            conn_id=self.conn_id,
            report=self._poller.report.to_json(),
            deadline=deadline,
            poll_interval=self.poll_interval,
            silent_fail=self.silent_fail,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _skip_instead_of(self, error: BaseException) -> None:
        """Do for a look that Airflow's sensor did not make itself what it does with ``never_fail``."""
        if self.never_fail and isinstance(error, PlatformError | WaitBrokenOff):
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from error

    @property
    def _times_out_first(self) -> bool:
        return self.accept_within is None or self.accept_within.total_seconds() > self.timeout

    @cached_property
    def _platform(self) -> ChatPlatform:
        from ..hooks.base import open_platform

        return open_platform(self.conn_id)

    def _close(self) -> None:
        if "_platform" in self.__dict__:
            self.__dict__.pop("_platform").close()

    def _ledger_of(self, context: Context) -> Ledger:
        """What earlier looks and tries have settled: a chat that was accepted then may be closed by now."""
        self._ledger = ledger_of(context, inputs={"conn_id": self.conn_id, "transfers": self.transfers})
        return self._ledger

    def _make_poller(self, context: Context, ledger: Ledger) -> AcceptancePoller:
        started_at = self._started_at(context)
        within = self.accept_within or timedelta(days=36_500)
        report = self._report(started_at)
        self._poller = AcceptancePoller(
            report.with_results(ledger.results, finished_at=report.finished_at),
            deadline=(started_at + within).timestamp(),
            failed_looks=ledger.failed_looks,
        )
        return self._poller

    def _started_at(self, context: Context) -> datetime:
        """When the wait began: for a sensor that is rescheduled, in an earlier process."""
        first: datetime | None = context["ti"].get_first_reschedule_date(context) if self.reschedule else None
        return first or datetime.now(UTC)

    def _report(self, started_at: datetime) -> TransferReport:
        if isinstance(self.transfers, Mapping):
            report = TransferReport.from_json(self.transfers)
            if report.waiting and report.platform != self._platform.name:
                raise ValueError(
                    f"transfers: the report is of {report.platform}, and connection {self.conn_id!r} of "
                    f"{self._platform.name}"
                )
            return report
        if not isinstance(self.transfers, Sequence) or isinstance(self.transfers, str | bytes):
            raise ValueError(f"transfers: {self.transfers!r} is neither a report nor a list of transfers")
        transfers = transfers_from_json(self.transfers)
        if not transfers:
            raise ValueError("transfers: the list is empty")
        self._platform.check_targets([transfer.target for transfer in transfers])
        return TransferReport(
            platform=self._platform.name,
            conn_id=self.conn_id,
            results=tuple(Result(transfer, Outcome.REQUESTED) for transfer in transfers),
            started_at=started_at,
            finished_at=started_at,
        )
