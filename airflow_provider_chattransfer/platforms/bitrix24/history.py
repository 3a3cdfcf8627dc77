# SPDX-License-Identifier: Apache-2.0
"""Read the portal's own log of transfers, for chats whose state does not tell whether a transfer was carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...chats.model import Target, TargetKind
from ...chats.run import Move
from ...exceptions import PlatformError
from ..decoding import Id, Moment, OptionalId
from .client import Bitrix24Client
from .commands import BATCH_SIZE, Command

RESOLUTION_SECONDS = 2.0
"""Seconds. The log's dates are whole seconds, and so is the portal's clock as its answers tell it."""


@dataclass(frozen=True, slots=True)
class LoggedTransfer:
    """A row of ``imopenlines.v2.Session.Transfer.list``; the line is null where it did not change."""

    sessionId: Id
    date: Moment
    mode: str
    type: str
    toOperatorId: OptionalId = None
    toConfigId: OptionalId = None

    def shows(self, target: Target) -> bool:
        """Tell whether it is a transfer to ``target``; the portal's own distribution (``AUTO``) is none."""
        if self.mode == "AUTO":
            return False
        if target.kind is TargetKind.AGENT:
            return self.type == "USER" and self.toOperatorId == target.id
        return self.type == "QUEUE" and self.toConfigId in (None, target.id)


@dataclass(frozen=True, slots=True)
class TransferLog:
    """The result of ``imopenlines.v2.Session.Transfer.list``."""

    transfers: list[LoggedTransfer]


class TransferHistory:
    """Asks ``imopenlines.v2.Session.Transfer.list``, which portals have since September 2026."""

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def carried_out(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> dict[str, bool | None]:
        """Return ``True`` for each of ``moves`` whose transfer the log shows, else ``None``.

        A missing row proves nothing: the log may lag, and what the account may not see is missing without an error.
        """
        rows = self._rows([move.chat.session for move in moves if move.chat.session])
        earliest = {chat_id: at + self._client.clock_ahead - RESOLUTION_SECONDS for chat_id, at in since.items()}
        return {
            move.transfer.chat_id: any(
                row.shows(move.transfer.target) and row.date.timestamp() >= earliest[move.transfer.chat_id]
                for row in rows.get(move.chat.session or "", [])
            )
            or None
            for move in moves
        }

    def _rows(self, sessions: Sequence[str]) -> dict[str, list[LoggedTransfer]]:
        commands = [
            Command(
                "imopenlines.v2.Session.Transfer.list",
                {"sessionId": [int(session) for session in sessions[start : start + BATCH_SIZE]]},
                TransferLog,
            )
            for start in range(0, len(sessions), BATCH_SIZE)
        ]
        rows: dict[str, list[LoggedTransfer]] = {}
        for answer in self._client.batches(commands):
            if isinstance(answer, PlatformError):
                raise answer
            for row in answer.transfers:
                rows.setdefault(row.sessionId, []).append(row)
        return rows
