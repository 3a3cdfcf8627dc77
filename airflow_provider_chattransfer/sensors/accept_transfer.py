# SPDX-License-Identifier: Apache-2.0
"""The sensor that waits until transfers are accepted."""

from __future__ import annotations

import hashlib
import json
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

from ..chats.model import Outcome, Result, TransferReport, transfers_from_json
from ..chats.waiting import AcceptancePoller
from ..operators.reporting import hand_in, push, waited_for
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
        self.conn_id = conn_id
        self.transfers = transfers
        self.accept_within = accept_within
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._poller: AcceptancePoller | None = None
        self._memory = ""

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, and return the report as plain JSON.

        Raises ``ValueError`` for bad input, ``AirflowSensorTimeout`` when ``timeout`` is over, a ``PlatformError``
        when no look can succeed any more, and ``ChatsNotTransferred`` when all chats failed. But for bad input,
        the report has been pushed under ``return_value`` by then.
        """
        check_wait(self.accept_within, self.poll_interval)
        self._poller = self._make_poller(context)
        try:
            if self.deferrable:
                self._execute_deferred(context)
            else:
                super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout, PlatformError):
            push(context, self._poller.report)
            raise
        finally:
            self._close()
        return hand_in(context, self._poller.report)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        from ..platforms.driving import look

        poller = self._poller or self._make_poller(context)
        verdict = look(poller, self._platform)
        self._remember(context, poller)
        return PokeReturnValue(is_done=verdict.done)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer, from the event alone."""
        report = waited_for(context, event)
        if report.waiting and self._times_out_first:
            push(context, report)
            raise AirflowSensorTimeout(
                f"{len(report.waiting)} transfers were not accepted within the timeout of {self.timeout} s; "
                "the report is in the XCom return_value"
            )
        return hand_in(context, report)

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
        )
        self.defer(trigger=trigger, method_name="execute_complete")

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

    def _make_poller(self, context: Context) -> AcceptancePoller:
        started_at = self._started_at(context)
        within = self.accept_within or timedelta(days=36_500)
        report = self._report(started_at)
        self._memory = _key_of(report)
        return AcceptancePoller(self._recall(context, report), deadline=(started_at + within).timestamp())

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

    def _recall(self, context: Context, report: TransferReport) -> TransferReport:
        """What earlier looks of a rescheduled sensor settled: a chat accepted then may be closed by now."""
        store = context.get("task_state_store") if self.reschedule else None
        known: Any = store.get(self._memory) if store is not None else None
        settled = [Result.from_json(entry) for entry in known or ()]
        return report.with_results({each.transfer.chat_id: each for each in settled}, finished_at=report.finished_at)

    def _remember(self, context: Context, poller: AcceptancePoller) -> None:
        store = context.get("task_state_store") if self.reschedule else None
        if store is not None:
            watched = set(poller.chat_ids)
            settled = [each for each in poller.report.results if each.transfer.chat_id not in watched]
            store.set(self._memory, [each.to_json() for each in settled])


def _key_of(report: TransferReport) -> str:
    """Where the task state store keeps what was settled; another wait of the same task has another place."""
    waiting = json.dumps([each.to_json() for each in report.waiting])
    return f"accept_transfer {hashlib.sha256(waiting.encode()).hexdigest()[:16]}"
