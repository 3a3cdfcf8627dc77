# SPDX-License-Identifier: Apache-2.0
"""Move chats: one, a list, or all that an agent or a queue has."""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator
from typing_extensions import override

from ..chats.acceptance import DEFAULT_WAIT, AcceptancePoller
from ..chats.estimate import estimate
from ..chats.model import Result, TransferReport
from ..chats.planning import Strategy
from ..chats.run import RunResult, dry_run_transfers, run_transfers
from ..chats.run_record import NullRecordStore, RunRecord
from ..shortening import cut
from ..tasks.deferral import ExecutionTimeout
from ..tasks.open_record import open_record, reopen_record, warn_of_volatile_record
from ..tasks.options import DEFERRABLE, TransferOptions
from ..tasks.progress import RunProgress
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
from .transfer_requests import NamedTransfers, Reassignment, Request

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..platforms.account_lock import AccountLock
    from ..platforms.base import ChatPlatform

log = logging.getLogger(__name__)

MAX_LOGGED_REQUEST_LETTERS = 1000
"""Letters of the request that the log shows."""


class _TransferOperator(RenderOnlyTemplates, BaseOperator):
    """Move chats: what all operators that do have in common. All parameters are templated.

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice``.
    :param bot_leaves: Bitrix24's LEAVE: the bot leaves the chat at once (default ``False``); no effect on SuperOffice.
    :param wait_for_acceptance: go on only when the receivers have accepted, or ``accept_within`` is over. ``False`` by
        default.
    :param accept_within: how long the receivers have: a ``timedelta``, seconds, or text such as ``PT15M``. Chats that
        nobody has accepted by then are reported as ``requested``, and the task succeeds. ``None``, the default, waits
        for a day at most.
    :param poll_interval: seconds between two polls, 15 by default, or a ``timedelta``, or text such as ``PT15S``.
    :param deferrable: wait in the triggerer, without a worker; Airflow's ``default_deferrable`` by default.
    :param dry_run: read and plan, but send nothing; chats that would be sent are ``planned``. ``False`` by default.
    :param max_failed_ratio: the share of chats that may fail before the task fails, 0 (the default) to 1. When all
        fail, the task fails in any case.
    :param report_path: a local or object-store path to which the report is written as JSON; ``None``, the default,
        writes none. Mapped tasks with the same path get one each: ``report.2.json``.
    :raises ValueError: for bad input, before anything is sent.
    :raises ChatsNotTransferredError: when more chats failed than ``max_failed_ratio`` allows.
    :raises PlatformError: when the service cannot even be asked which chats there are.
    :raises RecordWriteError: when the record of the run, or the report, cannot be written.
    """

    template_fields: Sequence[str] = (
        "conn_id",
        "bot_leaves",
        "wait_for_acceptance",
        "accept_within",
        "poll_interval",
        "deferrable",
        "dry_run_only",
        "max_failed_ratio",
        "report_path",
    )
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        conn_id: str | XComArg,
        bot_leaves: bool | str | XComArg = False,
        wait_for_acceptance: bool | str | XComArg = False,
        accept_within: timedelta | float | str | XComArg | None = None,
        poll_interval: float | str | timedelta | XComArg = 15.0,
        deferrable: bool | str | XComArg = DEFERRABLE,
        dry_run: bool | str | XComArg = False,
        max_failed_ratio: float | str | XComArg = 0.0,
        report_path: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.bot_leaves = bot_leaves
        self.wait_for_acceptance = wait_for_acceptance
        self.accept_within = accept_within
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self.dry_run_only = dry_run
        self.max_failed_ratio = max_failed_ratio
        self.report_path = report_path
        self.report_path_as_written = report_path
        self._killed = False

    @abstractmethod
    def request(self) -> Request:
        """Read the options as a typed value; raises ``ValueError``."""

    @fail_fast_if_permanent
    def execute(self, context: Context) -> dict[str, Any]:
        """Move the chats and return the report as plain JSON.

        However the task ends, its report is pushed once there is a plan. Raises what the class lists.
        """
        from ..hooks.dispatch import open_platform

        options, request = TransferOptions.read(self, context), self.request()
        log.info("Asked for: %s", cut(json.dumps(request.to_json()), MAX_LOGGED_REQUEST_LETTERS))
        with open_platform(options.conn_id) as platform:
            request.check(platform)
            platform.check_send_options(options.send_options())
            record = RunRecord(NullRecordStore())
            if not options.dry_run:
                inputs = {**request.to_json(), **options.switches}
                record = open_record(context, inputs=inputs, platform=platform, report_path=options.record_beside)
            with push_report_on_failure(context) as latest:
                task = _Attempt(context, options, platform, record, latest)
                run = task.move(request, self._killed_by_now)
                report = task.report(run.results)
                if options.wait_for_acceptance and report.waiting and not options.dry_run:
                    report = task.wait(self, report)
                latest.make = lambda reason: report
                return finish_task(context, report, record=record, run=run, max_failed_ratio=options.max_failed_ratio)

    @fail_fast_if_permanent
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer, from the event alone."""
        with push_report_on_failure(context) as latest:
            latest.make = lambda reason: report_in(event)
            options = TransferOptions.read(self, context)
            record = reopen_record(context, report_path=options.record_beside)
            latest.make = lambda reason: _on_record(options, record)
            report = report_from_event(event, record=record, latest=latest)
            latest.make = lambda reason: report
            return finish_task(context, report, record=record, max_failed_ratio=options.max_failed_ratio)

    @fail_fast_if_permanent
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer.

        When the trigger failed or timed out, Airflow does not call ``execute_complete``; the report is then the one on
        record.
        """
        if hasattr(self, next_method):
            return super().resume_execution(next_method, next_kwargs, context)
        with push_report_on_failure(context) as latest:
            options = TransferOptions.read(self, context)
            record = reopen_record(context, report_path=options.record_beside)
            latest.make = lambda reason: _on_record(options, record)
            return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Send nothing more; the run then accounts for what is left."""
        self._killed = True

    def _killed_by_now(self) -> bool:
        return self._killed


class _Attempt:
    """One try of an operator: what it moves and waits for on a platform, by the run's record."""

    def __init__(
        self,
        context: Context,
        options: TransferOptions,
        platform: ChatPlatform,
        record: RunRecord,
        latest: LatestReport,
    ) -> None:
        self._context = context
        self._options = options
        self._platform = platform
        self._record = record
        self._latest = latest

    def move(self, request: Request, interrupted: Callable[[], bool]) -> RunResult:
        """Plan, unless an earlier try has, and move the chats that are open."""
        from ..platforms.runner import run_to_end

        record, options = self._record, self._options
        self._latest.make = lambda reason: self.report(record.open_results(reason)) if record.has_plan else None
        if record.has_plan:
            self._log_resumption()
        else:
            self._plan(request)
        if record.finished_by is not None:
            return RunResult(tuple(record.open_results("the run had ended")))
        self._log_send_blockers()
        self._log_estimate()
        chunk, max_chunk = self._platform.chunk, self._platform.max_chunk
        steps = dry_run_transfers(record.plan, chunk=max_chunk)
        if not options.dry_run:
            steps = run_transfers(record.plan, chunk=chunk, max_chunk=max_chunk, record=record)
        return run_to_end(
            steps,
            self._platform,
            options=options.send_options(),
            record=record,
            account_lock=None if options.dry_run else self._account_lock(),
            interrupted=interrupted,
            on_progress=RunProgress(
                done=len(record.plan) - len(record.open_transfers),
                requests=lambda: self._platform.requests,
                store=self._context.get("task_state_store"),
            ),
        )

    def wait(self, operator: BaseOperator, report: TransferReport) -> TransferReport:
        """Wait, here or in the triggerer, until the receivers have accepted or ``accept_within`` is over."""
        from ..platforms.polling import poll_until_done

        record, wait = self._record, self._options.wait
        if record.deadline is None:
            within = DEFAULT_WAIT.total_seconds() if wait.accept_within is None else wait.accept_within
            record.write_deadline(datetime.now(UTC).timestamp() + within)
        deadline = record.deadline or 0.0
        if wait.deferrable:
            from ..triggers.accept_transfer import AcceptTransferTrigger

            limit = ExecutionTimeout.of(operator, self._context)
            deliver_report(self._context, report)
            trigger = AcceptTransferTrigger(
                conn_id=self._options.conn_id,
                report=report.to_json(),
                deadline=deadline,
                ends_at=limit.at,
                poll_interval=wait.poll_interval,
            )
            operator.defer(trigger=trigger, method_name="execute_complete", timeout=limit.of_deferral)
        poller = AcceptancePoller(report, deadline=deadline)
        self._latest.make = lambda reason: poller.report
        try:
            return poll_until_done(poller, self._platform, interval=wait.poll_interval)
        finally:
            record.write_wait_results(poller.settled)

    def _plan(self, request: Request) -> None:
        if not request.is_empty and not self._options.dry_run:
            self._platform.check_may_send()
        transfers = [] if request.is_empty else request.plan(self._platform)
        if transfers and not self._options.dry_run:
            warn_of_volatile_record(self._context, report_path=self._options.record_beside)
        self._record.write_plan(transfers, now=datetime.now(UTC).timestamp())

    def _log_resumption(self) -> None:
        record = self._record
        log.info("An earlier try got to %d of %d chats; going on from there", len(record.results), len(record.plan))
        if unknown := [chat_id for chat_id in record.sent if chat_id not in record.results]:
            log.info("%d chats were sent by the try before; looking for 60 s what became of them", len(unknown))

    def _log_estimate(self) -> None:
        """Log what the run will cost; a dry run tells what the run would that sends."""
        if count := len(self._record.open_transfers):
            log.info("To move %d chats takes %s", count, estimate(count, self._platform.cost))

    def _log_send_blockers(self) -> None:
        """Log before anything is sent whose chats cannot be moved; the report says it of each of them."""
        counts = Counter(transfer.source for transfer in self._record.plan)
        for source, count in counts.items():
            if source is None or not source.is_agent or source.id is None:
                continue
            if why := self._platform.why_cannot_send(source.id):
                log.warning("None of the %d chats of %s can be sent: %s", count, source, why)

    def _account_lock(self) -> AccountLock:
        from ..platforms.account_lock import AccountLock

        ti = self._context["ti"]
        run = f"{ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index}"
        return AccountLock(self._platform.account, run=run, since=self._record.planned_at or 0.0)

    def report(self, results: Sequence[Result]) -> TransferReport:
        """Return the report of ``results``; it covers all tries."""
        return _report(self._options, self._platform.name, self._record, results)


class TransferChatOperator(_TransferOperator):
    """Move one chat to an agent or a queue.

    :param chat_id: the chat: its number, ``chat112``, or on Bitrix24 ``crm:deal:42`` or ``session:332`` (templated).
    :param to: ``agent:12``, ``agent:jane@example.com``, ``queue:3``, or ``queue`` for the chat's own queue (templated).
    """

    template_fields: Sequence[str] = ("chat_id", "to", *_TransferOperator.template_fields)

    def __init__(self, *, chat_id: int | str | XComArg, to: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chat_id = chat_id
        self.to = to

    @override
    def request(self) -> NamedTransfers:
        return NamedTransfers.one(self.chat_id, self.to)


class TransferChatsOperator(_TransferOperator):
    """Move a list of chats, each to its own target. An empty list is an empty report.

    :param transfers: ``[{"chat_id": 112, "to": "agent:12"}, …]``; the same chat twice with the same target is sent
        once. A row with ``from`` is sent only while the chat is there (templated).
    """

    template_fields: Sequence[str] = ("transfers", *_TransferOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"transfers": "json"}

    def __init__(self, *, transfers: Sequence[Mapping[str, Any]] | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transfers = transfers

    @override
    def request(self) -> NamedTransfers:
        return NamedTransfers.read(self.transfers)


class ReassignChatsOperator(_TransferOperator):
    """Share out all chats that some agents have, or that wait in a queue, or that are named.

    Exactly one of ``from_agents``, ``from_queue`` and ``chat_ids`` says which chats. An empty list is an empty report.

    :param from_agents: agents, ``["agent:7", 8, "agent:jane@example.com"]``; all their open chats are taken, on
        Bitrix24 also those that are only offered to them (templated).
    :param from_queue: a queue, ``3`` or ``queue:Support``; the chats that wait in it are taken (templated).
    :param chat_ids: chats, whoever has them; one that a receiver has already stays (templated).
    :param to: the receivers, ``["agent:12", 15, "queue:3"]`` (templated).
    :param strategy: ``round_robin`` (the default), ``least_loaded`` or ``keep_together`` (templated).
    """

    template_fields: Sequence[str] = (
        "from_agents",
        "from_queue",
        "chat_ids",
        "to",
        "strategy",
        *_TransferOperator.template_fields,
    )

    def __init__(
        self,
        *,
        to: Sequence[int | str] | str | XComArg,
        from_agents: Sequence[int | str] | str | XComArg | None = None,
        from_queue: int | str | XComArg | None = None,
        chat_ids: Sequence[int | str] | str | XComArg | None = None,
        strategy: str | XComArg = Strategy.ROUND_ROBIN.value,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.from_agents = from_agents
        self.from_queue = from_queue
        self.chat_ids = chat_ids
        self.strategy = strategy

    @override
    def request(self) -> Reassignment:
        return Reassignment.read(
            to=self.to,
            strategy=self.strategy,
            from_agents=self.from_agents,
            from_queue=self.from_queue,
            chat_ids=self.chat_ids,
        )


def _on_record(options: TransferOptions, record: RunRecord) -> TransferReport | None:
    """Return the report of what is on record; ``None`` where nothing is."""
    if not record.has_plan or record.recorded_for is None:
        return None
    return _report(options, record.recorded_for.platform, record, record.open_results("the run had ended"))


def _report(options: TransferOptions, platform: str, record: RunRecord, results: Sequence[Result]) -> TransferReport:
    return TransferReport(
        platform=platform,
        conn_id=options.conn_id,
        dry_run=options.dry_run,
        results=tuple(results),
        report_path=options.report_path,
        started_at=datetime.fromtimestamp(record.planned_at or 0.0, UTC),
        finished_at=datetime.now(UTC),
    )
