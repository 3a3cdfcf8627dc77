# SPDX-License-Identifier: Apache-2.0
"""Decide when a wait for acceptance is over: one poller for the loop on a worker and for the trigger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .model import Outcome, Reading, Result, TransferReport
from .reconciliation import while_waiting

DEFAULT_WAIT = timedelta(days=1)
"""How long a wait without a deadline lasts: neither service ever ends a pending transfer by itself."""

MAX_FAILED_POLLS = 15
"""Failed polls in a row with which a wait ends. Each has repeated its requests for a minute or two, so that a service
may be away for ten minutes (Bitrix24's longest block). An answer that is not understood is not repeated: then this
is a number of intervals.
"""

LOG_INTERVAL = timedelta(minutes=1)
"""Time after which a wait in which nothing changes writes its line to the log again."""

MAX_SHOWN_WAIT = timedelta(days=366)
"""A deadline farther away is not shown: it is later than any option can set, and belongs to a sensor that ends by its
``timeout``.
"""

MAX_RECEIVERS_PER_LINE = 10
"""Receivers that a log line names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do after a poll: go on or stop, with the report as it stands."""

    done: bool
    report: TransferReport


class AcceptancePoller:
    """Decide, poll by poll, which transfers are settled.

    The caller reads the chats and the clock. Only transfers that are ``requested`` in the report are polled; the others
    are settled already.
    """

    def __init__(self, report: TransferReport, *, deadline: float, failed_polls: int = 0) -> None:
        """Begin with ``report``; ``deadline`` is in seconds since the epoch, so that it outlives this process.

        ``failed_polls`` is how many polls have failed in a row in an earlier process. ``settled`` will hold what this
        process saw.
        """
        self.report = report
        self.deadline = deadline
        self.failed_polls = failed_polls
        self.settled: list[Result] = []
        self._open = {result.transfer.chat_id: result for result in report.waiting}
        self._last_logged: tuple[dict[Outcome, int], datetime] | None = None

    @property
    def chat_ids(self) -> list[str]:
        """The chats to read before the next ``observe``."""
        return list(self._open)

    def observe(self, chats: Mapping[str, Reading], *, now: datetime) -> Verdict:
        """Settle what ``chats`` proves. Chats that are not in it stay open."""
        self.failed_polls = 0
        settled: dict[str, Result] = {}
        for chat_id, result in list(self._open.items()):
            if chat_id in chats and (verdict := while_waiting(result.transfer, chats[chat_id])):
                settled[chat_id] = result.now(*verdict)
                del self._open[chat_id]
        self.settled.extend(settled.values())
        self.report = self.report.with_results(settled, finished_at=now)
        return self.verdict(now=now)

    def poll_failed(self) -> bool:
        """Note that the chats could not be read, and return whether the wait may go on."""
        self.failed_polls += 1
        return self.failed_polls < MAX_FAILED_POLLS

    def verdict(self, *, now: datetime) -> Verdict:
        """Tell whether the wait is over at ``now``, without another poll."""
        return Verdict(done=not self._open or now.timestamp() >= self.deadline, report=self.report)

    def log_line(self, *, now: datetime) -> str | None:
        """Return the line for the log after a poll: the counts, who has not accepted, and until when they may.

        ``None`` when nothing has changed since a line less than a minute ago.
        """
        counts = self.report.counts
        if (
            self._last_logged is not None
            and self._last_logged[0] == counts
            and now - self._last_logged[1] < LOG_INTERVAL
        ):
            return None
        self._last_logged = counts, now
        if not self._open:
            return f"The wait for acceptance is over: {self.report}"
        return f"Waiting for acceptance{self._until(now)}: {self.report}; not accepted by {self._open_receivers()}"

    def _until(self, now: datetime) -> str:
        if self.deadline - now.timestamp() > MAX_SHOWN_WAIT.total_seconds():
            return ""
        return f" until {datetime.fromtimestamp(self.deadline, UTC):%Y-%m-%d %H:%M:%S} UTC"

    def _open_receivers(self) -> str:
        """Return the receivers of the open chats, in the order of the report, with how many chats each has."""
        chats = Counter(str(result.transfer.target) for result in self._open.values())
        named = [f"{target}: {number}" for target, number in list(chats.items())[:MAX_RECEIVERS_PER_LINE]]
        others = list(chats.values())[MAX_RECEIVERS_PER_LINE:]
        return ", ".join([*named, f"{len(others)} others: {sum(others)}"] if others else named)

    def seconds_to_next_poll(self, *, now: datetime, interval: float) -> float:
        """Return how many seconds to sleep: the interval, but not beyond the deadline."""
        return max(0.0, min(interval, self.deadline - now.timestamp()))
