# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits until transfers are accepted. One polls any number of chats, and only reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ..chats.model import TransferReport
from ..chats.waiting import AcceptancePoller


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """What a trigger's event says: the report as it stands, and what broke the wait off, if anything did.

    ``permanent`` tells that a retry of the task would meet the same error.
    """

    report: TransferReport
    error: str | None = None
    permanent: bool = False

    def to_event(self) -> dict[str, Any]:
        """The payload of the event."""
        return {"report": self.report.to_json(), "error": self.error, "permanent": self.permanent}

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event; raises ``ValueError`` for one that this trigger does not send."""
        if not isinstance(event, Mapping) or not isinstance(event.get("report"), Mapping):
            raise ValueError(f"this is not an event of AcceptTransferTrigger: {type(event).__name__}")
        return cls(
            report=TransferReport.from_json(event["report"]),
            error=event.get("error"),
            permanent=event.get("permanent", False),
        )


class AcceptTransferTrigger(BaseTrigger):
    """Fires once, when all transfers that are ``requested`` in ``report`` are settled, at ``deadline``, or when the
    service cannot be asked any more.

    :param conn_id: the connection to read with; no secret is in the trigger.
    :param report: a transfer report as plain JSON.
    :param deadline: seconds since the epoch, so that it outlives a restart of the triggerer.
    :param poll_interval: seconds between two looks; each look is one request for up to fifty chats on Bitrix24,
        and usually one for all on SuperOffice.
    """

    def __init__(self, *, conn_id: str, report: dict[str, Any], deadline: float, poll_interval: float = 15.0) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.report = report
        self.deadline = deadline
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "report": self.report,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the wait is over, then fire."""
        yield TriggerEvent((await self._wait()).to_event())

    async def on_kill(self) -> None:
        """Nothing is undone: neither service can take a transfer back, and ``run`` lets go of its connection itself."""
        self.log.info("The task was ended by a user; who was asked to take a chat may still accept it")

    async def _wait(self) -> WaitEnded:
        from ..hooks.base import open_platform_async
        from ..platforms.driving import look, utc_now
        from ..platforms.errors import PlatformError, is_permanent

        poller = AcceptancePoller(TransferReport.from_json(self.report), deadline=self.deadline)
        try:
            platform = await open_platform_async(self.conn_id)
            try:
                while not (verdict := await asyncio.to_thread(look, poller, platform)).done:
                    await asyncio.sleep(poller.seconds_to_next_look(now=utc_now(), interval=self.poll_interval))
            finally:
                await asyncio.to_thread(platform.close)
        except (PlatformError, ValueError) as error:
            return WaitEnded(poller.report, error=str(error), permanent=is_permanent(error))
        except Exception as error:
            self.log.exception("The wait for acceptance broke off")
            return WaitEnded(poller.report, error=type(error).__name__)
        return WaitEnded(verdict.report)
