# SPDX-License-Identifier: Apache-2.0
"""Accept a transfer as its receiver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from ..chats.model import Result, Target, Transfer, TransferReport
from ..chats.references import as_chat
from ..chats.run import run_acceptance
from ..tasks.open_record import open_record
from ..tasks.options import as_conn_id
from ..tasks.report import finish_task, push_report_on_failure
from ..tasks.retries import fail_fast_if_permanent, retry_by_cause
from ..tasks.templates import RenderOnlyTemplates

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..chats.run_record import RunRecord
    from ..platforms.base import ChatPlatform


class AcceptTransferOperator(RenderOnlyTemplates, BaseOperator):
    """Accept the transfer of one chat, and read back whether it was accepted.

    SuperOffice: as the agent to whom it is being transferred (``ChatSession/{id}/AcceptTransfer``), by the connection
    that ``agent_conn_id`` names for them, else as the connection's own user. Bitrix24: as the connection's user
    (``imopenlines.operator.answer``).

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice`` (templated).
    :param chat_id: the chat: its number, ``chat112``, or on Bitrix24 ``crm:deal:42`` or ``session:332`` (templated).
    :raises ChatsNotTransferredError: when the chat was not accepted.
    :raises ValueError: for bad input, before anything is sent.
    :raises PlatformError: when the service cannot be asked about the chat.
    :raises RecordWriteError: when the record of the run cannot be kept.
    """

    template_fields: Sequence[str] = ("conn_id", "chat_id")
    ui_color = "#d9ead3"

    def __init__(self, *, conn_id: str | XComArg, chat_id: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.chat_id = chat_id
        self._killed = False

    @fail_fast_if_permanent
    def execute(self, context: Context) -> dict[str, Any]:
        """Accept the chat and return a report of it.

        However the task ends, its report is pushed once there is a plan. Raises what the class lists.
        """
        from ..hooks.dispatch import open_platform
        from ..platforms.runner import run_to_end

        conn_id, chat = as_conn_id(self.conn_id), as_chat(self.chat_id, of="chat_id")
        with open_platform(conn_id) as platform:
            record = open_record(context, inputs={"accept": chat}, platform=platform)
            with push_report_on_failure(context) as latest:
                latest.make = lambda reason: (
                    self._report(platform, record, record.open_results(reason)) if record.has_plan else None
                )
                if not record.has_plan:
                    platform.check_may_send()
                    record.write_plan([_transfer(platform, chat)], now=datetime.now(UTC).timestamp())
                (transfer,) = record.plan
                steps = run_acceptance(transfer, record=record)
                run = run_to_end(steps, platform, record=record, interrupted=lambda: self._killed)
                report = self._report(platform, record, run.results)
                latest.make = lambda reason: report
                return finish_task(context, report, record=record, run=run)

    def on_kill(self) -> None:
        """Accept nothing more."""
        self._killed = True

    def _report(self, platform: ChatPlatform, record: RunRecord, results: Sequence[Result]) -> TransferReport:
        return TransferReport(
            platform=platform.name,
            conn_id=as_conn_id(self.conn_id),
            results=tuple(results),
            started_at=datetime.fromtimestamp(record.planned_at or 0.0, UTC),
            finished_at=datetime.now(UTC),
        )


def _transfer(platform: ChatPlatform, reference: str) -> Transfer:
    """Return the acceptance as a transfer to its receiver; raises ``ValueError`` for a chat that does not exist."""
    chat_id = platform.chats_by_number([reference], of="chat_id")[reference]
    return Transfer(chat_id=chat_id, target=_receiver(platform, chat_id))


def _receiver(platform: ChatPlatform, chat_id: str) -> Target:
    return platform.receiver_of(platform.read_chats([chat_id])[chat_id])
