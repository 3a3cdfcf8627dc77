# SPDX-License-Identifier: Apache-2.0
"""Wait in the triggerer until transfers are accepted. One trigger polls any number of chats, and only reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ..chats.acceptance import AcceptancePoller
from ..chats.model import TransferReport
from ..tasks.wait_event import WaitEnded


class AcceptTransferTrigger(BaseTrigger):
    """Fire once, when the wait for acceptance is over.

    It is over when all transfers that are ``requested`` in ``report`` are settled, at ``deadline`` or ``ends_at``, or
    when the service cannot be asked any more. Errors are in the event and not raised.

    :param conn_id: the connection to read with; the trigger holds no secret.
    :param report: a transfer report as plain JSON.
    :param deadline: seconds since the epoch, so that it outlives a restart of the triggerer.
    :param poll_interval: seconds between two polls, 15 by default; a poll is one request for up to fifty chats on
        Bitrix24, and usually one for all on SuperOffice.
    :param ends_at: when the task's ``execution_timeout`` is over, in seconds since the epoch; ``None`` if it has none.
    :param silent_fail: go on polling until the deadline whatever error a poll meets, as a sensor with ``silent_fail``.
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
        """Return the class and its arguments, as Airflow stores them."""
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
        """Poll until the wait is over, then fire."""
        yield TriggerEvent((await self._wait()).to_event())

    async def on_kill(self) -> None:
        """Log that nothing is undone: neither service can take a transfer back. ``run`` closes its connection."""
        self.log.info("The task was ended by a user; who was asked to take a chat may still accept it")

    async def _wait(self) -> WaitEnded:
        from ..exceptions import PlatformError
        from ..hooks.dispatch import open_platform_async
        from ..platforms.polling import poll_once
        from ..platforms.runner import utc_now
        from ..retry_decision import decide

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
            decision = decide(error, repeatable=True)
            return WaitEnded(
                poller.report,
                error=str(error),
                permanent=decision.permanent,
                retry_after=decision.after_seconds,
            )
        except Exception as error:
            self.log.exception("The wait for acceptance broke off")
            return WaitEnded(poller.report, error=type(error).__name__)
        return WaitEnded(verdict.report, out_of_time=ends_first and bool(verdict.report.waiting))
