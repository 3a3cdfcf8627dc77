# SPDX-License-Identifier: Apache-2.0
"""The operator that accepts a transfer as the one who receives it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from ..chats.model import Chat, Result, Target, Transfer, TransferReport
from ..chats.run import take_over
from ..chats.spellings import as_chat
from .journal import record_of
from .options import as_conn_id
from .reporting import hand_in, report_left_behind
from .retrying import retry_by_cause, without_vain_retries

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from ..chats.ledger import Ledger
    from ..platforms.base import ChatPlatform


class AcceptTransferOperator(BaseOperator):
    """Accept the transfer of one chat, and read back whether it was accepted.

    SuperOffice: as the agent to whom it is being transferred (``ChatSession/{id}/AcceptTransfer``), by the
    connection that ``agent_conn_id`` names for them, else as the connection's own user. Bitrix24: as the
    connection's user (``imopenlines.operator.answer``).

    :param conn_id: a connection of type ``bitrix24`` or ``superoffice`` (templated).
    :param chat_id: the chat: its number, ``chat112``, or on Bitrix24 ``crm:deal:42`` or ``session:332`` (templated).
    """

    template_fields: Sequence[str] = ("conn_id", "chat_id")
    ui_color = "#d9ead3"

    def __init__(self, *, conn_id: str | XComArg, chat_id: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        retry_by_cause(self)
        self.conn_id = conn_id
        self.chat_id = chat_id
        self._killed = False

    @without_vain_retries
    def execute(self, context: Context) -> dict[str, Any]:
        """Accept, and return a report of one chat; raises ``ChatsNotTransferred`` when it was not accepted, and
        ``NotWritten`` when its record cannot be kept. Whatever it is, the report is left behind once there is a plan.
        """
        from ..hooks.base import open_platform
        from ..platforms.driving import carry_out

        conn_id, chat = as_conn_id(self.conn_id), as_chat(self.chat_id, of="chat_id")
        with open_platform(conn_id) as platform:
            ledger = record_of(context, inputs={"accept": chat}, platform=platform)
            with report_left_behind(context) as so_far:
                so_far.tell = lambda reason: (
                    self._report(platform, ledger, ledger.open_results(reason)) if ledger.has_plan else None
                )
                if not ledger.has_plan:
                    platform.check_may_send()
                    ledger.write_plan([_transfer(platform, chat)], now=datetime.now(UTC).timestamp())
                (transfer,) = ledger.plan
                steps = take_over(transfer, ledger=ledger)
                results = carry_out(steps, platform, ledger=ledger, interrupted=lambda: self._killed)
                report = self._report(platform, ledger, results)
                so_far.tell = lambda reason: report
                return hand_in(context, report, ledger=ledger)

    def on_kill(self) -> None:
        """Accept nothing more."""
        self._killed = True

    def _report(self, platform: ChatPlatform, ledger: Ledger, results: Sequence[Result]) -> TransferReport:
        return TransferReport(
            platform=platform.name,
            conn_id=as_conn_id(self.conn_id),
            results=tuple(results),
            started_at=datetime.fromtimestamp(ledger.planned_at or 0.0, UTC),
            finished_at=datetime.now(UTC),
        )


def _transfer(platform: ChatPlatform, reference: str) -> Transfer:
    """The acceptance as a transfer to the one who accepts; raises ``ValueError`` for a chat that is not there."""
    chat_id = platform.chats_by_number([reference], of="chat_id")[reference]
    return Transfer(chat_id=chat_id, target=_receiver(platform, chat_id))


def _receiver(platform: ChatPlatform, chat_id: str) -> Target:
    chat = platform.read_chats([chat_id])[chat_id]
    return platform.receiver_of(chat if isinstance(chat, Chat) else Chat(id=chat_id))
