# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits until transfers are accepted. One polls any number of chats, and only reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ..chats.acceptance import AcceptancePoller
from ..chats.model import TransferReport
from ..chats.stored import read_stored


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """What a trigger's event says: the report as it stands, and what broke the wait off, if anything did.

    ``permanent`` tells that a retry of the task would meet the same error, ``retry_after`` that it would within so many
    seconds, ``out_of_time`` that the task itself ran out of time before the receivers did.
    """

    report: TransferReport
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None
    out_of_time: bool = False

    def to_event(self) -> dict[str, Any]:
        """The payload of the event."""
        return {
            "report": self.report.to_json(),
            "error": self.error,
            "permanent": self.permanent,
            "retry_after": self.retry_after,
            "out_of_time": self.out_of_time,
        }

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event; raises ``ValueError`` that names the member for one that this trigger does not send."""
        if not isinstance(event, Mapping):
            raise ValueError(f"this is not an event of AcceptTransferTrigger: {type(event).__name__}")
        try:
            return cls(
                report=TransferReport.from_json(read_stored(event.get("report"), dict[str, Any], of="report")),
                error=read_stored(event.get("error"), str | None, of="error"),
                permanent=read_stored(event.get("permanent", False), bool, of="permanent"),
                retry_after=read_stored(event.get("retry_after"), float | None, of="retry_after"),
                out_of_time=read_stored(event.get("out_of_time", False), bool, of="out_of_time"),
            )
        except ValueError as problem:
            raise ValueError(f"this is not an event of AcceptTransferTrigger: {problem}") from None


class AcceptTransferTrigger(BaseTrigger):
    """Fires once, when all transfers that are ``requested`` in ``report`` are settled, at ``deadline``, or when the
    service cannot be asked any more.

    :param conn_id: the connection to read with; no secret is in the trigger.
    :param report: a transfer report as plain JSON.
    :param deadline: seconds since the epoch, so that it outlives a restart of the triggerer.
    :param poll_interval: seconds between two looks; each look is one request for up to fifty chats on Bitrix24,
        and usually one for all on SuperOffice.
    :param ends_at: when the task runs out of its ``execution_timeout``, in seconds since the epoch, if it has one.
    :param silent_fail: as a sensor has it: go on looking whatever a look fails with, until the deadline.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        report: dict[str, Any],
        deadline: float,
        poll_interval: float = 15.0,
        ends_at: float | None = None,
        silent_fail: bool = False,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.report = report
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.ends_at = ends_at
        self.silent_fail = silent_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "report": self.report,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "ends_at": self.ends_at,
                "silent_fail": self.silent_fail,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the wait is over, then fire."""
        yield TriggerEvent((await self._wait()).to_event())

    async def on_kill(self) -> None:
        """Nothing is undone: neither service can take a transfer back, and ``run`` lets go of its connection itself."""
        self.log.info("The task was ended by a user; who was asked to take a chat may still accept it")

    async def _wait(self) -> WaitEnded:
        from ..exceptions import PlatformError, is_permanent
        from ..hooks.dispatch import open_platform_async
        from ..platforms.runner import poll_once, utc_now

        ends_first = self.ends_at is not None and self.ends_at < self.deadline
        deadline = self.ends_at if self.ends_at is not None and ends_first else self.deadline
        poller = AcceptancePoller(TransferReport.from_json(self.report), deadline=deadline)
        try:
            platform = await open_platform_async(self.conn_id)
            try:
                once = partial(poll_once, poller, platform, silent_fail=self.silent_fail)
                while not (verdict := await asyncio.to_thread(once)).done:
                    await asyncio.sleep(poller.seconds_to_next_poll(now=utc_now(), interval=self.poll_interval))
            finally:
                await asyncio.to_thread(platform.close)
        except (PlatformError, ValueError) as error:
            hint = error.retry_after if isinstance(error, PlatformError) else None
            return WaitEnded(poller.report, error=str(error), permanent=is_permanent(error), retry_after=hint)
        except Exception as error:
            self.log.exception("The wait for acceptance broke off")
            return WaitEnded(poller.report, error=type(error).__name__)
        return WaitEnded(verdict.report, out_of_time=ends_first and bool(verdict.report.waiting))
