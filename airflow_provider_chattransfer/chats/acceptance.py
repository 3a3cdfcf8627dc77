# SPDX-License-Identifier: Apache-2.0
"""One poller for acceptance, shared by the loop on a worker and by the trigger, so that both settle alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .model import Outcome, Reading, Result, TransferReport
from .reconciliation import while_waiting

LONGEST_WAIT = timedelta(days=1)
"""How long a wait lasts that was given no deadline: neither service ever ends a pending transfer by itself."""

MAX_FAILED_POLLS = 15
"""Failed looks in a row with which a wait ends. Each has repeated its requests for a minute or two, so that a service
that is away for ten minutes (Bitrix24's longest block) is outlasted. An answer that is not understood is not repeated:
then this is the number of intervals."""

LINE_EVERY = timedelta(minutes=1)
"""How often a wait in which nothing changes says so."""

SHOWN_DEADLINE = timedelta(days=366)
"""A later deadline than an option can set is a sensor's that has none but its ``timeout``."""

MOST_RECEIVERS = 10
"""Receivers that a line names; of more, the number is told."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do after a look at the chats: go on or stop, with the report as it stands."""

    done: bool
    report: TransferReport


class AcceptancePoller:
    """Decide, look by look, which transfers are settled.

    Pure: the caller reads the chats and tells the time. Only transfers that are ``requested`` in the report
    are watched; the others are settled already.
    """

    def __init__(self, report: TransferReport, *, deadline: float, failed_polls: int = 0) -> None:
        """``deadline`` in seconds since the epoch, on the wall clock, so that it outlives this process.

        ``failed_polls`` is how many have failed in a row, in a process before this one. ``settled`` will hold what
        this process saw.
        """
        self.report = report
        self.deadline = deadline
        self.failed_polls = failed_polls
        self.settled: list[Result] = []
        self._open = {result.transfer.chat_id: result for result in report.waiting}
        self._told: tuple[dict[Outcome, int], datetime] | None = None

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
        """Note that the chats could not be read; returns whether that is tolerable, and the wait goes on."""
        self.failed_polls += 1
        return self.failed_polls < MAX_FAILED_POLLS

    def verdict(self, *, now: datetime) -> Verdict:
        """Whether the wait is over at ``now``, without another look."""
        return Verdict(done=not self._open or now.timestamp() >= self.deadline, report=self.report)

    def news(self, *, now: datetime) -> str | None:
        """The line for the log after a look: how many are where, who has not accepted, and until when they may.

        ``None`` when nothing has changed since a line less than a minute ago.
        """
        counts = self.report.counts
        if self._told is not None and self._told[0] == counts and now - self._told[1] < LINE_EVERY:
            return None
        self._told = counts, now
        if not self._open:
            return f"The wait for acceptance is over: {self.report}"
        return f"Waiting for acceptance{self._until(now)}: {self.report}; not accepted by {self._who()}"

    def _until(self, now: datetime) -> str:
        if self.deadline - now.timestamp() > SHOWN_DEADLINE.total_seconds():
            return ""
        return f" until {datetime.fromtimestamp(self.deadline, UTC):%Y-%m-%d %H:%M:%S} UTC"

    def _who(self) -> str:
        """The receivers of the chats that are open, in the order of the report, with how many each has."""
        chats = Counter(str(result.transfer.target) for result in self._open.values())
        named = [f"{target}: {number}" for target, number in list(chats.items())[:MOST_RECEIVERS]]
        others = list(chats.values())[MOST_RECEIVERS:]
        return ", ".join([*named, f"{len(others)} others: {sum(others)}"] if others else named)

    def seconds_to_next_poll(self, *, now: datetime, interval: float) -> float:
        """How long to sleep: the interval, but not beyond the deadline."""
        return max(0.0, min(interval, self.deadline - now.timestamp()))
