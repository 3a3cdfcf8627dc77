# SPDX-License-Identifier: Apache-2.0
"""The portal's own log of transfers, for chats whose state does not tell what became of a sending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ...chats.model import Target, TargetKind
from ...chats.run import Move
from ..errors import NotUnderstood, PlatformError
from .client import BATCH_SIZE, Bitrix24Client, Command

RESOLUTION = 2.0
"""Seconds. The log's dates are whole seconds, and so is the portal's clock as its answers tell it."""


class TransferHistory:
    """Asks ``imopenlines.v2.Session.Transfer.list``, which portals have since September 2026."""

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client

    def carried_out(self, moves: Sequence[Move], *, since: Mapping[str, float]) -> dict[str, bool | None]:
        """Whether the log shows the transfer of each of ``moves``; ``None`` where it does not tell.

        No row is no proof: the log may lag, and what the account may not see is missing without an error. Only a
        session whose other rows are shown, and that was to go to an agent, is said not to have been transferred. A run
        believes that only while the chat's owner is the same (``settling.after_sending``): a transfer takes the chat
        from him at once, whether the portal makes the agent the owner or asks him first. And it asks again before it
        sends again, a minute later.
        """
        rows = self._rows([move.chat.session for move in moves if move.chat.session])
        earliest = {chat_id: at + self._client.clock_ahead - RESOLUTION for chat_id, at in since.items()}
        return {
            move.transfer.chat_id: _verdict(
                rows.get(move.chat.session or "", []), move.transfer.target, earliest[move.transfer.chat_id]
            )
            for move in moves
        }

    def _rows(self, sessions: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        commands = [
            Command(
                "imopenlines.v2.Session.Transfer.list",
                {"sessionId": [int(session) for session in sessions[start : start + BATCH_SIZE]]},
            )
            for start in range(0, len(sessions), BATCH_SIZE)
        ]
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for row in _all_rows(self._client.batches(commands)):
            rows.setdefault(str(row.get("sessionId")), []).append(row)
        return rows


def _all_rows(answers: Iterator[Any | PlatformError]) -> Iterator[Mapping[str, Any]]:
    for answer in answers:
        if isinstance(answer, PlatformError):
            raise answer
        yield from answer.get("transfers", []) if isinstance(answer, Mapping) else []


def _verdict(rows: Sequence[Mapping[str, Any]], target: Target, earliest: float) -> bool | None:
    fits = any(_fits(row, target) and _at(row) >= earliest for row in rows)
    if fits:
        return True
    return False if rows and target.is_agent else None


def _fits(row: Mapping[str, Any], target: Target) -> bool:
    """Whether a row is of a transfer to ``target``; the portal's own distribution (``AUTO``) is none."""
    if row.get("mode") == "AUTO":
        return False
    if target.kind is TargetKind.AGENT:
        return row.get("type") == "USER" and str(row.get("toOperatorId")) == target.id
    return row.get("type") == "QUEUE" and (row.get("toConfigId") is None or str(row["toConfigId"]) == target.id)


def _at(row: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(row["date"])).timestamp()
    except (KeyError, ValueError):
        raise NotUnderstood("a transfer has no date", method="imopenlines.v2.Session.Transfer.list") from None
